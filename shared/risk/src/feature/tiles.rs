//! Sums in tiles of one width, oldest first, as far back as the longest window reaches from the newest.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Tiles are numbered from 1970 on; two of them take no memory of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tiles(SmallVec<[(u32, i64); 2]>);

impl Tiles {
    /// Adds to a tile, and lets go what no window reaches any more: those that lie `keep` or more behind the newest.
    pub(super) fn add(&mut self, tile: u32, amount: i64, keep: u32) {
        let newest = self.0.last().map_or(tile, |(last, _)| (*last).max(tile));
        let oldest = (newest + 1).saturating_sub(keep);
        if tile >= oldest {
            match self.0.binary_search_by_key(&tile, |(at, _)| *at) {
                Ok(i) => self.0[i].1 = self.0[i].1.saturating_add(amount),
                Err(i) => self.0.insert(i, (tile, amount)),
            }
        }
        let gone = self.0.partition_point(|(at, _)| *at < oldest);
        self.0.drain(..gone);
    }

    /// The sum of the `reach` tiles that end with `tile`.
    pub(super) fn sum(&self, tile: u32, reach: u32) -> i64 {
        let first = (tile + 1).saturating_sub(reach);
        let from = self.0.partition_point(|(at, _)| *at < first);
        let within = self.0[from..].iter().take_while(|(at, _)| *at <= tile);
        within.fold(0, |sum, (_, amount)| sum.saturating_add(*amount))
    }

    /// How many tiles there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The newest tile.
    pub(super) fn newest(&self) -> Option<u32> {
        self.0.last().map(|(tile, _)| *tile)
    }
}

/// The tile of a moment.
pub(super) fn tile(at_ms: i64, width_seconds: u32) -> u32 {
    u32::try_from(at_ms.max(0) / (1_000 * i64::from(width_seconds))).unwrap_or(u32::MAX - 1)
}
