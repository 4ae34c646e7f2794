//! Appeals: made by a merchant's admins, decided by a lead who did not impose the penalty.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use coupon::appeal::{About, AppealRow, Resolution};
use coupon::command::{Appeal, Command, Resolve};
use coupon::id::{AppealId, DecisionId, MerchantId, PenaltyId};
use coupon::state::Read;
use coupon_api::dto::penalty::{AppealResolvedView, AppealView, appeal_view};
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::List;
use http_api::problem::{Code, Problem};
use projection::index::List as Index;
use projection::ledger::Ledger;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use super::penalties::{decision_exists, evidence};
use super::{RiskApi, penalised, settings};

#[derive(OpenApi)]
#[openapi(paths(make, list, stats, read, resolve))]
pub(super) struct Document;

pub(super) fn router() -> Router<RiskApi> {
    Router::new()
        .route("/v1/risk/appeals", post(make).get(list))
        .route("/v1/risk/appeals/stats", get(stats))
        .route("/v1/risk/appeals/{id}", get(read))
        .route("/v1/risk/appeals/{id}/resolve", post(resolve))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AppealRequest {
    /// `pen_...`; this or `decision_id`.
    penalty_id: Option<String>,
    /// `dec_...`
    decision_id: Option<String>,
    /// What there is to say.
    statement: String,
    /// What shows it: texts or objects.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    evidence: Vec<Value>,
}

/// Appeal against a penalty, or a decision
///
/// By the merchant's admins. One appeal about the same is open at a time.
#[utoipa::path(post, path = "/v1/risk/appeals", tag = "Risk", request_body = AppealRequest,
    responses((status = 201, body = AppealView)))]
pub(super) async fn make(State(state): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Admin])?;
    let merchant = call.merchant()?;
    let parsed = call.parse::<AppealRequest>()?;
    let body = parsed.body;
    Check::new()
        .present("/penalty_id", body.penalty_id.is_some() || body.decision_id.is_some())
        .field("/decision_id", body.penalty_id.is_none() || body.decision_id.is_none(), "excludes penalty_id")
        .length("/statement", &body.statement, 1..=4_000)
        .done()?;
    let evidence = evidence(&body.evidence)?;
    let about = if let Some(id) = body.penalty_id {
        let id = id.parse::<PenaltyId>().ok().filter(|id| id.merchant == merchant);
        About::Penalty(id.ok_or_else(|| Problem::of(Code::PenaltyNotFound).pointer("/penalty_id"))?.number)
    } else {
        let id = body.decision_id.and_then(|id| id.parse::<DecisionId>().ok()).filter(|id| id.merchant == merchant);
        let id = id.ok_or_else(|| Problem::of(Code::DecisionNotFound).pointer("/decision_id"))?;
        decision_exists(&state, id, "/decision_id").await?;
        About::Decision(id.number)
    };
    let due_days = settings::ladder(&state).await?.appeal_days;
    let by = call.caller.key_id.to_string();
    let appeal = Appeal { about, statement: body.statement, evidence, due_days, by };
    state.backend.write(&call, merchant, parsed.fingerprint, Command::Appeal(Box::new(appeal))).await
}

/// Analysts see who decided, the merchant does not.
fn shown(state: &RiskApi, call: &Call, merchant: MerchantId, row: &AppealRow) -> AppealView {
    let view = appeal_view(merchant, row, state.backend.livemode(call, merchant));
    if call.caller.role.covers(Role::Analyst) { view } else { view.for_merchant() }
}

/// An appeal by its own number: the last one about something lies under that one's number too.
fn row(ledger: &Ledger, merchant: MerchantId, number: u64) -> Option<&Arc<AppealRow>> {
    ledger.of(merchant).appeal(merchant, number).filter(|row| row.number == number)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    merchant_id: Option<String>,
    state: Option<String>,
}

/// List appeals, newest first
///
/// A merchant's admins see their own.
#[utoipa::path(get, path = "/v1/risk/appeals", tag = "Risk",
    params(("merchant_id" = Option<String>, Query), ("state" = Option<String>, Query),
        ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query), ("from" = Option<String>, Query),
        ("until" = Option<String>, Query)),
    responses((status = 200, body = List<AppealView>)))]
pub(super) async fn list(State(state): State<RiskApi>, call: Call) -> Result<List<AppealView>, Problem> {
    call.require(&[Role::Analyst, Role::Admin])?;
    let (Filter { merchant_id, state: in_state }, asked) = call.list()?;
    let known = in_state.as_deref().is_none_or(|name| ["open", "granted", "denied"].contains(&name));
    Check::new().field("/query/state", known, "must be open, granted or denied").done()?;
    let of = penalised::whose(&call, merchant_id.as_deref())?;
    let wanted = move |ledger: &Ledger, merchant: MerchantId, number, _| {
        let row = row(ledger, merchant, number)?;
        in_state.as_deref().is_none_or(|name| row.state() == name).then(|| (row.created_at, row.clone()))
    };
    let (found, _) = penalised::page(&state, of, Index::Appeals, asked, wanted).await?;
    let data = found.data.iter().map(|it| shown(&state, &call, it.merchant, &it.row)).collect();
    Ok(List { data, next_cursor: found.next_cursor })
}

