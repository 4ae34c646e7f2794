//! Following the ends of all partitions.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use event_log::tail::Tail;
use event_log::{Offset, Stored, Waker, envelope};
use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};

use crate::acks::Acks;
use crate::client::Logged;
use crate::options::OpenError;
use crate::{Layout, QUERY_TIMEOUT};

/// Messages taken in one go.
const AT_ONCE: usize = 4_096;
/// How long the follower waits for the next message before it looks whether it shall end.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often a partition with a gap is fetched again.
const ATTEMPTS: u32 = 3;

/// Where the follower cannot go on.
pub(crate) struct Stalled {
    at: Vec<AtomicU64>,
}

impl Stalled {
    pub(crate) fn new(partitions: usize) -> Self {
        Self { at: (0..partitions).map(|_| AtomicU64::new(u64::MAX)).collect() }
    }

    /// Whether the follower will not bring anything at or beyond this position.
    pub(crate) fn at(&self, index: usize, position: Offset) -> bool {
        position >= self.at[index].load(Ordering::Acquire)
    }

    fn set(&self, index: usize, position: Offset) {
        self.at[index].store(position, Ordering::Release);
    }
}

/// What the follower is started with.
pub(crate) struct Parts {
    pub(crate) consumer: BaseConsumer<Logged>,
    pub(crate) layout: Arc<Layout>,
    pub(crate) tail: Arc<Tail>,
    pub(crate) ends: Vec<Offset>,
    pub(crate) stalled: Arc<Stalled>,
    pub(crate) acks: Arc<Acks>,
    pub(crate) wakers: Arc<Mutex<Vec<Waker>>>,
    pub(crate) stop: Arc<AtomicBool>,
}

pub(crate) fn start(parts: Parts) -> Result<JoinHandle<()>, OpenError> {
    let mut list = TopicPartitionList::with_capacity(parts.layout.len());
    for (index, end) in parts.ends.iter().enumerate() {
        let (topic, partition) = parts.layout.place(index);
        let offset = KafkaOffset::Offset(*end as i64);
        list.add_partition_offset(parts.layout.name(topic), partition as i32, offset)?;
    }
    parts.consumer.assign(&list)?;
    let follower = Follower { next: parts.ends.clone(), attempts: HashMap::new(), records: Vec::new(), parts };
    let thread: io::Result<_> = thread::Builder::new().name("log-follower".into()).spawn(move || follower.run());
    Ok(thread?)
}

struct Follower {
    parts: Parts,
    /// The next offset of each partition.
    next: Vec<Offset>,
    attempts: HashMap<usize, u32>,
    records: Vec<Stored>,
}

impl Follower {
    fn run(mut self) {
        while !self.parts.stop.load(Ordering::Acquire) {
            self.gather();
            if self.records.is_empty() {
                continue;
            }
            let layout = self.parts.layout.clone();
            self.parts.tail.publish(&mut self.records, |record| layout.index(record.topic, record.partition));
            self.parts.acks.read_back();
            self.wake();
        }
    }

    fn wake(&self) {
        let wakers = self.parts.wakers.lock().clone();
        for waker in &wakers {
            waker();
        }
    }

    /// Waits for the next message and takes all that are there.
    fn gather(&mut self) {
        let mut patience = PATIENCE;
        for _ in 0..AT_ONCE {
            let parts = &self.parts;
            let Some(polled) = parts.consumer.poll(patience) else { return };
            patience = Duration::ZERO;
            let taken = match polled {
                Ok(message) => take(&parts.layout, &self.next, &message),
                Err(error) => Taken::Error(error),
            };
            match taken {
                Taken::Record(index, stored) => {
                    self.next[index] += 1;
                    self.attempts.remove(&index);
                    self.records.push(stored);
                }
                Taken::Known => {}
                Taken::Gap(index, reason) => self.gap(index, &reason),
                Taken::Error(error) => self.failed(&error),
            }
        }
    }

    /// Something is left out: fetched again from there, and if it stays so, left to who reads it.
    fn gap(&mut self, index: usize, reason: &str) {
        let (topic, partition) = self.parts.layout.place(index);
        let expected = self.next[index];
        let attempts = self.attempts.entry(index).or_default();
        *attempts += 1;
        let name = self.parts.layout.name(topic);
        if *attempts <= ATTEMPTS {
            tracing::warn!(%topic, partition, offset = expected, reason, "fetched again");
            let to = KafkaOffset::Offset(expected as i64);
            if let Err(error) = self.parts.consumer.seek(name, partition as i32, to, QUERY_TIMEOUT) {
                tracing::warn!(%topic, partition, %error, "cannot go back");
            }
            return;
        }
        if self.parts.stalled.at(index, expected) {
            return;
        }
        tracing::error!(%topic, partition, offset = expected, reason, "the follower stops here");
        self.stall(index);
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition(name, partition as i32);
        if let Err(error) = self.parts.consumer.incremental_unassign(&list) {
            tracing::warn!(%error, "a partition that stands still cannot be given back");
        }
    }

    /// Readers find out themselves what is there.
    fn stall(&self, index: usize) {
        self.parts.stalled.set(index, self.next[index]);
        self.wake();
    }

    /// Of which partition an error is, the client does not say.
    fn failed(&mut self, error: &KafkaError) {
        match error.rdkafka_error_code() {
            // A position that is not there any more: the log was cut off behind it, or it is another log. What was
            // folded from it stands on nothing.
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                tracing::error!(%error, "the log ends before what was read of it; start again to fold what is there");
                self.stall_all();
            }
            Some(RDKafkaErrorCode::BadMessage) => {
                tracing::error!(%error, "a batch of records is damaged");
                self.stall_all();
            }
            _ => tracing::debug!(%error, "kafka consumer"),
        }
    }

    fn stall_all(&self) {
        for index in 0..self.next.len() {
            self.stall(index);
        }
    }
}

enum Taken {
    Record(usize, Stored),
    Known,
    Gap(usize, String),
    Error(KafkaError),
}

fn take(layout: &Layout, next: &[Offset], message: &BorrowedMessage<'_>) -> Taken {
    let Some(index) = layout.index_of(message.topic(), message.partition()) else { return Taken::Known };
    let (offset, expected) = (message.offset() as Offset, next[index]);
    if offset < expected {
        return Taken::Known;
    }
    if offset > expected {
        return Taken::Gap(index, format!("offset {offset} follows"));
    }
    match stored(layout, index, message) {
        Ok(stored) => Taken::Record(index, stored),
        Err(reason) => Taken::Gap(index, reason),
    }
}

/// A message as a record, if its envelope is sound.
pub(crate) fn stored(layout: &Layout, index: usize, message: &BorrowedMessage<'_>) -> Result<Stored, String> {
    let payload = message.payload().unwrap_or_default();
    envelope::open(payload).map_err(|damage| damage.to_string())?;
    let (topic, partition) = layout.place(index);
    Ok(Stored {
        topic,
        partition,
        offset: message.offset() as Offset,
        append_time_ms: message.timestamp().to_millis().unwrap_or(0),
        bytes: Bytes::copy_from_slice(payload),
    })
}
