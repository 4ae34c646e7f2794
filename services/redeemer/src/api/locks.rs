//! Locks: a quote that holds for a time.

use axum::extract::State;
use coupon::command::{Command, LockTerms};
use coupon::decision::Asked;
use coupon::event::ReleaseReason;
use coupon::id::{LedgerRef, LockId, MerchantId, StoreId};
use coupon::state::{LockEnd, LockRow, Read};
use coupon::terms::Millis;
use coupon_api::dto::answer::LockView;
use coupon_api::dto::order::{LockRequest, UseRequest};
use coupon_api::render;
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::List;
use http_api::problem::{Code, Problem};
use http_api::quota::QuotaClass;
use http_api::time::format_ms;
use projection::index::List as Index;
use serde::Deserialize;
use utoipa::ToSchema;

use super::usage;
use crate::state::Redeemer;

/// The longest that a lock may live from now: a week.
const MAX_TTL_SECONDS: u32 = 604_800;

/// An extension.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Extend {
    /// As the lock's answer said.
    token: String,
    /// From now, 1..=604800; never shortens.
    ttl_seconds: u32,
}

/// A release.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Release {
    /// As the lock's answer said.
    token: String,
    /// Why.
    reason: Reason,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Reason {
    PaymentFailed,
    Abandoned,
    Changed,
}

/// Lock coupons for an order
///
/// While the lock lives, redeeming it for the same order gives exactly this discount.
#[utoipa::path(post, path = "/v1/locks", tag = "Locks", request_body = LockRequest,
    responses((status = 201, body = LockView)))]
pub(super) async fn create(State(state): State<Redeemer>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Operator])?;
    let merchant = call.merchant()?;
    call.require_idempotency_key()?;
    let parsed = call.parse::<LockRequest>()?;
    let body = parsed.body;
    check_ttl(body.ttl_seconds)?;
    let terms = LockTerms { token: rand::random(), ttl_seconds: body.ttl_seconds };
    let request = UseRequest {
        coupons: body.coupons,
        order: body.order,
        user_id: body.user_id,
        store_id: body.store_id,
        cashier_id: body.cashier_id,
        terminal_id: body.terminal_id,
        lock: None,
        context: body.context,
        reference: body.reference,
        metadata: body.metadata,
    };
    let merchant = usage::place(&state, merchant, &request);
    call.limit_at(merchant, QuotaClass::Redeem)?;
    match usage::check(&call, merchant, request)?.command(&state, &call, merchant, Asked::Lock) {
        Ok(command) => {
            usage::refuse_unknown(&state, merchant, &command)?;
            let command = Command::Lock(Box::new(command), terms);
            state.backend.write(&call, merchant, parsed.fingerprint, command).await
        }
        Err(problem) => state.backend.first_or(&call, merchant, parsed.fingerprint, problem).await,
    }
}

fn check_ttl(seconds: u32) -> Result<(), Problem> {
    let fits = (1..=MAX_TTL_SECONDS).contains(&seconds);
    Check::new().field("/ttl_seconds", fits, "must be 1 to 604800 seconds").done()
}

fn lock_id(call: &Call, path: &Segment) -> Result<LockId, Problem> {
    let id: LockId = path.id(Code::LockNotFound)?;
    Redeemer::owner(call, id.merchant, Code::LockNotFound).map(|_| id)
}

/// Let a lock live longer
#[utoipa::path(post, path = "/v1/locks/{id}/extend", tag = "Locks", request_body = Extend,
    params(("id" = String, Path)), responses((status = 200, body = serde_json::Value)))]
pub(super) async fn extend(State(state): State<Redeemer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Operator])?;
    call.merchant()?;
    call.require_idempotency_key()?;
    let parsed = call.parse::<Extend>()?;
    check_ttl(parsed.body.ttl_seconds)?;
    let token = usage::token(&parsed.body.token, "/token")?;
    let id = lock_id(&call, &path)?;
    call.limit_at(id.merchant, QuotaClass::Redeem)?;
    let command = Command::ExtendLock(id.number, token, parsed.body.ttl_seconds);
    state.backend.write(&call, id.merchant, parsed.fingerprint, command).await
}

/// Let a lock go
#[utoipa::path(post, path = "/v1/locks/{id}/release", tag = "Locks", request_body = Release,
    params(("id" = String, Path)), responses((status = 200, body = serde_json::Value)))]
