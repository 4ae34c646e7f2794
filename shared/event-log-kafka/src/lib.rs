//! The log on Kafka: for production, where several instances of each service share it.
//!
//! One idempotent producer sends with `acks=all`; one consumer follows the ends of all partitions by assignment, from
//! where they stood when the log was opened, into a tail in memory; consumers of a small pool read what is older. A
//! batch is acknowledged when all of it is delivered **and** read back, so that whoever hears of it can read it.
//!
//! **Architecture invariant.** A delivery that fails is an unknown outcome, whatever the reason: the record may be in
//! the log or come to be in it. Who asked finds out by reading.
//!
//! **Architecture invariant.** Nothing is skipped. librdkafka goes on behind a batch with a bad checksum; here, every
//! offset is compared with the one expected, a partition with a gap is fetched again from there, and if the gap stays,
//! it stops.
//!
//! **Architecture invariant.** The settings of the topics are checked before anything is read or written; topics that
//! could lose or reorder records are refused with what to change.

mod acks;
mod client;
mod options;
mod producer;
mod reader;
mod tailer;
mod topics;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use event_log::tail::{Tail, TailRead};
use event_log::{Ack, AppendError, Entry, EventLog, Offset, ReadError, Stored, Topic, Waker};
use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer};

pub use options::{OpenError, Options};
pub use topics::{Finding, Report, TopicSettings, all_in_sync, check, create};

use acks::Acks;
use client::Logged;
use producer::Sender;
use reader::Reader;
use tailer::Stalled;

/// How long a question to the brokers may take.
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// The log on Kafka.
pub struct KafkaLog {
    layout: Arc<Layout>,
    tail: Arc<Tail>,
    stalled: Arc<Stalled>,
    sender: Option<Sender>,
    reader: Reader,
    queries: BaseConsumer<Logged>,
    wakers: Arc<Mutex<Vec<Waker>>>,
    stop: Arc<AtomicBool>,
    follower: Mutex<Option<JoinHandle<()>>>,
}

/// The names and numbers of topics and partitions.
#[derive(Debug)]
pub(crate) struct Layout {
    names: [String; 3],
    partitions: u32,
}

impl Layout {
    fn new(prefix: &str, partitions: u32) -> Self {
        Self { names: Topic::ALL.map(|topic| format!("{prefix}{}", topic.name())), partitions }
    }

    pub(crate) fn name(&self, topic: Topic) -> &str {
        &self.names[topic as usize]
    }

    /// The number of a partition among those of all topics.
    pub(crate) fn index(&self, topic: Topic, partition: u32) -> usize {
        topic as usize * self.partitions as usize + partition as usize
    }

    pub(crate) fn place(&self, index: usize) -> (Topic, u32) {
        let partitions = self.partitions as usize;
        (Topic::ALL[index / partitions], (index % partitions) as u32)
    }

    /// The same of a message, by the topic's name.
    pub(crate) fn index_of(&self, name: &str, partition: i32) -> Option<usize> {
        let topic = Topic::ALL.into_iter().find(|topic| self.name(*topic) == name)?;
        Some(self.index(topic, u32::try_from(partition).ok()?))
    }

    pub(crate) fn len(&self) -> usize {
        Topic::ALL.len() * self.partitions as usize
    }
}

impl KafkaLog {
    /// Opens the log for reading and writing. The topics must be there; see [`create`].
    pub fn open(options: &Options) -> Result<Arc<Self>, OpenError> {
        Self::connect(options, true)
    }

    /// Opens the log for reading only: appends are refused as on a closed log.
    pub fn open_read_only(options: &Options) -> Result<Arc<Self>, OpenError> {
        Self::connect(options, false)
    }

    fn connect(options: &Options, writes: bool) -> Result<Arc<Self>, OpenError> {
        options.check()?;
        let partitions = topics::verify(options)?;
        let layout = Arc::new(Layout::new(&options.topic_prefix, partitions));
        let queries = client::consumer(options, client::Use::Queries)?;
        let ends = ends(&layout, &queries)?;
        let tail = Arc::new(Tail::new(ends.clone(), options.tail_bytes));
        let acks = Arc::new(Acks::new(tail.clone(), options.queue_bytes));
        let stalled = Arc::new(Stalled::new(layout.len()));
        let wakers: Arc<Mutex<Vec<Waker>>> = Arc::default();
        let stop = Arc::new(AtomicBool::new(false));
        let follower = tailer::start(tailer::Parts {
            consumer: client::consumer(options, client::Use::Tail)?,
            layout: layout.clone(),
            tail: tail.clone(),
            ends,
            stalled: stalled.clone(),
            acks: acks.clone(),
            wakers: wakers.clone(),
            stop: stop.clone(),
        })?;
        let sender = writes.then(|| Sender::new(options, layout.clone(), acks.clone())).transpose()?;
        Ok(Arc::new(Self {
            reader: Reader::new(options.clone(), layout.clone()),
            layout,
            tail,
            stalled,
            sender,
            queries,
            wakers,
            stop,
            follower: Mutex::new(Some(follower)),
        }))
    }

