//! The folded state of one shard: rows, sequence, time, hash, and where each record stands in the log.

use std::collections::{BTreeMap, VecDeque};

use coupon::id::{Sequence, Shard};
use coupon::record::RequestKey;
use coupon::state::{Key, Row, Rows, View};
use coupon::terms::Millis;
use event_log::Offset;
use linear_hashing::LinearHashMap;
use xxhash_rust::xxh3::xxh3_128;

use crate::codec;
use crate::dirty::Dirty;

/// The folded state of one shard.
#[derive(Debug)]
pub struct ShardState {
    shard: Shard,
    rows: LinearHashMap<Key, (Row, u128)>,
    /// Of the last folded record; 0 before the first.
    pub sequence: Sequence,
    /// Of the last folded record.
    pub time: Millis,
    /// By which rules it is folded.
    pub semantics: u16,
    /// Nothing is copied into it any more: times that records bring with them are not honoured.
    pub sealed: bool,
    hash: u128,
    /// What the hash was at some sequences, to be compared with what others say.
    checkpoints: VecDeque<(Sequence, u128)>,
    /// Keys by the stamp under which they will be forgotten.
    requests: BTreeMap<u32, Vec<RequestKey>>,
    live_requests: usize,
    positions: Positions,
    /// What is to be written behind, where that is done.
    dirty: Option<Dirty>,
    changes: Vec<(Key, Option<Row>)>,
}

/// Hashes are compared at every so many records of a shard.
const CHECKPOINT_EVERY: Sequence = 1_024;
/// How many of these are remembered.
const CHECKPOINTS: usize = 64;

/// Where the records of a shard stand in its partition, and their times.
#[derive(Debug, Default)]
pub struct Positions {
    chunks: Vec<PositionChunk>,
}

/// Records of a chunk of positions.
pub const CHUNK: usize = 128;

/// Positions of up to [`CHUNK`] records, 16 bytes each.
pub type PositionChunk = Vec<(Offset, Millis)>;

impl Positions {
    /// Notes the next record.
    pub fn push(&mut self, offset: Offset, time: Millis) {
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push((offset, time)),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push((offset, time));
                self.chunks.push(chunk);
            }
        }
    }

    /// Where a record stands and when it was.
    pub fn get(&self, sequence: Sequence) -> Option<(Offset, Millis)> {
        let place = usize::try_from(sequence.checked_sub(1)?).ok()?;
        self.chunks.get(place / CHUNK)?.get(place % CHUNK).copied()
    }

    /// The last record at or before a time.
    pub fn at_time(&self, time: Millis, upto: Sequence) -> Sequence {
        let (mut low, mut high) = (0, upto);
        while low < high {
            let middle = (low + high).div_ceil(2);
            match self.get(middle) {
                Some((_, at)) if at <= time => low = middle,
                _ => high = middle - 1,
            }
        }
        low
    }

    /// The chunks from the given one on.
    pub fn chunks_from(&self, first: usize) -> impl Iterator<Item = (usize, &PositionChunk)> {
        self.chunks.iter().enumerate().skip(first)
    }

    /// Puts a chunk in its place; false when those before it are missing.
    pub fn restore(&mut self, number: usize, chunk: PositionChunk) -> bool {
        if number > self.chunks.len() {
            return false;
        }
        self.chunks.truncate(number);
        self.chunks.push(chunk);
        true
    }
}

impl ShardState {
    /// An empty shard.
    pub fn new(shard: Shard) -> Self {
        Self {
            shard,
            rows: LinearHashMap::default(),
            sequence: 0,
            time: 0,
            semantics: 1,
            sealed: false,
            hash: 0,
            checkpoints: VecDeque::new(),
            requests: BTreeMap::new(),
            live_requests: 0,
            positions: Positions::default(),
            dirty: None,
            changes: Vec::new(),
        }
    }

    /// Which shard it is.
    pub fn shard(&self) -> Shard {
        self.shard
    }

    /// A hash over all rows, sequence and time: equal on every replica and every layout of the log. Rows go into a
    /// multiset hash (a sum of 128-bit row hashes), so that it is kept up to date with every change.
    pub fn state_hash(&self) -> u128 {
        let mut head = [0_u8; 16];
        head[..8].copy_from_slice(&self.sequence.to_le_bytes());
        head[8..].copy_from_slice(&self.time.to_le_bytes());
        self.hash.wrapping_add(xxh3_128(&head))
    }

    /// Notes the hash at every so many records; whether this was one of them.
    pub(crate) fn checkpoint(&mut self) -> bool {
        if !self.sequence.is_multiple_of(CHECKPOINT_EVERY) {
            return false;
        }
        if self.checkpoints.len() == CHECKPOINTS {
            self.checkpoints.pop_front();
        }
        self.checkpoints.push_back((self.sequence, self.state_hash()));
        true
    }

