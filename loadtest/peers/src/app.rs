//! The HTTP side that both databases share: admission, parsing, the answer.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http_api::problem::{Code, Problem, Result};

use crate::admission::admit;
use crate::answer::answer;
use crate::codes::{Key, body_hash};
use crate::store::{Attempt, RedeemRequest, Store};

/// A database and the key that may use it.
pub(crate) struct App<S> {
    pub(crate) key: Key,
    pub(crate) store: S,
}

/// The routes over a database.
pub(crate) fn router<S: Store>(app: App<S>) -> Router {
    Router::new().route("/v1/redemptions", post(redeem::<S>)).route("/audit", get(audit::<S>)).with_state(Arc::new(app))
}

async fn redeem<S: Store>(State(app): State<Arc<App<S>>>, request: Request) -> Result<Response> {
    let admitted = admit(&app.key, request).await?;
    let request: RedeemRequest =
        serde_json::from_slice(&admitted.body).map_err(|error| Problem::new(Code::MalformedJson, error.to_string()))?;
    check(&request)?;
    let attempt = Attempt {
        body_hash: body_hash(&admitted.body),
        code_hash: Attempt::normalized_hash(&request.coupons[0].code),
        idempotency_key: admitted.idempotency_key,
        request,
        at_ms: admitted.at_ms,
    };
    let decided = app.store.redeem(&attempt).await?;
    Ok(answer(&attempt, &decided))
}

async fn audit<S: Store>(State(app): State<Arc<App<S>>>) -> Result<Response> {
    Ok(Json(app.store.audit().await?).into_response())
}

fn check(request: &RedeemRequest) -> Result<()> {
    let refuse = |field: &str, what: &str| Err(Problem::new(Code::InvalidField, what).pointer(field));
    // A zero byte is the one character that JSON may bring and a database may not store.
    let length = |text: &str| (1..=128).contains(&text.len()) && !text.contains('\0');
    if request.coupons.len() != 1 {
        return refuse("/coupons", "Exactly one coupon can be redeemed at a time.");
    }
    if request.coupons[0].code.len() > 64 {
        return refuse("/coupons/0/code", "A code has at most 64 characters.");
    }
    if !length(&request.order.id) {
        return refuse("/order/id", "An order's id has 1 to 128 characters.");
    }
    if !(0..=1_000_000_000_000).contains(&request.order.amount) {
        return refuse("/order/amount", "An amount must not be negative nor absurd.");
    }
    if request.order.currency.len() != 3 || !request.order.currency.bytes().all(|b| b.is_ascii_uppercase()) {
        return refuse("/order/currency", "A currency is an ISO 4217 code.");
    }
    if !request.user_id.as_deref().is_none_or(length) {
        return refuse("/user_id", "A user's id has 1 to 128 characters.");
    }
    if !request.context.device_id.as_deref().is_none_or(length) {
        return refuse("/context/device_id", "A device's id has 1 to 128 characters.");
    }
    if request.context.ip.as_deref().is_some_and(|ip| ip.parse::<std::net::IpAddr>().is_err()) {
        return refuse("/context/ip", "An address is IPv4 or IPv6.");
    }
    Ok(())
}
