//! Stocks and their lives.

use std::sync::Arc;

use axum::extract::State;
use coupon::command::{Command, Step};
use coupon::event::StockState;
use coupon::id::{LedgerRef, StockId};
use coupon::state::{Read, Stock};
use coupon_api::dto::stock::{
    Conservation, PatchRequest, StockRequest, StockType, StockView, conservation as conserve, patch as lay_over,
    stock_view,
};
use coupon_api::listing::{in_time, newest, page, read_of};
use coupon_api::past::AsOf;
use http_api::auth::Role;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::List;
use http_api::problem::{Code, Problem};
use http_api::quota::QuotaClass;
use projection::index::List as Index;
use projection::ledger::Ledger;
use projection::shard::ShardState;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::state::{Issuer, owner};

/// Make a stock, in draft
#[utoipa::path(post, path = "/v1/stocks", tag = "Stocks", request_body = StockRequest,
    responses((status = 201, body = StockView)))]
pub(super) async fn create(State(state): State<Issuer>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Developer])?;
    let merchant = call.merchant()?;
    call.limit(QuotaClass::Create)?;
    let parsed = call.parse::<StockRequest>()?;
    let expected = parsed.body.expected_daily_redemptions.unwrap_or(0);
    let command = Command::CreateStock(Box::new(parsed.body.into_profile()?), expected);
    state.backend.write(&call, merchant, parsed.fingerprint, command).await
}

/// The stock that a path names, if the caller may know of it.
pub(super) fn stock_id(call: &Call, path: &Segment) -> Result<StockId, Problem> {
    let id: StockId = path.id(Code::StockNotFound)?;
    owner(call, id.merchant, Code::StockNotFound).map(|_| id)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    state: Option<StateName>,
    #[serde(rename = "type")]
    kind: Option<StockType>,
    merchant_id: Option<String>,
}

/// As the API spells a stock's state.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StateName {
    Draft,
    Active,
    Paused,
    Closed,
}

impl StateName {
    fn is(self, state: StockState) -> bool {
        let own = match self {
            Self::Draft => StockState::Draft,
            Self::Active => StockState::Active,
            Self::Paused => StockState::Paused,
            Self::Closed => StockState::Closed,
        };
        own == state
    }
}

/// List stocks, newest first
///
/// Analysts and the platform say whose with `merchant_id`.
#[utoipa::path(get, path = "/v1/stocks", tag = "Stocks",
    params(("state" = Option<String>, Query), ("type" = Option<String>, Query),
        ("merchant_id" = Option<String>, Query), ("limit" = Option<u16>, Query),
        ("cursor" = Option<String>, Query), ("from" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<StockView>)))]
pub(super) async fn list(State(state): State<Issuer>, call: Call) -> Result<List<StockView>, Problem> {
    call.require(&[Role::Developer, Role::Operator, Role::Analyst])?;
    let (filter, asked) = call.list::<Filter>()?;
    let merchant = read_of(&state.backend, &call, filter.merchant_id.as_deref())?;
    let (after, wanted, livemode) = (asked.after()?, asked.clone(), state.backend.livemode(&call, merchant));
    let rows = state
        .backend
        .look(merchant, move |shard, ledger, _| {
            let fits = |stock: &Stock| {
                filter.state.is_none_or(|state| state.is(stock.state))
                    && filter.kind.is_none_or(|kind| kind == StockType::of(&stock.profile.terms.value))
                    && in_time(&wanted, stock.created_at)
            };
            newest(ledger.index.list(merchant, Index::Stocks), after)
                .filter_map(|(place, number)| Some((place, number, shard.stock(merchant, number)?)))
                .filter(|(_, _, stock)| fits(stock))
                .take(wanted.limit + 1)
                .map(|(place, number, stock)| {
                    let expected = shard.readiness(merchant, number).map(|row| row.expected_daily);
                    (place, stock_view(StockId::new(merchant, number), stock, livemode).expecting(expected))
                })
                .collect()
        })
        .await?;
    Ok(page(rows, &asked))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct At {
    as_of: Option<String>,
}

/// Read a stock, now or as of a past time or `ledger_ref`
#[utoipa::path(get, path = "/v1/stocks/{id}", tag = "Stocks",
    params(("id" = String, Path), ("as_of" = Option<String>, Query)), responses((status = 200, body = StockView)))]
