//! Reading what is no longer in memory.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use event_log::{Offset, ReadError, Stored, Topic};
use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Message;
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};

use crate::Layout;
use crate::client::{self, Logged, Use};
use crate::options::Options;
use crate::tailer::stored;

/// Consumers kept for the next reads, of each kind.
const KEPT: usize = 4;
/// A read ends behind the record that exceeds this, whatever number was asked for.
const READ_BYTES: usize = 8 << 20;
/// Reads of so few records are look-ups.
const FEW: u64 = 16;
/// The partition of a consumer that fetches nothing.
const NOWHERE: usize = usize::MAX;
/// How long a read may go without a record before it is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Consumers that each stand somewhere: who reads on from there goes on with the same one.
pub(crate) struct Reader {
    options: Options,
    layout: Arc<Layout>,
    idle: Mutex<Vec<Cursor>>,
}

struct Cursor {
    consumer: BaseConsumer<Logged>,
    purpose: Use,
    index: usize,
    next: Offset,
}

impl Reader {
    pub(crate) fn new(options: Options, layout: Arc<Layout>) -> Self {
        Self { options, layout, idle: Mutex::default() }
    }

    /// Records of `range`, each of which is known to have been written.
    pub(crate) fn read(&self, topic: Topic, partition: u32, range: Range<Offset>) -> Result<Vec<Stored>, ReadError> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let mut attempts = 2;
        let end = range.end;
        loop {
            attempts -= 1;
            let mut cursor = self.cursor(topic, partition, &range)?;
            let mut found = Vec::new();
            let outcome = cursor.collect(&self.layout, range.clone(), &mut found);
            match outcome {
                Ok(()) => self.keep(cursor, end),
                // Damage is told only after it was fetched a second time, by another consumer.
                Err(ReadError::Damaged { .. }) if found.is_empty() && attempts > 0 => continue,
                Err(error) if found.is_empty() => return Err(error),
                // What is before the damage is given; the read that begins there tells it.
                Err(_) => {}
            }
            return Ok(found);
        }
    }

    /// One that stands where the read begins, or one that is sent there.
    fn cursor(&self, topic: Topic, partition: u32, range: &Range<Offset>) -> Result<Cursor, ReadError> {
        let index = self.layout.index(topic, partition);
        let purpose = if range.end - range.start <= FEW { Use::Lookup } else { Use::Stream };
        let mut idle = self.idle.lock();
        let there = |cursor: &Cursor| cursor.index == index && cursor.next == range.start;
        if let Some(at) = idle.iter().position(|cursor| cursor.purpose == purpose && there(cursor)) {
            return Ok(idle.swap_remove(at));
        }
        let known = idle.iter().position(|cursor| cursor.purpose == purpose).map(|at| idle.swap_remove(at).consumer);
        drop(idle);
        let unavailable = |error: String| ReadError::Unavailable(error);
        let consumer = match known {
            Some(consumer) => consumer,
            None => client::consumer(&self.options, purpose).map_err(|error| unavailable(error.to_string()))?,
        };
        let mut list = TopicPartitionList::with_capacity(1);
        let offset = KafkaOffset::Offset(range.start as i64);
        list.add_partition_offset(self.layout.name(topic), partition as i32, offset)
            .and_then(|()| consumer.assign(&list))
            .map_err(|error| unavailable(error.to_string()))?;
        Ok(Cursor { consumer, purpose, index, next: range.start })
    }

    /// One that has nothing more to read, and one that was sent for single records, stops fetching.
    fn keep(&self, mut cursor: Cursor, end: Offset) {
        if cursor.purpose == Use::Lookup || cursor.next >= end {
            if cursor.consumer.unassign().is_err() {
                return;
            }
            cursor.index = NOWHERE;
        }
        let mut idle = self.idle.lock();
        let alike = idle.iter().filter(|other| other.purpose == cursor.purpose).count();
        if alike < KEPT {
            idle.push(cursor);
        }
    }
}

impl Cursor {
    fn collect(&mut self, layout: &Layout, range: Range<Offset>, found: &mut Vec<Stored>) -> Result<(), ReadError> {
        let (topic, partition) = layout.place(self.index);
        let damaged = |offset, reason| ReadError::Damaged { topic, partition, offset, reason };
        let mut bytes = 0;
        let mut deadline = Instant::now() + PATIENCE;
        let mut last_error = "no broker answers".to_owned();
        while self.next < range.end && bytes <= READ_BYTES {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    let offset = message.offset() as Offset;
                    if layout.index_of(message.topic(), message.partition()) != Some(self.index) || offset < self.next {
                        continue;
                    }
                    if offset > self.next {
                        return Err(damaged(self.next, format!("the record is missing; {offset} follows")));
                    }
                    let record = stored(layout, self.index, &message).map_err(|reason| damaged(offset, reason))?;
                    self.next += 1;
                    bytes += record.bytes.len();
                    found.push(record);
                    deadline = Instant::now() + PATIENCE;
                }
                Some(Err(error)) => match error.rdkafka_error_code() {
                    Some(
                        RDKafkaErrorCode::BadMessage
                        | RDKafkaErrorCode::AutoOffsetReset
                        | RDKafkaErrorCode::OffsetOutOfRange,
                    ) => {
                        return Err(damaged(self.next, error.to_string()));
                    }
                    _ => last_error = error.to_string(),
                },
                None if Instant::now() > deadline => return Err(ReadError::Unavailable(last_error)),
                None => {}
            }
        }
        Ok(())
    }
}
