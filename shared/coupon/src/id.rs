//! Typed ids. An entity's id is the merchant's number and the shard sequence of the record that made it, so that
//! no id needs randomness or a coordinator and every replica gives an entity the same one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Lower-case Crockford base32: digits and letters without i, l, o and u; sorts like the number that it encodes.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A merchant: the platform's shard sequence at which it was created. 0 is the platform itself.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MerchantId(pub u32);

/// The platform as the owner of records: merchants, keys, quotas.
pub const PLATFORM: MerchantId = MerchantId(0);

/// How many shards there are, for ever: the unit of order, of state and of copying.
pub const SHARDS: u16 = 256;

/// A logical shard, `0..SHARDS`. Shard 0 is the platform's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shard(pub u8);

/// The position of a record among all records of its shard, counted from 1; the same on every layout of the log.
pub type Sequence = u64;

/// Set in the numbers of rehearsals. Merchants are numbered by records, of which there are fewer.
const REHEARSALS: u32 = 1 << 31;

impl MerchantId {
    /// Where the merchant's rehearsals are: beside it in the same shard, and under a number of its own in every key of
    /// state, so that nothing of theirs is counted with what is real.
    #[must_use]
    pub const fn rehearsals(self) -> Self {
        Self(self.0 | REHEARSALS)
    }

    /// Whether this is where a merchant's rehearsals are.
    pub const fn is_rehearsals(self) -> bool {
        self.0 & REHEARSALS != 0
    }

    /// The merchant itself, whose rehearsals these may be.
    #[must_use]
    pub const fn real(self) -> Self {
        Self(self.0 & !REHEARSALS)
    }

    /// The shard that holds all that is the merchant's, its rehearsals too.
    pub fn shard(self) -> Shard {
        if self == PLATFORM {
            return Shard(0);
        }
        // Fibonacci hashing spreads consecutive numbers evenly over 1..=255.
        let spread = u64::from(self.real().0).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        Shard((1 + spread % 255) as u8)
    }
}

impl fmt::Display for MerchantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_id(f, "mer_", u128::from(self.0), 7)
    }
}

impl fmt::Debug for MerchantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MerchantId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let number = read_base32(text.strip_prefix("mer_").ok_or(IdError)?, 7)?;
        u32::try_from(number).map(MerchantId).map_err(|_| IdError)
    }
}

/// A text that is no id of the expected kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct IdError;

macro_rules! entity_id {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name {
            /// Whose it is.
            pub merchant: MerchantId,
            /// Its number at that merchant.
            pub number: u64,
        }

        impl $name {
            /// The id of the merchant's entity with that number.
            pub const fn new(merchant: MerchantId, number: u64) -> Self {
                Self { merchant, number }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_id(f, $prefix, (u128::from(self.merchant.0) << 64) | u128::from(self.number), 20)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let bits = read_base32(text.strip_prefix($prefix).ok_or(IdError)?, 20)?;
                let merchant = u32::try_from(bits >> 64).map_err(|_| IdError)?;
                Ok(Self { merchant: MerchantId(merchant), number: bits as u64 })
            }
        }
    )*};
}

entity_id! {
    /// A store (门店).
    StoreId = "str_";
    /// A stock of coupons (批次).
    StockId = "stk_";
    /// A batch of codes made ahead or imported (码批次).
    BatchId = "bat_";
    /// A coupon (券): its number is the merchant's running number, which its code enciphers.
    CouponId = "cpn_";
    /// A lock (锁定).
    LockId = "lck_";
    /// A redemption (核销).
    RedemptionId = "rdm_";
    /// A reversal (退券).
    ReversalId = "rev_";
    /// A risk decision.
    DecisionId = "dec_";
    /// An operation on many rows.
    OperationId = "op_";
    /// A load test's report.
    LoadTestId = "ldt_";
    /// A rule set.
    RuleSetId = "rls_";
    /// A label.
    LabelId = "lbl_";
    /// A case.
    CaseId = "case_";
    /// A snooze.
    SnoozeId = "snz_";
    /// A list of risk.
    ListId = "lst_";
    /// A model.
    ModelId = "mdl_";
    /// A penalty.
    PenaltyId = "pen_";
    /// An appeal.
    AppealId = "apl_";
    /// Somebody who signs in.
    UserId = "usr_";
}

/// The id with a prefix of what a record made.
pub fn text(prefix: &str, merchant: MerchantId, number: u64) -> String {
    if prefix == "mer_" {
        return MerchantId(number as u32).to_string();
    }
    let id = StockId::new(merchant, number).to_string();
    id.replacen("stk_", prefix, 1)
}

/// Orders what happened to one merchant; stays the same when the ledger is copied.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LedgerRef(pub Sequence);

impl fmt::Display for LedgerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_id(f, "lrf_", u128::from(self.0), 13)
    }
}

impl fmt::Debug for LedgerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for LedgerRef {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bits = read_base32(text.strip_prefix("lrf_").ok_or(IdError)?, 13)?;
        u64::try_from(bits).map(LedgerRef).map_err(|_| IdError)
    }
}

/// In one piece: a string that is made of an id grows once.
fn write_id(f: &mut fmt::Formatter<'_>, prefix: &str, value: u128, digits: usize) -> fmt::Result {
    let mut text = [0_u8; 32];
    let length = prefix.len() + digits;
    text[..prefix.len()].copy_from_slice(prefix.as_bytes());
    for (i, place) in text[prefix.len()..length].iter_mut().enumerate() {
        *place = ALPHABET[((value >> (5 * (digits - 1 - i))) & 31) as usize];
    }
    f.write_str(std::str::from_utf8(&text[..length]).map_err(|_| fmt::Error)?)
}

/// What a byte stands for; `NO_DIGIT` for those that are not in the alphabet.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < ALPHABET.len() {
        digits[ALPHABET[digit] as usize] = digit as u8;
        digit += 1;
    }
    digits
};
const NO_DIGIT: u8 = u8::MAX;

fn read_base32(text: &str, digits: usize) -> Result<u128, IdError> {
    if text.len() != digits {
        return Err(IdError);
    }
    text.bytes().try_fold(0_u128, |value, byte| match DIGITS[usize::from(byte)] {
        NO_DIGIT => Err(IdError),
        digit => Ok((value << 5) | u128::from(digit)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_and_refuses_another_kind() {
        let id = StockId::new(MerchantId(7), u64::MAX);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().parse::<CouponId>(), Err(IdError));
        assert_eq!("stk_".parse::<StockId>(), Err(IdError));
        assert_eq!("mer_zzzzzzz".parse::<MerchantId>(), Err(IdError), "does not fit 32 bits");
    }

    #[test]
    fn ledger_refs_sort_as_texts() {
        let texts: Vec<String> = [1, 31, 32, 1 << 40].map(|n| LedgerRef(n).to_string()).into();
        assert!(texts.is_sorted());
    }

    #[test]
    fn merchants_spread_over_all_shards_but_the_platforms() {
        let mut seen = [0_u32; 256];
        for number in 1..=25_500 {
            seen[usize::from(MerchantId(number).shard().0)] += 1;
        }
        assert_eq!(seen[0], 0);
        assert!(seen[1..].iter().all(|&n| n > 50), "every shard has its part");
        assert_eq!(PLATFORM.shard(), Shard(0));
    }
}
