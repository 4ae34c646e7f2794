//! What risk said of a claim, a lock or a redemption, with all that it rested on: evaluating it again gives the same.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::Pseudonym;
use crate::id::{MerchantId, Sequence};
use crate::terms::Millis;

/// The bit that tells the numbers of refused decisions from those of records.
pub const REFUSED: u64 = 1 << 63;

/// The risk decision behind a claim, lock or redemption.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// What to do.
    pub action: Action,
    /// The features as of this time of the log.
    pub watermark: Millis,
    /// Fixed slots that were not zero: number and value.
    pub slots: Vec<(u16, i64)>,
    /// What the caller did not tell.
    pub missing: Vec<String>,
    /// Rules that hit.
    pub reasons: Vec<Reason>,
    /// Decided without what is needed.
    pub degraded: bool,
    /// Version of rules and evaluator.
    pub evaluator: u16,
    /// The device's and address's pseudonyms, where told.
    pub device: Option<Pseudonym>,
    /// The address's.
    pub ip: Option<Pseudonym>,
    /// What it rested on; records of the first form do not say.
    pub basis: Option<Box<Basis>>,
}

/// A decision that somebody asked for by itself: nothing was claimed, locked or redeemed with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionKept {
    /// What was decided.
    pub decision: Decision,
    /// The end user's data, encrypted.
    pub sealed: Vec<u8>,
    /// By which key.
    pub by: String,
}

/// What a decision says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Action {
    /// Go on.
    #[default]
    Allow,
    /// Go on, and somebody looks at it.
    Review,
    /// Prove who you are.
    Challenge,
    /// No.
    Block,
}

/// A rule that hit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule.
    pub code: String,
    /// What was counted.
    pub value: i64,
    /// What is allowed.
    pub threshold: i64,
    /// Over which time, in seconds.
    pub window_seconds: u32,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Asked {
    /// A claim.
    #[default]
    Claim,
    /// A lock.
    Lock,
    /// A redemption.
    Redemption,
}

/// All that a decision rested on, beside what it says itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// Under which number a refused one is found: a record of its own carries none.
    pub number: u64,
    /// At which merchant.
    pub merchant: MerchantId,
    /// What was asked for.
    pub asked: Asked,
    /// When, on the wall clock of the instance that decided.
    pub at: Millis,
    /// What was counted by then.
    pub cut: Cut,
    /// Whom and what it had to do with, beside device and address.
    pub who: Who,
    /// The order's amount, minor units.
    pub amount: Option<i64>,
    /// By how much the order exceeds the highest minimum spend of its coupons, minor units: known once it is redeemed.
    pub margin: Option<i64>,
    /// Where the end user was.
    pub place: Option<Place>,
    /// The rule sets that were evaluated, in this order.
    pub sets: Vec<SetUsed>,
    /// The model that was.
    pub model: Option<ModelUsed>,
    /// The features that these look at, in the order in which they first name them; those that were zero are left out.
    pub features: Vec<(u16, Value)>,
    /// Rules that did not simply miss.
    pub outcomes: Vec<RuleSaid>,
    /// Lists that matched.
    pub lists: Vec<ListHit>,
    /// The cluster that the request belongs to.
    pub cluster: Option<Cluster>,
    /// Points, 0 to 1000: the model's, or those of the live rules that hit, whichever are more.
    pub score: u16,
    /// So many of the reasons, the first ones, are verdicts of the risk-scorer.
    pub verdicts: u16,
    /// What decided.
    pub enforced_by: EnforcedBy,
    /// How long ago the risk-scorer was heard of, milliseconds; `None` where it never was.
    pub staleness_ms: Option<i64>,
}

/// How far the log was counted: of the merchant's shard, and of the signals of its partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cut {
    /// The last record of the merchant's shard.
    pub ledger: Sequence,
    /// The next signal of the merchant's partition.
    pub signals: u64,
}

/// Whom and what a request has to do with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// The user.
    pub user: Option<Pseudonym>,
    /// The /24 of an IPv4 address, the /64 of IPv6.
    pub ip24: Option<Pseudonym>,
    /// The store.
    pub store: Option<u64>,
    /// The cashier.
    pub cashier: Option<Pseudonym>,
    /// The stock that is claimed from.
    pub stock: Option<u64>,
    /// The first coupon.
    pub coupon: Option<u64>,
    /// Where the coupon is handed out.
    pub channel: Option<Pseudonym>,
}

/// A point on earth, millionths of a degree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// -90,000,000 to 90,000,000.
    pub latitude: i32,
    /// -180,000,000 to 180,000,000.
    pub longitude: i32,
}

/// A rule set that was evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetUsed {
    /// Which.
    pub number: u64,
    /// Which version, from 1.
    pub version: u32,
    /// With effect; otherwise in the shadow.
    pub live: bool,
}

/// A list that matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListHit {
    /// Whose it is: the merchant's, or the platform's, which holds for all.
    pub owner: MerchantId,
    /// Which.
    pub number: u64,
    /// What had changed it last.
    pub version: Sequence,
}

/// A model that was evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelUsed {
    /// Which.
    pub number: u64,
    /// Which version, from 1.
    pub version: u32,
    /// What it said, 0 to 1000.
    pub score: u16,
}

