//! API keys. A secret is derived from the master key, so that none stands in the log.

use axum::extract::State;
use coupon::command::Command;
use coupon::event::ApiKey;
use coupon::hash::id_hash;
use coupon::id::{MerchantId, PLATFORM, StoreId};
use coupon::state::{KeyRow, Read};
use coupon_api::listing::{in_time, newest, page};
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::{List, NoFilter};
use http_api::problem::{Code, Problem};
use http_api::time::format_ms;
use projection::engine::What;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::merchants::merchant_id;
use crate::state::Issuer;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyRequest {
    /// At most 128 characters.
    #[serde(default)]
    name: String,
    /// `developer`, `operator`, `admin`, `analyst`, `analyst_lead` or `platform`.
    #[schema(value_type = String)]
    role: Role,
    /// Binds an operator to these stores.
    store_ids: Option<Vec<String>>,
}

/// A new key. Its secret is shown in this answer, and in repetitions of it under the same idempotency key, only.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the answer that the record gives")]
pub(super) struct NewKey {
    /// `cfk_test_...` or `cfk_live_...`
    key_id: String,
    /// What signs requests.
    secret: String,
    /// As its owner calls it.
    name: String,
    /// What it may do.
    role: String,
    /// Whose it is; null sees all merchants.
    merchant_id: Option<String>,
    /// Bound to these stores; null is all.
    store_ids: Option<Vec<String>>,
    /// Of a live merchant.
    livemode: bool,
    /// When it was made.
    created_at: String,
    /// After a rotation: when the old key ends.
    #[schema(required = false)]
    old_key_expires_at: Option<String>,
}

/// Make a key of a merchant
#[utoipa::path(post, path = "/v1/merchants/{id}/keys", tag = "Keys", request_body = KeyRequest,
    params(("id" = String, Path)), responses((status = 201, body = NewKey)))]
pub(super) async fn create(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Platform, Role::Admin])?;
    call.refuse_merchants_people()?;
    let parsed = call.parse::<KeyRequest>()?;
    let body = parsed.body;
    let operator = body.role == Role::Operator;
    // A lead approves what binds merchants, so that no merchant may appoint one.
    let lead = body.role == Role::AnalystLead && call.caller.role != Role::Platform;
    let count = body.store_ids.as_ref().map_or(1, Vec::len);
    Check::new()
        .length("/name", &body.name, 0..=128)
        .field("/role", body.role != Role::Platform, "must not be platform for a merchant's key")
        .field("/role", !lead, "may be analyst_lead only if the platform makes the key")
        .field("/store_ids", body.store_ids.is_none() || operator, "is for operators only")
        .field("/store_ids", (1..=1000).contains(&count), "must have 1 to 1000 stores")
        .done()?;
    let id = merchant_id(&call, &path)?;
    let merchant = state.backend.directory.merchant(id).ok_or_else(|| Problem::of(Code::MerchantNotFound))?;
    let stores = match body.store_ids {
        Some(ids) => Some(stores(&state, id, &ids).await?),
        None => None,
    };
    let key = ApiKey {
        key_id: new_id(merchant.profile.livemode),
        merchant: Some(id),
        role: body.role.as_str().to_owned(),
        name: body.name,
        stores,
        livemode: merchant.profile.livemode,
    };
    write(&state, &call, parsed.fingerprint, Command::CreateKey(Box::new(key))).await
}

/// Make a key without a merchant
///
/// For analysts who see all merchants, and for the platform.
#[utoipa::path(post, path = "/v1/keys", tag = "Keys", request_body = KeyRequest,
    responses((status = 201, body = NewKey)))]
pub(super) async fn create_platform(State(state): State<Issuer>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Platform])?;
    let parsed = call.parse::<KeyRequest>()?;
    let body = parsed.body;
    let free = matches!(body.role, Role::Analyst | Role::AnalystLead | Role::Platform);
    Check::new()
        .length("/name", &body.name, 0..=128)
        .field("/role", free, "must be analyst, analyst_lead or platform for a key without a merchant")
        .field("/store_ids", body.store_ids.is_none(), "is for operators only")
        .done()?;
    let key = ApiKey {
        key_id: new_id(true),
        merchant: None,
        role: body.role.as_str().to_owned(),
        name: body.name,
        stores: None,
        livemode: true,
    };
    write(&state, &call, parsed.fingerprint, Command::CreateKey(Box::new(key))).await
}

/// 24 random characters of base32: 120 bits.
fn new_id(livemode: bool) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mode = if livemode { "live" } else { "test" };
    let random = rand::random::<[u8; 24]>().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    format!("cfk_{mode}_{}", String::from_iter(random))
}

/// Keys lie in the platform's shard; the idempotency key stays the caller's merchant's.
async fn write(state: &Issuer, call: &Call, fingerprint: [u8; 16], command: Command) -> Result<Answer, Problem> {
    let owner = call.caller.merchant.unwrap_or(PLATFORM);
    let key = call.idempotency_key.as_ref();
    if owner != PLATFORM {
        // What stands in the merchant's own shard is another call's.
        state.backend.repeated(call, owner, fingerprint).await?;
    }
    let request = key.map(|key| (state.backend.secrets.request_key(owner, key.as_str()), fingerprint));
    let answer = state.backend.submit(PLATFORM, request, What::Command(command.by(&call.caller.key_id))).await;
    state.backend.answer(call, PLATFORM, answer).await
}

