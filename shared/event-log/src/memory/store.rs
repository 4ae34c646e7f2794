//! The records of a log in memory.

use bytes::{Bytes, BytesMut};

use crate::{Entry, Offset, ReadError, Stored, Topic, envelope};

/// All records, by topic and partition.
pub(super) struct Store {
    partitions: u32,
    rows: Vec<Vec<Stored>>,
}

impl Store {
    pub(super) fn new(partitions: u32) -> Self {
        let rows = vec![Vec::new(); Topic::ALL.len() * partitions as usize];
        Self { partitions, rows }
    }

    pub(super) fn partitions(&self) -> u32 {
        self.partitions
    }

    /// Appends all entries at `now_ms`, or at the last time of the partition if that is later.
    pub(super) fn push(&mut self, entries: Vec<Entry>, now_ms: i64) {
        self.check(&entries);
        for entry in entries {
            let at = self.index(entry.topic, entry.partition);
            let records = &mut self.rows[at];
            let last_ms = records.last().map_or(i64::MIN, |last| last.append_time_ms);
            records.push(Stored {
                topic: entry.topic,
                partition: entry.partition,
                offset: records.len() as Offset,
                append_time_ms: now_ms.max(last_ms),
                bytes: entry.bytes,
            });
        }
    }

    /// Panics when an entry names a partition that does not exist, as the port says.
    pub(super) fn check(&self, entries: &[Entry]) {
        for entry in entries {
            assert!(entry.partition < self.partitions, "there is no partition {}/{}", entry.topic, entry.partition);
        }
    }

    pub(super) fn read(
        &self,
        topic: Topic,
        partition: u32,
        from: Offset,
        max: usize,
    ) -> Result<Vec<Stored>, ReadError> {
        let records = self.partition(topic, partition)?;
        let mut found = Vec::new();
        for record in records.iter().skip(from as usize).take(max) {
            match envelope::open(&record.bytes) {
                Ok(_) => found.push(record.clone()),
                Err(_) if !found.is_empty() => break,
                Err(damage) => {
                    return Err(ReadError::Damaged {
                        topic,
                        partition,
                        offset: record.offset,
                        reason: damage.to_string(),
                    });
                }
            }
        }
        Ok(found)
    }

    pub(super) fn end(&self, topic: Topic, partition: u32) -> Result<Offset, ReadError> {
        Ok(self.partition(topic, partition)?.len() as Offset)
    }

    /// Inverts one byte; readers that hold the old bytes keep them.
    pub(super) fn flip_byte(&mut self, topic: Topic, partition: u32, offset: Offset, byte: usize) -> bool {
        let at = self.index(topic, partition);
        let record = self.rows.get_mut(at).and_then(|rows| rows.get_mut(offset as usize));
        let Some(record) = record.filter(|record| !record.bytes.is_empty()) else {
            return false;
        };
        let mut bytes = BytesMut::from(&record.bytes[..]);
        let length = bytes.len();
        bytes[byte % length] ^= 0xff;
        record.bytes = Bytes::from(bytes);
        true
    }

    fn partition(&self, topic: Topic, partition: u32) -> Result<&[Stored], ReadError> {
        if partition >= self.partitions {
            let text = format!("there is no partition {topic}/{partition}");
            return Err(ReadError::Unavailable(text));
        }
        Ok(&self.rows[self.index(topic, partition)])
    }

    fn index(&self, topic: Topic, partition: u32) -> usize {
        topic as usize * self.partitions as usize + partition as usize
    }
}
