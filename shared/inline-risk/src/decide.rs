//! From what is known to a decision; and from a decision's basis to the same again.

use std::sync::atomic::Ordering;

use coupon::decision::{Action, Basis, Cluster, Decision, EnforcedBy, Reason, RuleOutcome, Value, Who};
use coupon::id::MerchantId;
use coupon::list::ListMode;
use risk::graph::Sighting;
use risk::lists::Request;
use risk::{EVALUATOR, Subject, SubjectKind};

use crate::InlineRisk;
use crate::counts::values;
use crate::list_book::Listed;
use crate::question::{Forced, Question};
use crate::rule_book::{Given, Judgement, Occasion, RuleBook};

impl InlineRisk {
    /// Decides from what is known here; `told` is what lists are matched with.
    pub fn decide(&self, question: &Question, told: &Request<'_>) -> Decision {
        let mut decision = Decision {
            missing: question.missing.clone(),
            evaluator: EVALUATOR,
            device: question.device,
            ip: question.ip,
            ..Decision::default()
        };
        let mut basis = Box::new(basis_of(question));
        let book = self.look(question, &mut decision, &mut basis);
        basis.cluster = self.cluster(question);
        self.add_verdicts(question, &mut decision, &mut basis);
        let listed = self.lists().read().matches(question.merchant, told, question.now_ms);
        basis.lists = listed.iter().map(|listed| listed.hit).collect();
        let staleness = question.now_ms - self.heard_ms();
        basis.staleness_ms = (self.heard_ms() > 0).then_some(staleness);
        decision.degraded = staleness > self.stale_after_ms || question.forced == Some(Forced::Degraded);
        let snoozed = self.snoozed(question);
        let judgement = book.map(|(book, values)| {
            let judgement = book.judge(&given(&decision, &basis, question.zone, &listed, &snoozed), &values);
            book.tell(&judgement.outcomes);
            judgement
        });
        let forced = question.forced.and_then(Forced::action).map(|action| (action, EnforcedBy::Test));
        conclude(&mut decision, &mut basis, Found { judgement, listed: &listed, forced });
        if decision.action == Action::Challenge && self.proofs.has(question.request, question.now_ms) {
            (decision.action, basis.enforced_by) = (Action::Allow, EnforcedBy::Proof);
        }
        decision.basis = Some(basis);
        decision
    }

    /// Whether enough is known to go on. Without the risk-scorer, low values are let through and marked, high ones are
    /// not: the limit, minor units, which is the merchant's own where it has one.
    pub fn judged_enough(&self, merchant: MerchantId, occasion: &Occasion, decision: &Decision) -> Result<(), i64> {
        let own = self.settings.get(&merchant.real()).map(|settings| settings.degraded_value_limit);
        let limit = own.unwrap_or(self.degraded_value_limit);
        let is_high = occasion.amount.is_some_and(|amount| amount > limit);
        let is_let_through = matches!(decision.action, Action::Allow | Action::Review);
        if decision.degraded && is_high && is_let_through { Err(limit) } else { Ok(()) }
    }

    /// The rules that are silent for somebody of the request, each with its set where it is silent in that one only.
    fn snoozed(&self, question: &Question) -> Vec<(String, Option<u64>)> {
        if self.snoozes.is_empty() {
            return Vec::new();
        }
        let Question { merchant, user, device, ip, now_ms, .. } = *question;
        let is_of = |subject: &coupon::subject::Subject| {
            let told = match subject.kind {
                coupon::subject::SubjectKind::User => user,
                coupon::subject::SubjectKind::Device => device,
                coupon::subject::SubjectKind::Ip => ip,
            };
            told == Some(subject.pseudonym)
        };
        let own = self.snoozes.iter().filter(|entry| entry.key().0 == merchant.real());
        let active = own.filter(|entry| entry.value().is_active(now_ms) && is_of(&entry.value().what.subject));
        active.map(|entry| (entry.value().what.rule.clone(), entry.value().what.ruleset)).collect()
    }

