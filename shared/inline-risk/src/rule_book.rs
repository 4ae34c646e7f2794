//! Rule sets that are live or in the shadow, compiled over one plan of features.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use coupon::event::{Action, Pseudonym, Reason};
use coupon::hash::id_hash;
use coupon::id::{MerchantId, PLATFORM, RuleSetId};
use coupon::ruleset::{RuleSetRow, RuleState};
use prometheus::{IntCounterVec, register_int_counter_vec};
use risk::feature::{Field, Happening, Plan, Subject, Table};
use risk::rules::{self, Facts, Outcome, RuleSet};

static OUTCOMES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "Hits of rules, and rules that could not be worked out";
    register_int_counter_vec!("counterfoil_rule_outcomes_total", help, &["rule", "mode", "outcome"])
        .expect("each metric is defined once")
});

/// Whom and what a request has to do with, beside device, address and user.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Occasion {
    /// What is asked for.
    pub event: Happening,
    /// In which store.
    pub store: Option<u64>,
    /// By which cashier, hashed by [`Occasion::cashier`].
    pub cashier: Option<Pseudonym>,
    /// From which stock is claimed.
    pub stock: Option<u64>,
    /// The order's amount, minor units.
    pub amount: Option<i64>,
    /// The merchant's zone.
    pub zone: Option<chrono_tz::Tz>,
}

impl Occasion {
    /// Of an event of which nothing more is told.
    pub fn of(event: Happening) -> Self {
        Self { event, store: None, cashier: None, stock: None, amount: None, zone: None }
    }

    /// What stands for a cashier.
    pub fn cashier(id: &str) -> Pseudonym {
        id_hash(id)
    }
}

/// Everybody and everything as features know them.
pub(crate) fn whom(merchant: MerchantId, [device, ip, user]: [Option<Pseudonym>; 3], occasion: &Occasion) -> Subject {
    let number = |number: u64| u128::from(number).to_le_bytes();
    Subject::default()
        .with(Field::Merchant, Some(number(u64::from(merchant.0))))
        .with(Field::Device, device)
        .with(Field::Ip, ip)
        .with(Field::User, user)
        .with(Field::Store, occasion.store.map(number))
        .with(Field::Cashier, occasion.cashier)
        .with(Field::Stock, occasion.stock.map(number))
}

/// The rules that are evaluated.
#[derive(Default)]
pub(crate) struct RuleBook {
    sets: Vec<Set>,
    /// What they look at.
    pub(crate) plan: Plan,
}

struct Set {
    live: bool,
    rules: RuleSet,
}

/// What the rules say of a request.
#[derive(Debug, PartialEq)]
pub(crate) struct Judgement {
    /// The strongest of those that hit.
    pub(crate) action: Action,
    /// One for each live rule that hit.
    pub(crate) reasons: Vec<Reason>,
}

impl RuleBook {
    /// Of all rule sets, what is live or in the shadow.
    pub(crate) fn of(rows: &BTreeMap<u64, Arc<RuleSetRow>>) -> Self {
        let mut book = Self::default();
        for (number, row) in rows {
            for version in &row.versions {
                let live = match version.state {
                    RuleState::Live => true,
                    RuleState::Shadow => false,
                    RuleState::Draft | RuleState::Paused | RuleState::Retired => continue,
                };
                match rules::compile(&version.text, &mut book.plan) {
                    Ok(rules) => book.sets.push(Set { live, rules }),
                    Err(problems) => {
                        // It was checked when it was pushed, by a release that knew other words.
                        let (id, problem) =
                            (RuleSetId::new(PLATFORM, *number), problems.first().map(ToString::to_string));
                        tracing::error!(%id, problem, "a rule set does not compile here and is left out");
                    }
                }
            }
        }
        book
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// Evaluates all rules on what is counted up to a time.
    pub(crate) fn judge(
        &self,
        table: &Table,
        subject: &Subject,
        occasion: &Occasion,
        at_ms: i64,
        now_ms: i64,
    ) -> Judgement {
        let values = table.values(&self.plan, subject, at_ms);
        let facts = Facts {
            values: &values,
            subject,
            event: occasion.event.name(),
            amount: occasion.amount.map_or(f64::NAN, |amount| amount as f64),
            hour: occasion.zone.map_or(f64::NAN, |zone| f64::from(coupon::calendar::hour(zone, now_ms))),
            weekday: occasion.zone.map_or(f64::NAN, |zone| f64::from(coupon::calendar::weekday(zone, now_ms))),
            failed: Cell::new(false),
        };
        let mut judgement = Judgement { action: Action::Allow, reasons: Vec::new() };
        for Set { live, rules } in &self.sets {
            for rule in &rules.rules {
                let (mode, outcome) = (if *live { "live" } else { "shadow" }, rule.evaluate(&facts));
                let said = match outcome {
                    Outcome::NoHit => continue,
                    Outcome::Hit => "hit",
                    Outcome::Error => "error",
                };
                OUTCOMES.with_label_values(&[rule.name.as_str(), mode, said]).inc();
                if *live && outcome == Outcome::Hit {
                    judgement.action = stronger(judgement.action, rule.action);
                    judgement.reasons.push(reason(rule, &facts));
                }
            }
        }
        judgement
    }
}

fn stronger(action: Action, by: rules::Action) -> Action {
    let rank = |action: Action| match action {
        Action::Allow => 0,
        Action::Review => 1,
        Action::Challenge => 2,
        Action::Block => 3,
    };
    let other = match by {
        rules::Action::Allow => Action::Allow,
        rules::Action::Review => Action::Review,
        rules::Action::Challenge => Action::Challenge,
        rules::Action::Block => Action::Block,
    };
    if rank(other) > rank(action) { other } else { action }
}

fn reason(rule: &rules::Rule, facts: &Facts<'_>) -> Reason {
    let because = rule.because(facts);
    Reason {
        code: rule.name.clone(),
        value: because.map_or(0, |condition| condition.value(facts) as i64),
        threshold: because.map_or(0, |condition| condition.threshold as i64),
        window_seconds: because.map_or(0, |condition| condition.window_seconds),
    }
}
