//! What waits for the next commit.

use std::mem;
use std::time::Instant;

use event_log::{Ack, AppendError, Entry};
use parking_lot::{Condvar, Mutex};

/// What an entry and a batch cost beside the records' bytes.
const ENTRY_BYTES: usize = 128;

/// A bounded queue that is emptied all at once.
pub(crate) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    limit_bytes: usize,
}

#[derive(Default)]
struct State {
    batches: Vec<Batch>,
    /// Of what is queued and of what was taken and is not released yet.
    bytes: usize,
    closed: bool,
}

/// One append.
pub(crate) struct Batch {
    pub(crate) entries: Vec<Entry>,
    pub(crate) ack: Ack,
    /// What it counts for in the queue's bound.
    pub(crate) bytes: usize,
}

impl Queue {
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self { state: Mutex::default(), filled: Condvar::new(), limit_bytes }
    }

    /// Queues a batch. One that is larger than the whole queue is taken when nothing else waits, as
    /// it would otherwise never be.
    pub(crate) fn push(&self, entries: Vec<Entry>, ack: Ack) -> Result<(), AppendError> {
        let records = entries.iter().map(|entry| entry.bytes.len() + ENTRY_BYTES);
        let bytes = ENTRY_BYTES + records.sum::<usize>();
        let mut state = self.state.lock();
        if state.closed {
            return Err(AppendError::Closed);
        }
        if state.bytes > 0 && state.bytes.saturating_add(bytes) > self.limit_bytes {
            return Err(AppendError::Full);
        }
        state.bytes += bytes;
        let was_empty = state.batches.is_empty();
        state.batches.push(Batch { entries, ack, bytes });
        drop(state);
        if was_empty {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Waits for batches, and until `not_before` unless the queue is closed; swaps them into
    /// `taken`, which is empty. False when there are none and none can come.
    pub(crate) fn take(&self, taken: &mut Vec<Batch>, not_before: Instant) -> bool {
        let mut state = self.state.lock();
        while state.batches.is_empty() {
            if state.closed {
                return false;
            }
            self.filled.wait(&mut state);
        }
        while !state.closed {
            let waited = self.filled.wait_until(&mut state, not_before);
            if waited.timed_out() {
                break;
            }
        }
        mem::swap(&mut state.batches, taken);
        true
    }

    /// Gives back the room of what was taken.
    pub(crate) fn release(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.bytes = state.bytes.saturating_sub(bytes);
    }

    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_one();
    }
}
