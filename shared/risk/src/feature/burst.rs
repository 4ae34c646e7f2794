//! Whether more happens than is usual at this hour of the week.
//!
//! The counts of the past weeks' hours are kept as they are, and the moving average is made of them when it is asked for:
//! so late happenings count where they belong, and the order of reading does not matter.

use serde::{Deserialize, Serialize};

use super::measure::{HOUR, MINUTE};
use super::tiles::{Tiles, tile};

/// Hours of a week.
const WEEK: u32 = 168;
/// Weeks that the average looks back on; those before would weigh 0.7^8 = 6 % together.
const WEEKS: u32 = 8;
/// What each week further back weighs of the one after it: 1 - alpha, with alpha 0.3.
const FADES: f64 = 0.7;
/// Minutes and hours that are kept: at most 60 and 1,345 of one key, and only those in which something happened.
const MINUTES_KEPT: u32 = HOUR / MINUTE;
const HOURS_KEPT: u32 = WEEK * WEEKS + 1;

/// How often something happened of late, and in the hours before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Burst {
    minutes: Tiles,
    hours: Tiles,
    /// The hour in which it first happened: weeks before it are no weeks without.
    first: Option<u32>,
}

impl Burst {
    pub(super) fn add(&mut self, at_ms: i64) {
        let hour = tile(at_ms, HOUR);
        self.minutes.add(tile(at_ms, MINUTE), 1, MINUTES_KEPT);
        self.hours.add(hour, 1, HOURS_KEPT);
        self.first = Some(self.first.map_or(hour, |first| first.min(hour)));
    }

    /// The newest hour.
    pub(super) fn newest(&self) -> Option<u32> {
        self.hours.newest()
    }

    /// (v - mean) / sqrt(mean + 1), v being the count of the last hour: about how many standard deviations it lies above
    /// the mean if it were Poisson's.
    pub(super) fn z(&self, at_ms: i64) -> f64 {
        let mean = self.mean(tile(at_ms, HOUR));
        (self.minutes.sum(tile(at_ms, MINUTE), MINUTES_KEPT) as f64 - mean) / libm::sqrt(mean + 1.0)
    }

    /// The average of the same hour (UTC) of past weeks, each weighing 0.7 of the one after it; hours without anything
    /// count as 0, weeks before the first happening do not count. 0 in the first week.
    fn mean(&self, hour: u32) -> f64 {
        let first = self.first.unwrap_or(hour);
        let weeks = (hour.saturating_sub(first) / WEEK).min(WEEKS);
        let (mut weight, mut weights, mut sum) = (1.0, 0.0, 0.0);
        for week in 1..=weeks {
            sum += weight * self.hours.sum(hour - week * WEEK, 1) as f64;
            weights += weight;
            weight *= FADES;
        }
        if weeks == 0 { 0.0 } else { sum / weights }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const WEEK_MS: i64 = 168 * HOUR_MS;
    const NOON_MS: i64 = 1_764_000_000_000 / HOUR_MS * HOUR_MS;

    /// So many happenings within one hour.
    fn hour(burst: &mut Burst, at_ms: i64, n: i64) {
        (0..n).for_each(|i| burst.add(at_ms + i * (HOUR_MS / n)));
    }

    #[test]
    fn the_usual_is_no_burst_and_ten_times_the_usual_is() {
        let mut store = Burst::default();
        (0..6).for_each(|week| hour(&mut store, NOON_MS + week * WEEK_MS, 100));
        let now = NOON_MS + 6 * WEEK_MS;
        let mut usual = store.clone();
        hour(&mut usual, now, 100);
        assert!(usual.z(now + HOUR_MS - 1).abs() < 1e-9, "{}", usual.z(now + HOUR_MS - 1));
        hour(&mut store, now, 1_000);
        // (1000 - 100) / sqrt(101)
        assert!((store.z(now + HOUR_MS - 1) - 89.55).abs() < 0.01, "{}", store.z(now + HOUR_MS - 1));
    }

    #[test]
    fn the_average_forgets_by_alpha_and_counts_hours_without_anything() {
        let mut store = Burst::default();
        hour(&mut store, NOON_MS, 10);
        let mean = |week: u32| store.mean(tile(NOON_MS, HOUR) + week * WEEK);
        assert!((mean(1) - 10.0).abs() < 1e-9);
        // 10 * 0.7 / (1 + 0.7)
        assert!((mean(2) - 10.0 * 0.7 / 1.7).abs() < 1e-9);
        assert_eq!(mean(9).to_bits(), 0.0_f64.to_bits());
        assert_eq!(store.mean(tile(NOON_MS, HOUR) + WEEK + 1).to_bits(), 0.0_f64.to_bits(), "another hour of the week");
    }

    #[test]
    fn what_is_kept_of_a_key_is_bounded() {
        let mut store = Burst::default();
        (0..5_000).for_each(|n| store.add(NOON_MS + n * HOUR_MS));
        assert_eq!((store.hours.len(), store.minutes.len()), (HOURS_KEPT as usize, 1));
    }

    proptest! {
        #[test]
        fn the_order_of_reading_does_not_matter(
            moments in prop::collection::vec((0_i64..12 * WEEK_MS, any::<u16>()), 0..100),
        ) {
            let (mut there, mut shuffled, mut moments) = (Burst::default(), Burst::default(), moments);
            for (at_ms, _) in &moments {
                there.add(*at_ms);
            }
            moments.sort_by_key(|(_, late)| *late);
            for (at_ms, _) in &moments {
                shuffled.add(*at_ms);
            }
            prop_assert_eq!(there, shuffled);
        }
    }
}