/// A feature's value, to the bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// Not known.
    Unknown,
    /// A whole number.
    Whole(i64),
    /// Any other, by the bits of its IEEE 754 form.
    Bits(u64),
}

/// A rule that did not simply miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSaid {
    /// Of which of the sets.
    pub set: u16,
    /// Which of its rules, from 0.
    pub rule: u16,
    /// What became of it.
    pub outcome: RuleOutcome,
}

/// What became of a rule that did not simply miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuleOutcome {
    /// It hit.
    Hit,
    /// It could not be worked out.
    Error,
    /// It hit, and is snoozed for this subject.
    Snoozed,
}

/// The users, devices and addresses that hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Users.
    pub size: u32,
    /// Devices.
    pub devices: u32,
    /// Pairs of user and device that were seen, of those that could be.
    pub density: Value,
    /// From the first of its users to the newest, seconds.
    pub age_spread_seconds: i64,
}

/// What decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnforcedBy {
    /// Nothing stood against it.
    #[default]
    Nothing,
    /// A live rule, or several.
    Rules,
    /// A verdict of the risk-scorer.
    Verdict,
    /// A list.
    List,
    /// A device id that forces it at test merchants.
    Test,
    /// Something asked for proof, and proof was given.
    Proof,
    /// A person who closed a case on the same as honest.
    Case,
}

impl Value {
    /// Of a number.
    pub fn of(value: f64) -> Self {
        if value.is_nan() {
            return Self::Unknown;
        }
        // Whole numbers up to 2^53 are exact; minus zero is not a whole number here.
        let whole = value as i64;
        let is_whole = value.abs() < 9_007_199_254_740_992.0 && (whole as f64).to_bits() == value.to_bits();
        if is_whole { Self::Whole(whole) } else { Self::Bits(value.to_bits()) }
    }

    /// The number.
    pub fn get(self) -> f64 {
        match self {
            Self::Unknown => f64::NAN,
            Self::Whole(whole) => whole as f64,
            Self::Bits(bits) => f64::from_bits(bits),
        }
    }

    /// The number; nothing where it is not known.
    pub fn known(self) -> Option<f64> {
        (self != Self::Unknown).then(|| self.get())
    }
}

impl EnforcedBy {
    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Rules => "rules",
            Self::Verdict => "verdict",
            Self::List => "list",
            Self::Test => "test",
            Self::Proof => "challenge_passed",
            Self::Case => "case_closed_honest",
        }
    }
}

impl Asked {
    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Lock => "lock",
            Self::Redemption => "redemption",
        }
    }
}

/// What both forms say, in the order in which it stands.
#[derive(Serialize, Deserialize)]
struct Said<S, M, R> {
    watermark: Millis,
    slots: S,
    missing: M,
    reasons: R,
    degraded: bool,
    evaluator: u16,
    device: Option<Pseudonym>,
    ip: Option<Pseudonym>,
}

type Owned = Said<Vec<(u16, i64)>, Vec<String>, Vec<Reason>>;

/// As it stands in records. The first form began with the action, so that its numbers are those of the first four here.
#[derive(Deserialize)]
#[serde(rename = "Decision")]
enum Form {
    Allow(Owned),
    Review(Owned),
    Challenge(Owned),
    Block(Owned),
    WithBasis(Action, Owned, Box<Basis>),
}

impl<'de> Deserialize<'de> for Decision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (action, said, basis) = match Form::deserialize(deserializer)? {
            Form::Allow(said) => (Action::Allow, said, None),
            Form::Review(said) => (Action::Review, said, None),
            Form::Challenge(said) => (Action::Challenge, said, None),
            Form::Block(said) => (Action::Block, said, None),
            Form::WithBasis(action, said, basis) => (action, said, Some(basis)),
        };
        let Said { watermark, slots, missing, reasons, degraded, evaluator, device, ip } = said;
        Ok(Self { action, watermark, slots, missing, reasons, degraded, evaluator, device, ip, basis })
    }
}

impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeTupleVariant;
        let said = Said {
            watermark: self.watermark,
            slots: &self.slots,
            missing: &self.missing,
            reasons: &self.reasons,
            degraded: self.degraded,
            evaluator: self.evaluator,
            device: self.device,
            ip: self.ip,
        };
        let Some(basis) = &self.basis else {
            let (number, name) = match self.action {
                Action::Allow => (0, "Allow"),
                Action::Review => (1, "Review"),
                Action::Challenge => (2, "Challenge"),
                Action::Block => (3, "Block"),
            };
            return serializer.serialize_newtype_variant("Decision", number, name, &said);
        };
        let mut form = serializer.serialize_tuple_variant("Decision", 4, "WithBasis", 3)?;
        form.serialize_field(&self.action)?;
        form.serialize_field(&said)?;
        form.serialize_field(basis)?;
        form.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_kept_to_the_bit() {
        for value in [0.0, -0.0, 1.0, -17.0, 0.1, 1e300, 9_007_199_254_740_993.0, f64::INFINITY] {
            assert_eq!(Value::of(value).get().to_bits(), value.to_bits(), "{value}");
        }
        assert!(Value::of(f64::NAN).get().is_nan());
        assert_eq!(Value::of(12.0), Value::Whole(12));
        assert_eq!(Value::of(-0.0), Value::Bits(1 << 63));
    }
}
