//! What a back-test comes to: actions, how right they would have been, money, and each rule.

use std::collections::BTreeMap;

use coupon::decision::{Action, Decision, RuleOutcome};
use coupon::id::DecisionId;
use coupon_api::dto::answer::action_name;
use inline_risk::{Met, RuleBook};
use serde_json::{Value, json};

/// Examples of a kind that are named.
const MOST_EXAMPLES: usize = 20;

/// Counts so far.
#[derive(Default)]
pub(super) struct Report {
    total: u64,
    new: Side,
    old: Side,
    rules: BTreeMap<(u16, u16), PerRule>,
    newly_blocked: Changed,
    newly_allowed: Changed,
    features_differ: Changed,
}

/// What one side does.
#[derive(Default)]
struct Side {
    actions: BTreeMap<&'static str, u64>,
    /// Stopped or not, by fraud, honest and not labelled.
    stopped: [u64; 3],
    passed: [u64; 3],
    /// Orders' amounts that are stopped; of them, of those that are honest; and that pass though they are fraud.
    money_blocked: i64,
    money_wrongly_blocked: i64,
    money_missed: i64,
}

#[derive(Default)]
struct PerRule {
    hits: u64,
    errors: u64,
    labelled: [u64; 3],
}

#[derive(Default)]
struct Changed {
    count: u64,
    examples: Vec<String>,
}

impl Changed {
    fn add(&mut self, id: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < MOST_EXAMPLES {
            self.examples.push(id());
        }
    }

    fn view(&self) -> Value {
        json!({"count": self.count, "examples": self.examples})
    }
}

/// Whether a request does not go on by itself.
fn stops(decision: &Decision) -> bool {
    matches!(decision.action, Action::Challenge | Action::Block)
}

impl Side {
    fn add(&mut self, decision: &Decision, amount: i64, label: usize) {
        *self.actions.entry(action_name(decision.action)).or_default() += 1;
        if stops(decision) {
            self.stopped[label] += 1;
            self.money_blocked += amount;
            self.money_wrongly_blocked += if label == HONEST { amount } else { 0 };
        } else {
            self.passed[label] += 1;
            self.money_missed += if label == FRAUD { amount } else { 0 };
        }
    }

    fn view(&self) -> Value {
        let [hit, wrong, _] = self.stopped;
        let [missed, right, _] = self.passed;
        json!({
            "actions": self.actions,
            "confusion": {"true_positive": hit, "false_positive": wrong, "false_negative": missed, "true_negative": right,
                "unlabelled_stopped": self.stopped[UNLABELLED], "unlabelled_passed": self.passed[UNLABELLED]},
            "precision": share(hit, hit + wrong),
            "recall": share(hit, hit + missed),
            "money": {"blocked": self.money_blocked, "missed": self.money_missed,
                "wrongly_blocked": self.money_wrongly_blocked},
        })
    }
}

const FRAUD: usize = 0;
const HONEST: usize = 1;
const UNLABELLED: usize = 2;

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl Report {
    /// Counts a decision, with its label where it has one.
    pub(super) fn add(&mut self, met: &Met, fraud: Option<bool>) {
        let label = fraud.map_or(UNLABELLED, |fraud| if fraud { FRAUD } else { HONEST });
        let (old, amount) = (&met.decided.decision, met.decided.amount);
        let id = || DecisionId::new(met.merchant, met.decided.number).to_string();
        self.total += 1;
        self.new.add(&met.again, amount, label);
        self.old.add(old, amount, label);
        match (stops(old), stops(&met.again)) {
            (false, true) => self.newly_blocked.add(id),
            (true, false) => self.newly_allowed.add(id),
            _ => {}
        }
        if !met.features_equal {
            self.features_differ.add(id);
        }
        for said in met.again.basis.iter().flat_map(|basis| &basis.outcomes) {
            let rule = self.rules.entry((said.set, said.rule)).or_default();
            match said.outcome {
                RuleOutcome::Hit | RuleOutcome::Snoozed => {
                    rule.hits += 1;
                    rule.labelled[label] += 1;
                }
                RuleOutcome::Error => rule.errors += 1,
            }
        }
    }

    /// All of it.
    pub(super) fn view(&self, book: &RuleBook) -> Value {
        let rules = book.rules().map(|(set, rule, _, it)| {
            let none = PerRule::default();
            let PerRule { hits, errors, labelled: [fraud, honest, unlabelled] } =
                self.rules.get(&(set, rule)).unwrap_or(&none);
            json!({"rule": it.name, "action": it.action.name(), "hits": hits, "errors": errors, "fraud": fraud,
                "honest": honest, "unlabelled": unlabelled, "precision": share(*fraud, fraud + honest)})
        });
        let mut view = self.new.view();
        view["decisions"] = self.total.into();
        view["live"] = self.old.view();
        view["rules"] = rules.collect::<Vec<_>>().into();
        view["newly_blocked"] = self.newly_blocked.view();
        view["newly_allowed"] = self.newly_allowed.view();
        view["features_equal"] = (self.features_differ.count == 0).into();
        view["features_compared"] = self.total.into();
        view["features_differ"] = self.features_differ.view();
        view
    }
}
