//! Rule sets that are live or in the shadow, compiled over one plan of features.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use coupon::decision::{Action, Asked, Basis, Decision, ModelUsed, Reason, RuleOutcome, RuleSaid, SetUsed, Value, Who};
use coupon::event::Pseudonym;
use coupon::hash::id_hash;
use coupon::id::MerchantId;
use coupon::ruleset::{RuleSetRow, RuleState};
use prometheus::{IntCounterVec, register_int_counter_vec};
use risk::feature::{Field, Happening, Plan, Subject};
use risk::model::{Model, Scorer};
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
    pub asked: Asked,
    /// In which store.
    pub store: Option<u64>,
    /// By which cashier, hashed by [`Occasion::cashier`].
    pub cashier: Option<Pseudonym>,
    /// From which stock is claimed.
    pub stock: Option<u64>,
    /// The first coupon, by its running number.
    pub coupon: Option<u64>,
    /// Where the coupon is handed out, hashed by [`Occasion::channel`].
    pub channel: Option<Pseudonym>,
    /// The order's amount, minor units.
    pub amount: Option<i64>,
}

impl Occasion {
    /// Of a request of which nothing more is told.
    pub fn of(asked: Asked) -> Self {
        Self { asked, store: None, cashier: None, stock: None, coupon: None, channel: None, amount: None }
    }

    /// What stands for a cashier.
    pub fn cashier(id: &str) -> Pseudonym {
        id_hash(id)
    }

    /// What stands for a channel.
    pub fn channel(name: &str) -> Pseudonym {
        id_hash(name)
    }
}

/// Everybody and everything as features know them.
pub(crate) fn subject_of(merchant: MerchantId, device: Option<Pseudonym>, ip: Option<Pseudonym>, who: &Who) -> Subject {
    let number = |number: u64| u128::from(number).to_le_bytes();
    Subject::default()
        .with(Field::Merchant, Some(number(u64::from(merchant.0))))
        .with(Field::Device, device)
        .with(Field::Ip, ip)
        .with(Field::User, who.user)
        .with(Field::Store, who.store.map(number))
        .with(Field::Cashier, who.cashier)
        .with(Field::Stock, who.stock.map(number))
        .with(Field::Ip24, who.ip24)
        .with(Field::Coupon, who.coupon.map(number))
        .with(Field::Channel, who.channel)
}

/// What features count it as.
pub(crate) fn happening(asked: Asked) -> Happening {
    match asked {
        Asked::Claim => Happening::Claim,
        Asked::Lock => Happening::Lock,
        Asked::Redemption => Happening::Redemption,
    }
}

/// The rules that are evaluated, and the model whose score they may look at.
#[derive(Default)]
pub struct RuleBook {
    sets: Vec<Set>,
    model: Option<(ModelVersion, Scorer)>,
    /// What they look at, in the order in which they first name it.
    pub(crate) plan: Plan,
}

struct Set {
    used: SetUsed,
    rules: RuleSet,
}

/// A version of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelVersion {
    /// Which.
    pub number: u64,
    /// Which version, from 1.
    pub version: u32,
    /// Its artifact.
    pub artifact: String,
}

/// A version of a rule set, to be evaluated.
#[derive(Clone, Debug)]
pub struct Version {
    /// Which.
    pub used: SetUsed,
    /// Its rules.
    pub text: String,
}

/// What the rules say of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// The strongest of the live ones that hit.
    pub(crate) action: Action,
    /// One for each live rule that hit.
    pub(crate) reasons: Vec<Reason>,
    /// Those that did not simply miss.
    pub(crate) outcomes: Vec<RuleSaid>,
    /// Points of the live ones that hit, at most 1000.
    pub(crate) points: u16,
    /// What the model says.
    pub(crate) model: Option<ModelUsed>,
}

/// Of all models, the live one; of several the newest.
pub(crate) fn live_model(rows: &BTreeMap<u64, Arc<RuleSetRow>>) -> Option<ModelVersion> {
    rows.iter().rev().find_map(|(number, row)| {
        let live = (1..).zip(&row.versions).find(|(_, it)| it.state == RuleState::Live);
        live.map(|(version, it)| ModelVersion { number: *number, version, artifact: it.text.clone() })
    })
}

