//! Steps of cases: one works on a case at a time.

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use coupon::case::{CaseOutcome, CaseState, CaseStep, CaseStepped, Closing, Priority};
use coupon::command::Command;
use coupon::id::{CaseId, DecisionId, MerchantId, PLATFORM};
use coupon::state::{Read, RequestOutcome, live_request};
use coupon::terms::Millis;
use coupon_api::dto::case::{CaseStepView, CaseView};
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::problem::{Code, Problem};
use http_api::time::Timestamp;
use projection::index::List as Index;
use projection::ledger::Ledger;
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

use super::across::{merchants, seen};
use super::cases::{case_id, read};
use super::{RiskApi, decided};

/// Cases that are tried for one call, of which others were faster.
const TRIES: usize = 20;
/// Coupons that one close voids at most.
const MOST_VOIDS: usize = 1_000;

#[derive(OpenApi)]
#[openapi(paths(next, claim, release, snooze, escalate, note, reopen, undo, close))]
pub(super) struct Document;

pub(super) fn router() -> Router<RiskApi> {
    let step = |name: &str| format!("/v1/risk/cases/{{id}}/{name}");
    Router::new()
        .route("/v1/risk/cases/next", post(next))
        .route(&step("claim"), post(claim))
        .route(&step("release"), post(release))
        .route(&step("snooze"), post(snooze))
        .route(&step("escalate"), post(escalate))
        .route(&step("notes"), post(note))
        .route(&step("reopen"), post(reopen))
        .route(&step("undo"), post(undo))
        .route(&step("close"), post(close))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NextRequest {
    /// Only of this queue.
    queue: Option<String>,
    /// Only of this merchant.
    merchant_id: Option<String>,
}

/// Take the most urgent case
///
/// The open one of the highest priority that is due first, which is the caller's for fifteen minutes then. 204 where there is none.
#[utoipa::path(post, path = "/v1/risk/cases/next", tag = "Risk", request_body = NextRequest,
    responses((status = 200, body = CaseView), (status = 204, description = "No case is open.")))]
pub(super) async fn next(State(state): State<RiskApi>, call: Call) -> Result<Response, Problem> {
    call.require(&[Role::Analyst])?;
    let parsed = call.parse_optional::<NextRequest>()?;
    let one = seen(&call, parsed.body.merchant_id.as_deref())?;
    if let Some(merchant) = used_at(&state, &call, one).await?
        && let Some(first) = state.backend.repeated(&call, merchant, parsed.fingerprint).await?
    {
        return Ok(first.into_response());
    }
    let mut tried: BTreeSet<(MerchantId, u64)> = BTreeSet::new();
    let mut taken = None;
    while tried.len() < TRIES {
        let (queue, but) = (parsed.body.queue.clone(), tried.clone());
        let urgent = state.backend.look(PLATFORM, move |_, ledger, now| {
            most_urgent(ledger, &merchants(ledger, one), now, |id, of| {
                !but.contains(&id) && queue.as_ref().is_none_or(|queue| queue == of)
            })
        });
        let Some(id) = urgent.await? else { break };
        tried.insert((id.merchant, id.number));
        match write(&state, &call, id, (CaseStep::Claim(Box::default()), parsed.fingerprint)).await {
            Err(problem) if matches!(problem.code, Code::CaseClaimed | Code::CaseClosed) => taken = Some(problem),
            other => return other.map(IntoResponse::into_response),
        }
    }
    taken.map_or_else(|| Ok(axum::http::StatusCode::NO_CONTENT.into_response()), Err)
}

/// At which merchant the call's key was used; the case that it got tells, and may be any merchant's.
async fn used_at(state: &RiskApi, call: &Call, one: Option<MerchantId>) -> Result<Option<MerchantId>, Problem> {
    let Some(key) = call.idempotency_key.clone() else { return Ok(None) };
    let secrets = state.backend.secrets.clone();
    let look = move |ledger: &Ledger, now: Millis| {
        let has_cases = |merchant: &MerchantId| !ledger.index.list(*merchant, Index::Cases).is_empty();
        let used = |merchant: &MerchantId| {
            let key = secrets.request_key(*merchant, key.as_str());
            let row = live_request(ledger.of(*merchant), merchant.shard(), key, now);
            row.is_some_and(|row| row.outcome != RequestOutcome::Open)
        };
        merchants(ledger, one).into_iter().filter(has_cases).find(used)
    };
    state.backend.look(PLATFORM, move |_, ledger, now| look(ledger, now)).await
}

