//! Merchants and their quotas.

use axum::extract::State;
use coupon::command::Command;
use coupon::event::{MerchantProfile, Quotas};
use coupon::id::{MerchantId, PLATFORM};
use coupon::penalty::Deed;
use coupon::state::{Merchant, Read};
use coupon::terms::{Millis, Zone};
use coupon_api::listing::{in_time, newest, page};
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::{List, NoFilter};
use http_api::problem::{Code, Problem};
use http_api::time::format_ms;
use projection::index::List as Index;
use projection::ledger::Ledger;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::state::{Issuer, open_merchant};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MerchantRequest {
    /// 1..=128 characters.
    name: String,
    /// IANA; fixed once a stock exists.
    #[serde(default = "shanghai")]
    time_zone: String,
    #[serde(default)]
    mode: Mode,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Test,
    Live,
}

fn shanghai() -> String {
    "Asia/Shanghai".to_owned()
}

/// Make a merchant
#[utoipa::path(post, path = "/v1/merchants", tag = "Merchants", request_body = MerchantRequest,
    responses((status = 201, body = serde_json::Value)))]
pub(super) async fn create(State(state): State<Issuer>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Platform])?;
    let parsed = call.parse::<MerchantRequest>()?;
    let body = parsed.body;
    let zone = body.time_zone.parse::<chrono_tz::Tz>();
    Check::new()
        .length("/name", &body.name, 1..=128)
        .field("/time_zone", zone.is_ok(), "must be an IANA time zone, such as Asia/Shanghai")
        .done()?;
    let zone = Zone(zone.unwrap_or(chrono_tz::Asia::Shanghai));
    let profile = MerchantProfile { name: body.name, zone, livemode: body.mode == Mode::Live };
    let command = Command::CreateMerchant(profile.clone());
    let answer = state.backend.write(&call, PLATFORM, parsed.fingerprint, command).await?;
    let made: serde_json::Value = serde_json::from_slice(&answer.body).map_err(Problem::internal)?;
    let id = made["id"].as_str().and_then(|id| id.parse::<MerchantId>().ok());
    let id = id.ok_or_else(|| Problem::internal("a merchant without an id"))?;
    open_merchant(&state.backend, id, profile).await?;
    Ok(answer)
}

/// A merchant.
#[derive(Serialize, ToSchema)]
pub(super) struct MerchantView {
    /// `mer_...`
    id: String,
    /// As the platform calls it.
    name: String,
    /// Decides what a day is.
    time_zone: &'static str,
    /// `test` or `live`.
    mode: &'static str,
    /// Live, and not a test.
    livemode: bool,
    /// `active`, or `suspended` while a penalty bars its coupons from use.
    status: &'static str,
    /// What it may call how often.
    quotas: QuotasView,
    /// When it was made.
    created_at: String,
}

/// What a merchant may call how often.
#[derive(Serialize, ToSchema)]
pub(super) struct QuotasView {
    /// `mer_...`
    merchant_id: String,
    /// Stocks, stores, batches.
    create_per_second: u32,
    /// Claims, validations, locks, redemptions, reversals.
    redeem_per_second: u32,
    /// Imports and sends.
    import_per_minute: u32,
}

/// The platform's copy of a merchant says who it is, its own what bars it.
fn is_suspended(ledger: &Ledger, id: MerchantId, now: Millis) -> bool {
    ledger.of(id).merchant_row(id, id).is_some_and(|row| row.barred(Deed::Use, now).is_some())
}

fn view(id: MerchantId, row: &Merchant, suspended: bool) -> MerchantView {
    MerchantView {
        id: id.to_string(),
        name: row.profile.name.clone(),
        time_zone: row.profile.zone.0.name(),
        mode: if row.profile.livemode { "live" } else { "test" },
        livemode: row.profile.livemode,
        status: if suspended { "suspended" } else { "active" },
        quotas: quotas_view(id, row.quotas),
        created_at: format_ms(row.created_at),
    }
}

fn quotas_view(id: MerchantId, quotas: Quotas) -> QuotasView {
    QuotasView {
        merchant_id: id.to_string(),
        create_per_second: quotas.create_per_second,
        redeem_per_second: quotas.redeem_per_second,
        import_per_minute: quotas.import_per_minute,
    }
}

