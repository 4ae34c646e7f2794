//! The thread that writes.

use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use event_log::{AppendError, Entry, Stored, Waker};
use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, ErrorCode, Statement};

use crate::checkpoint::{Checkpoints, Turn};
use crate::fatal::Failure;
use crate::queue::{Batch, Queue};
use crate::schema::{self, End};
use event_log::tail::Tail;

/// Who is called when something was published.
#[derive(Default)]
pub(crate) struct Wakers(Mutex<Arc<Vec<Waker>>>);

impl Wakers {
    pub(crate) fn add(&self, waker: Waker) {
        Arc::make_mut(&mut self.0.lock()).push(waker);
    }

    pub(crate) fn clear(&self) {
        // Dropped after the lock: a waker may own the last handle on something that uses the log.
        let wakers = mem::take(&mut *self.0.lock());
        drop(wakers);
    }

    fn wake(&self) {
        let wakers = Arc::clone(&self.0.lock());
        for waker in wakers.iter() {
            waker();
        }
    }
}

/// What the writer shares with the others.
pub(crate) struct Parts {
    pub(crate) partitions: u32,
    pub(crate) commit_interval: Duration,
    pub(crate) queue: Arc<Queue>,
    pub(crate) tail: Arc<Tail>,
    pub(crate) wakers: Arc<Wakers>,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) turn: Turn,
    pub(crate) failure: Failure,
}

/// Writes until the queue is closed and empty, or until it fails.
pub(crate) fn run(connection: &Connection, ends: Vec<End>, mut parts: Parts) {
    let served = panic::catch_unwind(AssertUnwindSafe(|| serve(connection, ends, &mut parts)));
    if served.is_err() {
        // An acknowledgement or a waker panicked. Nobody would ever be answered again.
        fail(&parts, Vec::new(), &"the writer panicked");
    }
}

fn serve(connection: &Connection, ends: Vec<End>, parts: &mut Parts) {
    let mut writer = match Writer::new(connection, ends, parts.partitions) {
        Ok(writer) => writer,
        Err(error) => return fail(parts, Vec::new(), &error),
    };
    let mut batches = Vec::new();
    let mut records = Vec::new();
    let mut not_before = Instant::now();
    while parts.queue.take(&mut batches, not_before) {
        not_before = Instant::now() + parts.commit_interval;
        if parts.failure.has_failed() {
            return fail(parts, batches, &"a checkpoint failed before");
        }
        let turn = parts.turn.lock();
        if let Err(error) = writer.commit(&mut batches, &mut records) {
            drop(turn);
            return fail(parts, batches, &error);
        }
        MutexGuard::unlock_fair(turn);

        let partitions = parts.partitions;
        let index = |record: &Stored| schema::index(partitions, record.topic, record.partition);
        parts.tail.publish(&mut records, index);
        let bytes = batches.iter().map(|batch| batch.bytes).sum();
        parts.queue.release(bytes);
        for batch in batches.drain(..) {
            (batch.ack)(Ok(()));
        }
        parts.wakers.wake();
        parts.checkpoints.wrote(bytes);
    }
}

/// Ends the process. Where that returns, in tests, everybody who waits is told the truth: what was
/// taken may be in the log, what was still queued is not.
fn fail(parts: &Parts, taken: Vec<Batch>, error: &dyn std::fmt::Display) {
    parts.failure.end("commit", error);
    parts.queue.close();
    for batch in taken {
        (batch.ack)(Err(AppendError::OutcomeUnknown(error.to_string())));
    }
    let mut queued = Vec::new();
    while parts.queue.take(&mut queued, Instant::now()) {
        for batch in queued.drain(..) {
            (batch.ack)(Err(AppendError::Closed));
        }
    }
}

/// The connection that writes, with its statements and where each partition ends.
struct Writer<'c> {
    begin: Statement<'c>,
    commit: Statement<'c>,
    /// In the order of [`schema::index`], as are the ends.
    inserts: Vec<Statement<'c>>,
    ends: Vec<End>,
    partitions: u32,
}

impl<'c> Writer<'c> {
    fn new(connection: &'c Connection, ends: Vec<End>, partitions: u32) -> rusqlite::Result<Self> {
        let inserts =
            schema::places(partitions).map(|(topic, partition)| connection.prepare(&schema::insert(topic, partition)));
        Ok(Self {
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            commit: connection.prepare("COMMIT")?,
            inserts: inserts.collect::<rusqlite::Result<_>>()?,
            ends,
            partitions,
        })
    }

    /// Writes all batches in one transaction and gives the records as they were stored. The batches
    /// keep their acknowledgements.
    fn commit(&mut self, batches: &mut [Batch], records: &mut Vec<Stored>) -> rusqlite::Result<()> {
        self.begin()?;
        let now_ms = system_time_ms();
        for batch in batches {
            for entry in mem::take(&mut batch.entries) {
                records.push(self.insert(entry, now_ms)?);
            }
        }
        self.commit.raw_execute()?;
        Ok(())
    }

    /// Nothing is written yet, so waiting for another program that holds the lock loses nothing.
    fn begin(&mut self) -> rusqlite::Result<()> {
        loop {
            match self.begin.raw_execute() {
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                    tracing::warn!("another program holds the write lock of the log");
                }
                other => return other.map(|_| ()),
            }
        }
    }

    fn insert(&mut self, entry: Entry, now_ms: i64) -> rusqlite::Result<Stored> {
        let at = schema::index(self.partitions, entry.topic, entry.partition);
        let end = &mut self.ends[at];
        let (offset, append_time_ms) = (end.next, now_ms.max(end.last_time_ms));
        let insert = &mut self.inserts[at];
        insert.raw_bind_parameter(1, offset as i64)?;
        insert.raw_bind_parameter(2, append_time_ms)?;
        insert.raw_bind_parameter(3, &entry.bytes[..])?;
        insert.raw_execute()?;
        *end = End { next: offset + 1, last_time_ms: append_time_ms };
        Ok(Stored { topic: entry.topic, partition: entry.partition, offset, append_time_ms, bytes: entry.bytes })
    }
}

fn system_time_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |elapsed| elapsed.as_millis() as i64)
}
