//! What every log has to prove, whatever it is made of.
//!
//! An adapter implements [`Fixture`] and calls [`conformance_suite!`](crate::conformance_suite) in
//! a test; each case then runs as a test of its own on a fixture of its own. Nothing sleeps: every
//! wait is for an event, with a deadline that only a defect reaches.

mod cases;
mod damage;
mod limits;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use bytes::Bytes;

use crate::envelope::{self, Header, Realm};
use crate::{AppendError, Entry, EventLog, Offset, Stored, Topic};

pub use cases::{
    appends_in_order, batches_are_whole, keeps_after_crash, keeps_after_reopen, positions_are_dense,
    reads_from_any_position, times_never_decrease, topics_are_apart, watchers_are_woken,
};
pub use damage::{damage_is_not_skipped, damage_leaves_other_partitions};
pub use limits::{
    answers_an_empty_batch, close_finishes_the_queue, closed_takes_nothing, full_queue_refuses,
    unknown_partition_is_an_error,
};

/// Beyond this a wait counts as a hang.
const DEADLINE: Duration = Duration::from_mins(1);

/// One log under test, empty at first, with at least two partitions per topic.
pub trait Fixture {
    /// Opens the log, or opens again what was closed and dropped.
    fn open(&self) -> Arc<dyn EventLog>;

    /// Opens what would be found if the process that has `log` open were killed now. Nothing is
    /// queued or under way.
    fn open_after_crash(&self, log: Arc<dyn EventLog>) -> Arc<dyn EventLog>;

    /// Changes bytes of a record behind the log's back, while it is closed.
    fn damage(&self, topic: Topic, partition: u32, offset: Offset);

    /// Opens the log with a queue that holds about so many bytes; `None` when it has no queue.
    fn open_bounded(&self, queue_bytes: usize) -> Option<Arc<dyn EventLog>>;
}

/// Makes a test of every case. The argument is an expression that gives a new [`Fixture`].
#[macro_export]
macro_rules! conformance_suite {
    ($fixture:expr) => {
        $crate::conformance_suite!(@cases $fixture;
            appends_in_order
            times_never_decrease
            keeps_after_reopen
            keeps_after_crash
            positions_are_dense
            batches_are_whole
            reads_from_any_position
            topics_are_apart
            watchers_are_woken
            damage_is_not_skipped
            damage_leaves_other_partitions
            full_queue_refuses
            close_finishes_the_queue
            closed_takes_nothing
            answers_an_empty_batch
            unknown_partition_is_an_error
        );
    };
    (@cases $fixture:expr; $($case:ident)+) => {
        $(
            #[test]
            fn $case() {
                $crate::conformance::$case(&$fixture);
            }
        )+
    };
}

/// What a test record says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Mark {
    proposer: u32,
    batch: u32,
    index: u32,
}

impl Mark {
    fn seal(self) -> Bytes {
        let header = Header { realm: Realm::Live, record_type: 1, semantics: 1, shard: 0, original_time_ms: None };
        let mut out = Vec::new();
        envelope::seal(&mut out, &header, |payload| {
            for number in [self.proposer, self.batch, self.index] {
                payload.extend_from_slice(&number.to_le_bytes());
            }
        });
        Bytes::from(out)
    }

    fn of(record: &Stored) -> Self {
        let opened = envelope::open(&record.bytes).expect("a sound envelope");
        let number = |at: usize| {
            let bytes = opened.payload[at..at + 4].try_into();
            u32::from_le_bytes(bytes.expect("four bytes"))
        };
        Self { proposer: number(0), batch: number(4), index: number(8) }
    }
}

/// `count` marks of one batch.
fn marks(proposer: u32, batch: u32, count: u32) -> impl Iterator<Item = Mark> {
    (0..count).map(move |index| Mark { proposer, batch, index })
}

fn entry(topic: Topic, partition: u32, mark: Mark) -> Entry {
    Entry { topic, partition, bytes: mark.seal() }
}

/// One batch of `count` records of proposer 0 for a partition of the ledger.
fn batch(partition: u32, batch: u32, count: u32) -> Vec<Entry> {
    let marks = marks(0, batch, count);
    marks.map(|mark| entry(Topic::Ledger, partition, mark)).collect()
}

type Answer = Receiver<Result<(), AppendError>>;

/// Appends and gives where the answer will come.
fn append(log: &dyn EventLog, entries: Vec<Entry>) -> Result<Answer, AppendError> {
    let (sender, receiver) = channel();
    let ack = Box::new(move |result| {
        // A case that failed has gone away with the receiver.
        let _ = sender.send(result);
    });
    log.append(entries, ack).map(|()| receiver)
}

fn expect_durable(answer: &Answer) {
    let result = answer.recv_timeout(DEADLINE);
    assert_eq!(result.expect("an answer"), Ok(()), "the append was to succeed");
    assert!(answer.recv().is_err(), "the answer came twice");
}

fn append_durably(log: &dyn EventLog, entries: Vec<Entry>) {
    expect_durable(&append(log, entries).expect("the queue takes the batch"));
}

/// The whole partition, read in small steps, with all that must hold of every read.
fn read_all(log: &dyn EventLog, topic: Topic, partition: u32) -> Vec<Stored> {
    let mut records: Vec<Stored> = Vec::new();
    loop {
        let from = records.len() as Offset;
        let read = log.read(topic, partition, from, 7).expect("a sound log");
        assert!(read.len() <= 7, "more records than asked for");
        if read.is_empty() {
            break;
        }
        records.extend(read);
    }
    for (at, record) in records.iter().enumerate() {
        let place = (record.topic, record.partition, record.offset);
        assert_eq!(place, (topic, partition, at as Offset));
    }
    let end = log.end(topic, partition).expect("an end");
    assert_eq!(end, records.len() as Offset);
    records
}

fn marks_of(log: &dyn EventLog, topic: Topic, partition: u32) -> Vec<Mark> {
    let records = read_all(log, topic, partition);
    records.iter().map(Mark::of).collect()
}
