//! Lists of risk: of a merchant, or the platform's for all merchants.

use std::collections::BTreeSet;
use std::net::IpAddr;

use axum::Router;
use axum::extract::{FromRequest, State};
use axum::routing::{delete, get, post};
use coupon::command::Command;
use coupon::id::{ListId, MerchantId, PLATFORM};
use coupon::list::{ITEMS_PER_RECORD, ItemAdded, ItemKind, ListMode, ListProfile, ListRow, ListStep, ListStepped};
use coupon::state::Read;
use coupon_api::dto::list::{ListView, item_value, item_view, list_view};
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment, Upload};
use http_api::idempotency::Answer;
use http_api::page::{Cursor, List, Page};
use http_api::problem::{Code, Problem};
use http_api::time::Timestamp;
use inline_risk::type_of;
use projection::engine::{Answer as Outcome, What};
use projection::index::List as Index;
use risk::lists::{Item, Request};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{OpenApi, ToSchema};

use super::across::{self, Place, merchants, newest, seen};
use super::{RiskApi, list_file};

#[derive(OpenApi)]
#[openapi(paths(make, list, add, items, remove, lookup))]
pub(super) struct Document;

pub(super) fn router() -> Router<RiskApi> {
    Router::new()
        .route("/v1/risk/lists", post(make).get(list))
        .route("/v1/risk/lists/lookup", get(lookup))
        .route("/v1/risk/lists/{id}/items", post(add).get(items))
        .route("/v1/risk/lists/{id}/items/{item}", delete(remove))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListRequest {
    /// As rules call it: `listed("name")`.
    name: String,
    /// `allow`, `block` or `watch`.
    mode: ModeName,
    /// What it holds.
    item_type: KindName,
    /// At which merchant; left out by keys that see all, it holds for all merchants.
    merchant_id: Option<String>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ModeName {
    Allow,
    Block,
    Watch,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum KindName {
    User,
    Device,
    Ip,
    Cidr,
    EmailDomain,
    Store,
    Cashier,
}

impl KindName {
    fn kind(self) -> ItemKind {
        match self {
            Self::User => ItemKind::User,
            Self::Device => ItemKind::Device,
            Self::Ip => ItemKind::Ip,
            Self::Cidr => ItemKind::Cidr,
            Self::EmailDomain => ItemKind::EmailDomain,
            Self::Store => ItemKind::Store,
            Self::Cashier => ItemKind::Cashier,
        }
    }
}

/// Make a list
#[utoipa::path(post, path = "/v1/risk/lists", tag = "Risk", request_body = ListRequest,
    responses((status = 201, body = ListView)))]
pub(super) async fn make(State(state): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let parsed = call.parse::<ListRequest>()?;
    let ListRequest { name, mode, item_type, merchant_id } = parsed.body;
    let name = name.trim().to_owned();
    Check::new().length("/name", &name, 1..=100).done()?;
    let owner = seen(&call, merchant_id.as_deref())?.unwrap_or(PLATFORM);
    let mode = match mode {
        ModeName::Allow => ListMode::Allow,
        ModeName::Block => ListMode::Block,
        ModeName::Watch => ListMode::Watch,
    };
    let profile = ListProfile { name, mode, item_type: item_type.kind() };
    let stepped = ListStepped { list: 0, by: call.caller.key_id.to_string(), step: ListStep::Make(profile) };
    state.backend.write(&call, owner, parsed.fingerprint, Command::StepList(Box::new(stepped))).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    merchant_id: Option<String>,
}

/// List the lists, newest first
#[utoipa::path(get, path = "/v1/risk/lists", tag = "Risk",
    params(("merchant_id" = Option<String>, Query), ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query),
        ("from" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<ListView>)))]
pub(super) async fn list(State(state): State<RiskApi>, call: Call) -> Result<List<ListView>, Problem> {
    call.require(&[Role::Analyst])?;
    let (Filter { merchant_id }, asked) = call.list()?;
    let one = seen(&call, merchant_id.as_deref())?;
    let after = Place::after(&asked)?;
    let look = move |ledger: &projection::ledger::Ledger| {
        let mut owners = merchants(ledger, one);
        owners.push(PLATFORM);
        let places = newest(ledger, &owners, Index::RiskLists, after);
        across::page(places, &asked, |place| {
            let row = ledger.of(place.merchant).list(place.merchant, place.number)?;
            Some(list_view(place.merchant, place.number, row))
        })
    };
    state.backend.look(PLATFORM, move |_, ledger, _| look(ledger)).await
}