async fn stores(state: &Issuer, merchant: MerchantId, ids: &[String]) -> Result<Vec<u64>, Problem> {
    let missing = |i: usize| Problem::of(Code::StoreNotFound).pointer(format!("/store_ids/{i}"));
    let mut numbers = Vec::with_capacity(ids.len());
    for (i, id) in ids.iter().enumerate() {
        let id = id.parse::<StoreId>().ok().filter(|id| id.merchant == merchant).ok_or_else(|| missing(i))?;
        numbers.push(id.number);
    }
    let wanted = numbers.clone();
    let unknown = state
        .backend
        .look(merchant, move |shard, _, _| wanted.iter().position(|n| shard.store(merchant, *n).is_none()))
        .await?;
    unknown.map_or(Ok(numbers), |i| Err(missing(i)))
}

/// A key, without its secret.
#[derive(Serialize, ToSchema)]
pub(super) struct KeyView {
    /// `cfk_test_...` or `cfk_live_...`
    key_id: String,
    /// As its owner calls it.
    name: String,
    /// What it may do.
    role: String,
    /// Whose it is; null sees all merchants.
    merchant_id: Option<String>,
    /// Bound to these stores; null is all.
    store_ids: Option<Vec<String>>,
    /// Of a live merchant.
    livemode: bool,
    /// When it was made.
    created_at: String,
    /// When it ends or ended, after a rotation or revocation.
    expires_at: Option<String>,
}

fn view(row: &KeyRow) -> KeyView {
    let stores = row.key.stores.as_ref().zip(row.key.merchant);
    KeyView {
        key_id: row.key.key_id.clone(),
        name: row.key.name.clone(),
        role: row.key.role.clone(),
        merchant_id: row.key.merchant.map(|merchant| merchant.to_string()),
        store_ids: stores
            .map(|(stores, merchant)| stores.iter().map(|n| StoreId::new(merchant, *n).to_string()).collect()),
        livemode: row.key.livemode,
        created_at: format_ms(row.created_at),
        expires_at: row.ends_at.map(format_ms),
    }
}

/// List a merchant's keys, without their secrets
#[utoipa::path(get, path = "/v1/merchants/{id}/keys", tag = "Keys",
    params(("id" = String, Path), ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query),
        ("from" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<KeyView>)))]
pub(super) async fn list(State(state): State<Issuer>, path: Segment, call: Call) -> Result<List<KeyView>, Problem> {
    call.require(&[Role::Platform, Role::Admin])?;
    call.refuse_merchants_people()?;
    let (NoFilter {}, asked) = call.list()?;
    let id = merchant_id(&call, &path)?;
    state.backend.directory.merchant(id).ok_or_else(|| Problem::of(Code::MerchantNotFound))?;
    let (after, wanted) = (asked.after()?, asked.clone());
    let rows = state
        .backend
        .look(PLATFORM, move |shard, ledger, _| {
            let hashes = ledger.index.keys(id).iter();
            let mut keys: Vec<_> = hashes.filter_map(|hash| shard.api_key(PLATFORM, *hash)).collect();
            // After a restart the index has them by their hashes, and places are to stay what they are.
            keys.sort_by(|a, b| (a.created_at, &a.key.key_id).cmp(&(b.created_at, &b.key.key_id)));
            let places: Vec<u64> = (0..keys.len() as u64).collect();
            newest(&places, after)
                .filter_map(|(place, n)| Some((place, keys.get(usize::try_from(n).ok()?)?)))
                .filter(|(_, row)| in_time(&wanted, row.created_at))
                .take(wanted.limit + 1)
                .map(|(place, row)| (place, view(row)))
                .collect()
        })
        .await?;
    Ok(page(rows, &asked))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RotateRequest {
    /// How long both keys are good, 0..=604800; a day unless said.
    #[serde(default = "a_day")]
    overlap_seconds: u32,
}

fn a_day() -> u32 {
    86_400
}

async fn own_key(state: &Issuer, call: &Call, key_id: &str) -> Result<std::sync::Arc<KeyRow>, Problem> {
    let hash = id_hash(key_id);
    let row = state.backend.look(PLATFORM, move |shard, _, _| shard.api_key(PLATFORM, hash).cloned()).await?;
    let may = |row: &KeyRow| call.caller.role == Role::Platform || row.key.merchant == call.caller.merchant;
    row.filter(|row| may(row)).ok_or_else(|| Problem::of(Code::KeyNotFound))
}

/// Replace a key by a successor
#[utoipa::path(post, path = "/v1/keys/{key_id}/rotate", tag = "Keys", request_body = RotateRequest,
    params(("key_id" = String, Path)), responses((status = 201, body = NewKey)))]
pub(super) async fn rotate(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Platform, Role::Admin])?;
    call.refuse_merchants_people()?;
    let parsed = call.parse_optional::<RotateRequest>()?;
    let overlap = parsed.body.overlap_seconds;
    Check::new().field("/overlap_seconds", overlap <= 604_800, "must be 0 to 604800").done()?;
    let old = own_key(&state, &call, path.text()).await?;
    let successor = ApiKey { key_id: new_id(old.key.livemode), ..old.key.clone() };
    let until = call.received_at_ms + i64::from(overlap) * 1000;
    let command = Command::RotateKey(Box::new(successor), id_hash(&old.key.key_id), until);
    write(&state, &call, parsed.fingerprint, command).await
}

/// Revoke a key
#[utoipa::path(delete, path = "/v1/keys/{key_id}", tag = "Keys", params(("key_id" = String, Path)),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn end(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Platform, Role::Admin])?;
    call.refuse_merchants_people()?;
    let old = own_key(&state, &call, path.text()).await?;
    write(&state, &call, call.raw_fingerprint(), Command::EndKey(id_hash(&old.key.key_id))).await
}
