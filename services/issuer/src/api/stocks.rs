//! Stocks and their lives.

use axum::extract::State;
use coupon::command::{Command, Step};
use coupon::event::Event;
use coupon::id::{LedgerRef, StockId};
use coupon::record::Entry;
use coupon::state::{Read, Stock};
use coupon_api::dto::stock::{
    Conservation, PatchRequest, StockRequest, StockView, conservation as conserve, new_stock, patch as lay_over,
    stock_view, type_name,
};
use coupon_api::listing::{in_time, newest, page};
use coupon_api::refusal::state_name;
use http_api::auth::Role;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::List;
use http_api::problem::{Code, Problem};
use http_api::quota::QuotaClass;
use http_api::time::parse_ms;
use projection::index::List as Index;
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
    let command = Command::CreateStock(Box::new(parsed.body.into_profile()?));
    state.backend.write(&call, merchant, parsed.fingerprint, command).await
}

/// The stock that a path names, if the caller may know of it.
pub(super) fn stock_id(call: &Call, path: &Segment) -> Result<StockId, Problem> {
    let id: StockId = path.id(Code::StockNotFound)?;
    owner(call, id.merchant, Code::StockNotFound).map(|_| id)
}

pub(super) async fn read(state: &Issuer, id: StockId) -> Result<std::sync::Arc<Stock>, Problem> {
    let row = state.backend.look(id.merchant, move |shard, _, _| shard.stock(id.merchant, id.number).cloned()).await?;
    row.ok_or_else(|| Problem::of(Code::StockNotFound))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    state: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// List stocks, newest first
#[utoipa::path(get, path = "/v1/stocks", tag = "Stocks",
    params(("state" = Option<String>, Query), ("type" = Option<String>, Query), ("limit" = Option<u16>, Query),
        ("cursor" = Option<String>, Query), ("from" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn list(State(state): State<Issuer>, call: Call) -> Result<List<StockView>, Problem> {
    call.require(&[Role::Developer, Role::Operator])?;
    let merchant = call.merchant()?;
    let (filter, asked) = call.list::<Filter>()?;
    let (after, wanted, livemode) = (asked.after()?, asked.clone(), call.caller.livemode);
    let rows = state
        .backend
        .look(merchant, move |shard, ledger, _| {
            let fits = |stock: &Stock| {
                filter.state.as_ref().is_none_or(|state| state == state_name(stock.state))
                    && filter.kind.as_ref().is_none_or(|kind| kind == type_name(&stock.profile.terms.value))
                    && in_time(&wanted, stock.created_at)
            };
            newest(ledger.index.list(merchant, Index::Stocks), after)
                .filter_map(|(place, number)| Some((place, number, shard.stock(merchant, number)?)))
                .filter(|(_, _, stock)| fits(stock))
                .take(wanted.limit + 1)
                .map(|(place, number, stock)| (place, stock_view(StockId::new(merchant, number), stock, livemode)))
                .collect()
        })
        .await?;
    Ok(page(rows, &asked))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AsOf {
    as_of: Option<String>,
}

/// Read a stock, now or as of a past time or `ledger_ref`
#[utoipa::path(get, path = "/v1/stocks/{id}", tag = "Stocks",
    params(("id" = String, Path), ("as_of" = Option<String>, Query)), responses((status = 200, body = StockView)))]
pub(super) async fn get(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Developer, Role::Operator, Role::Analyst])?;
    let AsOf { as_of } = call.query_as()?;
    let id = stock_id(&call, &path)?;
    let now = read(&state, id).await?;
    let Some(as_of) = as_of else { return Answer::ok(&stock_view(id, &now, call.caller.livemode)) };
    let past = past(&state, id, &now, &as_of).await?;
    Answer::ok(&stock_view(id, &past.ok_or_else(|| Problem::of(Code::StockNotFound))?, call.caller.livemode))
}

