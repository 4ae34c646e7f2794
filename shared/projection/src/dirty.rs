//! What changed since it was last written behind: noted in order, which costs the owner a copy; each key's last row is
//! found by who writes them, on another thread.

use coupon::state::{Key, Row};
use rustc_hash::FxHashSet;

/// Notes of a piece. Pieces are not moved when there are more: with a long list, that would be a moment in which nothing
/// is answered.
const PIECE: usize = 1_024;

/// Rows as they changed; `None` where one is gone.
#[derive(Debug, Default)]
pub struct Dirty {
    pieces: Vec<Vec<(Key, Option<Row>)>>,
    len: usize,
}

impl Dirty {
    /// Notes a change.
    pub fn push(&mut self, key: Key, row: Option<Row>) {
        self.len += 1;
        match self.pieces.last_mut() {
            Some(piece) if piece.len() < PIECE => piece.push((key, row)),
            Some(_) => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push((key, row));
                self.pieces.push(piece);
            }
            // Most shards see few changes, if any.
            None => self.pieces.push(vec![(key, row)]),
        }
    }

    /// How many changes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Each key once, with its last row, in no order.
    pub fn latest(&self) -> impl Iterator<Item = (&Key, Option<&Row>)> {
        let mut seen = FxHashSet::with_capacity_and_hasher(self.len, rustc_hash::FxBuildHasher);
        let notes = self.pieces.iter().rev().flat_map(|piece| piece.iter().rev());
        notes.filter(move |(key, _)| seen.insert(*key)).map(|(key, row)| (key, row.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use coupon::id::MerchantId;

    use super::*;

    #[test]
    fn each_key_comes_once_with_its_last_row() {
        let mut dirty = Dirty::default();
        let key = |n: u64| Key::Ranges(MerchantId(n as u32));
        for n in 0..3 * PIECE as u64 {
            dirty.push(key(n % 700), Some(Row::NextNumber(n)));
        }
        dirty.push(key(5), None);
        let mut latest: Vec<_> = dirty.latest().map(|(key, row)| (*key, row.cloned())).collect();
        latest.sort_unstable_by_key(|(key, _)| *key);
        assert_eq!((dirty.len(), latest.len()), (3 * PIECE + 1, 700));
        assert_eq!(latest[5], (key(5), None));
        let last = (0..3 * PIECE as u64).rev().find(|n| n % 700 == 699);
        assert_eq!(latest[699], (key(699), last.map(Row::NextNumber)));
    }
}
