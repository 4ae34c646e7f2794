//! Something that happened, as queries see it.

use coupon::decision::{Action, Asked, Decision, REFUSED};
use coupon::event::Pseudonym;
use coupon::id::{MerchantId, StockId, StoreId};
use coupon_api::dto::answer::action_name;
use inline_risk::{Decided, Past, SignalKind, What};
use risk::query::Field;

use crate::api::marks::{Labels, label_name};

/// An event.
#[derive(Clone, Copy)]
pub(super) struct Event<'a> {
    pub(super) merchant: MerchantId,
    /// The decision, where it left one.
    pub(super) decided: Option<&'a Decided>,
    pub(super) device: Option<Pseudonym>,
    pub(super) ip: Option<Pseudonym>,
    pub(super) user: Option<Pseudonym>,
    /// For what it was refused.
    pub(super) code: Option<&'static str>,
}

/// A value that events are told apart by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Group {
    /// One of a few words.
    Word(&'static str),
    /// A name.
    Text(String),
    /// Somebody or something at a merchant.
    Of(MerchantId, Pseudonym),
}

impl<'a> Event<'a> {
    /// What happened, if it is one of the things that are asked for.
    pub(super) fn of(past: &'a Past) -> Option<Self> {
        let merchant = past.merchant;
        match &past.what {
            What::Decided(decided) => {
                let Decision { device, ip, action, .. } = decided.decision;
                let refused = !decided.done && decided.number & REFUSED != 0;
                let code = refused.then_some(match action {
                    Action::Challenge => "challenge_required",
                    Action::Review => "risk_review",
                    Action::Allow | Action::Block => "risk_blocked",
                });
                Some(Self { merchant, decided: Some(decided), device, ip, user: decided.who.user, code })
            }
            What::Refused { signal, .. } => {
                let code = match signal.kind {
                    SignalKind::Limited => "limited",
                    SignalKind::WrongCode => "coupon_not_found",
                };
                let (device, ip, user) = (signal.device, signal.ip, signal.user);
                Some(Self { merchant, decided: None, device, ip, user, code: Some(code) })
            }
            What::Labelled(_) => None,
        }
    }

    /// What was tried.
    pub(super) fn tried(&self) -> Option<&'static str> {
        let decided = self.decided?;
        if !decided.done && self.code.is_none() {
            return Some("decision");
        }
        Some(match decided.asked {
            Asked::Claim => "claim",
            Asked::Lock => "lock",
            Asked::Redemption => "redemption",
        })
    }

    /// The label that stands, if there is one.
    pub(super) fn label(&self, labels: &Labels) -> Option<bool> {
        labels.get(&(self.merchant, self.decided?.number)).copied()
    }

    /// The order's amount, minor units; claims have none.
    pub(super) fn amount(&self) -> Option<i64> {
        let decided = self.decided?;
        (decided.asked != Asked::Claim).then_some(decided.amount)
    }

    /// Points, 0 where nothing was evaluated.
    pub(super) fn score(&self) -> i64 {
        let basis = self.decided.and_then(|decided| decided.decision.basis.as_deref());
        basis.map_or(0, |basis| i64::from(basis.score))
    }

    /// The values of a field: most have one or none, rules as many as hit.
    pub(super) fn groups(&self, field: Field, labels: &Labels) -> Vec<Group> {
        let decision = self.decided.map(|decided| &decided.decision);
        let who = self.decided.map(|decided| decided.who).unwrap_or_default();
        let of = |pseudonym: Option<Pseudonym>| pseudonym.map(|it| Group::Of(self.merchant, it)).into_iter().collect();
        let text = |text: Option<String>| text.map(Group::Text).into_iter().collect();
        let word = |word: Option<&'static str>| word.map(Group::Word).into_iter().collect();
        match field {
            Field::Kind => word(if self.code.is_some() { Some("refusal") } else { self.tried() }),
            Field::Action => word(decision.map(|decision| action_name(decision.action))),
            Field::Code => word(self.code),
            Field::Label => word(Some(self.label(labels).map_or("none", label_name))),
            Field::Degraded => word(decision.map(|decision| if decision.degraded { "yes" } else { "no" })),
            Field::Rule => {
                let reasons = decision.into_iter().flat_map(|decision| &decision.reasons);
                reasons.map(|reason| Group::Text(reason.code.clone())).collect()
            }
            Field::Stock => text(who.stock.map(|stock| StockId::new(self.merchant, stock).to_string())),
            Field::Store => text(who.store.map(|store| StoreId::new(self.merchant.real(), store).to_string())),
            Field::Merchant => text(Some(self.merchant.real().to_string())),
            Field::Device => of(self.device),
            Field::User => of(self.user),
            Field::Ip => of(self.ip),
            Field::Cashier => of(who.cashier),
            Field::Score | Field::Amount => Vec::new(),
        }
    }
}

impl Group {
    /// As answers spell it; what stands for somebody in hex.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Word(word) => (*word).to_owned(),
            Self::Text(text) => text.clone(),
            Self::Of(_, pseudonym) => hex::encode(pseudonym),
        }
    }
}
