//! Submissions that wait for the owner: how many there are, and how long they waited.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Submissions that may wait; more is refused as overload.
const MAX_WAITING: usize = 20_000;

#[derive(Default)]
pub(crate) struct Waiting {
    now: AtomicUsize,
    /// Since the mean was last asked for.
    taken: AtomicU64,
    microseconds: AtomicU64,
}

impl Waiting {
    /// One more waits, unless too many do.
    pub(crate) fn come(&self) -> bool {
        let fits = self.now.fetch_add(1, Ordering::Relaxed) < MAX_WAITING;
        if !fits {
            self.now.fetch_sub(1, Ordering::Relaxed);
        }
        fits
    }

    /// One was taken up.
    pub(crate) fn taken(&self, waited: Duration) {
        self.now.fetch_sub(1, Ordering::Relaxed);
        self.taken.fetch_add(1, Ordering::Relaxed);
        self.microseconds.fetch_add(waited.as_micros() as u64, Ordering::Relaxed);
    }

    /// How long those waited that were taken up since this was last asked. What is taken in between is counted at some
    /// time, if not in the right mean.
    pub(crate) fn mean(&self) -> Duration {
        let (taken, microseconds) =
            (self.taken.swap(0, Ordering::Relaxed), self.microseconds.swap(0, Ordering::Relaxed));
        Duration::from_micros(microseconds.checked_div(taken).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_that_of_those_taken_since() {
        let waiting = Waiting::default();
        assert!((0..3).all(|_| waiting.come()));
        waiting.taken(Duration::from_millis(10));
        waiting.taken(Duration::from_millis(30));
        assert_eq!(waiting.mean(), Duration::from_millis(20));
        assert_eq!(waiting.mean(), Duration::ZERO);
        waiting.taken(Duration::from_millis(5));
        assert_eq!(waiting.mean(), Duration::from_millis(5));
    }

    #[test]
    fn so_many_may_wait_and_no_more() {
        let waiting = Waiting::default();
        assert!((0..MAX_WAITING).all(|_| waiting.come()) && !waiting.come());
        waiting.taken(Duration::ZERO);
        assert!(waiting.come() && !waiting.come());
    }
}
