//! Penalties: proposed or imposed by analysts, lifted by leads, read by the merchant too.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use coupon::command::{Command, Impose};
use coupon::decide::{Scene, decide};
use coupon::event::Event;
use coupon::id::{DecisionId, MerchantId, PenaltyId};
use coupon::penalty::{Act, PenaltyRow, PenaltyState};
use coupon::state::Read;
use coupon_api::dto::penalty::{PenaltyView, penalty_after, penalty_view};
use coupon_api::refusal;
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::List;
use http_api::problem::{Code, Problem};
use projection::index::List as Index;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use super::{RiskApi, penalised, settings};

/// Pieces of evidence, and the longest of them, bytes of JSON.
const MOST_EVIDENCE: usize = 50;
const LONGEST_EVIDENCE: usize = 4_000;

#[derive(OpenApi)]
#[openapi(paths(impose, list, read, approve, lift))]
pub(super) struct Document;

pub(super) fn router() -> Router<RiskApi> {
    Router::new()
        .route("/v1/risk/penalties", post(impose).get(list))
        .route("/v1/risk/penalties/{id}", get(read))
        .route("/v1/risk/penalties/{id}/approve", post(approve))
        .route("/v1/risk/penalties/{id}/lift", post(lift))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PenaltyRequest {
    /// `mer_...`
    merchant_id: String,
    /// One of the ladder's.
    violation: String,
    /// What shows it: texts or objects; ids of decisions are labelled when an appeal is decided.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    evidence: Vec<Value>,
    /// Say what would be, and change nothing.
    #[serde(default)]
    preview: bool,
}

/// Impose a penalty
///
/// The ladder says which. One without an end is proposed, and begins when another person has approved it; all others bite
/// on the next request on every instance. A preview answers 200, without an id.
#[utoipa::path(post, path = "/v1/risk/penalties", tag = "Risk", request_body = PenaltyRequest,
    responses((status = 201, body = PenaltyView), (status = 200, body = PenaltyView)))]
pub(super) async fn impose(State(state): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let parsed = call.parse::<PenaltyRequest>()?;
    let body = parsed.body;
    Check::new().length("/violation", &body.violation, 1..=64).done()?;
    let merchant = named(&call, &body.merchant_id)?;
    let evidence = evidence(&body.evidence)?;
    for decision in coupon::penalty::decisions(merchant, &evidence) {
        decision_exists(&state, DecisionId::new(merchant, decision), "/evidence").await?;
    }
    let ladder = settings::ladder(&state).await?;
    let by = call.caller.key_id.to_string();
    let command = Command::Impose(Box::new(Impose { violation: body.violation, ladder, evidence, by }));
    if body.preview {
        return preview(&state, &call, merchant, command).await;
    }
    state.backend.write(&call, merchant, parsed.fingerprint, command).await
}

/// The merchant that a body names, if the caller may know of it.
fn named(call: &Call, id: &str) -> Result<MerchantId, Problem> {
    let id = id.parse::<MerchantId>().ok().filter(|id| !id.is_rehearsals() && call.sees(*id));
    id.ok_or_else(|| Problem::of(Code::MerchantNotFound).pointer("/merchant_id"))
}

/// Evidence as records keep it: a JSON text each.
pub(super) fn evidence(values: &[Value]) -> Result<Vec<String>, Problem> {
    let texts: Vec<String> = values.iter().map(Value::to_string).collect();
    let mut check =
        Check::new().field("/evidence", texts.len() <= MOST_EVIDENCE, &format!("may have at most {MOST_EVIDENCE}"));
    for (i, (value, text)) in values.iter().zip(&texts).enumerate() {
        let holds = (value.is_string() || value.is_object()) && text.len() <= LONGEST_EVIDENCE;
        let what = format!("must be a text or an object of at most {LONGEST_EVIDENCE} bytes");
        check = check.field_at(|| format!("/evidence/{i}"), holds, &what);
    }
    check.done().map(|()| texts)
}

/// Refuses decisions that no record of the merchant holds.
pub(super) async fn decision_exists(state: &RiskApi, id: DecisionId, pointer: &'static str) -> Result<(), Problem> {
    let missing = || Problem::of(Code::DecisionNotFound).pointer(pointer);
    let record = state.backend.ledger.record(id.merchant.shard(), id.number).await.map_err(Problem::internal)?;
    let Some((_, coupon::record::Entry::Guarded(record))) = record else { return Err(missing()) };
    let decides =
        |it: &Event| matches!(it, Event::CouponClaimed(_) | Event::CouponsLocked(_) | Event::CouponsRedeemed(_));
    if record.merchant == id.merchant && record.events.iter().any(decides) { Ok(()) } else { Err(missing()) }
}

async fn preview(state: &RiskApi, call: &Call, merchant: MerchantId, command: Command) -> Result<Answer, Problem> {
    let decided = state
        .backend
        .look(merchant, move |shard, _, now| (decide(Scene { view: shard, merchant, now }, &command), now))
        .await?;
    let (proposal, now) = (decided.0.map_err(|refusal| refusal::problem(merchant, &refusal))?, decided.1);
    let livemode = state.backend.livemode(call, merchant);
    let view = proposal.events.first().and_then(|event| match event {
        Event::Penalty(step) => penalty_after(PenaltyId::new(merchant, 0), step, now, livemode),
        _ => None,
    });
    let view = view.ok_or_else(|| Problem::internal("a penalty that imposes nothing"))?;
    Answer::ok(&PenaltyView { id: None, ..view })
}

