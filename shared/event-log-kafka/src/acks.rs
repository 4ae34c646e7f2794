//! Batches between their append and their acknowledgement.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use event_log::tail::Tail;
use event_log::{Ack, AppendError, Entry, Offset};
use parking_lot::{Condvar, Mutex};

/// What a record costs beside its bytes.
const RECORD_BYTES: usize = 128;

/// A batch under way.
pub(crate) struct Batch {
    bytes: usize,
    undelivered: AtomicUsize,
    fate: Mutex<Fate>,
}

#[derive(Default)]
struct Fate {
    /// The last offset that was given in each partition.
    reach: Vec<(usize, Offset)>,
    failure: Option<String>,
    ack: Option<Ack>,
}

/// All batches under way, bounded together.
pub(crate) struct Acks {
    tail: Arc<Tail>,
    limit_bytes: usize,
    state: Mutex<State>,
    emptied: Condvar,
}

#[derive(Default)]
struct State {
    bytes: usize,
    batches: usize,
    closed: bool,
    /// Delivered, and not yet read back.
    delivered: Vec<Arc<Batch>>,
}

impl Batch {
    /// A record stands at this offset.
    pub(crate) fn stands(&self, index: usize, offset: Offset) {
        let mut fate = self.fate.lock();
        match fate.reach.iter_mut().find(|(known, _)| *known == index) {
            Some((_, last)) => *last = offset.max(*last),
            None => fate.reach.push((index, offset)),
        }
    }

    /// What became of a record is not known.
    pub(crate) fn failed(&self, reason: String) {
        self.fate.lock().failure.get_or_insert(reason);
    }

    /// One record fewer is under way; whether it was the last.
    pub(crate) fn is_last(&self) -> bool {
        self.undelivered.fetch_sub(1, Ordering::AcqRel) == 1
    }

    fn is_read_back(&self, tail: &Tail) -> bool {
        self.fate.lock().reach.iter().all(|(index, offset)| tail.end(*index) > *offset)
    }
}

impl Acks {
    pub(crate) fn new(tail: Arc<Tail>, limit_bytes: usize) -> Self {
        Self { tail, limit_bytes, state: Mutex::default(), emptied: Condvar::new() }
    }

    /// Makes room for a batch, or refuses.
    pub(crate) fn admit(&self, entries: &[Entry], ack: Ack) -> Result<Arc<Batch>, AppendError> {
        let bytes = entries.iter().map(|entry| entry.bytes.len() + RECORD_BYTES).sum();
        let mut state = self.state.lock();
        if state.closed {
            return Err(AppendError::Closed);
        }
        // A batch above the limit is taken where nothing else waits: otherwise it never would be.
        if state.batches > 0 && state.bytes + bytes > self.limit_bytes {
            return Err(AppendError::Full);
        }
        state.bytes += bytes;
        state.batches += 1;
        let fate = Fate { ack: Some(ack), ..Fate::default() };
        Ok(Arc::new(Batch { bytes, undelivered: AtomicUsize::new(entries.len()), fate: Mutex::new(fate) }))
    }

    /// Every record of a batch was delivered or given up.
    pub(crate) fn delivered(&self, batch: Arc<Batch>) {
        if batch.fate.lock().failure.is_some() {
            return self.finish(&batch);
        }
        let mut state = self.state.lock();
        // Looked at under the lock under which the follower looks after it has published.
        if batch.is_read_back(&self.tail) {
            drop(state);
            return self.finish(&batch);
        }
        state.delivered.push(batch);
    }

    /// The tail has moved.
    pub(crate) fn read_back(&self) {
        let mut state = self.state.lock();
        if state.delivered.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut state.delivered);
        let (done, waiting) = waiting.into_iter().partition(|batch| batch.is_read_back(&self.tail));
        state.delivered = waiting;
        drop(state);
        let done: Vec<Arc<Batch>> = done;
        for batch in done {
            self.finish(&batch);
        }
    }

    fn finish(&self, batch: &Batch) {
        let mut fate = batch.fate.lock();
        let outcome = fate.failure.take().map_or(Ok(()), |reason| Err(AppendError::OutcomeUnknown(reason)));
        let ack = fate.ack.take();
        drop(fate);
        // The room is given back only after the acknowledgement: whoever holds it up holds the queue up.
        if let Some(ack) = ack {
            ack(outcome);
        }
        let mut state = self.state.lock();
        state.bytes -= batch.bytes;
        state.batches -= 1;
        if state.batches == 0 {
            self.emptied.notify_all();
        }
    }

    /// Takes nothing more, and waits until everything that was taken is answered.
    pub(crate) fn close(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut state = self.state.lock();
        state.closed = true;
        while state.batches > 0 {
            if self.emptied.wait_until(&mut state, deadline).timed_out() {
                tracing::warn!(batches = state.batches, "the log is closed with batches under way");
                return;
            }
        }
    }
}
