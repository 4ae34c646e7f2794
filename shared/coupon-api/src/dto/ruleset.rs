//! Rule sets.

use coupon::fold::At;
use coupon::id::{LedgerRef, ModelId, PLATFORM, RuleSetId};
use coupon::ruleset::{Proposed, RuleSetRow, RuleState, RuleStep, RuleVersion, RulesMoved, RulesPushed};
use http_api::time::format_ms;
use serde::Serialize;
use utoipa::ToSchema;

/// What a version is called while a step of it waits for another's approval.
pub const PENDING: &str = "pending_approval";

/// A rule set with its versions, the newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RuleSetView {
    /// `rls_...`
    pub id: String,
    /// As analysts call it.
    pub name: String,
    /// When.
    pub created_at: String,
    /// The version that is live, if one is.
    pub live_version: Option<u64>,
    /// Without their texts.
    pub versions: Vec<RuleVersionView>,
}

/// A version of a rule set.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RuleVersionView {
    /// `rls_...`, of the set.
    pub id: String,
    /// Counted from 1.
    pub version: u64,
    /// `draft`, `shadow`, `live`, `paused`, `retired`, or `pending_approval`.
    pub state: &'static str,
    /// Where it is while it waits for approval too.
    pub current_state: &'static str,
    /// Since when it is there.
    pub since: String,
    /// The step that waits for approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposed: Option<ProposedView>,
    /// The rules; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Why it was pushed.
    pub comment: String,
    /// By which key.
    pub created_by: String,
    /// When.
    pub created_at: String,
}

/// A step that waits for approval.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProposedView {
    /// Where the version shall go.
    pub to: &'static str,
    /// Who proposed it.
    pub by: String,
    /// Why.
    pub comment: String,
    /// When.
    pub at: String,
}

/// The answer to a push.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RulesPushedView {
    /// `rls_...`
    pub id: String,
    /// Which version it became.
    pub version: u64,
    /// `draft`.
    pub state: &'static str,
    /// When.
    pub created_at: String,
    /// Its place in what happened.
    pub ledger_ref: String,
}

/// The answer to a step.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RulesMovedView {
    /// `rls_...`
    pub id: String,
    /// Which version.
    pub version: u64,
    /// What it is now; `pending_approval` where another has to approve.
    pub state: &'static str,
    /// Where it is while it waits for approval too.
    pub current_state: &'static str,
    /// Its place in what happened.
    pub ledger_ref: String,
}

/// The id of a rule set.
pub fn ruleset_id(number: u64) -> String {
    RuleSetId::new(PLATFORM, number).to_string()
}

/// The id of a model, which has the life of a rule set.
pub fn model_id(number: u64) -> String {
    ModelId::new(PLATFORM, number).to_string()
}

/// What a push came to.
pub fn rules_pushed(id: fn(u64) -> String, pushed: &RulesPushed, version: u64, at: At) -> RulesPushedView {
    RulesPushedView {
        id: id(pushed.ruleset.unwrap_or(at.sequence)),
        version,
        state: RuleState::Draft.name(),
        created_at: format_ms(at.time),
        ledger_ref: LedgerRef(at.sequence).to_string(),
    }
}

/// What a step came to; the number is that of the state in which the version is.
pub fn rules_moved(id: fn(u64) -> String, moved: &RulesMoved, number: u64, at: At) -> RulesMovedView {
    let current_state = RuleState::numbered(number).map_or("unknown", RuleState::name);
    let waits = matches!(moved.step, RuleStep::Submit(to) if to != RuleState::Shadow);
    RulesMovedView {
        id: id(moved.ruleset),
        version: u64::from(moved.version),
        state: if waits { PENDING } else { current_state },
        current_state,
        ledger_ref: LedgerRef(at.sequence).to_string(),
    }
}

/// A version as it is.
pub fn version_view(id: String, number: u64, version: &RuleVersion, with_text: bool) -> RuleVersionView {
    let proposed = |proposed: &Proposed| ProposedView {
        to: proposed.to.name(),
        by: proposed.by.clone(),
        comment: proposed.comment.clone(),
        at: format_ms(proposed.at),
    };
    RuleVersionView {
        id,
        version: number,
        state: if version.proposed.is_some() { PENDING } else { version.state.name() },
        current_state: version.state.name(),
        since: format_ms(version.since),
        proposed: version.proposed.as_ref().map(proposed),
        text: with_text.then(|| version.text.clone()),
        comment: version.comment.clone(),
        created_by: version.by.clone(),
        created_at: format_ms(version.created_at),
    }
}

/// A set as it is.
pub fn ruleset_view(id: fn(u64) -> String, number: u64, row: &RuleSetRow) -> RuleSetView {
    let numbered: Vec<(u64, &RuleVersion)> = (1..).zip(&row.versions).collect();
    let live = numbered.iter().find(|(_, version)| version.state == RuleState::Live);
    RuleSetView {
        id: id(number),
        name: row.name.clone(),
        created_at: format_ms(row.created_at),
        live_version: live.map(|(n, _)| *n),
        versions: numbered.iter().rev().map(|(n, version)| version_view(id(number), *n, version, false)).collect(),
    }
}
