//! When the users of a cluster were first seen, with the entropy of the hours kept along.

use smallvec::SmallVec;

const HOUR: u32 = 3_600;
/// Parts of a bit in which entropies are added up: whole numbers give the same sum in every order.
const PARTS: f64 = 1_048_576.0;
/// From so many on, a merge sorts all of them once instead of putting each in its place.
const MANY: usize = 16;

/// First sights, seconds since 1970, ascending.
#[derive(Clone, Debug, Default)]
pub(super) struct Births {
    seconds: SmallVec<[u32; 2]>,
    /// The sum of c log2 c over the hours, c being how many were first seen in one; in parts of a bit.
    sum: i64,
}

fn log_sum(count: usize) -> i64 {
    let count = count as f64;
    if count < 2.0 { 0 } else { libm::round(count * libm::log2(count) * PARTS) as i64 }
}

impl Births {
    /// How many were first seen in the hour of a time.
    fn in_hour(&self, seconds: u32) -> usize {
        let before = |hour: u32| self.seconds.partition_point(|at| at / HOUR < hour);
        before(seconds / HOUR + 1) - before(seconds / HOUR)
    }

    pub(super) fn add(&mut self, seconds: u32) {
        let count = self.in_hour(seconds);
        self.sum += log_sum(count + 1) - log_sum(count);
        let at = self.seconds.partition_point(|known| *known < seconds);
        self.seconds.insert(at, seconds);
    }

    pub(super) fn remove(&mut self, seconds: u32) {
        let Ok(at) = self.seconds.binary_search(&seconds) else { return };
        let count = self.in_hour(seconds);
        self.sum -= log_sum(count) - log_sum(count - 1);
        self.seconds.remove(at);
    }

    pub(super) fn replace(&mut self, before: u32, seconds: u32) {
        self.remove(before);
        self.add(seconds);
    }

    pub(super) fn merge(&mut self, others: &Self) {
        if others.seconds.len() < MANY {
            others.seconds.iter().for_each(|seconds| self.add(*seconds));
            return;
        }
        self.seconds.extend_from_slice(&others.seconds);
        self.seconds.sort_unstable();
        self.sum = self.seconds.chunk_by(|a, b| a / HOUR == b / HOUR).map(|hour| log_sum(hour.len())).sum();
    }

    /// Between the oldest and the newest, seconds.
    pub(super) fn spread_seconds(&self) -> u32 {
        self.seconds.last().zip(self.seconds.first()).map_or(0, |(newest, oldest)| newest - oldest)
    }

    /// The entropy of the hours, bits (Shannon): log2 n - (sum of c log2 c) / n.
    pub(super) fn entropy(&self) -> f64 {
        let n = self.seconds.len();
        if n < 2 {
            return 0.0;
        }
        let whole = log_sum(n) - self.sum;
        whole as f64 / PARTS / n as f64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_has_no_entropy_and_eight_hours_have_three_bits() {
        let mut burst = Births::default();
        (0..8).for_each(|n| burst.add(7_200 + n * 60));
        assert_eq!((burst.entropy(), burst.spread_seconds()), (0.0, 420));
        let mut spread = Births::default();
        (0..8).for_each(|n| spread.add(n * 7_200));
        assert_eq!((spread.entropy(), spread.spread_seconds()), (3.0, 50_400));
    }

    proptest! {
        #[test]
        fn what_is_kept_along_is_what_would_be_counted_anew(
            one in prop::collection::vec(0_u32..40_000, 0..60),
            other in prop::collection::vec(0_u32..40_000, 0..60),
            out in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        ) {
            let of = |all: &[u32]| all.iter().fold(Births::default(), |mut births, at| { births.add(*at); births });
            let mut births = of(&one);
            births.merge(&of(&other));
            let mut left = [one, other].concat();
            for index in out {
                if !left.is_empty() {
                    births.remove(left.swap_remove(index.index(left.len())));
                }
            }
            left.sort_unstable();
            prop_assert_eq!(births.seconds.as_slice(), left.as_slice());
            let n = left.len() as f64;
            let share = |hour: &[u32]| hour.len() as f64 / n;
            let entropy: f64 = left.chunk_by(|a, b| a / HOUR == b / HOUR).map(|h| -share(h) * libm::log2(share(h))).sum();
            prop_assert!((births.entropy() - entropy).abs() < 1e-4, "{} {}", births.entropy(), entropy);
        }
    }
}
