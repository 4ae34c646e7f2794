//! Breakers: how many of a day's redemptions are abnormal, and where too many are.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use coupon::breaker::BreakerReset;
use coupon::calendar;
use coupon::command::Command;
use coupon::id::{MerchantId, PLATFORM};
use coupon::risk_settings::RiskSettings;
use coupon::state::Read;
use coupon::terms::{Millis, Zone};
use coupon_api::dto::breaker::{BreakerResetView, BreakerView, breaker_view};
use http_api::auth::Role;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::{Cursor, List};
use http_api::problem::{Code, Problem};
use projection::ledger::Ledger;
use serde::Deserialize;
use utoipa::OpenApi;

use super::RiskApi;
use super::across::{merchants, seen};
use super::case_steps::{Why, reasoned};

#[derive(OpenApi)]
#[openapi(paths(list, reset))]
pub(super) struct Document;

pub(super) fn router() -> Router<RiskApi> {
    Router::new().route("/v1/risk/breakers", get(list)).route("/v1/risk/breakers/{merchant_id}/reset", post(reset))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    tripped: Option<bool>,
    merchant_id: Option<String>,
}

/// List breakers
///
/// Of merchants at which redemptions were decided, in the order of their ids.
#[utoipa::path(get, path = "/v1/risk/breakers", tag = "Risk",
    params(("tripped" = Option<bool>, Query), ("merchant_id" = Option<String>, Query), ("limit" = Option<u16>, Query),
        ("cursor" = Option<String>, Query)),
    responses((status = 200, body = List<BreakerView>)))]
pub(super) async fn list(State(state): State<RiskApi>, call: Call) -> Result<List<BreakerView>, Problem> {
    call.require(&[Role::Analyst])?;
    let (Filter { tripped, merchant_id }, asked) = call.list()?;
    let one = seen(&call, merchant_id.as_deref())?;
    let after = asked.after()?;
    state
        .backend
        .look(PLATFORM, move |_, ledger, now| {
            let mut merchants = merchants(ledger, one);
            merchants.sort_unstable();
            let later = merchants.into_iter().filter(|id| after.is_none_or(|after| u64::from(id.0) > after));
            let views = later.filter_map(|id| Some((id, breaker(ledger, id, now)?)));
            let wanted = views.filter(|(_, view)| tripped.is_none_or(|tripped| tripped == view.tripped));
            // One more tells whether there are more.
            let page =
                List::page(wanted.take(asked.limit + 1).collect(), &asked, |(id, _)| Cursor::number(u64::from(id.0)));
            List { data: page.data.into_iter().map(|(_, view)| view).collect(), next_cursor: page.next_cursor }
        })
        .await
}

fn breaker(ledger: &Ledger, merchant: MerchantId, now: Millis) -> Option<BreakerView> {
    let shard = ledger.of(merchant);
    let Zone(zone) = shard.merchant_row(merchant, merchant)?.profile.zone;
    let (day, _) = calendar::day_bounds(zone, shard.time.max(now));
    let settings = shard.risk_settings(merchant).map_or_else(RiskSettings::default, |row| row.set.value);
    Some(breaker_view(merchant, &shard.breaker(merchant)?.on(day), &settings))
}

/// Reset a merchant's breaker
///
/// What is to be reviewed no longer waits because of it, and its counts begin anew.
#[utoipa::path(post, path = "/v1/risk/breakers/{merchant_id}/reset", tag = "Risk",
    params(("merchant_id" = String, Path)), request_body = Why, responses((status = 200, body = BreakerResetView)))]
pub(super) async fn reset(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::AnalystLead])?;
    let parsed = call.parse::<Why>()?;
    reasoned(&parsed.body.reason)?;
    let merchant: MerchantId = path.id(Code::MerchantNotFound)?;
    let is_known = state.backend.directory.merchant(merchant).is_some() && !merchant.is_rehearsals();
    if !is_known || !call.sees(merchant) {
        return Err(Problem::of(Code::MerchantNotFound));
    }
    let reset = BreakerReset { by: call.caller.key_id.to_string(), reason: parsed.body.reason };
    state.backend.write(&call, merchant, parsed.fingerprint, Command::ResetBreaker(reset)).await
}