    /// What the hash was after a record, where that is remembered.
    pub fn hash_at(&self, sequence: Sequence) -> Option<u128> {
        self.checkpoints.iter().find(|(at, _)| *at == sequence).map(|(_, hash)| *hash)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many keys of requests are remembered.
    pub fn live_requests(&self) -> usize {
        self.live_requests
    }

    /// Nothing was ever written to it.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Every row.
    pub fn rows(&self) -> impl Iterator<Item = (&Key, &Row)> {
        self.rows.iter().map(|(key, (row, _))| (key, row))
    }

    /// Where the records stand.
    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    /// Puts positions in place that were read from disk.
    pub fn positions_mut(&mut self) -> &mut Positions {
        &mut self.positions
    }

    /// How often rows changed since that was last taken.
    pub fn dirty(&self) -> usize {
        self.dirty.as_ref().map_or(0, Dirty::len)
    }

    /// From here on it is noted which rows change, for whoever writes them behind.
    pub fn note_changes(&mut self) {
        self.dirty.get_or_insert_default();
    }

    /// What changed since this was last called.
    pub fn take_dirty(&mut self) -> Dirty {
        self.dirty.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Changes since this was last called, with the row before each, in order, in exchange for an empty list.
    pub fn swap_changes(&mut self, changes: &mut Vec<(Key, Option<Row>)>) {
        std::mem::swap(&mut self.changes, changes);
    }

    /// Puts a row in place that was read from disk.
    pub fn restore(&mut self, key: Key, row: Row) {
        let hash = row_hash(&key, &row);
        self.note_request(&key, &row);
        let before = self.rows.insert(key, (row, hash));
        self.live_requests += usize::from(matches!(key, Key::Request(..)) && before.is_none());
        self.hash = self.hash.wrapping_add(hash).wrapping_sub(before.map_or(0, |(_, hash)| hash));
    }

    /// The same of a row that is gone.
    pub fn restore_gone(&mut self, key: &Key) {
        if let Some((_, hash)) = self.rows.remove(key) {
            self.live_requests -= usize::from(matches!(key, Key::Request(..)));
            self.hash = self.hash.wrapping_sub(hash);
        }
    }

    fn note_request(&mut self, key: &Key, row: &Row) {
        if let (Key::Request(_, request), Row::Request(row)) = (key, row) {
            self.requests.entry(row.stamp).or_default().push(*request);
        }
    }
}

impl View for ShardState {
    fn get(&self, key: &Key) -> Option<&Row> {
        self.rows.get(key).map(|(row, _)| row)
    }
}

impl Rows for ShardState {
    fn put(&mut self, key: Key, row: Row) {
        let hash = row_hash(&key, &row);
        if matches!(&row, Row::Request(new) if !matches!(self.get(&key), Some(Row::Request(old)) if old.stamp == new.stamp))
        {
            self.note_request(&key, &row);
        }
        if let Some(dirty) = &mut self.dirty {
            dirty.push(key, Some(row.clone()));
        }
        let before = self.rows.insert(key, (row, hash));
        self.live_requests += usize::from(matches!(key, Key::Request(..)) && before.is_none());
        let old_hash = before.as_ref().map_or(0, |(_, hash)| *hash);
        self.hash = self.hash.wrapping_add(hash).wrapping_sub(old_hash);
        if !matches!(key, Key::Request(..)) {
            self.changes.push((key, before.map(|(row, _)| row)));
        }
    }

    fn remove(&mut self, key: &Key) {
        let Some((row, hash)) = self.rows.remove(key) else { return };
        self.hash = self.hash.wrapping_sub(hash);
        self.live_requests -= usize::from(matches!(key, Key::Request(..)));
        if let Some(dirty) = &mut self.dirty {
            dirty.push(*key, None);
        }
        if !matches!(key, Key::Request(..)) {
            self.changes.push((*key, Some(row)));
        }
    }

    fn forget_requests(&mut self, shard: Shard, older_than: u32) {
        while let Some(entry) = self.requests.first_entry() {
            if *entry.key() >= older_than {
                return;
            }
            let (stamp, keys) = entry.remove_entry();
            for request in keys {
                let key = Key::Request(shard, request);
                // Its stamp may have moved on since.
                if matches!(self.get(&key), Some(Row::Request(row)) if row.stamp == stamp) {
                    self.remove(&key);
                }
            }
        }
    }
}

fn row_hash(key: &Key, row: &Row) -> u128 {
    thread_local! {
        static BUFFER: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) };
    }
    BUFFER.with_borrow_mut(|buffer| {
        buffer.clear();
        codec::append(&(key, row), buffer);
        xxh3_128(buffer)
    })
}