/// A list that the caller may see; the platform's lists hold for all.
async fn find(state: &RiskApi, call: &Call, path: &Segment) -> Result<(ListId, ListRow), Problem> {
    let id: ListId = path.id(Code::ListNotFound)?;
    let missing = || Problem::of(Code::ListNotFound);
    if id.merchant != PLATFORM && !call.sees(id.merchant) {
        return Err(missing());
    }
    let row = state.backend.look(id.merchant, move |shard, _, _| shard.list(id.merchant, id.number).cloned()).await?;
    row.map(|row| (id, ListRow::clone(&row))).ok_or_else(missing)
}

/// A list that the caller may change.
async fn own(state: &RiskApi, call: &Call, path: &Segment) -> Result<(ListId, ListRow), Problem> {
    call.require(&[Role::Analyst])?;
    let (id, row) = find(state, call, path).await?;
    if id.merchant == PLATFORM && call.caller.merchant.is_some() {
        let detail = "This list holds for all merchants; a key that is bound to one may look at it only.";
        return Err(Problem::new(Code::RoleForbidden, detail));
    }
    Ok((id, row))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ItemRequest {
    /// What is matched: a value, a network, a domain; of users, devices, stores and cashiers `abc*` is all that begin so.
    value: String,
    /// Why.
    reason: String,
    /// Not matched from here on.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// Add to a list
///
/// One item as JSON; or many with `text/csv`, the columns `value`, `reason`, `expires_at`, or without names of columns one
/// value in a line: then 202 with what became of them.
#[utoipa::path(post, path = "/v1/risk/lists/{id}/items", tag = "Risk", params(("id" = String, Path)),
    request_body = ItemRequest, responses((status = 201, body = serde_json::Value), (status = 202, body = serde_json::Value)))]
pub(super) async fn add(
    State(state): State<RiskApi>,
    path: Segment,
    request: axum::extract::Request,
) -> Result<Answer, Problem> {
    if list_file::is_file(request.headers()) {
        let call = Upload::from_request(request, &state).await?.call;
        let (id, row) = own(&state, &call, &path).await?;
        return list_file::add(&state, &call, (id, &row)).await;
    }
    let call = Call::from_request(request, &state).await?;
    let (id, row) = own(&state, &call, &path).await?;
    let parsed = call.parse::<ItemRequest>()?;
    let ItemRequest { value, reason, expires_at } = parsed.body;
    Check::new().length("/reason", &reason, 1..=500).done()?;
    let kind = row.profile.item_type;
    let item = Item::parse(type_of(kind), &value).map_err(|problem| {
        let detail = format!("/value {}; {}.", problem.message, problem.hint);
        Problem::new(Code::InvalidField, detail).pointer("/value").with("reason", problem.code)
    })?;
    let added = added(&state, id.merchant, kind, &item, reason, expires_at.map(|time| time.0));
    let stepped = stepped(&call, id.number, ListStep::Add(vec![added]));
    state.backend.write(&call, id.merchant, parsed.fingerprint, stepped).await
}

fn stepped(call: &Call, list: u64, step: ListStep) -> Command {
    Command::StepList(Box::new(ListStepped { list, by: call.caller.key_id.to_string(), step }))
}

/// An item as the ledger keeps it.
pub(super) fn added(
    state: &RiskApi,
    owner: MerchantId,
    kind: ItemKind,
    item: &Item,
    reason: String,
    expires_at: Option<i64>,
) -> ItemAdded {
    let (secrets, text) = (&state.backend.secrets, item.to_string());
    let hash = secrets.item(owner, kind.name(), &text);
    ItemAdded { item: hash, kind, value: item_value(secrets, owner, hash, kind, text), reason, expires_at }
}

/// Adds many, in records of a bounded size; adding one again changes nothing, so that it can be repeated whole.
pub(super) async fn add_all(state: &RiskApi, call: &Call, id: ListId, items: &[ItemAdded]) -> Result<(), Problem> {
    for chunk in items.chunks(ITEMS_PER_RECORD) {
        let command = stepped(call, id.number, ListStep::Add(chunk.to_vec())).by(&call.caller.key_id);
        match state.backend.submit(id.merchant, None, What::Command(command)).await {
            Outcome::Applied(_) => {}
            other => return Err(state.backend.refused(id.merchant, other)),
        }
    }
    Ok(())
}