/// A stock as it was. Each record that changed it guards the version before, so that the changes between are those
/// of the shard that name it; they are told again from its making.
async fn past(state: &Issuer, id: StockId, now: &Stock, as_of: &str) -> Result<Option<Stock>, Problem> {
    let reference = as_of.parse::<LedgerRef>().ok();
    let time = parse_ms(as_of);
    if reference.is_none() && time.is_none() {
        let detail = "/query/as_of must be a ledger_ref or a time as RFC 3339 has it.";
        return Err(Problem::new(Code::InvalidField, detail).pointer("/query/as_of"));
    }
    let mut story = Vec::new();
    let mut next = now.version;
    while next > 0 {
        let found = state.backend.ledger.record(id.merchant.shard(), next).await.map_err(Problem::internal)?;
        let Some((at, Entry::Guarded(record))) = found else { break };
        // A change of a stock guards the version that it changes.
        next = record
            .guards
            .iter()
            .find_map(|guard| match guard {
                coupon::record::Guard::Version(coupon::record::Entity::Stock(stock), version)
                    if *stock == id.number => Some(*version),
                _ => None,
            })
            .unwrap_or(0);
        story.push((at, record));
    }
    let mut past: Option<Stock> = None;
    let reached = |at: &coupon::fold::At| {
        reference.is_none_or(|LedgerRef(sequence)| at.sequence <= sequence) && time.is_none_or(|t| at.time <= t)
    };
    for (at, record) in story.iter().rev().filter(|(at, _)| reached(at)) {
        for event in &record.events {
            past = apply(past, event, *at);
        }
    }
    Ok(past)
}

fn apply(stock: Option<Stock>, event: &Event, at: coupon::fold::At) -> Option<Stock> {
    if let Event::StockCreated(profile) = event {
        return Some(new_stock(profile, at.sequence, at.time));
    }
    let mut stock = stock?;
    stock.version = at.sequence;
    match event {
        Event::StockChanged(_, profile) => stock.profile = (**profile).clone(),
        Event::StockMoved(_, state, stopped) => {
            stock.state = *state;
            stock.redemptions_stopped = *stopped;
        }
        Event::TotalSet(_, total) => stock.profile.total = *total,
        Event::BudgetSet(_, budget) => stock.profile.budget = *budget,
        Event::LimitsSet(_, limits) => stock.profile.limits = *limits,
        _ => {}
    }
    Some(stock)
}

/// Change a stock: everything in draft, name, terms, reference and metadata afterwards
#[utoipa::path(patch, path = "/v1/stocks/{id}", tag = "Stocks", request_body = PatchRequest,
    params(("id" = String, Path)), responses((status = 200, body = StockView)))]
pub(super) async fn patch(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Developer])?;
    let merchant = call.merchant()?;
    let parsed = call.parse::<PatchRequest>()?;
    let id = stock_id(&call, &path)?;
    let current = read(&state, id).await?;
    let command = Command::ChangeStock(id.number, Box::new(lay_over(&current.profile, parsed.body)?));
    let answer = state.backend.write(&call, merchant, parsed.fingerprint, command).await?;
    if answer.replayed {
        return Ok(answer);
    }
    Answer::ok(&stock_view(id, &*read(&state, id).await?, call.caller.livemode))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StepRequest {
    /// Claimed coupons may not be used either.
    #[serde(default)]
    stop_redemptions: bool,
}

async fn step(state: &Issuer, path: &Segment, call: &Call, step: Step) -> Result<Answer, Problem> {
    call.require(&[Role::Developer])?;
    let merchant = call.merchant()?;
    let parsed = call.parse_optional::<StepRequest>()?;
    let id = stock_id(call, path)?;
    let command = Command::MoveStock(id.number, step, parsed.body.stop_redemptions);
    state.backend.write(call, merchant, parsed.fingerprint, command).await
}

/// Open a draft
#[utoipa::path(post, path = "/v1/stocks/{id}/activate", tag = "Stocks", params(("id" = String, Path)),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn activate(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    step(&state, &path, &call, Step::Activate).await
}

/// Stop claims for now
#[utoipa::path(post, path = "/v1/stocks/{id}/pause", tag = "Stocks", request_body = StepRequest,
    params(("id" = String, Path)), responses((status = 200, body = serde_json::Value)))]
pub(super) async fn pause(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    step(&state, &path, &call, Step::Pause).await
}

/// Open a paused stock again
#[utoipa::path(post, path = "/v1/stocks/{id}/resume", tag = "Stocks", params(("id" = String, Path)),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn resume(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    step(&state, &path, &call, Step::Resume).await
}

/// Stop claims for ever
#[utoipa::path(post, path = "/v1/stocks/{id}/close", tag = "Stocks", request_body = StepRequest,
    params(("id" = String, Path)), responses((status = 200, body = serde_json::Value)))]
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
