//! What is measured of a key, and over which windows it can be.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Field, Happening, Key};

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
    /// The share of fraud among the key's claims and redemptions, with a prior, 0 to 1; of a window that ends
    /// [`LABEL_DELAY_SECONDS`] before now, since labels take time.
    FraudRate,
    /// How many of them were fraud, in the same window.
    Frauds,
    /// By how many standard deviations the last hour exceeds what is usual at this hour of the week.
    Burst(Happening),
    /// The coefficient of variation of the gaps between happenings: near 0 for a machine, about 1 for chance; not known
    /// below five gaps.
    GapVariation(Happening),
    /// How fast the key must have travelled from where it was last seen, km/h.
    Speed,
    /// How many claims and redemptions there were in the window of [`Self::Frauds`], whose labels have had time to come.
    Settled,
}

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Feature {
    /// What.
    pub measure: Measure,
    /// By what.
    pub key: Key,
    /// Over how many seconds; 0 for what has no window.
    pub window_seconds: u32,
}

impl Measure {
    /// What windows it can be counted over, for hints.
    pub fn windows_hint(self) -> &'static str {
        match self {
            Self::FraudRate | Self::Frauds | Self::Settled => "labels are counted over whole days up to 28d: 7d, 28d",
            Self::Burst(_) => "a burst is one of the last hour: write 1h",
            Self::Age | Self::Idle | Self::Speed => "it has no window",
            _ => WINDOWS_HINT,
        }
    }
}

impl Feature {
    /// The width of the tiles that it is read from, seconds; none where its window cannot be counted.
    pub(super) fn width(self) -> Option<u32> {
        let window = self.window_seconds;
        match self.measure {
            Measure::Count(_) | Measure::Sum(_) | Measure::Distinct(_) => width_of(window),
            // Its moments are kept as such: one counter serves all windows.
            Measure::GapVariation(_) => width_of(window).map(|_| DAY),
            Measure::FraudRate | Measure::Frauds | Measure::Settled => {
                (window > 0 && window <= 28 * DAY && window.is_multiple_of(DAY)).then_some(DAY)
            }
            Measure::Burst(_) => (window == HOUR).then_some(HOUR),
            Measure::Age | Measure::Idle | Measure::Speed => (window == 0).then_some(DAY),
        }
    }

    /// Whether it can be counted over its window.
    pub fn can_be_counted(self) -> bool {
        self.width().is_some()
    }
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
            Measure::FraudRate => write!(f, "fraud_rate({key}, {window})"),
            Measure::Frauds => write!(f, "frauds({key}, {window})"),
            Measure::Settled => write!(f, "settled({key}, {window})"),
            Measure::Burst(what) => write!(f, "burst({} by {key}, {window})", what.name()),
            Measure::GapVariation(what) => write!(f, "gap_variation({} by {key}, {window})", what.name()),
            Measure::Speed => write!(f, "travel_speed({key})"),
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

pub(super) const MINUTE: u32 = 60;
const QUARTER: u32 = 900;
pub(super) const HOUR: u32 = 3_600;
pub(super) const DAY: u32 = 86_400;
/// The widths of tiles with the longest window that is read from each, finest first; seconds.
const WIDTHS: [(u32, u32); 4] = [(MINUTE, HOUR), (QUARTER, DAY), (HOUR, 7 * DAY), (DAY, 28 * DAY)];

/// How long labels are waited for, seconds: what happened since is in no fraud rate. A week, after which most chargebacks
/// and complaints have come (Le Borgne et al., *Reproducible Machine Learning for Credit Card Fraud Detection*, ch. 5).
pub const LABEL_DELAY_SECONDS: u32 = 7 * DAY;

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

/// How many tiles of a width are kept: as many as its longest window reads.
pub(super) fn tiles_of(width: u32) -> u32 {
    WIDTHS.iter().find(|(known, _)| *known == width).map_or(1, |(width, longest)| longest / width)
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
        assert_eq!(feature(Measure::FraudRate, device, 28 * DAY), "fraud_rate(device, 28d)");
        assert_eq!(feature(Measure::Burst(Happening::OnThreshold), device, HOUR), "burst(on_threshold by device, 1h)");
        assert_eq!(feature(Measure::Speed, device, 0), "travel_speed(device)");
        assert_eq!(Key::new(&[Field::User, Field::User]), None);
    }

    #[test]
    fn each_measure_has_its_own_windows() {
        let key = Key::new(&[Field::User]).expect("a key");
        let can = |measure, window_seconds| Feature { measure, key, window_seconds }.can_be_counted();
        let rate = [HOUR, DAY, 28 * DAY, 29 * DAY].map(|window| can(Measure::FraudRate, window));
        assert_eq!(rate, [false, true, true, false]);
        let burst = [MINUTE, HOUR, DAY].map(|window| can(Measure::Burst(Happening::Claim), window));
        assert_eq!(burst, [false, true, false]);
        assert!(can(Measure::Speed, 0) && !can(Measure::Speed, HOUR));
        assert!(
            can(Measure::GapVariation(Happening::Claim), 600) && !can(Measure::GapVariation(Happening::Claim), 601)
        );
    }
}
