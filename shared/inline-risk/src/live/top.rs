//! Who was seen most in the last hour, and in the hour before, in bounded memory.
//!
//! After lossy counting (Manku and Motwani, "Approximate Frequency Counts over Data Streams", VLDB 2002): whoever is new is
//! counted from then on, and from time to time those that were seen least are let go. Whoever is seen more often than
//! the last of those that are kept is never let go, so that those at the top are counted exactly.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// Minutes of an hour.
const HOUR: usize = 60;
const KEPT: usize = 2 * HOUR;

/// How often something was seen in each of the last minutes.
#[derive(Clone, Debug)]
struct Minutes {
    counts: [u16; KEPT],
    newest: i64,
    /// The sum of all counts: asked for of everybody when room is made.
    sum: u32,
}

/// Counts by key.
#[derive(Debug)]
pub struct Top<K, S> {
    known: FxHashMap<K, (Minutes, Option<S>)>,
    /// So many are kept when room is made; up to twice as many are there.
    most: usize,
}

/// Somebody at the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranked<K, S> {
    /// Who.
    pub key: K,
    /// What is remembered of it, where something came with it.
    pub sample: Option<S>,
    /// Events in the last hour.
    pub now: u64,
    /// Events in the hour before.
    pub before: u64,
}

impl Minutes {
    fn new(minute: i64) -> Self {
        Self { counts: [0; KEPT], newest: minute, sum: 0 }
    }

    fn add(&mut self, minute: i64) {
        if minute > self.newest {
            let first = (self.newest + 1).max(minute - KEPT as i64 + 1);
            for minute in first..=minute {
                self.sum -= u32::from(std::mem::take(&mut self.counts[place(minute)]));
            }
            self.newest = minute;
        }
        if minute > self.newest - KEPT as i64 {
            let count = &mut self.counts[place(minute)];
            self.sum += u32::from(*count < u16::MAX);
            *count = count.saturating_add(1);
        }
    }

    /// Events in the two hours that end with `minute`, or with the newest event where that is later.
    fn both_hours(&self, minute: i64) -> u32 {
        let oldest = self.newest - KEPT as i64 + 1;
        let over = oldest..=self.newest.min(minute - KEPT as i64);
        self.sum - over.map(|minute| u32::from(self.counts[place(minute)])).sum::<u32>()
    }

    /// Events in the hour that ends with `minute`, and in the one before.
    fn hours(&self, minute: i64) -> (u64, u64) {
        let sum = |minutes: std::ops::RangeInclusive<i64>| {
            let oldest = (self.newest - KEPT as i64 + 1).max(*minutes.start());
            (oldest..=self.newest.min(*minutes.end())).map(|minute| u64::from(self.counts[place(minute)])).sum()
        };
        let (hour, two) = (minute - HOUR as i64, minute - KEPT as i64);
        (sum(hour + 1..=minute), sum(two + 1..=hour))
    }
}

fn place(minute: i64) -> usize {
    minute.rem_euclid(KEPT as i64) as usize
}

impl<K: Copy + Eq + Hash + Ord, S: Clone> Top<K, S> {
    /// Of which the `most` most frequent ones are kept.
    pub fn new(most: usize) -> Self {
        Self { known: FxHashMap::default(), most: most.max(1) }
    }

    /// Counts an event; `sample` is what is remembered of somebody of whom nothing is yet.
    pub fn add(&mut self, key: K, minute: i64, sample: impl FnOnce() -> Option<S>) {
        if let Some((minutes, known)) = self.known.get_mut(&key) {
            if known.is_none() {
                *known = sample();
            }
            return minutes.add(minute);
        }
        if self.known.len() >= 2 * self.most {
            self.make_room(minute);
        }
        let mut minutes = Minutes::new(minute);
        minutes.add(minute);
        self.known.insert(key, (minutes, sample()));
    }

    /// Lets go those that were seen least.
    fn make_room(&mut self, minute: i64) {
        let mut seen: Vec<(u32, K)> =
            self.known.iter().map(|(key, (minutes, _))| (minutes.both_hours(minute), *key)).collect();
        let keep = self.most.min(seen.len());
        seen.select_nth_unstable_by(keep - 1, |one, other| other.cmp(one));
        for (_, key) in &seen[keep..] {
            self.known.remove(key);
        }
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The `most` that were seen most often in the hour that ends with `minute`, of those that are wanted.
    pub fn ranked(&self, minute: i64, most: usize, wanted: impl Fn(&K) -> bool) -> Vec<Ranked<K, S>> {
        let known = self.known.iter().filter(|(key, _)| wanted(key));
        let mut seen: Vec<_> =
            known.map(|(key, (minutes, _))| (minutes.hours(minute), *key)).filter(|((now, _), _)| *now > 0).collect();
        // By the key where as many were seen, so that the order does not jump.
        seen.sort_unstable_by(|((one, _), a), ((other, _), b)| other.cmp(one).then(a.cmp(b)));
        let rank = |((now, before), key): ((u64, u64), K)| {
            let (_, sample) = self.known.get(&key)?;
            Some(Ranked { key, sample: sample.clone(), now, before })
        };
        seen.into_iter().take(most).filter_map(rank).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(top: &Top<u32, ()>, minute: i64) -> Vec<(u32, u64, u64)> {
        top.ranked(minute, 10, |_| true).into_iter().map(|it| (it.key, it.now, it.before)).collect()
    }

    #[test]
    fn the_last_hour_stands_beside_the_one_before() {
        let mut top = Top::new(100);
        (0..3).for_each(|_| top.add(7, 1_000, || Some(())));
        top.add(7, 1_060, || Some(()));
        top.add(8, 1_059, || Some(()));
        assert_eq!(told(&top, 1_060), [(7, 1, 3), (8, 1, 0)], "60 minutes ago is the hour before");
        assert_eq!(told(&top, 1_059), [(7, 3, 0), (8, 1, 0)]);
        assert_eq!(told(&top, 1_121), [], "nothing in the last hour");
    }

    #[test]
    fn memory_is_bounded_and_the_frequent_stay() {
        let mut top = Top::new(50);
        for n in 0..100_000_u32 {
            top.add(1_000_000 + n, 10, || Some(()));
            if n % 50 == 0 {
                top.add(7, 10, || Some(()));
            }
            assert!(top.len() <= 100);
        }
        assert_eq!(told(&top, 10)[0], (7, 2_000, 0), "counted exactly among a hundred thousand that came once");
    }

    proptest! {
        /// Against a plain list of everything, as long as all find room.
        #[test]
        fn it_counts_what_was_seen(moves in prop::collection::vec((0_u32..8, prop_oneof![9 => 0_i64..30, 1 => 0_i64..2_000]), 0..300)) {
            let (mut top, mut all, mut minute) = (Top::new(8), Vec::new(), 5_000);
            for (key, ahead) in moves {
                minute += ahead / 10;
                top.add(key, minute, || Some(()));
                all.push((key, minute));
            }
            for (minutes, _) in top.known.values() {
                let (now, before) = minutes.hours(minute);
                prop_assert_eq!(u64::from(minutes.both_hours(minute)), now + before);
            }
            for (key, now, before) in told(&top, minute) {
                let seen = |from: i64, to: i64| {
                    all.iter().filter(|(of, at)| *of == key && *at > from && *at <= to).count() as u64
                };
                prop_assert_eq!((now, before), (seen(minute - 60, minute), seen(minute - 120, minute - 60)));
            }
        }
    }
}
