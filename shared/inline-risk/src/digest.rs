//! One number for all that is counted, so that two projections of one log can be held against each other.

use risk::feature::{CellKey, CellRow};
use risk::{Subject, SubjectCounts};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_128;

use crate::counts::Counts;

/// What is counted, in one number. It does not depend on the order in which the log's shards were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    /// Devices, addresses and users with fixed features.
    pub subjects: u64,
    /// Counts of what the rules in use look at.
    pub cells: u64,
    /// The sum of the hashes of all of them.
    pub hash: u128,
}

impl Digest {
    /// Of all that is counted now. Counts that no rule in use looks at are left out: they go when room is wanted.
    pub fn of(counts: &Counts) -> Self {
        let mut digest = Self::default();
        for (subject, row) in counts.velocity.iter() {
            digest.subjects += 1;
            digest.add::<Subject, SubjectCounts>(subject, row);
        }
        for (key, row) in counts.table.rows(&counts.plan) {
            digest.cells += 1;
            digest.add::<CellKey, CellRow>(key, row);
        }
        digest
    }

    fn add<K: Serialize, V: Serialize>(&mut self, key: &K, value: &V) {
        let bytes = bincode::serde::encode_to_vec((key, value), bincode::config::standard());
        debug_assert!(bytes.is_ok(), "writing to memory fails for no row");
        self.hash = self.hash.wrapping_add(xxh3_128(&bytes.unwrap_or_default()));
    }
}
