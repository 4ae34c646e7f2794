//! Redemptions and their receipts.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use coupon::command::Command;
use coupon::decision::Asked;
use coupon::event::Event;
use coupon::hash::id_hash;
use coupon::id::{CouponId, MerchantId, RedemptionId, StockId, StoreId};
use coupon::record::Entry;
use coupon::state::{Read, RedemptionRow};
use coupon_api::dto::answer::RedemptionView;
use coupon_api::dto::order::UseRequest;
use coupon_api::listing::{self, LOOKS, Scan};
use coupon_api::render::Scene;
use http_api::auth::Role;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::{List, Page};
use http_api::problem::{Code, Problem};
use http_api::quota::QuotaClass;
use http_api::time::system_clock_ms;
use projection::index::{Index, List as Numbers};
use projection::ledger::Ledger;
use projection::shard::ShardState;
use serde::Deserialize;
use serde_json::json;

use super::usage;
use crate::state::Redeemer;

/// Redeem up to 30 coupons in one order, all or nothing
#[utoipa::path(post, path = "/v1/redemptions", tag = "Redemptions", request_body = UseRequest,
    responses((status = 201, body = RedemptionView)))]
pub(super) async fn create(State(state): State<Redeemer>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Operator])?;
    let merchant = call.merchant()?;
    call.require_idempotency_key()?;
    let parsed = call.parse::<UseRequest>()?;
    let merchant = usage::place(&state, merchant, &parsed.body);
    call.limit_at(merchant, QuotaClass::Redeem)?;
    let checked = usage::check(&call, merchant, parsed.body)?;
    let user_id = checked.request.user_id.clone();
    match checked.command(&state, &call, merchant, Asked::Redemption) {
        Ok(command) => {
            usage::refuse_unknown(&state, merchant, &command)?;
            let command = Command::Redeem(Box::new(command));
            state.backend.write_for(user_id, &call, merchant, parsed.fingerprint, command).await
        }
        Err(problem) => state.backend.first_or(&call, merchant, parsed.fingerprint, problem).await,
    }
}

fn redemption_id(call: &Call, path: &Segment) -> Result<RedemptionId, Problem> {
    let id: RedemptionId = path.id(Code::RedemptionNotFound)?;
    Redeemer::owner(call, id.merchant, Code::RedemptionNotFound).map(|_| id)
}

/// Read a redemption
#[utoipa::path(get, path = "/v1/redemptions/{id}", tag = "Redemptions", params(("id" = String, Path)),
    responses((status = 200, body = RedemptionView)))]
pub(super) async fn get(State(state): State<Redeemer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Operator, Role::Developer, Role::Analyst])?;
    let id = redemption_id(&call, &path)?;
    Answer::ok(&read(&state, &call, id).await?)
}

/// A redemption as it was made, with its state as it is.
async fn read(state: &Redeemer, call: &Call, id: RedemptionId) -> Result<RedemptionView, Problem> {
    let missing = || Problem::of(Code::RedemptionNotFound);
    let row = state.look(id.merchant, move |shard, _, _| shard.redemption(id.merchant, id.number).cloned()).await?;
    let row = row.ok_or_else(missing)?;
    if !call.reaches_store(row.store.map(|store| StoreId::new(id.merchant.real(), store))) {
        return Err(Problem::of(Code::StoreForbidden));
    }
    let record = state.backend.ledger.record(id.merchant.shard(), id.number).await.map_err(Problem::internal)?;
    let Some((at, Entry::Guarded(record))) = record else { return Err(missing()) };
    let livemode = state.backend.livemode(call, id.merchant);
    let scene = Scene { secrets: &state.backend.secrets, merchant: id.merchant, livemode, at, user_id: None };
    let found = record.events.iter().find_map(|event| match event {
        Event::CouponsRedeemed(redemption) => Some(scene.redemption(redemption)),
        _ => None,
    });
    let mut view = RedemptionView { state: state_name(&row), ..found.ok_or_else(missing)? };
    for (shown, part) in view.coupons.iter_mut().zip(&row.parts).filter(|(_, part)| part.uses_reversed > 0) {
        (shown.uses_reversed, shown.discount_returned) = (Some(part.uses_reversed), Some(part.discount_returned));
    }
    Ok(view)
}