/// Of all rule sets, what is live or in the shadow.
pub(crate) fn versions(rows: &BTreeMap<u64, Arc<RuleSetRow>>) -> Vec<Version> {
    let mut found = Vec::new();
    for (number, row) in rows {
        for (version, it) in (1..).zip(&row.versions) {
            let live = match it.state {
                RuleState::Live => true,
                RuleState::Shadow => false,
                RuleState::Draft | RuleState::Paused | RuleState::Retired => continue,
            };
            found.push(Version { used: SetUsed { number: *number, version, live }, text: it.text.clone() });
        }
    }
    found
}

impl RuleBook {
    /// Of versions in their order, and a model.
    pub fn of(versions: &[Version], model: Option<&ModelVersion>) -> Self {
        let mut book = Self::default();
        for Version { used, text } in versions {
            match rules::compile(text, &mut book.plan) {
                Ok(rules) => book.sets.push(Set { used: *used, rules }),
                Err(problems) => {
                    // It was checked when it was pushed, by a release that knew other words.
                    let (number, problem) = (used.number, problems.first().map(ToString::to_string));
                    tracing::error!(number, problem, "a rule set does not compile here and is left out");
                }
            }
        }
        book.model = model.and_then(|it| {
            let scorer = Model::parse(it.artifact.as_bytes()).and_then(|model| model.compile(&mut book.plan));
            match scorer {
                Ok(scorer) => Some((it.clone(), scorer)),
                Err(problem) => {
                    tracing::error!(number = it.number, %problem, "a model cannot be used here and is left out");
                    None
                }
            }
        });
        book
    }

    /// Whether there is nothing to evaluate.
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.model.is_none()
    }

    /// The model that is evaluated.
    pub fn model(&self) -> Option<&ModelVersion> {
        self.model.as_ref().map(|(version, _)| version)
    }

    /// Which inputs moved the model's score most in a decision, the strongest first.
    pub fn explain(&self, decision: &Decision, zone: Option<chrono_tz::Tz>, most: usize) -> Vec<risk::model::Reason> {
        let (Some((_, scorer)), Some(basis)) = (&self.model, decision.basis.as_deref()) else { return Vec::new() };
        let given = Given { basis, device: decision.device, ip: decision.ip, zone, lists: Vec::new(), snoozed: &[] };
        let values = self.values(&basis.features);
        let subject = subject_of(basis.merchant, decision.device, decision.ip, &basis.who);
        scorer.reasons(&given.facts(&values, &subject), most)
    }

    /// The versions that are evaluated, in their order.
    pub fn used(&self) -> Vec<SetUsed> {
        self.sets.iter().map(|set| set.used).collect()
    }

    /// A rule by its place.
    pub fn rule(&self, set: usize, rule: usize) -> Option<&rules::Rule> {
        self.sets.get(set)?.rules.rules.get(rule)
    }

    /// A feature by its number, as rules spell it.
    pub fn feature(&self, number: usize) -> Option<String> {
        self.plan.features().get(number).map(ToString::to_string)
    }

    /// Each rule with its place and the set that it stands in.
    pub fn rules(&self) -> impl Iterator<Item = (u16, u16, SetUsed, &rules::Rule)> {
        self.sets.iter().enumerate().flat_map(|(place, set)| {
            let rules = set.rules.rules.iter().enumerate();
            rules.map(move |(rule, it)| (place as u16, rule as u16, set.used, it))
        })
    }

    /// The values of the features as a decision keeps them.
    pub(crate) fn kept(values: &[f64]) -> Vec<(u16, Value)> {
        let all = values.iter().enumerate().map(|(number, value)| (number as u16, Value::of(*value)));
        all.filter(|(_, value)| *value != Value::Whole(0)).collect()
    }

    /// The values again.
    pub(crate) fn values(&self, kept: &[(u16, Value)]) -> Vec<f64> {
        let mut values = vec![0.0; self.plan.features().len()];
        for (number, value) in kept {
            if let Some(slot) = values.get_mut(usize::from(*number)) {
                *slot = value.get();
            }
        }
        values
    }

    /// Evaluates all rules on what a decision rests on; `values` are those of its features.
    pub(crate) fn judge(&self, given: &Given<'_>, values: &[f64]) -> Judgement {
        let basis = given.basis;
        let subject = subject_of(basis.merchant, given.device, given.ip, &basis.who);
        let mut facts = given.facts(values, &subject);
        let model = self.model.as_ref().map(|(it, scorer)| {
            let ModelVersion { number, version, .. } = *it;
            ModelUsed { number, version, score: scorer.score(&facts).score }
        });
        facts.score = model.map_or(f64::NAN, |model| f64::from(model.score));
        let mut judgement =
            Judgement { action: Action::Allow, reasons: Vec::new(), outcomes: Vec::new(), points: 0, model };
        for (set, rule, used, it) in self.rules() {
            let outcome = match it.evaluate(&facts) {
                Outcome::NoHit => continue,
                Outcome::Error => RuleOutcome::Error,
                Outcome::Hit if given.silences(&it.name, used.number) => RuleOutcome::Snoozed,
                Outcome::Hit => RuleOutcome::Hit,
            };
            judgement.outcomes.push(RuleSaid { set, rule, outcome });
            if used.live && outcome == RuleOutcome::Hit {
                judgement.action = judgement.action.max(action_of(it.action));
                judgement.points = judgement.points.saturating_add(it.score).min(1_000);
                judgement.reasons.push(reason(it, &facts));
            }
        }
        judgement
    }

    /// Counts what became of rules.
    pub(crate) fn tell(&self, outcomes: &[RuleSaid]) {
        for RuleSaid { set, rule, outcome } in outcomes {
            let Some(it) = self.sets.get(usize::from(*set)) else { continue };
            let Some(rule) = it.rules.rules.get(usize::from(*rule)) else { continue };
            let mode = if it.used.live { "live" } else { "shadow" };
            OUTCOMES.with_label_values(&[rule.name.as_str(), mode, outcome_name(*outcome)]).inc();
        }
    }
}

