//! The port: three topics, partitions, positions without gaps.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;

/// The three topics. Each has the same number of partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// All guarded records and fences.
    Ledger,
    /// Attempts that left no record in the ledger.
    Signals,
    /// What the risk-scorer and the analysts say.
    Verdicts,
}

impl Topic {
    /// Every topic, in the order of the declaration.
    pub const ALL: [Self; 3] = [Self::Ledger, Self::Signals, Self::Verdicts];

    /// The name under which a broker or a database knows the topic.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ledger => "counterfoil.ledger",
            Self::Signals => "counterfoil.signals",
            Self::Verdicts => "counterfoil.verdicts",
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// No topic has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no topic {0:?}")]
pub struct UnknownTopic(pub String);

impl FromStr for Topic {
    type Err = UnknownTopic;

    fn from_str(name: &str) -> Result<Self, UnknownTopic> {
        let known = Self::ALL.into_iter().find(|topic| topic.name() == name);
        known.ok_or_else(|| UnknownTopic(name.to_owned()))
    }
}

/// The position of a record in its partition. The first is 0, and there are no gaps.
pub type Offset = u64;

/// A record to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The topic to append to.
    pub topic: Topic,
    /// The partition of the topic, below [`EventLog::partitions`].
    pub partition: u32,
    /// One sealed [`envelope`](crate::envelope).
    pub bytes: Bytes,
}

/// A record as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The topic it was appended to.
    pub topic: Topic,
    /// The partition it was appended to.
    pub partition: u32,
    /// Its position in the partition.
    pub offset: Offset,
    /// When the log took it, in milliseconds since 1970 by the log's clock. Never decreases within a
    /// partition while one machine writes it; where another takes over, it may step back by the
    /// difference of their clocks, which the fold bounds.
    pub append_time_ms: i64,
    /// One sealed [`envelope`](crate::envelope), exactly as it was appended.
    pub bytes: Bytes,
}

/// Why an append did not end in durable records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The records may be in the log, may come to be in it later, or may never be.
    #[error("the outcome of the append is unknown: {0}")]
    OutcomeUnknown(String),
    /// The queue has reached its bound. Surely not written.
    #[error("the queue of the log is full")]
    Full,
    /// The log takes no more records. Surely not written.
    #[error("the log is closed")]
    Closed,
}

/// Why a read gave no records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The record at `offset` is missing or is not what was appended. Reading on past it is an
    /// operator's decision, never the log's.
    #[error("{topic}/{partition} is damaged at offset {offset}: {reason}")]
    Damaged {
        /// The damaged topic.
        topic: Topic,
        /// The damaged partition.
        partition: u32,
        /// The first offset that could not be read.
        offset: Offset,
        /// What was found, for the operator.
        reason: String,
    },
    /// The log cannot be read at the moment; the records themselves are not in question.
    #[error("the log cannot be read: {0}")]
    Unavailable(String),
}

/// Told once how an append ended. Runs on a thread of the log and holds it up, so it must be
/// short and must not block.
pub type Ack = Box<dyn FnOnce(Result<(), AppendError>) + Send>;

/// Called when a topic's end may have moved. Must be short and must not block.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// A partitioned, append-only log.
///
/// What was acknowledged is read back by everybody, at the same position, after any crash.
pub trait EventLog: Send + Sync + 'static {
    /// The number of partitions of `topic`; fixed for the life of the log.
    fn partitions(&self, topic: Topic) -> u32;

    /// Queues all entries, in this order within a partition, as one batch. `ack` is called exactly
    /// once, on a thread of the log, when all are durable or the outcome is not known.
    ///
    /// `Err` means that nothing was queued; `ack` is then dropped uncalled. It is never
    /// [`AppendError::OutcomeUnknown`].
    ///
    /// # Panics
    ///
    /// When an entry names a partition that does not exist: partitions come from the layout, so
    /// this is a defect of the caller.
    fn append(&self, entries: Vec<Entry>, ack: Ack) -> Result<(), AppendError>;

    /// Durable records from `from` on, at most `max` (fewer when they are large), empty when there
    /// are none yet. Records before damage are returned; a read that begins at the damage gives
    /// [`ReadError::Damaged`].
    fn read(&self, topic: Topic, partition: u32, from: Offset, max: usize) -> Result<Vec<Stored>, ReadError>;

    /// The next offset to be written, counting durable records only.
    fn end(&self, topic: Topic, partition: u32) -> Result<Offset, ReadError>;

    /// The same as the authority over the log says, which may be ahead of what this handle has
    /// heard of. May block for a round trip.
    fn latest(&self, topic: Topic, partition: u32) -> Result<Offset, ReadError> {
        self.end(topic, partition)
    }

    /// Registers `waker`, called whenever a topic's end may have moved. Calls may be coalesced.
    /// Kept for the log's life.
    fn watch(&self, waker: Waker);

    /// Finishes what is queued, then takes no more records. What is there can still be read.
    /// Idempotent.
    fn close(&self);
}

#[cfg(test)]
mod tests {
    use super::Topic;

    #[test]
    fn topics_are_found_by_their_names() {
        for topic in Topic::ALL {
            assert_eq!(topic.name().parse(), Ok(topic));
        }
        assert!("counterfoil.other".parse::<Topic>().is_err());
    }
}