/// What became of appeals.
#[derive(Clone, Copy, Default, Serialize, ToSchema)]
pub(super) struct AppealOutcomes {
    /// Not decided yet.
    open: u64,
    /// The merchant was right.
    granted: u64,
    /// It was not.
    denied: u64,
    /// The share of the decided ones that were granted; null while none is.
    success_rate: Option<f64>,
}

/// What became of the appeals about a violation.
#[derive(Serialize, ToSchema)]
pub(super) struct AppealViolationStats {
    /// Which.
    violation: String,
    #[serde(flatten)]
    outcomes: AppealOutcomes,
}

/// What became of appeals.
#[derive(Serialize, ToSchema)]
pub(super) struct AppealStatsView {
    /// Against penalties, per violation.
    data: Vec<AppealViolationStats>,
    /// Against decisions.
    decisions: AppealOutcomes,
}

impl AppealOutcomes {
    fn count(&mut self, row: &AppealRow) {
        match &row.resolved {
            None => self.open += 1,
            Some((resolution, _)) if resolution.granted => self.granted += 1,
            Some(_) => self.denied += 1,
        }
    }

    fn rated(self) -> Self {
        let decided = self.granted + self.denied;
        Self { success_rate: (decided > 0).then(|| self.granted as f64 / decided as f64), ..self }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    merchant_id: Option<String>,
}

/// What became of appeals, per violation
#[utoipa::path(get, path = "/v1/risk/appeals/stats", tag = "Risk",
    params(("merchant_id" = Option<String>, Query)), responses((status = 200, body = AppealStatsView)))]
pub(super) async fn stats(State(state): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let of = penalised::whose(&call, call.query_as::<Whose>()?.merchant_id.as_deref())?;
    let read = move |ledger: &Ledger, merchant, number| row(ledger, merchant, number).cloned();
    let rows = state
        .backend
        .look(of.unwrap_or(coupon::id::PLATFORM), move |_, ledger, _| penalised::rows(ledger, of, Index::Appeals, read))
        .await?;
    let (mut by_violation, mut decisions) = (BTreeMap::<String, AppealOutcomes>::new(), AppealOutcomes::default());
    for found in &rows {
        match &found.row.made.violation {
            Some(violation) => by_violation.entry(violation.clone()).or_default().count(&found.row),
            None => decisions.count(&found.row),
        }
    }
    let one = |(violation, outcomes): (String, AppealOutcomes)| AppealViolationStats {
        violation,
        outcomes: outcomes.rated(),
    };
    Answer::ok(&AppealStatsView { data: by_violation.into_iter().map(one).collect(), decisions: decisions.rated() })
}

/// The appeal that a path names, if the caller may know of it.
fn of_path(call: &Call, path: &Segment) -> Result<AppealId, Problem> {
    let id: AppealId = path.id(Code::AppealNotFound)?;
    if call.sees(id.merchant) { Ok(id) } else { Err(Problem::of(Code::AppealNotFound)) }
}

/// Read an appeal
#[utoipa::path(get, path = "/v1/risk/appeals/{id}", tag = "Risk", params(("id" = String, Path)),
    responses((status = 200, body = AppealView)))]
pub(super) async fn read(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst, Role::Admin])?;
    let id = of_path(&call, &path)?;
    let found =
        state.backend.look(id.merchant, move |_, ledger, _| row(ledger, id.merchant, id.number).cloned()).await?;
    let found = found.ok_or_else(|| Problem::of(Code::AppealNotFound))?;
    Answer::ok(&shown(&state, &call, id.merchant, &found))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResolveAppealRequest {
    /// `granted` or `denied`.
    outcome: AppealOutcome,
    /// Why; the merchant reads it.
    reason: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum AppealOutcome {
    Granted,
    Denied,
}

/// Decide an appeal
///
/// By a lead who did not impose the penalty. Granted, the penalty is lifted at once. Either way the decisions that it
/// rests on are labelled, honest or fraud, with the source `appeal`.
#[utoipa::path(post, path = "/v1/risk/appeals/{id}/resolve", tag = "Risk", params(("id" = String, Path)),
    request_body = ResolveAppealRequest, responses((status = 200, body = AppealResolvedView)))]
pub(super) async fn resolve(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::AnalystLead])?;
    let parsed = call.parse::<ResolveAppealRequest>()?;
    let ResolveAppealRequest { outcome, reason } = parsed.body;
    Check::new().length("/reason", &reason, 1..=2_000).done()?;
    let id = of_path(&call, &path)?;
    let by = call.caller.key_id.to_string();
    let resolution = Resolution { granted: outcome == AppealOutcome::Granted, reason, by };
    let command = Command::ResolveAppeal(Box::new(Resolve { appeal: id.number, resolution }));
    state.backend.write(&call, id.merchant, parsed.fingerprint, command).await
}
