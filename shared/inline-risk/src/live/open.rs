//! Cases that wait, and instances that live.

use std::collections::{BTreeMap, BTreeSet};

use coupon::case::{CaseRow, CaseState, Stage};
use coupon::id::MerchantId;
use coupon::terms::Millis;
use rustc_hash::FxHashMap;

use crate::signals::Beat;

/// Changed cases that are told at once: who missed some looks at the list.
const MOST_CHANGED: usize = 1_000;
/// Instances that are remembered, the last ones that were heard of.
const MOST_INSTANCES: usize = 256;

/// Cases that are not closed.
#[derive(Default)]
pub(crate) struct Cases {
    open: FxHashMap<(MerchantId, u64), (Stage, Millis)>,
    changed: BTreeSet<(MerchantId, u64)>,
}

/// How many cases wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CasesNow {
    /// For anybody.
    pub open: u64,
    /// Somebody works on them.
    pub claimed: u64,
    /// Late, of all that are not closed.
    pub overdue: u64,
}

impl Cases {
    /// Takes note of a case as it is now.
    pub(crate) fn changed(&mut self, merchant: MerchantId, number: u64, row: &CaseRow) {
        let key = (merchant, number);
        if row.stage.is_closed() {
            self.open.remove(&key);
        } else {
            self.open.insert(key, (row.stage.clone(), row.facts.due_at));
        }
        if self.changed.len() < MOST_CHANGED {
            self.changed.insert(key);
        }
    }

    pub(super) fn now(&self, merchant: Option<MerchantId>, now: Millis) -> CasesNow {
        let mut count = CasesNow::default();
        let own = self.open.iter().filter(|((of, _), _)| merchant.is_none_or(|merchant| *of == merchant));
        for (_, (stage, due_at)) in own {
            match stage.at(now) {
                CaseState::Open => count.open += 1,
                CaseState::Claimed => count.claimed += 1,
                CaseState::Snoozed | CaseState::Closed => {}
            }
            count.overdue += u64::from(*due_at <= now);
        }
        count
    }

    pub(super) fn take_changed(&mut self) -> Vec<(MerchantId, u64)> {
        std::mem::take(&mut self.changed).into_iter().collect()
    }
}

/// Instances that told that they live.
#[derive(Default)]
pub(crate) struct Instances(BTreeMap<u64, Heard>);

/// An instance, and when it was heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// What it says of itself.
    pub beat: Beat,
    /// When, milliseconds of the log's time.
    pub at_ms: i64,
}

impl Instances {
    /// Takes note of a beat.
    pub(crate) fn beat(&mut self, beat: Beat, at_ms: i64) {
        if self.0.len() >= MOST_INSTANCES && !self.0.contains_key(&beat.instance) {
            let oldest = self.0.iter().min_by_key(|(_, heard)| heard.at_ms).map(|(instance, _)| *instance);
            oldest.and_then(|oldest| self.0.remove(&oldest));
        }
        self.0.insert(beat.instance, Heard { beat, at_ms });
    }

    pub(super) fn heard(&self) -> Vec<Heard> {
        let mut heard: Vec<Heard> = self.0.values().cloned().collect();
        heard.sort_by(|a, b| (&a.beat.service, a.beat.instance).cmp(&(&b.beat.service, b.beat.instance)));
        heard
    }
}

#[cfg(test)]
mod tests {
    use coupon::case::Opening;

    use super::*;

    #[test]
    fn cases_count_by_what_they_are_now() {
        let mut cases = Cases::default();
        let (tea, book) = (MerchantId(1), MerchantId(2));
        let row = |stage| CaseRow { stage, ..CaseRow::opened(&Opening::default(), 1, 0) };
        cases.changed(tea, 1, &row(Stage::Open));
        cases.changed(tea, 2, &row(Stage::Claimed("an".to_owned(), 100)));
        cases.changed(book, 1, &row(Stage::Snoozed(100)));
        assert_eq!(cases.now(None, 50), CasesNow { open: 1, claimed: 1, overdue: 0 });
        assert_eq!(cases.now(None, 200), CasesNow { open: 3, claimed: 0, overdue: 0 }, "claim and snooze are over");
        let later = CaseRow::opened(&Opening::default(), 1, 0).facts.due_at;
        assert_eq!(cases.now(Some(book), later).overdue, 1);
        assert_eq!(cases.take_changed(), [(tea, 1), (tea, 2), (book, 1)]);
        assert_eq!(cases.take_changed(), []);
    }

    #[test]
    fn the_last_instances_are_remembered() {
        let mut instances = Instances::default();
        let beat = |instance| Beat { instance, service: "redeemer".to_owned(), release: "1".to_owned(), semantics: 1 };
        (0..1_000).for_each(|n| instances.beat(beat(n), n as i64));
        let heard = instances.heard();
        assert_eq!((heard.len(), heard.last().map(|last| last.at_ms)), (MOST_INSTANCES, Some(999)));
    }
}
