//! How regular the gaps between happenings are: a script is more regular than a person.
//!
//! The newest moments are kept as such, sorted: what is kept is the same in whatever order they are read, and a late one
//! splits the gap in which it lies. Sums per tile would need the order of reading.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Moments that are kept: the regularity of a longer row shows in its newest 63 gaps.
const MOST: usize = 64;
/// Gaps below which nothing is said.
const FEWEST_GAPS: i128 = 5;

/// The newest moments, milliseconds, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Gaps(SmallVec<[i64; 2]>);

impl Gaps {
    pub(super) fn add(&mut self, at_ms: i64) {
        let place = self.0.partition_point(|known| *known <= at_ms);
        if self.0.len() == MOST {
            if place == 0 {
                return;
            }
            self.0.remove(0);
            self.0.insert(place - 1, at_ms);
        } else {
            self.0.insert(place, at_ms);
        }
    }

    /// The newest moment, milliseconds.
    pub(super) fn last_ms(&self) -> i64 {
        self.0.last().copied().unwrap_or_default()
    }

    /// The coefficient of variation (standard deviation by mean) of the gaps that lie in the window that ends at a time;
    /// not a number below five gaps. Sums are whole numbers, so that it is the same to the bit everywhere.
    pub(super) fn variation(&self, at_ms: i64, window_seconds: u32) -> f64 {
        let since = at_ms.saturating_sub(i64::from(window_seconds) * 1_000);
        let from = self.0.partition_point(|moment| *moment <= since);
        let to = self.0.partition_point(|moment| *moment <= at_ms);
        let within = self.0.get(from..to).unwrap_or_default();
        let (mut n, mut sum, mut squares) = (0_i128, 0_i128, 0_i128);
        for pair in within.windows(2) {
            let gap = i128::from(pair[1]) - i128::from(pair[0]);
            (n, sum, squares) = (n + 1, sum + gap, squares + gap * gap);
        }
        if n < FEWEST_GAPS {
            return f64::NAN;
        }
        // All in one millisecond: nothing is more regular.
        if sum == 0 { 0.0 } else { libm::sqrt((n * squares - sum * sum) as f64) / sum as f64 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(moments: &[i64]) -> Gaps {
        let mut gaps = Gaps::default();
        for at_ms in moments {
            gaps.add(*at_ms);
        }
        gaps
    }

    #[test]
    fn a_clockwork_is_told_from_a_crowd() {
        let clockwork: Vec<i64> = (0..200).map(|n| n * 30_000 + n % 3 * 100).collect();
        let variation = of(&clockwork).variation(clockwork[199], 3_600);
        assert!(variation < 0.01, "{variation}");
        let crowd: Vec<i64> = (0..20).map(|n| n * n * n * 300).collect();
        let variation = of(&crowd).variation(crowd[19], 86_400);
        assert!(variation > 0.5, "{variation}");
    }

    #[test]
    fn five_gaps_are_needed_and_only_those_in_the_window_count() {
        let moments = [1_000, 2_000, 3_000, 4_000, 5_000, 6_000];
        assert!(of(&moments[..5]).variation(6_000, 60).is_nan());
        assert_eq!(of(&moments).variation(6_000, 60).to_bits(), 0.0_f64.to_bits());
        assert!(of(&moments).variation(61_500, 60).is_nan(), "the first is out of the window");
        assert!(of(&moments).variation(5_999, 60).is_nan(), "the last has not happened yet");
        assert_eq!(of(&[7; 6]).variation(7, 60).to_bits(), 0.0_f64.to_bits());
    }

    proptest! {
        #[test]
        fn the_order_of_reading_does_not_matter(
            moments in prop::collection::vec(0_i64..4_000_000, 0..150), late in prop::collection::vec(any::<u16>(), 150),
        ) {
            let mut shuffled: Vec<_> = moments.iter().zip(&late).collect();
            shuffled.sort_by_key(|(_, late)| **late);
            let shuffled: Vec<_> = shuffled.into_iter().map(|(at_ms, _)| *at_ms).collect();
            prop_assert_eq!(of(&moments), of(&shuffled));
        }

        #[test]
        fn it_is_that_of_the_textbook(moments in prop::collection::vec(0_i64..4_000_000, 6..64)) {
            let mut moments = moments;
            moments.sort_unstable();
            let gaps: Vec<f64> = moments.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
            let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
            let variance = gaps.iter().map(|gap| (gap - mean) * (gap - mean)).sum::<f64>() / gaps.len() as f64;
            let found = of(&moments).variation(4_000_000, 86_400);
            prop_assume!(mean > 0.0);
            prop_assert!((found - variance.sqrt() / mean).abs() < 1e-9, "{} {}", found, variance.sqrt() / mean);
        }
    }
}
