//! Penalties, their ladder, appeals and risk settings.

use coupon::appeal::{About, AppealResolved, AppealRow};
use coupon::id::{AppealId, DecisionId, MerchantId, PenaltyId};
use coupon::penalty::{Ladder, PenaltyRow, PenaltyStep, Sanctioned};
use coupon::risk_settings::{Kept, RiskSettings, Set};
use coupon::terms::Millis;
use http_api::auth::Suspension;
use http_api::time::format_ms;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A penalty.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PenaltyView {
    /// `pen_...`; null in a preview.
    pub id: Option<String>,
    /// `mer_...`
    pub merchant_id: String,
    /// For what.
    pub violation: String,
    /// The how manieth time, counted from 1, without those that were lifted.
    pub offence: u32,
    /// `takedown`, `ban`, `freeze`, `permanent`, `api_off` or `blacklist`.
    pub sanction: &'static str,
    /// `proposed`, `active`, `lifted` or `expired`.
    pub state: &'static str,
    /// For how long; null where until it is lifted.
    pub duration_seconds: Option<u32>,
    /// Since when it bites.
    pub active_since: Option<String>,
    /// The first moment after it.
    pub ends_at: Option<String>,
    /// What shows it.
    pub evidence: Vec<Value>,
    /// Which key imposed it; for analysts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// When.
    pub created_at: String,
    /// Who approved it, where one had to; for analysts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_reason: Option<String>,
    /// When it was lifted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifted_at: Option<String>,
    /// By which key; for analysts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifted_by: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lift_reason: Option<String>,
    /// Of a live merchant.
    pub livemode: bool,
}

/// An appeal.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AppealView {
    /// `apl_...`
    pub id: String,
    /// `mer_...`
    pub merchant_id: String,
    /// `pen_...`, where it is about one.
    pub penalty_id: Option<String>,
    /// `dec_...`, where it is about one.
    pub decision_id: Option<String>,
    /// The penalty's.
    pub violation: Option<String>,
    /// `open`, `granted` or `denied`.
    pub state: &'static str,
    /// What the merchant says.
    pub statement: String,
    /// What shows it.
    pub evidence: Vec<Value>,
    /// Which of the merchant's keys made it.
    pub created_by: String,
    /// When.
    pub created_at: String,
    /// When it is to be decided by.
    pub due_at: String,
    /// When it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<String>,
    /// Why so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// By which key; for analysts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_by: Option<String>,
    /// Of a live merchant.
    pub livemode: bool,
}

/// The answer to the end of an appeal.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AppealResolvedView {
    /// The appeal.
    #[serde(flatten)]
    pub appeal: AppealView,
    /// The penalty as it is now; null where the appeal is about a decision.
    pub penalty: Option<PenaltyView>,
    /// Labels that came of it, each of one decision.
    pub labels: Vec<AppealLabelView>,
}

/// A label that an appeal's outcome sets.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AppealLabelView {
    /// `dec_...`
    pub decision_id: String,
    /// `honest` where the appeal was granted, `fraud` where not.
    pub label: &'static str,
    /// Of which kind.
    pub kind: Option<String>,
    /// `appeal`.
    pub source: &'static str,
}

/// A rung of the ladder.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RungView {
    /// Which violation.
    pub violation: String,
    /// From this offence on.
    pub offence: u32,
    /// What is done.
    pub sanction: &'static str,
    /// For how long; null where until it is lifted.
    pub duration_seconds: Option<u32>,
}

/// The ladder.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LadderView {
    /// By violation and offence.
    pub rungs: Vec<RungView>,
    /// Days in which an appeal is to be decided.
    pub appeal_days: u16,
    /// Names what is set; 0 while nothing was.
    pub version: u64,
    /// By which key.
    pub updated_by: Option<String>,
    /// When.
    pub updated_at: Option<String>,
}

/// A merchant's risk settings.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RiskSettingsView {
    /// `mer_...`
    pub merchant_id: String,
    /// The share of a day's attempts that may be blocked or reviewed, in basis points.
    pub abnormal_share_bp: u16,
    /// From how many attempts a day that share counts.
    pub minimum_volume: u32,
    /// The highest order that goes through while risk cannot be judged, minor units.
    pub degraded_value_limit: i64,
    /// Attempts of a device per second; null as everywhere.
    pub device_per_second: Option<u32>,
    /// Attempts of a device at once.
    pub device_burst: Option<u32>,
    /// Attempts of an address per second.
    pub ip_per_second: Option<u32>,
    /// Attempts of an address at once.
    pub ip_burst: Option<u32>,
    /// What is to be reviewed waits until somebody has.
    pub review_holds: bool,
    /// Names what is set; 0 while nothing was.
    pub version: u64,
    /// By which key.
    pub updated_by: Option<String>,
    /// When.
    pub updated_at: Option<String>,
}

fn evidence(texts: &[String]) -> Vec<Value> {
    texts.iter().map(|text| serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into())).collect()
}

/// A penalty as it is at a time.
pub fn penalty_view(id: PenaltyId, row: &PenaltyRow, now: Millis, livemode: bool) -> PenaltyView {
    let imposed = &row.imposed;
    PenaltyView {
        id: Some(id.to_string()),
        merchant_id: id.merchant.to_string(),
        violation: imposed.violation.clone(),
        offence: imposed.offence,
        sanction: imposed.sanction.name(),
        state: row.state_at(now).name(),
        duration_seconds: imposed.duration_seconds,
        active_since: row.active_since.map(format_ms),
        ends_at: row.ends_at.map(format_ms),
        evidence: evidence(&imposed.evidence),
        created_by: Some(imposed.by.clone()),
        created_at: format_ms(row.created_at),
        approved_by: row.approved.as_ref().map(|approved| approved.by.clone()),
        approval_reason: row.approved.as_ref().map(|approved| approved.reason.clone()),
        lifted_at: row.lifted.as_ref().map(|lifted| format_ms(lifted.at)),
        lifted_by: row.lifted.as_ref().map(|lifted| lifted.by.clone()),
        lift_reason: row.lifted.as_ref().map(|lifted| lifted.reason.clone()),
        livemode,
    }
}