/// What a judgement rests on.
pub(crate) struct Given<'a> {
    /// What the decision says that it rests on.
    pub(crate) basis: &'a Basis,
    /// The device.
    pub(crate) device: Option<Pseudonym>,
    /// The address.
    pub(crate) ip: Option<Pseudonym>,
    /// The merchant's zone.
    pub(crate) zone: Option<chrono_tz::Tz>,
    /// The names of the lists that match.
    pub(crate) lists: Vec<&'a str>,
    /// Rules that are silent for somebody of the request, in one set or in all.
    pub(crate) snoozed: &'a [(String, Option<u64>)],
}

impl<'a> Given<'a> {
    fn facts<'f>(&'f self, values: &'f [f64], subject: &'f Subject) -> Facts<'f>
    where
        'a: 'f,
    {
        let (basis, zone, cluster) = (self.basis, self.zone, self.basis.cluster);
        Facts {
            amount: basis.amount.map_or(f64::NAN, |amount| amount as f64),
            hour: zone.map_or(f64::NAN, |zone| f64::from(coupon::calendar::hour(zone, basis.at))),
            weekday: zone.map_or(f64::NAN, |zone| f64::from(coupon::calendar::weekday(zone, basis.at))),
            cluster_size: cluster.map_or(f64::NAN, |cluster| f64::from(cluster.size)),
            cluster_devices: cluster.map_or(f64::NAN, |cluster| f64::from(cluster.devices)),
            cluster_density: cluster.map_or(f64::NAN, |cluster| cluster.density.get()),
            cluster_age_spread: cluster.map_or(f64::NAN, |cluster| cluster.age_spread_seconds as f64),
            lists: &self.lists,
            ..Facts::new(values, subject, basis.asked.name())
        }
    }

    fn silences(&self, rule: &str, set: u64) -> bool {
        self.snoozed.iter().any(|(silent, of)| silent == rule && of.is_none_or(|of| of == set))
    }
}

/// As metrics and the API spell it.
pub fn outcome_name(outcome: RuleOutcome) -> &'static str {
    match outcome {
        RuleOutcome::Hit => "hit",
        RuleOutcome::Error => "error",
        RuleOutcome::Snoozed => "snoozed",
    }
}

/// As decisions know it.
pub fn action_of(action: rules::Action) -> Action {
    match action {
        rules::Action::Allow => Action::Allow,
        rules::Action::Review => Action::Review,
        rules::Action::Challenge => Action::Challenge,
        rules::Action::Block => Action::Block,
    }
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
