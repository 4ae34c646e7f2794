//! Reading what is no longer in memory.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use event_log::{Offset, ReadError, Stored, Topic};
use parking_lot::{Condvar, Mutex};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};

use crate::Layout;
use crate::client::{self, Logged, Use};
use crate::options::Options;
use crate::tailer::stored;

/// Consumers of each kind; who needs one more waits. Making one costs connections, threads and questions to the brokers.
const CONSUMERS: usize = 4;
/// How long a reader waits for one.
const WAIT: Duration = Duration::from_secs(10);
/// A read ends behind the record that exceeds this, whatever number was asked for.
const READ_BYTES: usize = 8 << 20;
/// Records for which a read makes room.
const AT_ONCE: u64 = 4_096;
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
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Cursor>,
    /// Idle or not, of each kind.
    lookups: usize,
    streams: usize,
}

impl Pool {
    fn count(&mut self, purpose: Use) -> &mut usize {
        if purpose == Use::Lookup { &mut self.lookups } else { &mut self.streams }
    }
}

struct Cursor {
    consumer: BaseConsumer<Logged>,
    purpose: Use,
    index: usize,
    next: Offset,
}

impl Reader {
    pub(crate) fn new(options: Options, layout: Arc<Layout>) -> Self {
        Self { options, layout, pool: Mutex::default(), returned: Condvar::new() }
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
            let mut found = Vec::with_capacity((range.end - range.start).min(AT_ONCE) as usize);
            let outcome = cursor.collect(&self.layout, range.clone(), &mut found);
            match outcome {
                Ok(()) => {
                    self.keep(cursor, end);
                    return Ok(found);
                }
                Err(error) => {
                    self.give_up(cursor);
                    match error {
                        // Damage is told only after it was fetched a second time, by another consumer.
                        ReadError::Damaged { .. } if found.is_empty() && attempts > 0 => {}
                        error if found.is_empty() => return Err(error),
                        // What is before the damage is given; the read that begins there tells it.
                        _ => return Ok(found),
                    }
                }
            }
        }
    }

    /// One that stands where the read begins, or one that is sent there.
    fn cursor(&self, topic: Topic, partition: u32, range: &Range<Offset>) -> Result<Cursor, ReadError> {
        let index = self.layout.index(topic, partition);
        let purpose = if range.end - range.start <= FEW { Use::Lookup } else { Use::Stream };
        let unavailable = |error: String| ReadError::Unavailable(error);
        let there = |cursor: &Cursor| cursor.index == index && cursor.next == range.start;
        let deadline = Instant::now() + WAIT;
        let mut pool = self.pool.lock();
        let known = loop {
            let alike = |cursor: &Cursor| cursor.purpose == purpose;
            if let Some(at) = pool.idle.iter().position(|cursor| alike(cursor) && there(cursor)) {
                return Ok(pool.idle.swap_remove(at));
            }
            if let Some(at) = pool.idle.iter().position(alike) {
                break Some(pool.idle.swap_remove(at).consumer);
            }
            if *pool.count(purpose) < CONSUMERS {
                *pool.count(purpose) += 1;
                break None;
            }
            if self.returned.wait_until(&mut pool, deadline).timed_out() {
                return Err(unavailable("too much is read at once".to_owned()));
            }
        };
        drop(pool);
        let made = known.map_or_else(|| client::consumer(&self.options, purpose), Ok);
        let sent = made.map_err(|error| error.to_string()).and_then(|consumer| {
            self.send(&consumer, topic, partition, range.start).map_err(|error| error.to_string())?;
            Ok(consumer)
        });
        match sent {
            Ok(consumer) => Ok(Cursor { consumer, purpose, index, next: range.start }),
            Err(error) => {
                self.one_fewer(purpose);
                Err(unavailable(error))
            }
        }
    }

    fn send(
        &self,
        consumer: &BaseConsumer<Logged>,
        topic: Topic,
        partition: u32,
        from: Offset,
    ) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(self.layout.name(topic), partition as i32, KafkaOffset::Offset(from as i64))?;
        consumer.assign(&list)
    }

    /// One that has nothing more to read, and one that was sent for single records, stops fetching.
    fn keep(&self, mut cursor: Cursor, end: Offset) {
        if cursor.purpose == Use::Lookup || cursor.next >= end {
            if cursor.consumer.unassign().is_err() {
                return self.give_up(cursor);
            }
            cursor.index = NOWHERE;
        }
        self.pool.lock().idle.push(cursor);
        self.returned.notify_one();
    }

    fn give_up(&self, cursor: Cursor) {
        self.one_fewer(cursor.purpose);
        drop(cursor);
    }

    fn one_fewer(&self, purpose: Use) {
        *self.pool.lock().count(purpose) -= 1;
        self.returned.notify_one();
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