fn state_name(row: &RedemptionRow) -> &'static str {
    let uses: u32 = row.parts.iter().map(|part| part.uses).sum();
    match row.parts.iter().map(|part| part.uses_reversed).sum::<u32>() {
        0 => "redeemed",
        reversed if reversed == uses => "reversed",
        _ => "partially_reversed",
    }
}

/// A signed receipt
///
/// A JWS (`EdDSA`) over the redemption; keys at `/.well-known/jwks.json`.
#[utoipa::path(get, path = "/v1/redemptions/{id}/receipt", tag = "Redemptions", params(("id" = String, Path)),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn receipt(State(state): State<Redeemer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Operator, Role::Developer, Role::Analyst])?;
    let id = redemption_id(&call, &path)?;
    let redemption = read(&state, &call, id).await?;
    let body = json!({
        "iss": "counterfoil",
        "sub": id.to_string(),
        "iat": system_clock_ms() / 1000,
        "merchant_id": id.merchant.to_string(),
        "redemption": redemption,
    });
    let receipt = state.receipts.sign(&body).map_err(Problem::internal)?;
    Answer::ok(&json!({"redemption_id": id.to_string(), "format": "jws", "receipt": receipt}))
}

/// The keys that receipts are checked with
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "Redemptions", security(()),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn public_keys(State(state): State<Redeemer>) -> Json<serde_json::Value> {
    Json(state.receipts.public_keys())
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    order_id: Option<String>,
    coupon_id: Option<String>,
    user_id: Option<String>,
    store_id: Option<String>,
    cashier_id: Option<String>,
    stock_id: Option<String>,
    state: Option<String>,
    merchant_id: Option<String>,
}

/// A filter's ids, understood; `None` where one can match nothing.
struct Wanted {
    order: Option<[u8; 16]>,
    coupon: Option<u64>,
    user: Option<coupon::event::Pseudonym>,
    store: Option<u64>,
    cashier: Option<String>,
    stock: Option<u64>,
    state: Option<String>,
    /// The stores that the key is bound to.
    bound: Option<Vec<u64>>,
}

/// List redemptions, newest first
///
/// Analysts and the platform say whose with `merchant_id`.
#[utoipa::path(get, path = "/v1/redemptions", tag = "Redemptions",
    params(("order_id" = Option<String>, Query), ("coupon_id" = Option<String>, Query),
        ("user_id" = Option<String>, Query), ("store_id" = Option<String>, Query),
        ("cashier_id" = Option<String>, Query), ("stock_id" = Option<String>, Query),
        ("state" = Option<String>, Query), ("merchant_id" = Option<String>, Query), ("limit" = Option<u16>, Query),
        ("cursor" = Option<String>, Query), ("from" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<RedemptionView>)))]
pub(super) async fn list(State(state): State<Redeemer>, call: Call) -> Result<List<RedemptionView>, Problem> {
    call.require(&[Role::Operator, Role::Developer, Role::Analyst])?;
    let (filter, page) = call.list::<Filter>()?;
    let merchant = listing::read_of(&state.backend, &call, filter.merchant_id.as_deref())?;
    if let Some(name) = filter.state.as_deref().filter(|s| !["redeemed", "partially_reversed", "reversed"].contains(s))
    {
        let detail = format!("/query/state is {name:?}; it must be redeemed, partially_reversed or reversed.");
        return Err(Problem::new(Code::InvalidField, detail).pointer("/query/state"));
    }
    let bound = call.caller.store_ids.as_deref().map(|stores| stores.iter().map(|store| store.number).collect());
    let merchant = super::listed_at(merchant, filter.stock_id.as_deref());
    let Some(wanted) = wanted(&state, merchant, filter, bound).map(Arc::new) else {
        return Ok(List { data: Vec::new(), next_cursor: None });
    };
    let mut after = page.after()?;
    let mut scan = Scan { rows: Vec::new(), stopped_at: None };
    for _ in 0..LOOKS {
        let (wanted, asked, limit) = (wanted.clone(), page.clone(), page.limit - scan.rows.len());
        let look = move |shard: &ShardState, ledger: &Ledger, _| {
            find(shard, &ledger.index, merchant, &wanted, after, &Page { limit, ..asked })
        };
        scan.append(state.look(merchant, look).await?);
        after = scan.stopped_at;
        if after.is_none() {
            break;
        }
    }
    let mut rows = Vec::with_capacity(scan.rows.len());
    for (place, number) in scan.rows {
        rows.push((place, read(&state, &call, RedemptionId::new(merchant, number)).await?));
    }
    Ok(Scan { rows, stopped_at: scan.stopped_at }.page(&page))
}