pub(super) async fn release(State(state): State<Redeemer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Operator])?;
    call.merchant()?;
    call.require_idempotency_key()?;
    let parsed = call.parse::<Release>()?;
    let token = usage::token(&parsed.body.token, "/token")?;
    let id = lock_id(&call, &path)?;
    call.limit_at(id.merchant, QuotaClass::Redeem)?;
    let reason = match parsed.body.reason {
        Reason::PaymentFailed => ReleaseReason::PaymentFailed,
        Reason::Abandoned => ReleaseReason::Abandoned,
        Reason::Changed => ReleaseReason::Changed,
    };
    state.backend.write(&call, id.merchant, parsed.fingerprint, Command::ReleaseLock(id.number, token, reason)).await
}

/// Read a lock
#[utoipa::path(get, path = "/v1/locks/{id}", tag = "Locks", params(("id" = String, Path)),
    responses((status = 200, body = LockView)))]
pub(super) async fn get(State(state): State<Redeemer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Operator, Role::Developer])?;
    let id = lock_id(&call, &path)?;
    let livemode = call.caller.livemode;
    let found = state
        .look(id.merchant, move |shard, _, now| {
            shard.lock(id.merchant, id.number).map(|row| (row.lock.actor.store, view(id, row, now, livemode)))
        })
        .await?;
    let (store, lock) = found.ok_or_else(|| Problem::of(Code::LockNotFound))?;
    if !call.reaches_store(store.map(|store| StoreId::new(id.merchant.real(), store))) {
        return Err(Problem::of(Code::StoreForbidden));
    }
    Answer::ok(&lock)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    order_id: Option<String>,
    state: Option<StateName>,
}

/// As the API spells a lock's state.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StateName {
    Locked,
    Redeemed,
    Released,
    Voided,
    Expired,
}

/// List locks, newest first
#[utoipa::path(get, path = "/v1/locks", tag = "Locks",
    params(("order_id" = Option<String>, Query), ("state" = Option<String>, Query), ("limit" = Option<u16>, Query),
        ("cursor" = Option<String>, Query), ("from" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<LockView>)))]
pub(super) async fn list(State(state): State<Redeemer>, call: Call) -> Result<List<LockView>, Problem> {
    call.require(&[Role::Operator, Role::Developer])?;
    let merchant = call.merchant()?;
    let (filter, page) = call.list::<Filter>()?;
    let (after, livemode, asked) = (page.after()?, call.caller.livemode, page.clone());
    let rows = state
        .look(merchant, move |shard, ledger, now| {
            let reached =
                |row: &LockRow| call.reaches_store(row.lock.actor.store.map(|store| StoreId::new(merchant, store)));
            let fits = |row: &LockRow| {
                reached(row)
                    && filter.order_id.as_ref().is_none_or(|order| *order == row.lock.order.id)
                    && filter.state.is_none_or(|state| state == state_of(row, now))
                    && super::in_time(&asked, row.created_at)
            };
            super::newest(ledger.index.list(merchant, Index::Locks), after)
                .filter_map(|(place, number)| Some((place, number, shard.lock(merchant, number)?)))
                .filter(|(_, _, row)| fits(row))
                .take(asked.limit + 1)
                .map(|(place, number, row)| (place, view(LockId::new(merchant, number), row, now, livemode)))
                .collect::<Vec<_>>()
        })
        .await?;
    Ok(super::page(rows, &page))
}

fn state_of(row: &LockRow, now: Millis) -> StateName {
    match row.end {
        Some(LockEnd::Redeemed) => StateName::Redeemed,
        Some(LockEnd::Released) => StateName::Released,
        Some(LockEnd::Voided) => StateName::Voided,
        Some(LockEnd::Expired) => StateName::Expired,
        None if row.lock.expires_at <= now => StateName::Expired,
        None => StateName::Locked,
    }
}

impl StateName {
    fn name(self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::Redeemed => "redeemed",
            Self::Released => "released",
            Self::Voided => "voided",
            Self::Expired => "expired",
        }
    }
}

fn view(id: LockId, row: &LockRow, now: Millis, livemode: bool) -> LockView {
    let merchant: MerchantId = id.merchant;
    LockView {
        id: id.to_string(),
        token: None,
        state: state_of(row, now).name(),
        expires_at: format_ms(row.lock.expires_at),
        order: render::order(&row.lock.order),
        coupons: row.lock.parts.iter().map(|part| render::part(merchant, part)).collect(),
        decision: None,
        livemode,
        ledger_ref: LedgerRef(row.version).to_string(),
        note: render::note(&row.lock.note),
    }
}