fn most_urgent(
    ledger: &Ledger,
    merchants: &[MerchantId],
    now: Millis,
    wanted: impl Fn((MerchantId, u64), &str) -> bool,
) -> Option<CaseId> {
    let numbers = |merchant: &MerchantId| {
        let merchant = *merchant;
        ledger.index.list(merchant, Index::OpenCases).iter().map(move |number| (merchant, *number))
    };
    let open = merchants.iter().flat_map(numbers).filter_map(|(merchant, number)| {
        let (row, now) = read(ledger, merchant, number, now)?;
        let is_open = row.stage.at(now) == CaseState::Open && wanted((merchant, number), &row.facts.queue);
        is_open.then_some((row.facts.priority != Priority::High, row.facts.due_at, merchant, number))
    });
    open.min().map(|(_, _, merchant, number)| CaseId::new(merchant, number))
}

async fn write(
    state: &RiskApi,
    call: &Call,
    id: CaseId,
    (step, fingerprint): (CaseStep, [u8; 16]),
) -> Result<Answer, Problem> {
    step_with(state, call, id, (step, Vec::new(), fingerprint)).await
}

async fn step_with(
    state: &RiskApi,
    call: &Call,
    id: CaseId,
    (step, voids, fingerprint): (CaseStep, Vec<u64>, [u8; 16]),
) -> Result<Answer, Problem> {
    let stepped = CaseStepped { case: id.number, by: call.caller.key_id.to_string(), step };
    let command = Command::StepCase(Box::new(stepped), voids);
    state.backend.write(call, id.merchant, fingerprint, command).await
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Nothing {}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    /// Why.
    pub(super) reason: String,
}

pub(super) fn reasoned(reason: &str) -> Result<(), Problem> {
    Check::new().length("/reason", reason, 1..=500).done()
}

async fn plain(state: RiskApi, path: Segment, call: Call, step: CaseStep) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let parsed = call.parse_optional::<Nothing>()?;
    let Nothing {} = parsed.body;
    write(&state, &call, case_id(&call, &path)?, (step, parsed.fingerprint)).await
}

/// Work on a case
///
/// It is the caller's for fifteen minutes; again by another claim.
#[utoipa::path(post, path = "/v1/risk/cases/{id}/claim", tag = "Risk", params(("id" = String, Path)),
    request_body = Nothing, responses((status = 200, body = CaseView)))]
pub(super) async fn claim(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    plain(state, path, call, CaseStep::Claim(Box::default())).await
}

/// Let a case go
#[utoipa::path(post, path = "/v1/risk/cases/{id}/release", tag = "Risk", params(("id" = String, Path)),
    request_body = Nothing, responses((status = 200, body = CaseStepView)))]
pub(super) async fn release(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    plain(state, path, call, CaseStep::Release).await
}

/// Take the last step back
///
/// The caller's own, within ten minutes. A close goes with the labels that it set; one that voided coupons stays.
#[utoipa::path(post, path = "/v1/risk/cases/{id}/undo", tag = "Risk", params(("id" = String, Path)),
    request_body = Nothing, responses((status = 200, body = CaseStepView)))]
pub(super) async fn undo(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    plain(state, path, call, CaseStep::Undo).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SnoozeCaseRequest {
    /// It is open again then.
    #[schema(value_type = String, format = DateTime)]
    until: Timestamp,
    /// Why.
    reason: String,
}

/// Put a case off
#[utoipa::path(post, path = "/v1/risk/cases/{id}/snooze", tag = "Risk", params(("id" = String, Path)),
    request_body = SnoozeCaseRequest, responses((status = 200, body = CaseStepView)))]
