//! Which decisions of a list are wanted.

use coupon::decision::{Action, Asked};
use inline_risk::Decided;
use serde::Deserialize;

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Filter {
    pub(super) subject: Option<String>,
    pub(super) action: Option<Wanted>,
    pub(super) event: Option<WantedEvent>,
    pub(super) rule: Option<String>,
    pub(super) merchant_id: Option<String>,
    pub(super) stock_id: Option<String>,
    pub(super) degraded: Option<bool>,
    pub(super) label: Option<WantedLabel>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::api) enum Wanted {
    Allow,
    Review,
    Challenge,
    Block,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WantedEvent {
    Claim,
    Lock,
    Redemption,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WantedLabel {
    Fraud,
    Honest,
    None,
}

impl WantedLabel {
    /// Whether fraud; nothing where it shall have no label.
    fn label(self) -> Option<bool> {
        match self {
            Self::Fraud => Some(true),
            Self::Honest => Some(false),
            Self::None => None,
        }
    }
}

impl Wanted {
    pub(in crate::api) fn action(self) -> Action {
        match self {
            Self::Allow => Action::Allow,
            Self::Review => Action::Review,
            Self::Challenge => Action::Challenge,
            Self::Block => Action::Block,
        }
    }
}

impl WantedEvent {
    fn asked(self) -> Asked {
        match self {
            Self::Claim => Asked::Claim,
            Self::Lock => Asked::Lock,
            Self::Redemption => Asked::Redemption,
        }
    }
}

impl Filter {
    /// Whether a decision, with the label that stands, is.
    pub(super) fn fits(&self, decided: &Decided, label: Option<bool>) -> bool {
        let Decided { decision, .. } = decided;
        self.action.is_none_or(|wanted| decision.action == wanted.action())
            && self.event.is_none_or(|wanted| decided.asked == wanted.asked())
            && self.degraded.is_none_or(|wanted| decision.degraded == wanted)
            && self.label.is_none_or(|wanted| label == wanted.label())
            && self.rule.as_ref().is_none_or(|rule| decision.reasons.iter().any(|reason| reason.code == *rule))
    }
}