pub(super) async fn get(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Developer, Role::Operator, Role::Analyst])?;
    let At { as_of } = call.query_as()?;
    let as_of = as_of.as_deref().map(AsOf::parse).transpose()?;
    let id = stock_id(&call, &path)?;
    let stock = match as_of {
        None => state.backend.stock(id).await?,
        Some(as_of) => {
            let past = state.backend.stock_as_of(id, as_of).await?;
            past.map(Arc::new).ok_or_else(|| Problem::of(Code::StockNotFound))?
        }
    };
    let view = stock_view(id, &stock, state.backend.livemode(&call, id.merchant));
    let look = move |shard: &ShardState, _: &Ledger, _| {
        let expected = shard.readiness(id.merchant, id.number).map(|row| row.expected_daily);
        (expected, shard.rehearsal(id.merchant, id.number).cloned())
    };
    let (expected, rehearsal) = state.backend.look(id.merchant, look).await?;
    let view = view.expecting(expected);
    Answer::ok(&match rehearsal {
        Some(row) => view.twin_of(StockId::new(id.merchant.real(), row.of), row.until),
        None => view,
    })
}

const PATCH_TRIES: u32 = 5;

/// Change a stock: everything in draft, name, terms, reference and metadata afterwards
#[utoipa::path(patch, path = "/v1/stocks/{id}", tag = "Stocks", request_body = PatchRequest,
    params(("id" = String, Path)), responses((status = 200, body = StockView)))]
pub(super) async fn patch(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Developer])?;
    call.merchant()?;
    let parsed = call.parse::<PatchRequest>()?;
    let id = stock_id(&call, &path)?;
    let merchant = id.merchant;
    // The patch is laid over the stock as it is now, where it may fit no more although it did the first time.
    if let Some(first) = state.backend.repeated(&call, merchant, parsed.fingerprint).await? {
        return Ok(first);
    }
    let mut tries = 0;
    loop {
        let current = state.backend.stock(id).await?;
        let command = Command::ChangeStock(id.number, Box::new(lay_over(&current, parsed.body.clone())?));
        let answer = state.backend.write(&call, merchant, parsed.fingerprint, command).await;
        tries += 1;
        // Somebody else changed it meanwhile; theirs stays, and this goes on top.
        match answer {
            Err(problem) if problem.code == Code::VersionConflict && tries < PATCH_TRIES => {}
            other => return other,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StepRequest {
    /// Claimed coupons may not be used either.
    #[serde(default)]
    stop_redemptions: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoFields {}

async fn step(state: &Issuer, path: &Segment, call: &Call, step: Step) -> Result<Answer, Problem> {
    call.require(&[Role::Developer])?;
    call.merchant()?;
    let (stop, fingerprint) = match step {
        Step::Pause | Step::Close => {
            let parsed = call.parse_optional::<StepRequest>()?;
            (parsed.body.stop_redemptions, parsed.fingerprint)
        }
        Step::Activate { .. } | Step::Resume => (false, call.parse_optional::<NoFields>()?.fingerprint),
    };
    let id = stock_id(call, path)?;
    state.backend.write(call, id.merchant, fingerprint, Command::MoveStock(id.number, step, stop)).await
}

/// Open a draft
#[utoipa::path(post, path = "/v1/stocks/{id}/activate", tag = "Stocks", params(("id" = String, Path)),
    responses((status = 200, body = StockView)))]
pub(super) async fn activate(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    step(&state, &path, &call, Step::Activate { tested_above: state.tested_above }).await
}

/// Stop claims for now
#[utoipa::path(post, path = "/v1/stocks/{id}/pause", tag = "Stocks", request_body = StepRequest,
    params(("id" = String, Path)), responses((status = 200, body = StockView)))]
pub(super) async fn pause(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    step(&state, &path, &call, Step::Pause).await
}

/// Open a paused stock again
#[utoipa::path(post, path = "/v1/stocks/{id}/resume", tag = "Stocks", params(("id" = String, Path)),
    responses((status = 200, body = StockView)))]
pub(super) async fn resume(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    step(&state, &path, &call, Step::Resume).await
}

/// Stop claims for ever
#[utoipa::path(post, path = "/v1/stocks/{id}/close", tag = "Stocks", request_body = StepRequest,
    params(("id" = String, Path)), responses((status = 200, body = StockView)))]
pub(super) async fn close(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    step(&state, &path, &call, Step::Close).await
}

/// Where a stock's coupons are
///
/// The total is the sum of the six, at any time.
#[utoipa::path(get, path = "/v1/stocks/{id}/conservation", tag = "Stocks", params(("id" = String, Path)),
    responses((status = 200, body = Conservation)))]
pub(super) async fn conservation(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Developer, Role::Operator, Role::Analyst])?;
    let id = stock_id(&call, &path)?;
    let found = state
        .backend
        .look(id.merchant, move |shard, _, now| {
            let stock = shard.stock(id.merchant, id.number)?;
            let counts = shard.counts(id.merchant, id.number)?;
            Some(conserve(stock, counts, now, LedgerRef(shard.sequence)))
        })
        .await?;
    Answer::ok(&found.ok_or_else(|| Problem::of(Code::StockNotFound))?)
}
