//! What can be counted of the past: happenings by a key over a window, and what is different among them.
//!
//! Windows are read from tiles: of a minute up to an hour, of a quarter of an hour up to a day, of an hour up to a week,
//! of a day up to four weeks. The newest tile is the one in which the reader stands, so that a window reaches back by
//! its length less at most one tile.
//!
//! Architecture invariant: values do not depend on the order in which happenings and labels are read.

mod burst;
mod cell;
mod distinct;
mod frauds;
mod gaps;
mod measure;
mod place;
mod plan;
mod table;
mod tiles;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use measure::{Feature, LABEL_DELAY_SECONDS, Measure, WINDOWS_HINT, is_window};
pub use place::Place;
pub use plan::Plan;
pub use table::{CellKey, CellRow, Known, Table};

/// Who or what a happening has to do with. The numbers stand in what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Field {
    /// The device.
    Device,
    /// The address; IPv6 by its /64.
    Ip,
    /// The user.
    User,
    /// The store.
    Store,
    /// The cashier.
    Cashier,
    /// The stock of coupons that is claimed from.
    Stock,
    /// The merchant itself.
    Merchant,
    /// The network of the address: the /24 of IPv4, the /64 of IPv6.
    Ip24,
    /// The coupon; of several the first.
    Coupon,
    /// Where the coupon was handed out, as the merchant calls it.
    Channel,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Device,
        Self::Ip,
        Self::User,
        Self::Store,
        Self::Cashier,
        Self::Stock,
        Self::Merchant,
        Self::Ip24,
        Self::Coupon,
        Self::Channel,
    ];

    /// As rules spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Ip => "ip",
            Self::User => "user",
            Self::Store => "store",
            Self::Cashier => "cashier",
            Self::Stock => "stock",
            Self::Merchant => "merchant",
            Self::Ip24 => "ip24",
            Self::Coupon => "coupon",
            Self::Channel => "channel",
        }
    }
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Happening {
    /// A coupon was claimed.
    Claim,
    /// Coupons were locked for an order.
    Lock,
    /// Coupons were redeemed.
    Redemption,
    /// An attempt was refused at the door: limited, or with a code that nobody could have been given.
    Refused,
    /// A redemption whose order exceeds the highest minimum spend of its coupons by less than 1 %; told beside the
    /// redemption itself.
    OnThreshold,
}

impl Happening {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Claim, Self::Lock, Self::Redemption, Self::Refused, Self::OnThreshold];

    /// As rules spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Lock => "lock",
            Self::Redemption => "redemption",
            Self::Refused => "refused",
            Self::OnThreshold => "on_threshold",
        }
    }
}

/// By what is counted: one field, or two together. Always within one merchant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    first: Field,
    second: Option<Field>,
}

impl Key {
    /// Of these fields: one, or two different ones in any order.
    pub fn new(fields: &[Field]) -> Option<Self> {
        match *fields {
            [first] => Some(Self { first, second: None }),
            [a, b] if a != b => Some(Self { first: a.min(b), second: Some(a.max(b)) }),
            _ => None,
        }
    }

    /// Its fields.
    pub fn fields(self) -> impl Iterator<Item = Field> {
        std::iter::once(self.first).chain(self.second)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.first.name())?;
        self.second.map_or(Ok(()), |second| write!(f, " + {}", second.name()))
    }
}

/// A happening, as it is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What.
    pub happening: Happening,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// With whom and what.
    pub subject: Subject,
    /// Of what amount, minor units.
    pub amount: i64,
    /// Where, if it is known.
    pub place: Option<Place>,
}

/// A label: a claim or a redemption that turned out to be fraud, or not to be after all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// With whom and what the labelled claim or redemption had to do.
    pub subject: Subject,
    /// When that happened, not when the label came; milliseconds since 1970.
    pub event_at_ms: i64,
    /// 1 for fraud; -1 where a label that said so is taken back.
    pub fraud: i64,
}

/// Of whom, as of when and from where values are asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// With whom and what the request has to do.
    pub subject: &'a Subject,
    /// The watermark: all windows end here; milliseconds since 1970.
    pub at_ms: i64,
    /// When the request came, milliseconds since 1970.
    pub now_ms: i64,
    /// Where the request came from, if it is known.
    pub place: Option<Place>,
}

/// Whom and what a request or a happening has to do with; what was not told is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    values: [Option<[u8; 16]>; Field::ALL.len()],
}

impl Subject {
    /// The same with a field; what stands for it, a hash or a number, does not meet that of another.
    #[must_use]
    pub fn with(mut self, field: Field, value: Option<[u8; 16]>) -> Self {
        self.values[field as usize] = value;
        self
    }

    /// What stands for a field.
    pub fn get(&self, field: Field) -> Option<[u8; 16]> {
        self.values[field as usize]
    }
}

#[cfg(test)]
mod tests;