    fn check(&self, topic: Topic, partition: u32) -> Result<usize, ReadError> {
        if partition >= self.layout.partitions {
            return Err(ReadError::Unavailable(format!("there is no partition {topic}/{partition}")));
        }
        Ok(self.layout.index(topic, partition))
    }
}

/// Where all partitions end; the ledger must begin at its beginning.
fn ends(layout: &Layout, consumer: &BaseConsumer<Logged>) -> Result<Vec<Offset>, OpenError> {
    let mut ends = Vec::with_capacity(layout.len());
    for index in 0..layout.len() {
        let (topic, partition) = layout.place(index);
        let name = layout.name(topic);
        let (low, high) = consumer
            .fetch_watermarks(name, partition as i32, QUERY_TIMEOUT)
            .map_err(|error| OpenError::Unreachable(format!("{name}/{partition}: {error}")))?;
        if topic == Topic::Ledger && low > 0 {
            return Err(OpenError::Beheaded { topic: name.to_owned(), partition, low: low as Offset });
        }
        ends.push(high.max(0) as Offset);
    }
    Ok(ends)
}

impl EventLog for KafkaLog {
    fn partitions(&self, _topic: Topic) -> u32 {
        self.layout.partitions
    }

    fn append(&self, entries: Vec<Entry>, ack: Ack) -> Result<(), AppendError> {
        let Some(sender) = &self.sender else { return Err(AppendError::Closed) };
        for Entry { topic, partition, .. } in &entries {
            assert!(*partition < self.layout.partitions, "there is no partition {topic}/{partition}");
        }
        sender.send(entries, ack)
    }

    fn read(&self, topic: Topic, partition: u32, from: Offset, max: usize) -> Result<Vec<Stored>, ReadError> {
        let index = self.check(topic, partition)?;
        match self.tail.read(index, from, max) {
            TailRead::Found(records) if records.is_empty() && max > 0 && self.stalled.at(index, from) => {
                // The follower cannot go on here. Whether that is damage is found by reading it alone.
                let end = self.latest(topic, partition)?;
                self.reader.read(topic, partition, from..end.min(from.saturating_add(max as Offset)))
            }
            TailRead::Found(records) => Ok(records),
            TailRead::Older { end } => {
                self.reader.read(topic, partition, from..end.min(from.saturating_add(max as Offset)))
            }
        }
    }

    fn end(&self, topic: Topic, partition: u32) -> Result<Offset, ReadError> {
        Ok(self.tail.end(self.check(topic, partition)?))
    }

    fn latest(&self, topic: Topic, partition: u32) -> Result<Offset, ReadError> {
        self.check(topic, partition)?;
        let watermarks = self.queries.fetch_watermarks(self.layout.name(topic), partition as i32, QUERY_TIMEOUT);
        watermarks.map(|(_, high)| high as Offset).map_err(|error| ReadError::Unavailable(error.to_string()))
    }

    fn watch(&self, waker: Waker) {
        self.wakers.lock().push(waker);
    }

    fn close(&self) {
        if let Some(sender) = &self.sender {
            sender.close();
        }
        // Watchers often own the log's readers; without this neither would ever go.
        let wakers = std::mem::take(&mut *self.wakers.lock());
        drop(wakers);
    }
}

impl Drop for KafkaLog {
    fn drop(&mut self) {
        self.close();
        self.stop.store(true, Ordering::Release);
        if let Some(follower) = self.follower.lock().take()
            && follower.thread().id() != std::thread::current().id()
            && follower.join().is_err()
        {
            tracing::error!("the follower of the log panicked");
        }
    }
}

/// The settings of a resource by their names.
pub(crate) type Settings = HashMap<String, String>;
