//! A decision as the caller reads it, as rich as the product's. It follows from the request and what the database has
//! stored of it alone, so that a replay is the same bytes.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use http_api::idempotency::{Answer, IDEMPOTENCY_REPLAYED};
use http_api::problem::{Code, Problem};
use http_api::time::format_ms;
use serde::Serialize;

use crate::store::{Attempt, Decided};

#[derive(Serialize)]
struct RedemptionView<'a> {
    id: String,
    state: &'static str,
    redeemed_at: String,
    order: OrderView<'a>,
    coupons: [PartView<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    decision: DecisionView<'a>,
    livemode: bool,
    ledger_ref: String,
}

#[derive(Serialize)]
struct OrderView<'a> {
    id: &'a str,
    amount: i64,
    discount: i64,
    payable: i64,
    currency: &'a str,
}

#[derive(Serialize)]
struct PartView<'a> {
    coupon_id: String,
    stock_id: String,
    code: &'a str,
    uses: u32,
    discount: i64,
    uses_left: u32,
}

#[derive(Serialize)]
struct DecisionView<'a> {
    id: String,
    action: &'static str,
    missing: &'a [&'static str],
}

/// The answer to a decided attempt.
pub(crate) fn answer(attempt: &Attempt, decided: &Decided) -> Response {
    if decided.outcome == "redeemed" {
        return match Answer::json(StatusCode::CREATED, &redemption(attempt, decided)) {
            Ok(answer) => answer.replayed(decided.replayed).into_response(),
            Err(problem) => problem.into_response(),
        };
    }
    let Ok(code) = decided.outcome.parse::<Code>() else {
        return Problem::internal(format!("the database decided {:?}", decided.outcome)).into_response();
    };
    let mut problem = Problem::of(code);
    if code == Code::AlreadyRedeemed {
        problem = problem
            .with("redemption_id", redemption_id(decided))
            .with("redeemed_by_order", &decided.redeemed_by_order)
            .with("redeemed_at", format_ms(decided.redeemed_at_ms))
            .with("same_order", decided.redeemed_by_order == attempt.request.order.id);
    }
    let mut response = problem.into_response();
    if decided.replayed && code != Code::IdempotencyKeyReused {
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, axum::http::HeaderValue::from_static("true"));
    }
    response
}

fn redemption<'a>(attempt: &'a Attempt, decided: &Decided) -> RedemptionView<'a> {
    const MISSING: [&str; 2] = ["device_id", "user_id"];
    let request = &attempt.request;
    let missing = match (&request.context.device_id, &request.user_id) {
        (Some(_), Some(_)) => &[],
        (None, Some(_)) => &MISSING[..1],
        (Some(_), None) => &MISSING[1..],
        (None, None) => &MISSING[..],
    };
    RedemptionView {
        id: redemption_id(decided),
        state: "redeemed",
        redeemed_at: format_ms(decided.redeemed_at_ms),
        order: OrderView {
            id: &request.order.id,
            amount: request.order.amount,
            discount: decided.discount,
            payable: request.order.amount - decided.discount,
            currency: &request.order.currency,
        },
        coupons: [PartView {
            coupon_id: format!("cpn_{:016x}", decided.coupon_id),
            stock_id: format!("stk_{:08x}", decided.stock_id),
            code: &request.coupons[0].code,
            uses: 1,
            discount: decided.discount,
            uses_left: 0,
        }],
        user_id: request.user_id.as_deref(),
        decision: DecisionView { id: format!("dec_{:016x}", decided.redemption_id), action: "allow", missing },
        livemode: false,
        ledger_ref: format!("led_{:016x}", decided.redemption_id),
    }
}

fn redemption_id(decided: &Decided) -> String {
    format!("rdm_{:016x}", decided.redemption_id)
}
