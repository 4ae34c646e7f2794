//! What became of a request, by its key; and a cancel that is certain.

use axum::extract::State;
use coupon::id::{MerchantId, PLATFORM};
use coupon::state::{RequestOutcome, live_request};
use coupon_api::backend::ATTEMPT_MS;
use http_api::Code;
use http_api::auth::Role;
use http_api::call::{Call, Segment};
use http_api::idempotency::{Answer, IdempotencyKey};
use http_api::problem::Problem;
use http_api::time::format_ms;
use projection::engine::{Answer as Outcome, What};
use projection::ledger::Ledger;
use projection::shard::ShardState;
use serde_json::{Value, json};

use crate::state::Redeemer;

/// The owners in whose shards a caller's request may stand: its own, and the platform's, where keys and merchants are.
fn owners(call: &Call) -> (MerchantId, Vec<MerchantId>) {
    let own = call.caller.merchant.unwrap_or(PLATFORM);
    (own, if own == PLATFORM { vec![PLATFORM] } else { vec![own, PLATFORM] })
}

const WHO: [Role; 4] = [Role::Operator, Role::Developer, Role::Admin, Role::Platform];

/// What became of a request
///
/// `absent` is final once `decided_by` has passed.
#[utoipa::path(get, path = "/v1/requests/{key}", tag = "Requests", params(("key" = String, Path)),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn get(State(state): State<Redeemer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&WHO)?;
    let (own, owners) = owners(&call);
    let key = IdempotencyKey::parse(path.text(), "/path/key")?;
    let request = state.backend.secrets.request_key(own, key.as_str());
    // Asked before the outcome: what ends in between is seen as done or refused, and not as absent.
    let in_flight = state.backend.ledger.is_in_flight(request).await.map_err(Problem::internal)?;
    let mut refused = None;
    for owner in owners {
        let look = move |shard: &ShardState, _: &Ledger, now| live_request(shard, owner.shard(), request, now).cloned();
        match state.look(owner, look).await?.map(|row| (row.outcome, row.refusal)) {
            Some((RequestOutcome::Done(done), _)) => return Answer::ok(&self::done(&state, &call, owner, done).await?),
            Some((RequestOutcome::Cancelled, _)) => {
                return Answer::ok(&json!({"state": "refused", "last_refusal": refusal(Code::RequestCancelled)}));
            }
            Some((RequestOutcome::Open, number)) => refused = Some(Code::from_u16(number).unwrap_or(Code::Internal)),
            None => {}
        }
    }
    let decided_by = format_ms(state.backend.ledger.now() + ATTEMPT_MS);
    Answer::ok(&match refused {
        _ if in_flight => json!({"state": "in_flight", "decided_by": decided_by}),
        Some(code) => json!({"state": "refused", "decided_by": decided_by, "last_refusal": refusal(code)}),
        None => json!({"state": "absent", "decided_by": decided_by}),
    })
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
    call.require(&WHO)?;
    let (own, owners) = owners(&call);
    let key = IdempotencyKey::parse(path.text(), "/path/key")?;
    let request = state.backend.secrets.request_key(own, key.as_str());
    for owner in owners {
        match state.backend.submit(owner, Some((request, [0; 16])), What::Cancel).await {
            Outcome::Replayed(done) => return Answer::ok(&self::done(&state, &call, owner, done).await?),
            Outcome::Cancelled => {}
            other => return Err(state.backend.refused(owner, other)),
        }
    }
    Answer::ok(&json!({"state": "cancelled"}))
}
