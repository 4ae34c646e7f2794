//! Coupons: looked up, listed, as of then, and why.

use axum::extract::State;
use coupon::command::{Command, CouponRef};
use coupon::event::CouponState;
use coupon::fold::find_coupon;
use coupon::id::{CouponId, StockId};
use coupon::state::{Coupon, Read};
use coupon::terms::Millis;
use coupon_api::backend::Attempt;
use coupon_api::events::describe;
use coupon_api::listing::{self, LOOKS, Scan};
use coupon_api::past::AsOf;
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::List;
use http_api::problem::{Code, Problem};
use http_api::quota::QuotaClass;
use http_api::time::format_ms;
use projection::index::List as Numbers;
use projection::ledger::Ledger;
use projection::shard::ShardState;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::coupon_view::{Beside, CouponView, own_code, records, state_at, story_of, user_id, view};
use crate::state::Redeemer;

/// A code in a body stays out of access logs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Lookup {
    /// As printed or shown.
    code: String,
}

/// Find a coupon by its code
#[utoipa::path(post, path = "/v1/coupons/lookup", tag = "Coupons", request_body = Lookup,
    responses((status = 200, body = CouponView)))]
pub(super) async fn lookup(State(state): State<Redeemer>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Operator, Role::Developer])?;
    let merchant = call.merchant()?;
    call.limit(QuotaClass::Redeem)?;
    let body = call.parse::<Lookup>()?.body;
    Check::new().length("/code", &body.code, 1..=128).done()?;
    let missing = || Problem::of(Code::CouponNotFound).pointer("/code");
    let merchant = state.backend.place(merchant, Some(&body.code), None);
    let named = match state.backend.coupon_ref(merchant, Some(&body.code), None) {
        CouponRef::Unknown => {
            (state.backend.attempts)(merchant, Attempt::WrongCode, None, None);
            return Err(missing());
        }
        CouponRef::Number(number) => Some(number),
        CouponRef::Imported(hash) => {
            state.look(merchant, move |shard, _, _| shard.imported_code(merchant, hash).copied()).await?
        }
    };
    let id = CouponId::new(merchant, named.ok_or_else(missing)?);
    let found = move |shard: &ShardState, _: &Ledger, now| Some((find_coupon(shard, merchant, id.number)?, now));
    let (coupon, now) = state.look(merchant, found).await?.ok_or_else(missing)?;
    Answer::ok(&full_view(&state, &call, id, &coupon, now).await?)
}

async fn full_view(
    state: &Redeemer,
    call: &Call,
    id: CouponId,
    coupon: &Coupon,
    now: Millis,
) -> Result<CouponView, Problem> {
    let beside = Beside { own_code: own_code(state, id).await?, user_id: user_id(state, id.merchant, coupon).await? };
    Ok(view(state, id, coupon, beside, now, state.backend.livemode(call, id.merchant)))
}

fn coupon_id(call: &Call, path: &Segment) -> Result<CouponId, Problem> {
    let id: CouponId = path.id(Code::CouponNotFound)?;
    Redeemer::owner(call, id.merchant, Code::CouponNotFound).map(|_| id)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct At {
    as_of: Option<String>,
}

/// Read a coupon, now or as of a past time or `ledger_ref`
#[utoipa::path(get, path = "/v1/coupons/{id}", tag = "Coupons",
    params(("id" = String, Path), ("as_of" = Option<String>, Query)), responses((status = 200, body = CouponView)))]
pub(super) async fn get(State(state): State<Redeemer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Operator, Role::Developer, Role::Analyst])?;
    let At { as_of } = call.query_as()?;
    let as_of = as_of.as_deref().map(AsOf::parse).transpose()?;
    let id = coupon_id(&call, &path)?;
    let missing = || Problem::of(Code::CouponNotFound);
    let (story, now) = story_of(&state, id).await?.ok_or_else(missing)?;
    let Some(as_of) = as_of else {
        return Answer::ok(&full_view(&state, &call, id, story.now(), now).await?);
    };
    let records = records(&state, id.merchant, &story).await?;
    let reached = records.iter().filter(|(at, _)| as_of.reaches(*at)).map(|(at, record)| (*at, record));
    let past = story.tell(reached).ok_or_else(missing)?;
    let then = state.backend.moment(id.merchant, as_of).await?;
    Answer::ok(&full_view(&state, &call, id, &past, then).await?)
}

