//! How many events there were, step by step.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;

use risk::query::Field;

use super::event::Group;
use super::scan::{Scan, Scanned};

/// Steps of one series.
pub(super) const MOST_STEPS: i64 = 2_000;
/// Values that are told apart; the others are counted together.
const MOST_SERIES: usize = 12;
/// Values that are counted at all while it is not known which are the most frequent.
const MOST_VALUES: usize = 2_000;
/// Steps that charts like, seconds: minutes, hours, days, a week, thirty days.
const LIKED: [i64; 12] = [60, 300, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400, 172_800, 604_800, 2_592_000];

/// The steps of a series, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Steps {
    /// The first one's beginning.
    pub(super) from: i64,
    step: i64,
    count: usize,
}

impl Steps {
    /// Those that cover a time; `None` where they are too many, or no steps.
    pub(super) fn new(from: i64, until: i64, step: i64) -> Option<Self> {
        if step <= 0 {
            return None;
        }
        let from = from.div_euclid(step).checked_mul(step)?;
        let count = until.checked_sub(from)?.checked_add(step - 1)? / step;
        (1..=MOST_STEPS).contains(&count).then_some(Self { from, step, count: count as usize })
    }

    fn of(&self, time_ms: i64) -> Option<usize> {
        usize::try_from((time_ms - self.from).div_euclid(self.step)).ok().filter(|step| *step < self.count)
    }
}

/// A step with which a time has at most 200 of them, milliseconds.
pub(super) fn step_for(length_ms: i64) -> i64 {
    let liked = LIKED.into_iter().find(|step| length_ms / (step * 1_000) <= 200);
    liked.unwrap_or(LIKED[LIKED.len() - 1]) * 1_000
}

/// A name, and how many there were in each step.
type Series = (String, Vec<u64>);

impl Scan<'_> {
    /// Counts by step, and by the values of a field where one is given: the most frequent first, then `other`.
    pub(super) fn series(&self, steps: Steps, by: Option<Field>) -> io::Result<(Vec<Series>, Scanned)> {
        let mut counts: BTreeMap<Group, Vec<u64>> = BTreeMap::new();
        let (mut all, mut other) = (vec![0; steps.count], vec![0; steps.count]);
        let (scanned, _) = self.visit(|_, past, event| {
            let Some(step) = steps.of(past.time_ms) else { return ControlFlow::Continue(()) };
            all[step] += 1;
            for group in by.into_iter().flat_map(|by| event.groups(by, self.labels)) {
                if counts.len() < MOST_VALUES || counts.contains_key(&group) {
                    counts.entry(group).or_insert_with(|| vec![0; steps.count])[step] += 1;
                } else {
                    other[step] += 1;
                }
            }
            ControlFlow::Continue(())
        })?;
        if by.is_none() {
            return Ok((vec![("events".to_owned(), all)], scanned));
        }
        let mut series: Vec<Series> = counts.into_iter().map(|(group, counts)| (group.name(), counts)).collect();
        series.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.iter().sum::<u64>()));
        let rest = series.split_off(series.len().min(MOST_SERIES));
        for (_, counts) in rest {
            other.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        if other.iter().any(|count| *count > 0) {
            series.push(("other".to_owned(), other));
        }
        Ok((series, scanned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_cover_the_time_from_whole_multiples() {
        let steps = Steps::new(61_000, 200_000, 60_000).expect("few steps");
        assert_eq!((steps.from, steps.count), (60_000, 3));
        assert_eq!(
            [59_999, 60_000, 119_999, 120_000, 239_999, 240_000].map(|at| steps.of(at)),
            [None, Some(0), Some(0), Some(1), Some(2), None]
        );
        assert_eq!(Steps::new(0, 60_000 * MOST_STEPS, 60_000).map(|steps| steps.count), Some(2_000));
        assert_eq!(Steps::new(0, 60_000 * MOST_STEPS + 1, 60_000), None);
        assert_eq!(Steps::new(0, 1, 0), None);
        assert_eq!(Steps::new(i64::MIN, i64::MAX, 1_000), None);
    }

    #[test]
    fn a_step_is_chosen_that_charts_like() {
        assert_eq!(step_for(3_600_000), 60_000);
        assert_eq!(step_for(86_400_000), 900_000);
        assert_eq!(step_for(30 * 86_400_000), 14_400_000);
    }
}
