//! How many different ones: exact while few, by a sketch beyond.
//!
//! While few, each value is kept with the tile in which it was last seen, so that every window is exact. Beyond, a
//! `HyperLogLog` whose registers keep those pairs of tile and rank that can still become a window's maximum (Chabchoub and
//! Hébrail, *Sliding `HyperLogLog`: Estimating cardinality in a data stream*, ICDM Workshops 2010; estimator and
//! small-range correction: Flajolet, Fusy, Gandouet and Meunier, *`HyperLogLog`: the analysis of a near-optimal cardinality
//! estimation algorithm*, 2007).

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Values that are kept as such.
const EXACT: usize = 64;
/// 2^10 registers: a standard error of 1.04 / 32 = 3.3 %.
const BITS: u32 = 10;
const REGISTERS: usize = 1 << BITS;

/// Different values by when they were last seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Distinct {
    /// Each with the tile in which it was last seen.
    Few(SmallVec<[(u64, u32); 2]>),
    /// Each register: tiles and ranks, oldest tile and highest rank first.
    Many(Vec<SmallVec<[(u32, u8); 2]>>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Few(SmallVec::new())
    }
}

impl Distinct {
    /// A value was seen; the value is a hash.
    pub(super) fn add(&mut self, value: u64, tile: u32, keep: u32) {
        match self {
            Self::Few(seen) => {
                match seen.iter_mut().find(|(known, _)| *known == value) {
                    Some((_, last)) => *last = (*last).max(tile),
                    None => seen.push((value, tile)),
                }
                if seen.len() > EXACT {
                    let newest = seen.iter().map(|(_, last)| *last).max().unwrap_or(tile);
                    let oldest = (newest + 1).saturating_sub(keep);
                    seen.retain(|(_, last)| *last >= oldest);
                }
                if seen.len() > EXACT {
                    let mut registers = vec![SmallVec::new(); REGISTERS];
                    seen.iter().for_each(|(value, last)| note(&mut registers, *value, *last, keep));
                    *self = Self::Many(registers);
                }
            }
            Self::Many(registers) => note(registers, value, tile, keep),
        }
    }

    /// How many were seen in the `reach` tiles that end with `tile`.
    pub(super) fn count(&self, tile: u32, reach: u32) -> i64 {
        let first = (tile + 1).saturating_sub(reach);
        match self {
            Self::Few(seen) => seen.iter().filter(|(_, last)| (first..=tile).contains(last)).count() as i64,
            Self::Many(registers) => estimate(registers, first, tile),
        }
    }

    /// The newest tile.
    pub(super) fn newest(&self) -> Option<u32> {
        match self {
            Self::Few(seen) => seen.iter().map(|(_, last)| *last).max(),
            Self::Many(registers) => registers.iter().filter_map(|pairs| pairs.last()).map(|(tile, _)| *tile).max(),
        }
    }
}

fn note(registers: &mut [SmallVec<[(u32, u8); 2]>], value: u64, tile: u32, keep: u32) {
    let register = &mut registers[(value >> (64 - BITS)) as usize];
    let rank = ((value << BITS) | (1 << (BITS - 1))).leading_zeros() as u8 + 1;
    // One that is as new and as high says all that this one would.
    if register.iter().any(|(at, high)| *at >= tile && *high >= rank) {
        return;
    }
    register.retain(|(at, high)| *at > tile || *high > rank);
    let place = register.partition_point(|(at, _)| *at < tile);
    register.insert(place, (tile, rank));
    let oldest = register.last().map_or(0, |(newest, _)| (*newest + 1).saturating_sub(keep));
    register.retain(|(at, _)| *at >= oldest);
}

fn estimate(registers: &[SmallVec<[(u32, u8); 2]>], first: u32, tile: u32) -> i64 {
    let (mut empty, mut sum) = (0_u32, 0.0);
    for register in registers {
        let high = register.iter().filter(|(at, _)| (first..=tile).contains(at)).map(|(_, high)| *high).max();
        empty += u32::from(high.is_none());
        // 2^-rank, without a rounding.
        sum += f64::from_bits((1023 - u64::from(high.unwrap_or(0))) << 52);
    }
    let all = REGISTERS as f64;
    let raw = 0.7213 / (1.0 + 1.079 / all) * all * all / sum;
    // The same logarithm on every machine, so that counts are equal to the bit.
    let small = raw <= 2.5 * all && empty > 0;
    let corrected = if small { all * libm::log(all / f64::from(empty)) } else { raw };
    libm::round(corrected) as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    fn hash(n: u32) -> u64 {
        xxh3_64(&n.to_le_bytes())
    }

    proptest! {
        #[test]
        fn few_are_exact_in_every_window(
            seen in prop::collection::vec((0_u32..60, 0_u32..200), 0..300), reach in 1_u32..100, ahead in 0_u32..50,
        ) {
            let mut seen = seen;
            seen.sort_by_key(|(_, tile)| *tile);
            let mut distinct = Distinct::default();
            for (value, tile) in &seen {
                distinct.add(hash(*value), *tile, 100);
            }
            let at = seen.last().map_or(0, |(_, tile)| *tile) + ahead;
            let within = seen.iter().filter(|(_, tile)| *tile + reach > at).map(|(value, _)| *value);
            let wanted = within.collect::<std::collections::BTreeSet<_>>().len() as i64;
            prop_assert_eq!(distinct.count(at, reach), wanted);
        }
    }

    #[test]
    fn many_are_near_in_every_window() {
        let mut distinct = Distinct::default();
        // A thousand new ones in each tile, half of them seen in the next tile again.
        for tile in 0..50_u32 {
            for n in 0..1_000 {
                distinct.add(hash(tile * 500 + n), tile, 60);
            }
        }
        for reach in [1, 5, 20, 50] {
            let wanted = f64::from(500 + reach * 500);
            let counted = distinct.count(49, reach) as f64;
            // Three standard errors.
            assert!((counted / wanted - 1.0).abs() < 0.1, "{counted} of {wanted} over {reach} tiles");
        }
        assert_eq!(distinct.count(200, 60), 0, "all of it is over");
    }

    #[test]
    fn the_way_to_the_sketch_forgets_nobody_who_counts() {
        let mut distinct = Distinct::default();
        (0..64).for_each(|n| distinct.add(hash(n), 1, 10));
        assert_eq!(distinct.count(5, 10), 64);
        distinct.add(hash(99), 20, 10);
        assert_eq!(distinct, Distinct::Few(smallvec::smallvec![(hash(99), 20)]), "the others are over");
    }
}
