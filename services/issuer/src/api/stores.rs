//! Stores.

use axum::extract::State;
use coupon::command::Command;
use coupon::event::StoreProfile;
use coupon::id::StoreId;
use coupon::state::Read;
use coupon_api::dto::context::Location;
use coupon_api::listing::{newest, page};
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::{List, NoFilter};
use http_api::problem::{Code, Problem};
use http_api::quota::QuotaClass;
use projection::index::List as Index;
use serde::Deserialize;
use serde_json::{Value, json};
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
    responses((status = 201, body = serde_json::Value)))]
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

fn view(id: StoreId, store: &StoreProfile, livemode: bool) -> Value {
    let location = store.location.map(Location::from);
    json!({"id": id.to_string(), "name": store.name, "location": location, "livemode": livemode})
}

/// List stores, newest first
#[utoipa::path(get, path = "/v1/stores", tag = "Stores",
    params(("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn list(State(state): State<Issuer>, call: Call) -> Result<List<Value>, Problem> {
    call.require(&[Role::Developer, Role::Operator])?;
    let merchant = call.merchant()?;
    let (NoFilter {}, asked) = call.list()?;
    let (after, limit, livemode) = (asked.after()?, asked.limit, call.caller.livemode);
    let rows = state
        .backend
        .look(merchant, move |shard, ledger, _| {
            newest(ledger.index.list(merchant, Index::Stores), after)
                .filter_map(|(place, n)| {
                    Some((place, view(StoreId::new(merchant, n), shard.store(merchant, n)?, livemode)))
                })
                .take(limit + 1)
                .collect()
        })
        .await?;
    Ok(page(rows, &asked))
}

/// Read a store
#[utoipa::path(get, path = "/v1/stores/{id}", tag = "Stores", params(("id" = String, Path)),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn get(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Developer, Role::Operator])?;
    let id: StoreId = path.id(Code::StoreNotFound)?;
    owner(&call, id.merchant, Code::StoreNotFound)?;
    let livemode = call.caller.livemode;
    let found = state
        .backend
        .look(id.merchant, move |shard, _, _| shard.store(id.merchant, id.number).map(|s| view(id, s, livemode)))
        .await?;
    Answer::ok(&found.ok_or_else(|| Problem::of(Code::StoreNotFound))?)
}
