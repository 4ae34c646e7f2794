//! The memory of nonces: bounded, by caller and time. It closes when full, since forgetting one early would let a
//! replay through.
//!
//! Nonces are kept as 128-bit hashes under a key of this process, so that nobody outside can aim at a collision, in
//! buckets by the second at which they may be forgotten: a bucket falls as a whole.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

use parking_lot::Mutex;

use crate::signature::TOLERANCE_SECONDS;

/// Concurrent callers meet in the same part only now and then; more parts would only cost memory.
const PARTS: usize = 64;

/// Seconds that share a bucket: forgetting a little late is harmless.
const BUCKET_SECONDS: i64 = 10;

/// What the store says to a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Never before; it is remembered now.
    First,
    /// Before: a replay.
    Again,
    /// No room, for this caller or at all: the request must be refused.
    Full,
}

/// Nonces that have been used and whose timestamps are still acceptable.
pub struct NonceStore {
    parts: Vec<Mutex<Part>>,
    hashers: [RandomState; 2],
    /// Per part.
    capacity: usize,
}

/// How many nonces are remembered of each caller, by the hash of its key's id.
type ByCaller = HashMap<u64, u32, BuildHasherDefault<TakenHash>>;

#[derive(Default)]
struct Part {
    known: HashSet<u128, BuildHasherDefault<TakenHash>>,
    by_caller: ByCaller,
    /// Oldest first, each with the time from which it may be forgotten.
    buckets: VecDeque<Bucket>,
}

struct Bucket {
    until_seconds: i64,
    nonces: Vec<u128>,
    by_caller: ByCaller,
}

impl Default for NonceStore {
    /// Room for 8 million, which is 300 s at 26,000 requests/s and about 400 MB when full; it grows with use.
    fn default() -> Self {
        Self::new(8_000_000)
    }
}

impl NonceStore {
    /// A store for about so many nonces. One caller may fill at most half of it.
    pub fn new(capacity: usize) -> Self {
        Self {
            parts: (0..PARTS).map(|_| Mutex::default()).collect(),
            hashers: [RandomState::new(), RandomState::new()],
            capacity: capacity.div_ceil(PARTS).max(2),
        }
    }

    /// Remembers the nonce of a request whose signature is right and whose timestamp is within the tolerance.
    pub fn remember(&self, key_id: &str, nonce: &str, timestamp_seconds: i64, now_seconds: i64) -> Seen {
        let caller = self.hashers[0].hash_one(key_id);
        let [low, high] = [&self.hashers[0], &self.hashers[1]].map(|hasher| hasher.hash_one((key_id, nonce)));
        let hash = (u128::from(high) << 64) | u128::from(low);
        let mut part = self.parts[high as usize % PARTS].lock();
        part.forget(now_seconds);
        if part.known.contains(&hash) {
            return Seen::Again;
        }
        let mine = part.by_caller.get(&caller).copied().unwrap_or(0) as usize;
        if part.known.len() >= self.capacity || mine >= self.capacity.div_ceil(2) {
            return Seen::Full;
        }
        part.insert(hash, caller, timestamp_seconds + TOLERANCE_SECONDS);
        Seen::First
    }

    /// How many nonces are remembered.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.lock().known.len()).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Part {
    fn forget(&mut self, now_seconds: i64) {
        while self.buckets.front().is_some_and(|bucket| bucket.until_seconds < now_seconds) {
            let Some(bucket) = self.buckets.pop_front() else {
                return;
            };
            for nonce in &bucket.nonces {
                self.known.remove(nonce);
            }
            for (caller, count) in bucket.by_caller {
                if let Some(total) = self.by_caller.get_mut(&caller) {
                    *total = total.saturating_sub(count);
                    if *total == 0 {
                        self.by_caller.remove(&caller);
                    }
                }
            }
        }
    }

    fn insert(&mut self, hash: u128, caller: u64, good_until_seconds: i64) {
        let until_seconds = good_until_seconds.div_euclid(BUCKET_SECONDS) * BUCKET_SECONDS + BUCKET_SECONDS;
        // Timestamps arrive nearly in order, so the place is at or near the end.
        let place = self.buckets.iter().rposition(|bucket| bucket.until_seconds <= until_seconds).map_or(0, |i| i + 1);
        let exists = place > 0 && self.buckets[place - 1].until_seconds == until_seconds;
        if !exists {
            self.buckets.insert(place, Bucket { until_seconds, nonces: Vec::new(), by_caller: ByCaller::default() });
        }
        let bucket = &mut self.buckets[if exists { place - 1 } else { place }];
        bucket.nonces.push(hash);
        *bucket.by_caller.entry(caller).or_default() += 1;
        *self.by_caller.entry(caller).or_default() += 1;
        self.known.insert(hash);
    }
}

/// The key is a hash already; hashing it again would only cost time.
#[derive(Default)]
struct TakenHash(u64);

impl Hasher for TakenHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn write_u128(&mut self, number: u128) {
        self.0 = number as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_764_000_000;

    #[test]
    fn a_nonce_is_good_once_per_caller() {
        let store = NonceStore::new(1000);
        assert_eq!(store.remember("a", "n1", NOW, NOW), Seen::First);
        assert_eq!(store.remember("a", "n1", NOW, NOW), Seen::Again);
        assert_eq!(store.remember("a", "n1", NOW + 5, NOW), Seen::Again, "whatever its timestamp");
        assert_eq!(store.remember("b", "n1", NOW, NOW), Seen::First);
        assert_eq!(store.len(), 2);
    }

    #[test]
    fn it_is_remembered_as_long_as_its_timestamp_is_good() {
        let store = NonceStore::new(100_000);
        for offset in -300..=300 {
            let nonce = format!("n{offset}");
            assert_eq!(store.remember("a", &nonce, NOW + offset, NOW), Seen::First);
            let last = NOW + offset + TOLERANCE_SECONDS;
            assert_eq!(store.remember("a", &nonce, NOW + offset, last), Seen::Again, "{offset}");
        }
        // Every part forgets when it is next used.
        for i in 0..2000 {
            store.remember("z", &format!("later{i}"), NOW + 2000, NOW + 2000);
        }
        assert_eq!(store.len(), 2000);
    }

    #[test]
    fn a_full_store_refuses_and_opens_again() {
        let store = NonceStore::new(64 * 8);
        let mut full = 0;
        for i in 0..10_000 {
            let caller = format!("caller{}", i % 50);
            full += usize::from(store.remember(&caller, &format!("n{i}"), NOW, NOW) == Seen::Full);
        }
        assert!(full > 9_000 && store.len() <= 64 * 8);
        assert_eq!(store.remember("caller1", "fresh", NOW + 400, NOW + 400), Seen::First);
    }

    #[test]
    fn one_caller_leaves_room_for_the_others() {
        let store = NonceStore::new(64 * 8);
        for i in 0..10_000 {
            store.remember("greedy", &format!("n{i}"), NOW, NOW);
        }
        assert_eq!(store.len(), 64 * 4);
        assert_eq!(store.remember("modest", "n", NOW, NOW), Seen::First);
    }

    #[test]
    fn of_many_at_once_exactly_one_is_first() {
        let store = NonceStore::new(10_000);
        let firsts: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        (0..500).filter(|i| store.remember("a", &format!("n{i}"), NOW, NOW) == Seen::First).count()
                    })
                })
                .collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).sum()
        });
        assert_eq!(firsts, 500);
    }
}