/// Look at a list's items
#[utoipa::path(get, path = "/v1/risk/lists/{id}/items", tag = "Risk",
    params(("id" = String, Path), ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn items(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let (_, asked) = call.list::<http_api::page::NoFilter>()?;
    let (id, _) = find(&state, &call, &path).await?;
    Answer::ok(&items_of(&state, id, &asked)?)
}

fn items_of(state: &RiskApi, id: ListId, asked: &Page) -> Result<List<Value>, Problem> {
    let after = asked.cursor.as_ref().map(|cursor| cursor.as_bytes().try_into().map_err(|_| across::foreign()));
    let lists = state.scorer.inline.lists().read();
    let all = lists.items(id.merchant, id.number, after.transpose()?);
    let mut data = Vec::new();
    let mut last = None;
    for (_, row) in all {
        if data.len() == asked.limit {
            return Ok(List { data, next_cursor: last.map(|item: [u8; 16]| Cursor::new(item).encode()) });
        }
        data.push(item_view(&state.backend.secrets, id.merchant, &row.added, &row.by, row.added_at));
        last = Some(row.added.item);
    }
    Ok(List { data, next_cursor: None })
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Why {
    /// Why.
    reason: String,
}

/// Take an item off a list
///
/// By its id, or by its value.
#[utoipa::path(delete, path = "/v1/risk/lists/{id}/items/{item}", tag = "Risk",
    params(("id" = String, Path), ("item" = String, Path)), request_body = Why,
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn remove(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    let (id, row) = own(&state, &call, &path).await?;
    let parsed = call.parse_optional::<Why>()?;
    let text = path.text_at(1);
    let mut hash = [0; 16];
    if hex::decode_to_slice(text, &mut hash).is_err() {
        let kind = row.profile.item_type;
        let item = Item::parse(type_of(kind), text).map_err(|_| Problem::of(Code::ListItemNotFound))?;
        hash = state.backend.secrets.item(id.merchant, kind.name(), &item.to_string());
    }
    let command = stepped(&call, id.number, ListStep::Remove(hash, parsed.body.reason));
    state.backend.write(&call, id.merchant, parsed.fingerprint, command).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sought {
    item_type: KindName,
    value: String,
    merchant_id: Option<String>,
}

/// Ask which lists a value is on
#[utoipa::path(get, path = "/v1/risk/lists/lookup", tag = "Risk",
    params(("item_type" = String, Query), ("value" = String, Query), ("merchant_id" = Option<String>, Query)),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn lookup(State(state): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let Sought { item_type, value, merchant_id } = call.query_as()?;
    let merchant = seen(&call, merchant_id.as_deref())?.unwrap_or(PLATFORM);
    let request = sought(item_type, &value)?;
    let now = state.backend.ledger.now();
    let found = state.scorer.inline.lists().read().matches(merchant, &request, now);
    let ids: BTreeSet<(MerchantId, u64)> = found.iter().map(|it| (it.hit.owner, it.hit.number)).collect();
    let views = state.backend.look(PLATFORM, move |_, ledger, _| {
        let row =
            |(owner, number): (MerchantId, u64)| Some(list_view(owner, number, ledger.of(owner).list(owner, number)?));
        ids.into_iter().filter_map(row).collect::<Vec<ListView>>()
    });
    let views = views.await?;
    Answer::ok(
        &json!({"item_type": item_type.kind().name(), "value": value, "listed": !views.is_empty(), "data": views,
        "next_cursor": null}),
    )
}

fn sought(kind: KindName, value: &str) -> Result<Request<'_>, Problem> {
    let none = Request::default();
    Ok(match kind {
        KindName::User => Request { user: Some(value), ..none },
        KindName::Device => Request { device: Some(value), ..none },
        KindName::EmailDomain => {
            let domain = value.rsplit_once('@').map_or(value, |(_, domain)| domain);
            Request { email_domain: Some(domain), ..none }
        }
        KindName::Store => Request { store: Some(value), ..none },
        KindName::Cashier => Request { cashier: Some(value), ..none },
        KindName::Ip | KindName::Cidr => {
            let address = value.parse::<IpAddr>().map_err(|_| {
                Problem::new(Code::InvalidField, "/query/value must be an address.").pointer("/query/value")
            })?;
            Request { ip: Some(address), ..none }
        }
    })
}