    /// Reads all counts at once; the rules with the values of what they look at, if there are any.
    fn look(
        &self,
        question: &Question,
        decision: &mut Decision,
        basis: &mut Basis,
    ) -> Option<(std::sync::Arc<RuleBook>, Vec<f64>)> {
        let counts = self.counts().read();
        decision.watermark = counts.watermark_ms;
        for (kind, pseudonym) in told(question) {
            let Some(pseudonym) = pseudonym else { continue };
            let subject = Subject { kind, merchant: question.merchant.0, pseudonym };
            decision.slots.extend(counts.velocity.slots(&subject, counts.watermark_ms));
        }
        basis.cut = counts.cut(question.merchant);
        if counts.book.is_empty() {
            return None;
        }
        let book = counts.book.clone();
        let values = values(&counts.table, &book.plan, ([question.device, question.ip], basis), decision.watermark);
        drop(counts);
        basis.sets = book.used();
        basis.features = RuleBook::kept(&values);
        Some((book, values))
    }

    /// The largest cluster that anybody of the request belongs to; not known while the graph is being made anew.
    fn cluster(&self, question: &Question) -> Option<Cluster> {
        if !self.graph_is_whole.load(Ordering::Relaxed) {
            return None;
        }
        let Question { merchant, user, device, ip, .. } = *question;
        let facts = self.graph().try_read()?.facts(&Sighting { merchant: merchant.0, user, device, address: ip });
        Some(Cluster {
            size: facts.size,
            devices: facts.devices,
            density: Value::of(facts.density),
            age_spread_seconds: i64::from(facts.age_spread_seconds),
        })
    }

    fn add_verdicts(&self, question: &Question, decision: &mut Decision, basis: &mut Basis) {
        for (kind, pseudonym) in told(question) {
            let Some(pseudonym) = pseudonym else { continue };
            let subject = Subject { kind, merchant: question.merchant.0, pseudonym };
            decision.reasons.extend(self.reasons(&subject, question.now_ms));
        }
        basis.verdicts = u16::try_from(decision.reasons.len()).unwrap_or(u16::MAX);
    }
}

fn told(question: &Question) -> [(SubjectKind, Option<coupon::event::Pseudonym>); 3] {
    [(SubjectKind::Device, question.device), (SubjectKind::Ip, question.ip), (SubjectKind::User, question.user)]
}

fn basis_of(question: &Question) -> Basis {
    let occasion = &question.occasion;
    Basis {
        number: question.number,
        merchant: question.merchant,
        asked: occasion.asked,
        at: question.now_ms,
        who: Who {
            user: question.user,
            ip24: question.ip24,
            store: occasion.store,
            cashier: occasion.cashier,
            stock: occasion.stock,
            coupon: occasion.coupon,
            channel: occasion.channel,
        },
        amount: occasion.amount,
        place: question.place,
        ..Basis::default()
    }
}

fn given<'a>(
    decision: &Decision,
    basis: &'a Basis,
    zone: Option<chrono_tz::Tz>,
    listed: &'a [Listed],
    snoozed: &'a [(String, Option<u64>)],
) -> Given<'a> {
    let lists = listed.iter().map(|listed| listed.name.as_str()).collect();
    Given { basis, device: decision.device, ip: decision.ip, zone, lists, snoozed }
}

/// What was found of a request.
struct Found<'a> {
    judgement: Option<Judgement>,
    listed: &'a [Listed],
    /// What is done whatever else is found, and who says so.
    forced: Option<(Action, EnforcedBy)>,
}

