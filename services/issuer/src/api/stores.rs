//! Stores.

use axum::extract::State;
use coupon::command::Command;
use coupon::event::StoreProfile;
use coupon::id::StoreId;
use coupon::state::Read;
use coupon::terms::Millis;
use coupon_api::dto::context::Location;
use coupon_api::listing::{in_time, newest, page, read_of};
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::List;
use http_api::problem::{Code, Problem};
use http_api::quota::QuotaClass;
use http_api::time::format_ms;
use projection::index::List as Index;
use projection::shard::ShardState;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::state::{Issuer, owner};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StoreRequest {
    /// 1..=128 characters.
    name: String,
    /// Where it is.
    location: Option<Location>,
}

/// Make a store
#[utoipa::path(post, path = "/v1/stores", tag = "Stores", request_body = StoreRequest,
    responses((status = 201, body = StoreView)))]
pub(super) async fn create(State(state): State<Issuer>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Developer])?;
    let merchant = call.merchant()?;
    call.limit(QuotaClass::Create)?;
    let parsed = call.parse::<StoreRequest>()?;
    let mut check = Check::new().length("/name", &parsed.body.name, 1..=128);
    if let Some(location) = parsed.body.location {
        check = location.check(check, "/location");
    }
    check.done()?;
    let command = Command::CreateStore(parsed.body.name, parsed.body.location.map(Into::into));
    state.backend.write(&call, merchant, parsed.fingerprint, command).await
}

/// A store.
#[derive(Serialize, ToSchema)]
pub(super) struct StoreView {
    /// `str_...`
    id: String,
    /// As the merchant calls it.
    name: String,
    /// Where it is.
    location: Option<Location>,
    /// When it was made.
    created_at: String,
    /// Of a live merchant.
    livemode: bool,
}

/// A store with the time of the record that made it, which is called like the store.
fn find(shard: &ShardState, id: StoreId) -> Option<(&StoreProfile, Millis)> {
    let (_, created_at) = shard.positions().get(id.number)?;
    Some((shard.store(id.merchant, id.number)?, created_at))
}

fn view(id: StoreId, store: &StoreProfile, created_at: Millis, livemode: bool) -> StoreView {
    StoreView {
        id: id.to_string(),
        name: store.name.clone(),
        location: store.location.map(Location::from),
        created_at: format_ms(created_at),
        livemode,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    merchant_id: Option<String>,
}

/// List stores, newest first
///
/// Analysts and the platform say whose with `merchant_id`.
#[utoipa::path(get, path = "/v1/stores", tag = "Stores",
    params(("merchant_id" = Option<String>, Query), ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query), ("from" = Option<String>, Query),
        ("until" = Option<String>, Query)),
    responses((status = 200, body = List<StoreView>)))]
pub(super) async fn list(State(state): State<Issuer>, call: Call) -> Result<List<StoreView>, Problem> {
    call.require(&[Role::Developer, Role::Operator, Role::Analyst])?;
    let (Whose { merchant_id }, asked) = call.list()?;
    let merchant = read_of(&state.backend, &call, merchant_id.as_deref())?;
    let (after, wanted, livemode) = (asked.after()?, asked.clone(), state.backend.livemode(&call, merchant));
    let rows = state
        .backend
        .look(merchant, move |shard, ledger, _| {
            newest(ledger.index.list(merchant, Index::Stores), after)
                .map(|(place, n)| (place, StoreId::new(merchant, n)))
                .filter_map(|(place, id)| Some((place, id, find(shard, id)?)))
                .filter(|(_, _, (_, created_at))| in_time(&wanted, *created_at))
                .take(wanted.limit + 1)
                .map(|(place, id, (store, created_at))| (place, view(id, store, created_at, livemode)))
                .collect()
        })
        .await?;
    Ok(page(rows, &asked))
}

/// Read a store
#[utoipa::path(get, path = "/v1/stores/{id}", tag = "Stores", params(("id" = String, Path)),
    responses((status = 200, body = StoreView)))]
pub(super) async fn get(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Developer, Role::Operator, Role::Analyst])?;
    let id: StoreId = path.id(Code::StoreNotFound)?;
    owner(&call, id.merchant, Code::StoreNotFound)?;
    let livemode = state.backend.livemode(&call, id.merchant);
    let found = state
        .backend
        .look(id.merchant, move |shard, _, _| find(shard, id).map(|(store, at)| view(id, store, at, livemode)))
        .await?;
    Answer::ok(&found.ok_or_else(|| Problem::of(Code::StoreNotFound))?)
}