/// What explains a coupon, oldest first
#[utoipa::path(get, path = "/v1/coupons/{id}/events", tag = "Coupons", params(("id" = String, Path)),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn events(State(state): State<Redeemer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Operator, Role::Developer, Role::Analyst])?;
    let id = coupon_id(&call, &path)?;
    let (story, now) = story_of(&state, id).await?.ok_or_else(|| Problem::of(Code::CouponNotFound))?;
    let records = records(&state, id.merchant, &story).await?;
    let mut data: Vec<Value> = Vec::with_capacity(records.len() + 1);
    for (at, record) in &records {
        data.extend(describe(id, record, *at));
    }
    if state_at(story.now(), now) == CouponState::Expired {
        data.push(json!({"type": "coupon_expired", "at": format_ms(story.now().valid_until)}));
    }
    Answer::ok(&json!({"coupon_id": id.to_string(), "data": data, "next_cursor": null}))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VoidRequest {
    /// 1..=200 characters.
    reason: String,
}

/// Take a coupon out of use
#[utoipa::path(post, path = "/v1/coupons/{id}/void", tag = "Coupons", request_body = VoidRequest,
    params(("id" = String, Path)), responses((status = 200, body = serde_json::Value)))]
pub(super) async fn void(State(state): State<Redeemer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Operator, Role::Developer])?;
    call.merchant()?;
    call.require_idempotency_key()?;
    let parsed = call.parse::<VoidRequest>()?;
    Check::new().length("/reason", &parsed.body.reason, 1..=200).done()?;
    let id = coupon_id(&call, &path)?;
    if !call.reaches_store(None) {
        // A coupon is no store's, so taking it out of use is not for those who act for one.
        return Err(Problem::of(Code::StoreForbidden));
    }
    let command = Command::VoidCoupon(id.number, parsed.body.reason);
    state.backend.write(&call, id.merchant, parsed.fingerprint, command).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    user_id: Option<String>,
    stock_id: Option<String>,
    state: Option<StateName>,
}

/// As the API spells a coupon's state.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StateName {
    Available,
    Claimed,
    Locked,
    Redeemed,
    Voided,
    Expired,
}

impl StateName {
    fn is(self, state: CouponState) -> bool {
        let own = match self {
            Self::Available => CouponState::Available,
            Self::Claimed => CouponState::Claimed,
            Self::Locked => CouponState::Locked,
            Self::Redeemed => CouponState::Redeemed,
            Self::Voided => CouponState::Voided,
            Self::Expired => CouponState::Expired,
        };
        own == state
    }
}

/// List coupons that have an owner, newest first
#[utoipa::path(get, path = "/v1/coupons", tag = "Coupons",
    params(("user_id" = Option<String>, Query), ("stock_id" = Option<String>, Query),
        ("state" = Option<String>, Query), ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query),
        ("from" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<CouponView>)))]
pub(super) async fn list(State(state): State<Redeemer>, call: Call) -> Result<List<CouponView>, Problem> {
    call.require(&[Role::Operator, Role::Developer])?;
    let merchant = call.merchant()?;
    let (filter, page) = call.list::<Filter>()?;
    let merchant = super::listed_at(merchant, filter.stock_id.as_deref());
    let user = filter.user_id.as_deref().map(|id| state.backend.secrets.user(merchant, id));
    let stock = match filter.stock_id.as_deref().map(str::parse::<StockId>) {
        None => None,
        Some(Ok(id)) if id.merchant == merchant => Some(id.number),
        Some(_) => return Ok(List { data: Vec::new(), next_cursor: None }),
    };
    let numbers = match (user, stock) {
        (Some(user), _) => Numbers::CouponsOfUser(user),
        (None, Some(stock)) => Numbers::CouponsOfStock(stock),
        (None, None) => Numbers::Coupons,
    };
    let (mut after, wanted) = (page.after()?, filter.state);
    let mut scan = Scan { rows: Vec::new(), stopped_at: None };
    for _ in 0..LOOKS {
        let (asked, limit) = (page.clone(), page.limit - scan.rows.len());
        let look = move |shard: &ShardState, ledger: &Ledger, now| {
            listing::scan(ledger.index.list(merchant, numbers), after, limit, |number| {
                let coupon = shard.coupon_row(merchant, number)?;
                let fits = stock.is_none_or(|stock| coupon.stock == stock)
                    && wanted.is_none_or(|wanted| wanted.is(state_at(coupon, now)))
                    && coupon.claimed_at.is_none_or(|at| super::in_time(&asked, at));
                let own_code = || shard.code_text(merchant, number).map(ToString::to_string);
                fits.then(|| (number, coupon.clone(), own_code(), now))
            })
        };
        scan.append(state.look(merchant, look).await?);
        after = scan.stopped_at;
        if after.is_none() {
            break;
        }
    }
    let livemode = call.caller.livemode;
    let rows = scan.rows.into_iter().map(|(place, (number, coupon, own_code, now))| {
        let beside = Beside { own_code, ..Beside::default() };
        (place, view(&state, CouponId::new(merchant, number), &coupon, beside, now, livemode))
    });
    Ok(Scan { rows: rows.collect(), stopped_at: scan.stopped_at }.page(&page))
}
