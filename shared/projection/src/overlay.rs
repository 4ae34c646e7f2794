//! What the state will be if everything that was proposed applies.

use coupon::id::Shard;
use coupon::state::{Key, Row, Rows, View};
use rustc_hash::FxHashMap;

use crate::shard::ShardState;

/// Rows that proposals under way would leave behind, with the last proposal that wrote each.
#[derive(Debug, Default)]
pub struct Overlay {
    rows: FxHashMap<Key, (Option<Row>, u64)>,
    /// Proposals folded on top of the base.
    pub depth: u64,
}

impl Overlay {
    /// Nothing is under way.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.depth = 0;
    }

    /// A proposal was folded as expected: what it wrote last stands in the base now.
    pub fn settle(&mut self, proposal: u64, wrote: &[Key]) {
        self.depth = self.depth.saturating_sub(1);
        for key in wrote {
            if self.rows.get(key).is_some_and(|(_, by)| *by == proposal) {
                self.rows.remove(key);
            }
        }
    }
}

/// The overlay in front of its base.
pub struct Speculative<'a> {
    /// What is folded.
    pub base: &'a ShardState,
    /// What is proposed.
    pub overlay: &'a Overlay,
}

impl View for Speculative<'_> {
    fn get(&self, key: &Key) -> Option<&Row> {
        match self.overlay.rows.get(key) {
            Some((row, _)) => row.as_ref(),
            None => self.base.get(key),
        }
    }
}

/// The same, while a proposal is folded onto it.
pub struct Speculating<'a> {
    /// What is folded.
    pub base: &'a ShardState,
    /// What is proposed.
    pub overlay: &'a mut Overlay,
    /// Which proposal writes.
    pub proposal: u64,
    /// What it wrote.
    pub wrote: Vec<Key>,
}

impl View for Speculating<'_> {
    fn get(&self, key: &Key) -> Option<&Row> {
        match self.overlay.rows.get(key) {
            Some((row, _)) => row.as_ref(),
            None => self.base.get(key),
        }
    }
}

impl Rows for Speculating<'_> {
    fn put(&mut self, key: Key, row: Row) {
        self.overlay.rows.insert(key, (Some(row), self.proposal));
        self.wrote.push(key);
    }

    fn remove(&mut self, key: &Key) {
        self.overlay.rows.insert(*key, (None, self.proposal));
        self.wrote.push(*key);
    }

    /// Forgotten keys are not seen whether or not they are gone; only the base takes them away.
    fn forget_requests(&mut self, _shard: Shard, _older_than: u32) {}
}
