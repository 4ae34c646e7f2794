//! Counts of each of the last seconds, and of the day.

/// Seconds that can be looked at.
pub const SERIES_SECONDS: usize = 300;
/// Rates are averages over so many whole seconds.
pub const RATE_SECONDS: usize = 5;
/// With the second that is not over, and some for clocks that differ.
const KEPT: usize = SERIES_SECONDS + 10;
const DAY_SECONDS: i64 = 86_400;

/// Counts of `N` kinds of things by the second.
#[derive(Clone, Debug)]
pub struct Ring<const N: usize> {
    seconds: Vec<[u32; N]>,
    /// The newest second that was counted, seconds since 1970.
    newest: i64,
    /// The day of the totals, days since 1970 in UTC.
    day: i64,
    totals: [u64; N],
}

impl<const N: usize> Default for Ring<N> {
    fn default() -> Self {
        Self { seconds: vec![[0; N]; KEPT], newest: 0, day: 0, totals: [0; N] }
    }
}

impl<const N: usize> Ring<N> {
    /// Counts `n` of a kind at a second; what is older than all that is kept counts for its day alone.
    pub fn add(&mut self, second: i64, kind: usize, n: u32) {
        self.advance(second);
        if second > self.newest - KEPT as i64 {
            let count = &mut self.seconds[place(second)][kind];
            *count = count.saturating_add(n);
        }
        if second.div_euclid(DAY_SECONDS) == self.day {
            self.totals[kind] += u64::from(n);
        }
    }

    /// Empties what is reused by the seconds up to this one.
    fn advance(&mut self, second: i64) {
        if second <= self.newest {
            return;
        }
        let first = (self.newest + 1).max(second - KEPT as i64 + 1);
        (first..=second).for_each(|second| self.seconds[place(second)] = [0; N]);
        self.newest = second;
        let day = second.div_euclid(DAY_SECONDS);
        if day > self.day {
            (self.day, self.totals) = (day, [0; N]);
        }
    }

    fn at(&self, second: i64) -> [u32; N] {
        let kept = second <= self.newest && second > self.newest - KEPT as i64;
        if kept { self.seconds[place(second)] } else { [0; N] }
    }

    /// The newest second that was counted, seconds since 1970.
    pub fn newest(&self) -> i64 {
        self.newest
    }

    /// Things per second of each kind, over the last whole seconds before `now`.
    pub fn rates(&self, now: i64) -> [f64; N] {
        let mut sums = [0_u64; N];
        for second in now - RATE_SECONDS as i64..now {
            sums.iter_mut().zip(self.at(second)).for_each(|(sum, count)| *sum += u64::from(count));
        }
        sums.map(|sum| sum as f64 / RATE_SECONDS as f64)
    }

    /// What was counted on the UTC day of `now`.
    pub fn totals(&self, now: i64) -> [u64; N] {
        if now.div_euclid(DAY_SECONDS) == self.day { self.totals } else { [0; N] }
    }

    /// A kind's counts of the last whole seconds before `now`, oldest first.
    pub fn series(&self, now: i64, kind: usize) -> Vec<u32> {
        (now - SERIES_SECONDS as i64..now).map(|second| self.at(second)[kind]).collect()
    }
}

fn place(second: i64) -> usize {
    second.rem_euclid(KEPT as i64) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON: i64 = 1_773_144_000;

    proptest! {
        /// Against a plain list of everything.
        #[test]
        fn the_series_is_what_happened(moves in prop::collection::vec((0_i64..40, 0_i64..5, 0_usize..2), 0..200)) {
            let (mut ring, mut all, mut now) = (Ring::<2>::default(), Vec::new(), NOON);
            for (ahead, behind, kind) in moves {
                now += ahead;
                ring.add(now - behind, kind, 1);
                all.push((now - behind, kind));
            }
            for kind in 0..2 {
                let wanted: Vec<u32> = (now - SERIES_SECONDS as i64..now)
                    .map(|second| all.iter().filter(|it| **it == (second, kind)).count() as u32)
                    .collect();
                prop_assert_eq!(ring.series(now, kind), wanted);
                let day = all.iter().filter(|(second, of)| second / DAY_SECONDS == now / DAY_SECONDS && *of == kind);
                prop_assert_eq!(ring.totals(now)[kind], day.count() as u64);
            }
        }
    }

    #[test]
    fn a_rate_is_of_whole_seconds() {
        let mut ring = Ring::<1>::default();
        ring.add(NOON - 6, 0, 100);
        ring.add(NOON - 5, 0, 10);
        ring.add(NOON - 1, 0, 5);
        ring.add(NOON, 0, 1_000);
        assert_eq!(
            ring.rates(NOON).map(f64::to_bits),
            [3.0_f64.to_bits()],
            "neither the sixth nor the one that is not over"
        );
        assert_eq!(ring.rates(NOON + 100).map(f64::to_bits), [0]);
    }

    #[test]
    fn a_day_begins_at_midnight() {
        let mut ring = Ring::<1>::default();
        let midnight = NOON.div_euclid(DAY_SECONDS) * DAY_SECONDS + DAY_SECONDS;
        ring.add(midnight - 1, 0, 3);
        assert_eq!((ring.totals(midnight - 1), ring.totals(midnight)), ([3], [0]));
        ring.add(midnight, 0, 2);
        ring.add(midnight - 1, 0, 1);
        assert_eq!(ring.totals(midnight), [2], "what comes late counts for its own day");
    }
}
