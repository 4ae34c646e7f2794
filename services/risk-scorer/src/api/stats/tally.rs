//! Counts of what a rule hit.

use std::collections::BTreeMap;

use coupon::decision::Action;
use coupon::id::DecisionId;
use serde_json::{Value, json};

use super::share;

/// Decisions that are named.
const EXAMPLES: usize = 5;
/// Other rules that are named.
const TOGETHER: usize = 20;

/// A decision that a rule hit.
pub(super) struct Hit {
    pub(super) decision: DecisionId,
    pub(super) action: Action,
    /// The label that stands: whether fraud.
    pub(super) label: Option<bool>,
    /// Somebody appealed, and was right.
    pub(super) granted: bool,
}

/// Counts of hits.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) hits: u64,
    pub(super) actions: BTreeMap<Action, u64>,
    pub(super) fraud: u64,
    pub(super) honest: u64,
    pub(super) appeals_granted: u64,
    pub(super) examples: Vec<String>,
    together: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts a hit, with the other rules that hit together with it.
    pub(super) fn add<'a>(&mut self, hit: &Hit, others: impl Iterator<Item = &'a str>) {
        self.hits += 1;
        *self.actions.entry(hit.action).or_default() += 1;
        self.fraud += u64::from(hit.label == Some(true));
        self.honest += u64::from(hit.label == Some(false));
        self.appeals_granted += u64::from(hit.granted);
        if self.examples.len() < EXAMPLES {
            self.examples.push(hit.decision.to_string());
        }
        for other in others {
            *self.together.entry(other.to_owned()).or_default() += 1;
        }
    }

    pub(super) fn unlabelled(&self) -> u64 {
        self.hits - self.fraud - self.honest
    }

    /// Fraud of what is labelled; nothing where nothing is.
    pub(super) fn precision(&self) -> Option<f64> {
        share(self.fraud, self.fraud + self.honest)
    }

    /// The rules that hit together with this one most often, of equally frequent ones by name.
    pub(super) fn together(&self) -> impl Iterator<Item = (&str, u64)> {
        let mut all: Vec<(&str, u64)> = self.together.iter().map(|(rule, n)| (rule.as_str(), *n)).collect();
        all.sort_by_key(|(rule, n)| (std::cmp::Reverse(*n), *rule));
        all.into_iter().take(TOGETHER)
    }

    /// In short.
    pub(super) fn view(&self) -> Value {
        json!({"hits": self.hits, "fraud": self.fraud, "honest": self.honest, "unlabelled": self.unlabelled(),
            "precision": self.precision()})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coupon::id::MerchantId;

    fn hit(n: u64, label: Option<bool>) -> Hit {
        Hit { decision: DecisionId::new(MerchantId(7), n), action: Action::Review, label, granted: n == 1 }
    }

    #[test]
    fn labels_make_precision() {
        let mut tally = Tally::default();
        assert_eq!(tally.precision(), None);
        for (n, label) in [None, Some(true), Some(true), Some(false)].into_iter().enumerate() {
            tally.add(&hit(n as u64, label), ["night", "far"].into_iter().skip(n % 2));
        }
        assert_eq!((tally.hits, tally.fraud, tally.honest, tally.unlabelled()), (4, 2, 1, 1));
        assert_eq!((tally.precision(), tally.appeals_granted), (Some(2.0 / 3.0), 1));
        assert_eq!(tally.together().collect::<Vec<_>>(), [("far", 4), ("night", 2)]);
    }

    #[test]
    fn few_examples_are_named() {
        let mut tally = Tally::default();
        (0..9).for_each(|n| tally.add(&hit(n, None), std::iter::empty()));
        assert_eq!((tally.hits, tally.examples.len()), (9, EXAMPLES));
    }
}
