//! A decision as analysts see it.

use coupon::decision::{Action, Basis, Reason, RuleOutcome};
use coupon::id::{LedgerRef, PLATFORM, RedemptionId, RuleSetId};
use coupon_api::dto::answer::{action_name, reason_text};
use http_api::time::format_ms;
use inline_risk::{RuleBook, outcome_name};
use risk::velocity::SLOTS;
use serde_json::{Value, json};

use super::Found;
use crate::api::RiskApi;
use crate::api::marks::label_name;

/// A decision with the rules that it was made by.
pub(in crate::api) struct Shown<'a> {
    pub(in crate::api) state: &'a RiskApi,
    pub(in crate::api) found: &'a Found,
    pub(in crate::api) book: &'a RuleBook,
}

impl Shown<'_> {
    /// All of it.
    pub(in crate::api) fn whole(&self) -> Value {
        let Found { merchant, asked, done, decision, .. } = self.found;
        let basis = decision.basis.as_deref();
        let redemption = (*done && *asked == coupon::decision::Asked::Redemption)
            .then(|| RedemptionId::new(*merchant, self.found.sequence).to_string());
        json!({
            "id": self.found.id().to_string(),
            "merchant_id": merchant.to_string(),
            "event": asked.name(),
            "done": done,
            "subject": self.subject(),
            "amount": basis.and_then(|basis| basis.amount),
            "action": action_name(decision.action),
            "enforced_by": basis.map(|basis| basis.enforced_by.name()),
            "score": basis.map_or(0, |basis| basis.score),
            "at": format_ms(self.found.time_ms),
            "ledger_ref": LedgerRef(self.found.sequence).to_string(),
            "watermark": format_ms(decision.watermark),
            "features": self.features(),
            "missing": decision.missing,
            "reasons": decision.reasons.iter().map(|reason| self.reason(reason)).collect::<Vec<_>>(),
            "rules": basis.map(|basis| self.rules(basis)),
            "rulesets": basis.map(sets),
            "shadow": basis.map(|basis| self.shadow(basis)),
            "lists": basis.map(lists),
            "model": basis.and_then(|basis| basis.model).map(|model| self.model(model)),
            "model_version": basis.and_then(|basis| basis.model).map(|model| model.version),
            "cluster": basis.and_then(|basis| basis.cluster).map(|cluster| json!({
                "size": cluster.size, "devices": cluster.devices, "density": cluster.density.known(),
                "age_spread_seconds": cluster.age_spread_seconds,
            })),
            "limiter": "passed",
            "staleness_ms": basis.and_then(|basis| basis.staleness_ms),
            "degraded": decision.degraded,
            "evaluator_version": decision.evaluator,
            "redemption_id": redemption,
            "label": self.found.marks.label.map(label_name),
            "case": self.found.marks.case.map(|case| case.to_string()),
        })
    }

    /// What is shown of it among others.
    pub(in crate::api) fn summary(&self) -> Value {
        let Found { merchant, asked, done, decision, .. } = self.found;
        let basis = decision.basis.as_deref();
        json!({
            "id": self.found.id().to_string(),
            "merchant_id": merchant.to_string(),
            "event": asked.name(),
            "done": done,
            "subject": self.subject(),
            "amount": basis.and_then(|basis| basis.amount),
            "action": action_name(decision.action),
            "enforced_by": basis.map(|basis| basis.enforced_by.name()),
            "score": basis.map_or(0, |basis| basis.score),
            "at": format_ms(self.found.time_ms),
            "ledger_ref": LedgerRef(self.found.sequence).to_string(),
            "reasons": decision.reasons.iter().map(|reason| self.reason(reason)).collect::<Vec<_>>(),
            "degraded": decision.degraded,
        })
    }

    /// In clear, where the record has it; otherwise what stands for it.
    fn subject(&self) -> Value {
        let Found { merchant, decision, user, sealed, .. } = self.found;
        let of = user.or(decision.device).or(decision.ip).unwrap_or_default();
        let personal = self.state.backend.secrets.open(*merchant, of, sealed);
        let who = decision.basis.as_ref().map(|basis| basis.who).unwrap_or_default();
        json!({
            "user_id": personal.user_id,
            "device_id": personal.device_id,
            "ip": personal.ip,
            "user": user.map(hex::encode),
            "device": decision.device.map(hex::encode),
            "address": decision.ip.map(hex::encode),
            "store_id": who.store.map(|store| coupon::id::StoreId::new(merchant.real(), store).to_string()),
            "stock_id": who.stock.map(|stock| coupon::id::StockId::new(*merchant, stock).to_string()),
            "coupon_id": who.coupon.map(|coupon| coupon::id::CouponId::new(*merchant, coupon).to_string()),
        })
    }

    fn features(&self) -> Vec<Value> {
        let decision = &self.found.decision;
        let name = |number: u16| SLOTS.iter().find(|slot| slot.number == number).map_or("unknown", |slot| slot.name);
        let fixed = decision.slots.iter().map(|(number, value)| json!({"name": name(*number), "value": value}));
        let features = decision.basis.iter().flat_map(|basis| &basis.features);
        let counted = features.filter_map(|(number, value)| {
            let feature = self.book.feature(usize::from(*number))?;
            Some(json!({"name": feature, "value": value.known()}))
        });
        fixed.chain(counted).collect()
    }

    fn reason(&self, reason: &Reason) -> Value {
        let rule = self.book.rules().find(|(_, _, used, rule)| used.live && rule.name == reason.code);
        let text = rule.as_ref().map_or_else(|| reason_text(&reason.code), |(.., rule)| rule.text(reason.value));
        json!({
            "code": reason.code, "text": text, "points": rule.as_ref().map(|(.., rule)| rule.score),
            "feature": rule.as_ref().and_then(|(.., rule)| rule.feature(reason.threshold, reason.window_seconds)),
            "value": reason.value, "threshold": reason.threshold, "window_seconds": reason.window_seconds,
        })
    }

    /// What the model said, and what moved it.
    fn model(&self, used: coupon::decision::ModelUsed) -> Value {
        let zone = super::zone(self.state, self.found.merchant);
        let reasons = self.book.explain(&self.found.decision, zone, 5).into_iter().map(|reason| {
            let value = (!reason.value.is_nan()).then_some(reason.value);
            json!({"input": reason.input, "value": value, "points": reason.points})
        });
        json!({
            "id": coupon_api::dto::ruleset::model_id(used.number), "version": used.version, "score": used.score,
            "reasons": reasons.collect::<Vec<_>>(),
        })
    }

    fn rules(&self, basis: &Basis) -> Vec<Value> {
        let said = |set: u16, rule: u16| basis.outcomes.iter().find(|said| (said.set, said.rule) == (set, rule));
        let rules = self.book.rules().map(|(set, rule, used, it)| {
            let said = said(set, rule).map(|said| said.outcome);
            let outcome = match said {
                Some(RuleOutcome::Hit) if !used.live => "shadow",
                Some(outcome) => outcome_name(outcome),
                None => "no_hit",
            };
            let points = if said == Some(RuleOutcome::Hit) { it.score } else { 0 };
            let id = RuleSetId::new(PLATFORM, used.number).to_string();
            json!({"id": it.name, "ruleset_id": id, "version": used.version, "outcome": outcome, "points": points})
        });
        rules.collect()
    }

    /// What the sets in the shadow would have done.
    fn shadow(&self, basis: &Basis) -> Vec<Value> {
        let shadows = basis.sets.iter().enumerate().filter(|(_, used)| !used.live);
        let one = |(place, used): (usize, &coupon::decision::SetUsed)| {
            let hits = basis.outcomes.iter().filter(|said| usize::from(said.set) == place);
            let hits = hits.filter(|said| said.outcome == RuleOutcome::Hit);
            let rules: Vec<_> = hits.filter_map(|said| self.book.rule(place, usize::from(said.rule))).collect();
            let action = rules.iter().map(|rule| inline_risk::action_of(rule.action)).max().unwrap_or(Action::Allow);
            let score = rules.iter().map(|rule| u32::from(rule.score)).sum::<u32>().min(1_000);
            json!({"ruleset": RuleSetId::new(PLATFORM, used.number).to_string(), "version": used.version,
                "score": score, "action": action_name(action)})
        };
        shadows.map(one).collect()
    }
}

fn lists(basis: &Basis) -> Vec<Value> {
    let one = |hit: &coupon::decision::ListHit| {
        let id = coupon::id::ListId::new(hit.owner, hit.number).to_string();
        json!({"id": id, "version": LedgerRef(hit.version).to_string()})
    };
    basis.lists.iter().map(one).collect()
}

fn sets(basis: &Basis) -> Vec<Value> {
    let one = |used: &coupon::decision::SetUsed| {
        let id = RuleSetId::new(PLATFORM, used.number).to_string();
        json!({"id": id, "version": used.version, "mode": if used.live { "live" } else { "shadow" }})
    };
    basis.sets.iter().map(one).collect()
}