/// List merchants, newest first
#[utoipa::path(get, path = "/v1/merchants", tag = "Merchants",
    params(("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query), ("from" = Option<String>, Query),
        ("until" = Option<String>, Query)),
    responses((status = 200, body = List<MerchantView>)))]
pub(super) async fn list(State(state): State<Issuer>, call: Call) -> Result<List<MerchantView>, Problem> {
    call.require(&[Role::Analyst])?;
    let (NoFilter {}, asked) = call.list()?;
    let (after, wanted, scope) = (asked.after()?, asked.clone(), call.scope());
    let rows = state
        .backend
        .look(PLATFORM, move |shard, ledger, now| {
            newest(ledger.index.list(PLATFORM, Index::Merchants), after)
                .filter_map(|(place, number)| {
                    let id = MerchantId(u32::try_from(number).ok()?);
                    Some((place, id, shard.merchant_row(PLATFORM, id)?))
                })
                .filter(|(_, id, _)| scope.is_none_or(|own| own == *id))
                .filter(|(_, _, row)| in_time(&wanted, row.created_at))
                .take(wanted.limit + 1)
                .map(|(place, id, row)| (place, view(id, row, is_suspended(ledger, id, now))))
                .collect()
        })
        .await?;
    Ok(page(rows, &asked))
}

/// The merchant that a path names, if the caller may know of it.
pub(super) fn merchant_id(call: &Call, path: &Segment) -> Result<MerchantId, Problem> {
    let id: MerchantId = path.id(Code::MerchantNotFound)?;
    let may = call.caller.role == Role::Platform || call.caller.merchant == Some(id);
    if may { Ok(id) } else { Err(Problem::of(Code::MerchantNotFound)) }
}

/// Read a merchant
#[utoipa::path(get, path = "/v1/merchants/{id}", tag = "Merchants", params(("id" = String, Path)),
    responses((status = 200, body = MerchantView)))]
pub(super) async fn get(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    let id = path.id(Code::MerchantNotFound).and_then(|id| {
        let looks = call.caller.role.covers(Role::Analyst) && call.sees(id);
        if looks { Ok(id) } else { merchant_id(&call, &path) }
    })?;
    let row = state.backend.directory.merchant(id).ok_or_else(|| Problem::of(Code::MerchantNotFound))?;
    let suspended = state.backend.look(id, move |_, ledger, now| is_suspended(ledger, id, now)).await?;
    Answer::ok(&view(id, &row, suspended))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QuotasRequest {
    /// 1..=1,000,000: stocks, stores, batches.
    create_per_second: u32,
    /// 1..=1,000,000: claims, validations, locks, redemptions, reversals.
    redeem_per_second: u32,
    /// 1..=1,000,000: imports and sends.
    import_per_minute: u32,
}

/// Set what a merchant may call how often
#[utoipa::path(put, path = "/v1/merchants/{id}/quotas", tag = "Merchants", request_body = QuotasRequest,
    params(("id" = String, Path)), responses((status = 200, body = QuotasView)))]
pub(super) async fn set_quotas(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Platform])?;
    let parsed = call.parse::<QuotasRequest>()?;
    let body = parsed.body;
    let fits = |n: u32| (1..=1_000_000).contains(&n);
    let what = "must be 1 to 1,000,000";
    Check::new()
        .field("/create_per_second", fits(body.create_per_second), what)
        .field("/redeem_per_second", fits(body.redeem_per_second), what)
        .field("/import_per_minute", fits(body.import_per_minute), what)
        .done()?;
    let id = merchant_id(&call, &path)?;
    let quotas = Quotas {
        create_per_second: body.create_per_second,
        redeem_per_second: body.redeem_per_second,
        import_per_minute: body.import_per_minute,
    };
    state.backend.write(&call, PLATFORM, parsed.fingerprint, Command::SetQuotas(id, quotas)).await
}

/// Read what a merchant may call how often
#[utoipa::path(get, path = "/v1/merchants/{id}/quotas", tag = "Merchants", params(("id" = String, Path)),
    responses((status = 200, body = QuotasView)))]
pub(super) async fn quotas(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    let id = merchant_id(&call, &path)?;
    let row = state.backend.directory.merchant(id).ok_or_else(|| Problem::of(Code::MerchantNotFound))?;
    Answer::ok(&quotas_view(id, row.quotas))
}