/// A penalty as a step of it leaves it, if the step is one that can be taken.
pub fn penalty_after(id: PenaltyId, step: &PenaltyStep, at: Millis, livemode: bool) -> Option<PenaltyView> {
    let (number, row) = match step {
        PenaltyStep::Imposed(imposed) => (id.number, PenaltyRow::new(imposed.clone(), id.number, at)),
        PenaltyStep::Moved(moved) => (moved.penalty, moved.was.after(&moved.act, &moved.by, at).ok()?),
    };
    Some(penalty_view(PenaltyId::new(id.merchant, number), &row, at, livemode))
}

/// An appeal as it is.
pub fn appeal_view(merchant: MerchantId, row: &AppealRow, livemode: bool) -> AppealView {
    let (penalty, decision) = match row.made.about {
        About::Penalty(number) => (Some(number), None),
        About::Decision(number) => (None, Some(number)),
    };
    let resolved = row.resolved.as_ref();
    AppealView {
        id: AppealId::new(merchant, row.number).to_string(),
        merchant_id: merchant.to_string(),
        penalty_id: penalty.map(|number| PenaltyId::new(merchant, number).to_string()),
        decision_id: decision.map(|number| DecisionId::new(merchant, number).to_string()),
        violation: row.made.violation.clone(),
        state: row.state(),
        statement: row.made.statement.clone(),
        evidence: evidence(&row.made.evidence),
        created_by: row.made.by.clone(),
        created_at: format_ms(row.created_at),
        due_at: format_ms(row.due_at()),
        resolved_at: resolved.map(|(_, at)| format_ms(*at)),
        reason: resolved.map(|(resolution, _)| resolution.reason.clone()),
        resolved_by: resolved.map(|(resolution, _)| resolution.by.clone()),
        livemode,
    }
}

/// An appeal and its penalty as the outcome leaves them; labels come beside it.
pub fn resolved_view(merchant: MerchantId, it: &AppealResolved, at: Millis, livemode: bool) -> AppealResolvedView {
    let row = it.was.resolved(&it.resolution, at);
    let act = coupon::penalty::Act::Lift(it.resolution.reason.clone());
    let penalty = it.penalty.as_ref().map(|was| {
        let lifted = it.resolution.granted.then(|| was.after(&act, &it.resolution.by, at).ok()).flatten();
        let id = PenaltyId::new(merchant, it.was.made.about.number());
        penalty_view(id, lifted.as_ref().unwrap_or(was), at, livemode)
    });
    AppealResolvedView { appeal: appeal_view(merchant, &row, livemode), penalty, labels: Vec::new() }
}

/// The ladder in force.
pub fn ladder_view(kept: Option<&Kept<Ladder>>) -> LadderView {
    let ladder = kept.map_or_else(Ladder::default, |kept| kept.set.value.clone());
    let rung = |rung: coupon::penalty::Rung| RungView {
        violation: rung.violation,
        offence: rung.offence,
        sanction: rung.sanction.name(),
        duration_seconds: rung.duration_seconds,
    };
    LadderView {
        rungs: ladder.rungs.into_iter().map(rung).collect(),
        appeal_days: ladder.appeal_days,
        version: kept.map_or(0, |kept| kept.version),
        updated_by: kept.map(|kept| kept.set.by.clone()),
        updated_at: kept.map(|kept| format_ms(kept.at)),
    }
}

/// The settings in force.
pub fn settings_view(merchant: MerchantId, kept: Option<&Kept<RiskSettings>>) -> RiskSettingsView {
    let settings = kept.map_or_else(RiskSettings::default, |kept| kept.set.value);
    RiskSettingsView {
        merchant_id: merchant.to_string(),
        abnormal_share_bp: settings.abnormal_share_bp,
        minimum_volume: settings.minimum_volume,
        degraded_value_limit: settings.degraded_value_limit,
        device_per_second: settings.device_per_second,
        device_burst: settings.device_burst,
        ip_per_second: settings.ip_per_second,
        ip_burst: settings.ip_burst,
        review_holds: settings.review_holds,
        version: kept.map_or(0, |kept| kept.version),
        updated_by: kept.map(|kept| kept.set.by.clone()),
        updated_at: kept.map(|kept| format_ms(kept.at)),
    }
}

/// What was set, as the record with this sequence and time leaves it.
pub fn kept<T: Clone>(set: &Set<T>, sequence: u64, at: Millis) -> Kept<T> {
    Kept { version: sequence, at, set: set.clone() }
}

/// A sanction as callers are told of it.
pub fn suspension(merchant: MerchantId, by: &Sanctioned) -> Suspension {
    Suspension {
        penalty_id: PenaltyId::new(merchant.real(), by.penalty).to_string(),
        sanction: by.sanction.name(),
        ends_at_ms: by.ends_at,
    }
}

impl PenaltyView {
    /// As the merchant sees it: what, why and until when, and not which people are behind it.
    #[must_use]
    pub fn for_merchant(self) -> Self {
        Self { created_by: None, approved_by: None, lifted_by: None, ..self }
    }
}

impl AppealView {
    /// As the merchant sees it.
    #[must_use]
    pub fn for_merchant(self) -> Self {
        Self { resolved_by: None, ..self }
    }
}