pub(super) async fn snooze(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let parsed = call.parse::<SnoozeCaseRequest>()?;
    let SnoozeCaseRequest { until: Timestamp(until), reason } = parsed.body;
    reasoned(&reason)?;
    let id = case_id(&call, &path)?;
    if let Some(first) = state.backend.repeated(&call, id.merchant, parsed.fingerprint).await? {
        return Ok(first);
    }
    Check::new().field("/until", until > state.backend.ledger.now(), "must be in the future").done()?;
    write(&state, &call, id, (CaseStep::Snooze(until, reason), parsed.fingerprint)).await
}

async fn with_reason(
    state: RiskApi,
    path: Segment,
    call: Call,
    step: impl FnOnce(String) -> CaseStep,
) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let parsed = call.parse::<Why>()?;
    reasoned(&parsed.body.reason)?;
    write(&state, &call, case_id(&call, &path)?, (step(parsed.body.reason), parsed.fingerprint)).await
}

/// Pass a case on to the leads
///
/// It is of high priority and in the queue `lead` then, for anybody to claim.
#[utoipa::path(post, path = "/v1/risk/cases/{id}/escalate", tag = "Risk", params(("id" = String, Path)),
    request_body = Why, responses((status = 200, body = CaseStepView)))]
pub(super) async fn escalate(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    with_reason(state, path, call, CaseStep::Escalate).await
}

/// Open a closed case again
///
/// The labels that its close set stand until others are set.
#[utoipa::path(post, path = "/v1/risk/cases/{id}/reopen", tag = "Risk", params(("id" = String, Path)),
    request_body = Why, responses((status = 200, body = CaseStepView)))]
pub(super) async fn reopen(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    with_reason(state, path, call, CaseStep::Reopen).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoteRequest {
    /// What to remember.
    text: String,
}

/// Note something on a case
#[utoipa::path(post, path = "/v1/risk/cases/{id}/notes", tag = "Risk", params(("id" = String, Path)),
    request_body = NoteRequest, responses((status = 200, body = CaseStepView)))]
pub(super) async fn note(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let parsed = call.parse::<NoteRequest>()?;
    Check::new().length("/text", &parsed.body.text, 1..=2_000).done()?;
    write(&state, &call, case_id(&call, &path)?, (CaseStep::Note(parsed.body.text), parsed.fingerprint)).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CloseRequest {
    /// Fraud and honest label every decision of the case.
    outcome: OutcomeName,
    /// Why.
    reason: String,
    /// What else is done.
    #[serde(default)]
    apply: Apply,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OutcomeName {
    Fraud,
    Honest,
    Unclear,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Apply {
    /// Voids what the case's decisions let through and can be voided still.
    void_coupons: bool,
}

/// Decide a case
#[utoipa::path(post, path = "/v1/risk/cases/{id}/close", tag = "Risk", params(("id" = String, Path)),
    request_body = CloseRequest, responses((status = 200, body = CaseStepView)))]
pub(super) async fn close(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let parsed = call.parse::<CloseRequest>()?;
    let CloseRequest { outcome, reason, apply } = parsed.body;
    reasoned(&reason)?;
    let id = case_id(&call, &path)?;
    let outcome = match outcome {
        OutcomeName::Fraud => CaseOutcome::Fraud,
        OutcomeName::Honest => CaseOutcome::Honest,
        OutcomeName::Unclear => CaseOutcome::Unclear,
    };
    let voids = if apply.void_coupons { coupons(&state, id).await? } else { Vec::new() };
    let step = CaseStep::Close(Closing { outcome, reason, voided: 0 });
    step_with(&state, &call, id, (step, voids, parsed.fingerprint)).await
}

/// The coupons that a case's decisions let through.
async fn coupons(state: &RiskApi, id: CaseId) -> Result<Vec<u64>, Problem> {
    let merchant = id.merchant;
    let decisions = state.backend.look(merchant, move |shard, _, _| {
        shard.case(merchant, id.number).map(|row| row.facts.decisions.clone()).unwrap_or_default()
    });
    let mut found = Vec::new();
    for number in decisions.await? {
        found.extend(decided::find(state, DecisionId::new(merchant, number)).await?);
    }
    let coupons = state.backend.look(merchant, move |_, ledger, _| {
        found.iter().flat_map(|decided| decided.coupons(merchant, ledger)).collect::<BTreeSet<u64>>()
    });
    Ok(coupons.await?.into_iter().take(MOST_VOIDS).collect())
}
