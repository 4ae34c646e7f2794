//! Snoozes.

use coupon::fold::At;
use coupon::id::{LedgerRef, MerchantId, PLATFORM, RuleSetId, SnoozeId};
use coupon::snooze::{SnoozeRow, Snoozed};
use coupon::terms::Millis;
use http_api::time::format_ms;
use serde::Serialize;
use utoipa::ToSchema;

use crate::dto::case::{SubjectView, subject_view};

/// A snooze: one rule says nothing about one subject.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SnoozeView {
    /// `snz_...`
    pub id: String,
    /// At which merchant.
    pub merchant_id: String,
    /// The rule's name, behind `rls_.../` where it is meant in one set only.
    pub rule_id: String,
    /// For whom.
    pub subject: SubjectView,
    /// Not from here on.
    pub until: String,
    /// Why.
    pub reason: String,
    /// By which key.
    pub created_by: String,
    /// Since when.
    pub created_at: String,
    /// Whether the rule is silent.
    pub active: bool,
    /// Ended before its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// By which key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
}

/// The answer to the end of a snooze.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SnoozeEndedView {
    /// `snz_...`
    pub id: String,
    /// Always true.
    pub deleted: bool,
    /// When.
    pub ended_at: String,
    /// Its place in what happened.
    pub ledger_ref: String,
}

/// A snooze as it begins.
pub fn snooze_begun(merchant: MerchantId, what: &Snoozed, by: &str, at: At) -> SnoozeView {
    let (what, by, created_at) = (what.clone(), by.to_owned(), at.time);
    let row = SnoozeRow { version: at.sequence, what, by, created_at, ended: None };
    snooze_view(SnoozeId::new(merchant, at.sequence), &row, at.time)
}

/// A snooze that was ended.
pub fn snooze_ended(merchant: MerchantId, number: u64, at: At) -> SnoozeEndedView {
    SnoozeEndedView {
        id: SnoozeId::new(merchant, number).to_string(),
        deleted: true,
        ended_at: format_ms(at.time),
        ledger_ref: LedgerRef(at.sequence).to_string(),
    }
}

/// A snooze as it is.
pub fn snooze_view(id: SnoozeId, row: &SnoozeRow, now: Millis) -> SnoozeView {
    let what = &row.what;
    let rule_id = match what.ruleset {
        Some(ruleset) => format!("{}/{}", RuleSetId::new(PLATFORM, ruleset), what.rule),
        None => what.rule.clone(),
    };
    SnoozeView {
        id: id.to_string(),
        merchant_id: id.merchant.to_string(),
        rule_id,
        subject: subject_view(&what.subject),
        until: format_ms(what.until),
        reason: what.reason.clone(),
        created_by: row.by.clone(),
        created_at: format_ms(row.created_at),
        active: row.is_active(now),
        ended_at: row.ended.as_ref().map(|(at, _)| format_ms(*at)),
        ended_by: row.ended.as_ref().map(|(_, by)| by.clone()),
    }
}
