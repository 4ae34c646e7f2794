//! Total, budget and limits of a stock, by compare-and-set.

use axum::extract::State;
use coupon::command::{Command, LimitName};
use coupon::money::{MAX_AMOUNT, Money};
use coupon_api::dto::stock::{MoneyBody, StockView};
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::problem::{Code, Problem};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use crate::api::stocks::stock_id;
use crate::state::Issuer;

/// Null is a value here, and leaving the field out is none: a forgotten `target` must not take a cap away.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// The most that a count may be set to.
const MAX_COUNT: u64 = 1_000_000_000;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TotalRequest {
    /// What the caller takes it to be.
    current: u64,
    /// 1..=1,000,000,000.
    target: u64,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BudgetRequest {
    /// What the caller takes it to be; null is none.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<MoneyBody>, required)]
    current: Option<Money>,
    /// Null takes it away.
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<MoneyBody>, required)]
    target: Option<Money>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitRequest {
    /// What the caller takes it to be; null is none.
    #[serde(deserialize_with = "nullable")]
    #[schema(required)]
    current: Option<u64>,
    /// 1..=1,000,000,000; null takes it away.
    #[serde(deserialize_with = "nullable")]
    #[schema(required)]
    target: Option<u64>,
}

/// Set a stock's total
#[utoipa::path(put, path = "/v1/stocks/{id}/total", tag = "Stocks", request_body = TotalRequest,
    params(("id" = String, Path)), responses((status = 200, body = StockView)))]
pub(super) async fn total(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Developer])?;
    call.merchant()?;
    let parsed = call.parse::<TotalRequest>()?;
    let fits = (1..=MAX_COUNT).contains(&parsed.body.target);
    Check::new().field("/target", fits, "must be 1 to 1,000,000,000").done()?;
    let id = stock_id(&call, &path)?;
    let command = Command::SetTotal(id.number, parsed.body.current, parsed.body.target);
    state.backend.write(&call, id.merchant, parsed.fingerprint, command).await
}

/// Set a stock's budget
#[utoipa::path(put, path = "/v1/stocks/{id}/budget", tag = "Stocks", request_body = BudgetRequest,
    params(("id" = String, Path)), responses((status = 200, body = StockView)))]
pub(super) async fn budget(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Developer])?;
    call.merchant()?;
    let parsed = call.parse::<BudgetRequest>()?;
    let BudgetRequest { current, target } = parsed.body;
    let fits = target.is_none_or(|money| (0..=MAX_AMOUNT).contains(&money.amount));
    Check::new().field("/target/amount", fits, "must be 0 to 100,000,000,000,000 minor units").done()?;
    let id = stock_id(&call, &path)?;
    // A draft's currency may have changed since the first time.
    if let Some(first) = state.backend.repeated(&call, id.merchant, parsed.fingerprint).await? {
        return Ok(first);
    }
    let currency = state.backend.stock(id).await?.profile.terms.currency;
    for (pointer, money) in [("/current/currency", current), ("/target/currency", target)] {
        if money.is_some_and(|money| money.currency != currency) {
            let detail = format!("The stock's currency is {currency}.");
            return Err(Problem::new(Code::CurrencyMismatch, detail).pointer(pointer));
        }
    }
    let amount = |money: Option<Money>| money.map(|money| money.amount);
    let command = Command::SetBudget(id.number, amount(current), amount(target));
    let written = state.backend.write(&call, id.merchant, parsed.fingerprint, command).await;
    // What is money is told as money, so that it can be sent back.
    written.map_err(|mut problem| {
        for field in ["current", "used"] {
            if let Some(amount) = problem.extra.get(field).and_then(serde_json::Value::as_i64) {
                problem = problem.with(field, Money { amount, currency });
            }
        }
        problem
    })
}

/// Set one of a stock's limits
#[utoipa::path(put, path = "/v1/stocks/{id}/limits/{name}", tag = "Stocks", request_body = LimitRequest,
    params(("id" = String, Path), ("name" = String, Path)), responses((status = 200, body = StockView)))]
pub(super) async fn limit(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Developer])?;
    call.merchant()?;
    let parsed = call.parse::<LimitRequest>()?;
    let LimitRequest { current, target } = parsed.body;
    let fits = target.is_none_or(|target| (1..=MAX_COUNT).contains(&target));
    Check::new().field("/target", fits, "must be 1 to 1,000,000,000, or null").done()?;
    let id = stock_id(&call, &path)?;
    let name = LimitName::ALL.iter().find(|(name, _)| *name == path.text_at(1)).map(|(_, limit)| *limit);
    let name = name.ok_or_else(|| {
        let names: Vec<_> = LimitName::ALL.iter().map(|(name, _)| *name).collect();
        Problem::new(Code::InvalidField, format!("The limits are {}.", names.join(", "))).pointer("/path/name")
    })?;
    let command = Command::SetLimit(id.number, name, current, target);
    state.backend.write(&call, id.merchant, parsed.fingerprint, command).await
}
