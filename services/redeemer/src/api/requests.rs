//! What became of a request, by its key; and a cancel that is certain.

use axum::extract::State;
use coupon::id::MerchantId;
use coupon::state::{RequestOutcome, live_request};
use coupon_api::backend::ATTEMPT_MS;
use http_api::Code;
use http_api::auth::Role;
use http_api::call::{Call, Segment};
use http_api::idempotency::{Answer, IdempotencyKey};
use http_api::problem::Problem;
use http_api::time::format_ms;
use projection::engine::{Answer as Outcome, What};
use serde_json::{Value, json};

use crate::state::Redeemer;

/// What became of a request
///
/// `absent` is final once `decided_by` has passed.
#[utoipa::path(get, path = "/v1/requests/{key}", tag = "Requests", params(("key" = String, Path)),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn get(State(state): State<Redeemer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Operator, Role::Developer, Role::Admin])?;
    let merchant = call.merchant()?;
    let key = IdempotencyKey::parse(path.text(), "/path/key")?;
    let request = state.backend.secrets.request_key(merchant, key.as_str());
    let shard_number = merchant.shard();
    // Asked before the outcome: what ends in between is seen as done or refused, and not as absent.
    let in_flight = state.backend.ledger.is_in_flight(request).await.map_err(Problem::internal)?;
    let (row, decided_by) = state
        .look(merchant, move |shard, _, now| {
            (live_request(shard, shard_number, request, now).cloned(), now + ATTEMPT_MS)
        })
        .await?;
    let body = match row.filter(|row| !in_flight || row.outcome != RequestOutcome::Open) {
        None if in_flight => json!({"state": "in_flight", "decided_by": format_ms(decided_by)}),
        None => json!({"state": "absent", "decided_by": format_ms(decided_by)}),
        Some(row) => match row.outcome {
            RequestOutcome::Done(done) => self::done(&state, &call, merchant, done).await?,
            RequestOutcome::Cancelled => json!({"state": "refused", "last_refusal": refusal(Code::RequestCancelled)}),
            RequestOutcome::Open => {
                let code = Code::from_u16(row.refusal).unwrap_or(Code::Internal);
                json!({"state": "refused", "decided_by": format_ms(decided_by), "last_refusal": refusal(code)})
            }
        },
    };
    Answer::ok(&body)
}

fn refusal(code: Code) -> Value {
    json!({"code": code.as_str(), "status": code.status().as_u16(), "title": code.title(), "detail": code.cause()})
}

async fn done(
    state: &Redeemer,
    call: &Call,
    merchant: MerchantId,
    done: coupon::state::Done,
) -> Result<Value, Problem> {
    let first = state.backend.replay(call, merchant, done).await?;
    let response: Value = serde_json::from_slice(&first.body).map_err(Problem::internal)?;
    Ok(json!({"state": "done", "status": first.status.as_u16(), "response": response}))
}

/// Cancel a request
///
/// From then on it has happened (`done`) or never will (`cancelled`), whatever is still under way.
#[utoipa::path(post, path = "/v1/requests/{key}/cancel", tag = "Requests", params(("key" = String, Path)),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn cancel(State(state): State<Redeemer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Operator, Role::Developer, Role::Admin])?;
    let merchant = call.merchant()?;
    let key = IdempotencyKey::parse(path.text(), "/path/key")?;
    let request = state.backend.secrets.request_key(merchant, key.as_str());
    match state.backend.submit(merchant, Some((request, [0; 16])), What::Cancel).await {
        Outcome::Replayed(done) => Answer::ok(&self::done(&state, &call, merchant, done).await?),
        Outcome::Cancelled => Answer::ok(&json!({"state": "cancelled"})),
        other => Err(state.backend.refused(merchant, other)),
    }
}
