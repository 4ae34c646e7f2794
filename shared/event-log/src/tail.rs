//! The log's end in memory: what readers at the end are served from, without touching the log itself.

use std::collections::VecDeque;

use crate::{Offset, Stored};
use parking_lot::RwLock;

/// What a record costs beside its bytes.
const RECORD_BYTES: usize = 96;

/// The youngest records of all partitions, bounded together: the oldest goes first, whichever
/// partition it is of.
pub struct Tail {
    rings: RwLock<Rings>,
    limit_bytes: usize,
}

struct Rings {
    by_partition: Vec<Ring>,
    /// The partitions of the records held, oldest first.
    order: VecDeque<usize>,
    bytes: usize,
}

struct Ring {
    records: VecDeque<Stored>,
    /// The offset behind the last record; the ring holds what is directly before it.
    end: Offset,
}

/// What the tail knows about a position.
pub enum TailRead {
    /// The records; empty at the end.
    Found(Vec<Stored>),
    /// The position is before the ring. The partition ends at `end`.
    Older {
        /// Where the partition ends.
        end: Offset,
    },
}

impl Tail {
    /// An empty tail of partitions that end at `ends`.
    pub fn new(ends: Vec<Offset>, limit_bytes: usize) -> Self {
        let ring = |end| Ring { records: VecDeque::new(), end };
        let rings = Rings { by_partition: ends.into_iter().map(ring).collect(), order: VecDeque::new(), bytes: 0 };
        Self { rings: RwLock::new(rings), limit_bytes }
    }

    /// Makes durable records readable; `records` is empty afterwards. `index` numbers a record's
    /// partition.
    pub fn publish(&self, records: &mut Vec<Stored>, index: impl Fn(&Stored) -> usize) {
        let mut evicted = Vec::new();
        let mut rings = self.rings.write();
        for record in records.drain(..) {
            let at = index(&record);
            rings.order.push_back(at);
            rings.bytes += cost(&record);
            let ring = &mut rings.by_partition[at];
            debug_assert_eq!(record.offset, ring.end, "records are published in order");
            ring.end = record.offset + 1;
            ring.records.push_back(record);
        }
        while rings.bytes > self.limit_bytes {
            evicted.extend(rings.evict());
        }
        drop(rings);
        // Freeing is not done under the lock that the readers need.
        drop(evicted);
    }

    /// Records from a position on, at most `max`.
    pub fn read(&self, index: usize, from: Offset, max: usize) -> TailRead {
        let rings = self.rings.read();
        let ring = &rings.by_partition[index];
        if from >= ring.end || max == 0 {
            return TailRead::Found(Vec::new());
        }
        let first = ring.end - ring.records.len() as Offset;
        if from < first {
            return TailRead::Older { end: ring.end };
        }
        let start = (from - first) as usize;
        let stop = ring.records.len().min(start.saturating_add(max));
        TailRead::Found(ring.records.range(start..stop).cloned().collect())
    }

    /// The offset behind the last record of a partition.
    pub fn end(&self, index: usize) -> Offset {
        self.rings.read().by_partition[index].end
    }
}

impl Rings {
    /// Takes the oldest record out.
    fn evict(&mut self) -> Option<Stored> {
        let Some(at) = self.order.pop_front() else {
            self.bytes = 0;
            return None;
        };
        let record = self.by_partition[at].records.pop_front()?;
        self.bytes -= cost(&record);
        Some(record)
    }
}

fn cost(record: &Stored) -> usize {
    record.bytes.len() + RECORD_BYTES
}

#[cfg(test)]
mod tests {
    use crate::Topic;
    use bytes::Bytes;

    use super::*;

    fn record(partition: u32, offset: Offset) -> Stored {
        Stored { topic: Topic::Ledger, partition, offset, append_time_ms: 0, bytes: Bytes::from_static(&[0; 4]) }
    }

    fn found(tail: &Tail, index: usize, from: Offset) -> Option<Vec<Offset>> {
        match tail.read(index, from, 10) {
            TailRead::Found(records) => Some(records.iter().map(|record| record.offset).collect()),
            TailRead::Older { .. } => None,
        }
    }

    #[test]
    fn the_oldest_goes_first_whichever_partition_it_is_of() {
        let tail = Tail::new(vec![5, 0], 4 * (RECORD_BYTES + 4));
        let mut records = vec![record(0, 5), record(1, 0), record(0, 6), record(1, 1)];
        tail.publish(&mut records, |record| record.partition as usize);
        assert_eq!(found(&tail, 0, 5), Some(vec![5, 6]));
        assert_eq!(found(&tail, 0, 4), None);
        tail.publish(&mut vec![record(1, 2)], |_| 1);
        assert_eq!(found(&tail, 0, 5), None);
        assert_eq!(found(&tail, 0, 6), Some(vec![6]));
        assert_eq!(found(&tail, 1, 0), Some(vec![0, 1, 2]));
        assert_eq!((tail.end(0), tail.end(1)), (7, 3));
    }

    #[test]
    fn a_tail_without_room_knows_the_ends() {
        let tail = Tail::new(vec![0], 0);
        tail.publish(&mut vec![record(0, 0), record(0, 1)], |_| 0);
        assert_eq!(found(&tail, 0, 0), None);
        assert_eq!(found(&tail, 0, 2), Some(vec![]));
        assert_eq!(tail.end(0), 2);
    }
}
