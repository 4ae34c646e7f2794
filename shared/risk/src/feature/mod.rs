//! What can be counted of the past: happenings by a key over a window, and what is different among them.
//!
//! Windows are read from tiles: of a minute up to an hour, of a quarter of an hour up to a day, of an hour up to a week,
//! of a day up to four weeks. The newest tile is the one in which the reader stands, so that a window reaches back by
//! its length less at most one tile.

mod distinct;
mod table;
mod tiles;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use table::{CellKey, CellRow, Known, Plan, Table};

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
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Device, Self::Ip, Self::User, Self::Store, Self::Cashier, Self::Stock, Self::Merchant];

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
}

impl Happening {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Claim, Self::Lock, Self::Redemption, Self::Refused];

    /// As rules spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Lock => "lock",
            Self::Redemption => "redemption",
            Self::Refused => "refused",
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

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Measure {
    /// How often it happened.
    Count(Happening),
    /// The orders' amounts of what happened, minor units.
    Sum(Happening),
    /// How many different ones there were among claims, locks and redemptions: exact up to 64, beyond with a standard
    /// error of 3 %.
    Distinct(Field),
    /// Seconds since the key was first seen.
    Age,
    /// Seconds since it was last seen.
    Idle,
}

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Feature {
    /// What.
    pub measure: Measure,
    /// By what.
    pub key: Key,
    /// Over how many seconds; 0 for ages.
    pub window_seconds: u32,
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, window) = (self.key, Window(self.window_seconds));
        match self.measure {
            Measure::Count(what) => write!(f, "count({} by {key}, {window})", what.name()),
            Measure::Sum(what) => write!(f, "sum({} by {key}, {window})", what.name()),
            Measure::Distinct(field) => write!(f, "distinct({} by {key}, {window})", field.name()),
            Measure::Age => write!(f, "age({key})"),
            Measure::Idle => write!(f, "idle({key})"),
        }
    }
}

/// A window as rules spell it, by its largest unit that fits.
struct Window(u32);

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = match self.0 {
            seconds if seconds > DAY && seconds.is_multiple_of(DAY) => (DAY, 'd'),
            seconds if seconds.is_multiple_of(HOUR) => (HOUR, 'h'),
            _ => (MINUTE, 'm'),
        };
        write!(f, "{}{name}", self.0 / unit)
    }
}

const MINUTE: u32 = 60;
const QUARTER: u32 = 900;
const HOUR: u32 = 3_600;
const DAY: u32 = 86_400;
/// The widths of tiles with the longest window that is read from each, finest first; seconds.
const WIDTHS: [(u32, u32); 4] = [(MINUTE, HOUR), (QUARTER, DAY), (HOUR, 7 * DAY), (DAY, 28 * DAY)];

/// What windows there are, for hints.
pub const WINDOWS_HINT: &str = "windows are whole minutes up to 1h, quarters of an hour up to 24h, hours up to 7d, days up \
                                to 28d: 10m, 90m, 24h, 28d";

/// Whether a window can be counted.
pub fn is_window(seconds: u32) -> bool {
    width_of(seconds).is_some()
}

/// The width of the tiles that a window is read from.
fn width_of(window_seconds: u32) -> Option<u32> {
    let fits = |(width, longest): &(u32, u32)| window_seconds <= *longest && window_seconds.is_multiple_of(*width);
    WIDTHS.iter().find(|width| window_seconds > 0 && fits(width)).map(|(width, _)| *width)
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
}

/// Whom and what a request or a happening has to do with; what was not told is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    values: [Option<[u8; 16]>; Field::ALL.len()],
}

impl Subject {
    /// The same with a field; what stands for it is a hash that does not meet that of another.
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
mod tests {
    use super::*;

    #[test]
    fn windows_are_read_from_the_finest_tiles_that_reach_so_far() {
        let widths = [60, 600, 3_600, 5_400, 86_400, 172_800, 28 * DAY].map(width_of);
        let wanted = [MINUTE, MINUTE, MINUTE, QUARTER, QUARTER, HOUR, DAY].map(Some);
        assert_eq!(widths, wanted);
        assert_eq!([0, 30, 3_660, 29 * DAY, 8 * DAY + HOUR].map(width_of), [None; 5]);
    }

    #[test]
    fn features_are_written_as_rules_spell_them() {
        let key = |fields: &[Field]| Key::new(fields).expect("a key");
        let feature = |measure, key, window_seconds| Feature { measure, key, window_seconds }.to_string();
        let pair = key(&[Field::Stock, Field::Device]);
        assert_eq!(feature(Measure::Count(Happening::Claim), pair, 5_400), "count(claim by device + stock, 90m)");
        let device = key(&[Field::Device]);
        assert_eq!(feature(Measure::Distinct(Field::User), device, 86_400), "distinct(user by device, 24h)");
        assert_eq!(feature(Measure::Sum(Happening::Redemption), device, 7 * 86_400), "sum(redemption by device, 7d)");
        assert_eq!(feature(Measure::Age, device, 0), "age(device)");
        assert_eq!(Key::new(&[Field::User, Field::User]), None);
    }
}