/// Puts together what verdicts, rules, lists and a test's device id say. Lists that block go before those that allow, and
/// these before verdicts and rules; what is watched is looked at.
fn conclude(decision: &mut Decision, basis: &mut Basis, found: Found<'_>) {
    let Found { judgement, listed, forced } = found;
    let by_verdict = if basis.verdicts > 0 { Action::Block } else { Action::Allow };
    let mut by_rules = Action::Allow;
    if let Some(judgement) = judgement {
        by_rules = judgement.action;
        decision.reasons.extend(judgement.reasons);
        basis.outcomes = judgement.outcomes;
        basis.model = judgement.model;
        basis.score = judgement.points.max(judgement.model.map_or(0, |model| model.score));
    }
    let on = |mode| listed.iter().find(|listed| listed.mode == mode);
    let (blocks, allows, watches) = (on(ListMode::Block), on(ListMode::Allow), on(ListMode::Watch));
    if let Some(list) = blocks.or(watches.filter(|_| allows.is_none())) {
        let code = format!("{LIST}{}", list.name);
        decision.reasons.push(Reason { code, value: 0, threshold: 0, window_seconds: 0 });
    }
    let found = by_verdict.max(by_rules);
    (decision.action, basis.enforced_by) = match forced {
        Some(forced) => forced,
        None if blocks.is_some() => (Action::Block, EnforcedBy::List),
        None if allows.is_some() => (Action::Allow, EnforcedBy::List),
        None if found == Action::Allow && watches.is_some() => (Action::Review, EnforcedBy::List),
        None if found == Action::Allow => (found, EnforcedBy::Nothing),
        None if by_verdict >= by_rules => (found, EnforcedBy::Verdict),
        None => (found, EnforcedBy::Rules),
    };
}

/// How the reasons begin that lists give, before the list's name.
pub const LIST: &str = "list:";

/// Decides again what was decided, from what the decision says that it rested on, the rules that it names, and the names
/// and modes of the lists that it names. Nothing where it does not say.
pub fn derive(
    decision: &Decision,
    book: &RuleBook,
    zone: Option<chrono_tz::Tz>,
    listed: &[Listed],
) -> Option<Decision> {
    let old = decision.basis.as_deref()?;
    let values = book.values(&old.features);
    let snoozed = was_snoozed(old, book);
    Some(evaluate(decision, old, book, &Anew { values: &values, zone, listed, snoozed: &snoozed }))
}

/// What other rules say to a decision of the past, whose features are these now.
pub(crate) fn again(
    decision: &Decision,
    book: &RuleBook,
    values: &[f64],
    zone: Option<chrono_tz::Tz>,
    listed: &[Listed],
) -> Decision {
    let none = Basis::default();
    let old = decision.basis.as_deref().unwrap_or(&none);
    evaluate(decision, old, book, &Anew { values, zone, listed, snoozed: &[] })
}

/// What a decision is evaluated on anew.
struct Anew<'a> {
    values: &'a [f64],
    zone: Option<chrono_tz::Tz>,
    listed: &'a [Listed],
    snoozed: &'a [(String, Option<u64>)],
}

fn evaluate(decision: &Decision, old: &Basis, book: &RuleBook, anew: &Anew<'_>) -> Decision {
    let verdicts = usize::from(old.verdicts).min(decision.reasons.len());
    let mut basis = Box::new(Basis {
        outcomes: Vec::new(),
        model: None,
        score: 0,
        enforced_by: EnforcedBy::Nothing,
        sets: book.used(),
        ..old.clone()
    });
    let reasons: Vec<Reason> = decision.reasons[..verdicts].to_vec();
    let mut again = Decision { action: Action::Allow, reasons, basis: None, ..decision.clone() };
    let judgement = (!book.is_empty()).then(|| {
        let given = given(decision, &basis, anew.zone, anew.listed, anew.snoozed);
        book.judge(&given, anew.values)
    });
    if judgement.is_some() {
        basis.features = RuleBook::kept(anew.values);
    }
    // Tests, proofs and people are derived from nothing: that there was one is taken from the decision.
    let is_given = matches!(old.enforced_by, EnforcedBy::Test | EnforcedBy::Proof | EnforcedBy::Case);
    let forced = is_given.then_some((decision.action, old.enforced_by));
    conclude(&mut again, &mut basis, Found { judgement, listed: anew.listed, forced });
    again.basis = Some(basis);
    again
}

/// Who snoozed what when is no business of the rules: that a rule was snoozed then is taken from the decision.
fn was_snoozed(basis: &Basis, book: &RuleBook) -> Vec<(String, Option<u64>)> {
    let said = basis.outcomes.iter().filter(|said| said.outcome == RuleOutcome::Snoozed);
    said.filter_map(|said| {
        let set = basis.sets.get(usize::from(said.set))?;
        Some((book.rule(usize::from(said.set), usize::from(said.rule))?.name.clone(), Some(set.number)))
    })
    .collect()
}