fn wanted(state: &Redeemer, merchant: MerchantId, filter: Filter, bound: Option<Vec<u64>>) -> Option<Wanted> {
    // An id of another merchant, or of none, matches nothing.
    let own = |of: MerchantId, number: u64| (of == merchant).then_some(number);
    let own_store = |of: MerchantId, number: u64| (of == merchant.real()).then_some(number);
    let coupon =
        filter.coupon_id.as_deref().map(|id| id.parse().ok().and_then(|id: CouponId| own(id.merchant, id.number)));
    let store =
        filter.store_id.as_deref().map(|id| id.parse().ok().and_then(|id: StoreId| own_store(id.merchant, id.number)));
    let stock =
        filter.stock_id.as_deref().map(|id| id.parse().ok().and_then(|id: StockId| own(id.merchant, id.number)));
    if [coupon, store, stock].contains(&Some(None)) {
        return None;
    }
    Some(Wanted {
        order: filter.order_id.as_deref().map(id_hash),
        coupon: coupon.flatten(),
        user: filter.user_id.as_deref().map(|user| state.backend.secrets.user(merchant, user)),
        store: store.flatten(),
        cashier: filter.cashier_id,
        stock: stock.flatten(),
        state: filter.state,
        bound,
    })
}

fn find(
    shard: &ShardState,
    index: &Index,
    merchant: MerchantId,
    wanted: &Wanted,
    after: Option<u64>,
    page: &Page,
) -> Scan<u64> {
    let fits = |number: u64| {
        let Some(row) = shard.redemption(merchant, number) else { return false };
        wanted.order.is_none_or(|order| row.order == order)
            && wanted.coupon.is_none_or(|coupon| row.parts.iter().any(|part| part.coupon == coupon))
            && wanted.stock.is_none_or(|stock| row.parts.iter().any(|part| part.stock == stock))
            && wanted.user.is_none_or(|user| row.users().any(|of| of == user))
            && wanted.store.is_none_or(|store| row.store == Some(store))
            && wanted.cashier.as_deref().is_none_or(|cashier| row.cashier.as_deref() == Some(cashier))
            && wanted.state.as_deref().is_none_or(|state| state == state_name(row))
            && wanted.bound.as_ref().is_none_or(|bound| row.store.is_some_and(|store| bound.contains(&store)))
            && super::in_time(page, row.redeemed_at)
    };
    let take = |numbers: &[u64]| listing::scan(numbers, after, page.limit, |number| fits(number).then_some(number));
    if let Some(order) = wanted.order {
        let empty = Vec::new();
        return take(shard.order(merchant, order).map_or(&empty, |row| &row.redemptions));
    }
    if let Some(coupon) = wanted.coupon {
        return take(&redemptions_of(shard, merchant, coupon));
    }
    let list = match (wanted.user, wanted.store, wanted.stock) {
        (Some(user), _, _) => Numbers::RedemptionsOfUser(user),
        (None, Some(store), _) => Numbers::RedemptionsOfStore(store),
        (None, None, Some(stock)) => Numbers::RedemptionsOfStock(stock),
        (None, None, None) => Numbers::Redemptions,
    };
    take(index.list(merchant, list))
}

/// A coupon's redemptions, oldest first: each names the one before it.
fn redemptions_of(shard: &ShardState, merchant: MerchantId, coupon: u64) -> Vec<u64> {
    let mut numbers = Vec::new();
    let mut next = shard.coupon_row(merchant, coupon).and_then(|row| row.redemption);
    while let Some(number) = next {
        numbers.push(number);
        let row = shard.redemption(merchant, number);
        next = row.and_then(|row| row.parts.iter().find(|part| part.coupon == coupon)?.earlier);
    }
    numbers.reverse();
    numbers
}
