//! Requests that are let through for a proof, for as long as it counts.

use coupon::challenge::PASSED_MS;
use coupon::record::RequestKey;
use dashmap::DashMap;

/// Proofs that are followed at once. Whose proof finds no room is asked again.
const MOST: usize = 100_000;

#[derive(Default)]
pub(crate) struct Proofs {
    until_ms: DashMap<RequestKey, i64>,
}

impl Proofs {
    /// A request is let through until a time, which is [`PASSED_MS`] after its proof; proofs that were over by then go
    /// when there are many.
    pub(crate) fn add(&self, request: RequestKey, until_ms: i64) {
        if self.until_ms.len() >= MOST {
            let proved_ms = until_ms - PASSED_MS;
            self.until_ms.retain(|_, until_ms| *until_ms > proved_ms);
        }
        if self.until_ms.len() < MOST {
            self.until_ms.insert(request, until_ms);
        }
    }

    /// Whether a request is let through.
    pub(crate) fn has(&self, request: Option<RequestKey>, now_ms: i64) -> bool {
        let until_ms = request.and_then(|request| self.until_ms.get(&request).map(|until_ms| *until_ms));
        until_ms.is_some_and(|until_ms| now_ms < until_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> RequestKey {
        RequestKey(u128::from(n).to_le_bytes())
    }

    #[test]
    fn a_proof_counts_for_its_request_and_its_time() {
        let proofs = Proofs::default();
        proofs.add(key(1), PASSED_MS);
        assert!(proofs.has(Some(key(1)), PASSED_MS - 1));
        assert!(!proofs.has(Some(key(1)), PASSED_MS), "over");
        assert!(!proofs.has(Some(key(2)), 0), "another's");
        assert!(!proofs.has(None, 0), "a request without a key");
    }

    #[test]
    fn old_proofs_make_room_and_young_ones_do_not() {
        let proofs = Proofs::default();
        (0..MOST as u64).for_each(|n| proofs.add(key(n), PASSED_MS + i64::from(n % 2 == 1)));
        proofs.add(key(u64::MAX), 2 * PASSED_MS);
        assert_eq!(proofs.until_ms.len(), MOST / 2 + 1, "those that were over are gone");
        (0..MOST as u64).for_each(|n| proofs.add(key(n), 2 * PASSED_MS));
        assert_eq!(proofs.until_ms.len(), MOST, "and no more are taken than there is room for");
    }
}