/// Analysts see who is behind it, the merchant does not.
fn shown(state: &RiskApi, call: &Call, id: PenaltyId, row: &PenaltyRow, now: i64) -> PenaltyView {
    let view = penalty_view(id, row, now, state.backend.livemode(call, id.merchant));
    if call.caller.role.covers(Role::Analyst) { view } else { view.for_merchant() }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    merchant_id: Option<String>,
    state: Option<String>,
    violation: Option<String>,
}

/// List penalties, newest first
///
/// A merchant's admins see their own.
#[utoipa::path(get, path = "/v1/risk/penalties", tag = "Risk",
    params(("merchant_id" = Option<String>, Query), ("state" = Option<String>, Query),
        ("violation" = Option<String>, Query), ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query),
        ("from" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<PenaltyView>)))]
pub(super) async fn list(State(state): State<RiskApi>, call: Call) -> Result<List<PenaltyView>, Problem> {
    call.require(&[Role::Analyst, Role::Admin])?;
    let (Filter { merchant_id, state: in_state, violation }, asked) = call.list()?;
    let states = [PenaltyState::Proposed, PenaltyState::Active, PenaltyState::Lifted, PenaltyState::Expired];
    let known = in_state.as_deref().is_none_or(|name| states.iter().any(|state| state.name() == name));
    Check::new().field("/query/state", known, "must be proposed, active, lifted or expired").done()?;
    let of = penalised::whose(&call, merchant_id.as_deref())?;
    let row = move |ledger: &projection::ledger::Ledger, merchant: MerchantId, number, now| {
        let row: &Arc<PenaltyRow> = ledger.of(merchant).penalty(merchant, number)?;
        let wanted = in_state.as_deref().is_none_or(|name| row.state_at(now).name() == name)
            && violation.as_deref().is_none_or(|name| row.imposed.violation == name);
        wanted.then(|| (row.created_at, row.clone()))
    };
    let (found, now) = penalised::page(&state, of, Index::Penalties, asked, row).await?;
    let view = |it: &penalised::Found<Arc<PenaltyRow>>| {
        shown(&state, &call, PenaltyId::new(it.merchant, it.number), &it.row, now)
    };
    Ok(List { data: found.data.iter().map(view).collect(), next_cursor: found.next_cursor })
}

/// The penalty that a path names, if the caller may know of it.
fn of_path(call: &Call, path: &Segment) -> Result<PenaltyId, Problem> {
    let id: PenaltyId = path.id(Code::PenaltyNotFound)?;
    if call.sees(id.merchant) { Ok(id) } else { Err(Problem::of(Code::PenaltyNotFound)) }
}

/// Read a penalty
#[utoipa::path(get, path = "/v1/risk/penalties/{id}", tag = "Risk", params(("id" = String, Path)),
    responses((status = 200, body = PenaltyView)))]
pub(super) async fn read(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst, Role::Admin])?;
    let id = of_path(&call, &path)?;
    let look = move |shard: &projection::shard::ShardState, now| (shard.penalty(id.merchant, id.number).cloned(), now);
    let (row, now) = state.backend.look(id.merchant, move |shard, _, now| look(shard, now)).await?;
    let row = row.ok_or_else(|| Problem::of(Code::PenaltyNotFound))?;
    Answer::ok(&shown(&state, &call, id, &row, now))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ApprovePenaltyRequest {
    /// Why.
    #[serde(alias = "comment")]
    reason: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LiftPenaltyRequest {
    /// Why; the merchant reads it.
    reason: String,
}

/// Approve a penalty without an end, which another has proposed
#[utoipa::path(post, path = "/v1/risk/penalties/{id}/approve", tag = "Risk", params(("id" = String, Path)),
    request_body = ApprovePenaltyRequest, responses((status = 200, body = PenaltyView)))]
pub(super) async fn approve(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::AnalystLead])?;
    let parsed = call.parse_optional::<ApprovePenaltyRequest>()?;
    Check::new().length("/reason", &parsed.body.reason, 0..=2_000).done()?;
    step(&state, &call, of_path(&call, &path)?, Act::Approve(parsed.body.reason), parsed.fingerprint).await
}

/// Lift a penalty
///
/// It ends at once, and the next offence is counted as if it had never been.
#[utoipa::path(post, path = "/v1/risk/penalties/{id}/lift", tag = "Risk", params(("id" = String, Path)),
    request_body = LiftPenaltyRequest, responses((status = 200, body = PenaltyView)))]
pub(super) async fn lift(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::AnalystLead])?;
    let parsed = call.parse::<LiftPenaltyRequest>()?;
    Check::new().length("/reason", &parsed.body.reason, 1..=2_000).done()?;
    step(&state, &call, of_path(&call, &path)?, Act::Lift(parsed.body.reason), parsed.fingerprint).await
}

async fn step(state: &RiskApi, call: &Call, id: PenaltyId, act: Act, fingerprint: [u8; 16]) -> Result<Answer, Problem> {
    let command = Command::MovePenalty(id.number, act, call.caller.key_id.to_string());
    state.backend.write(call, id.merchant, fingerprint, command).await
}
