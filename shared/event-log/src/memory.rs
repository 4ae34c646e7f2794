//! Logs in memory: one that does what it is told, and one whose faults follow a seed.
//!
//! Both keep everything for ever and are for tests and simulation only.

mod faulty;
mod store;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

pub use faulty::{Faults, FaultyLog, Proposer};

use crate::{Ack, AppendError, Entry, EventLog, Offset, ReadError, Stored, Topic, Waker};
use store::Store;

/// Gives the time in milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// A log in memory that takes every batch at once.
///
/// Unlike the other logs it has no thread: acknowledgements and wakers are called by the appending
/// thread, before `append` returns, with no lock held.
pub struct MemoryLog {
    shared: Arc<Shared>,
    clock: Clock,
    closed: AtomicBool,
}

/// What survives a reopening.
struct Shared {
    store: Mutex<Store>,
    wakers: Mutex<Vec<Waker>>,
}

impl MemoryLog {
    /// An empty log with `partitions` partitions per topic, on the system's clock.
    pub fn new(partitions: u32) -> Self {
        Self::with_clock(partitions, Arc::new(system_time_ms))
    }

    /// An empty log with `partitions` partitions per topic, on a clock of the caller's.
    pub fn with_clock(partitions: u32, clock: Clock) -> Self {
        let shared = Shared { store: Mutex::new(Store::new(partitions)), wakers: Mutex::default() };
        Self { shared: Arc::new(shared), clock, closed: AtomicBool::new(false) }
    }

    /// The same records under a new handle that is open, as after a restart.
    #[must_use]
    pub fn reopen(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), clock: Arc::clone(&self.clock), closed: AtomicBool::new(false) }
    }

    /// Inverts byte number `byte` (modulo the record's length) of the record at `offset`; false
    /// when there is no such record.
    pub fn flip_byte(&self, topic: Topic, partition: u32, offset: Offset, byte: usize) -> bool {
        let mut store = self.shared.store.lock();
        store.flip_byte(topic, partition, offset, byte)
    }
}

impl EventLog for MemoryLog {
    fn partitions(&self, _topic: Topic) -> u32 {
        self.shared.store.lock().partitions()
    }

    fn append(&self, entries: Vec<Entry>, ack: Ack) -> Result<(), AppendError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(AppendError::Closed);
        }
        self.shared.store.lock().push(entries, (self.clock)());
        ack(Ok(()));
        let wakers = self.shared.wakers.lock().clone();
        for waker in wakers {
            waker();
        }
        Ok(())
    }

    fn read(&self, topic: Topic, partition: u32, from: Offset, max: usize) -> Result<Vec<Stored>, ReadError> {
        self.shared.store.lock().read(topic, partition, from, max)
    }

    fn end(&self, topic: Topic, partition: u32) -> Result<Offset, ReadError> {
        self.shared.store.lock().end(topic, partition)
    }

    fn watch(&self, waker: Waker) {
        self.shared.wakers.lock().push(waker);
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}

fn system_time_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |elapsed| elapsed.as_millis() as i64)
}

#[cfg(test)]
mod tests;
