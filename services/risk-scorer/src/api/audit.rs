//! What people did over the API, of the last 180 days.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use coupon::audit::KEPT_MS;
use coupon::id::{LedgerRef, PLATFORM};
use coupon::state::Read;
use http_api::auth::Role;
use http_api::call::Call;
use http_api::page::List;
use http_api::problem::Problem;
use http_api::time::format_ms;
use projection::index::List as Index;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::RiskApi;
use super::across::{Place, merchants, newest, page, seen};

#[derive(OpenApi)]
#[openapi(paths(list))]
pub(super) struct Document;

pub(super) fn router() -> Router<RiskApi> {
    Router::new().route("/v1/audit-events", get(list))
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    actor: Option<String>,
    object: Option<String>,
    merchant_id: Option<String>,
}

/// A deed.
#[derive(Serialize, ToSchema)]
pub(super) struct AuditView {
    /// When.
    at: String,
    /// The key that did it.
    actor: String,
    /// What, such as `case.close`; more may come.
    action: String,
    /// The id of what it was done to.
    object: String,
    /// At which merchant; null of what is the platform's.
    merchant_id: Option<String>,
    /// Its place in what happened there.
    ledger_ref: String,
}

/// List what people did, newest first
///
/// Every change over the API but claims, sends' rows, locks, redemptions and reversals, which are found by what they changed. Keys, merchants and rule sets are
/// the platform's, and shown to those who see all merchants.
#[utoipa::path(get, path = "/v1/audit-events", tag = "Risk",
    params(("actor" = Option<String>, Query), ("object" = Option<String>, Query),
        ("merchant_id" = Option<String>, Query), ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query),
        ("from" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<AuditView>)))]
pub(super) async fn list(State(state): State<RiskApi>, call: Call) -> Result<List<AuditView>, Problem> {
    call.require(&[Role::Analyst, Role::Admin])?;
    let (filter, asked) = call.list::<Filter>()?;
    let one = seen(&call, filter.merchant_id.as_deref())?;
    let after = Place::after(&asked)?;
    state
        .backend
        .look(PLATFORM, move |_, ledger, now| {
            let mut merchants = merchants(ledger, one);
            if one.is_none() {
                merchants.push(PLATFORM);
            }
            let young = newest(ledger, &merchants, Index::Audit, after).take_while(|place| place.at >= now - KEPT_MS);
            page(young, &asked, |place| {
                let row = ledger.of(place.merchant).audit(place.merchant, place.number)?;
                let fits = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
                if !fits(&filter.actor, &row.by) || !fits(&filter.object, &row.object) {
                    return None;
                }
                Some(AuditView {
                    at: format_ms(row.at),
                    actor: row.by.clone(),
                    action: row.what.clone(),
                    object: row.object.clone(),
                    merchant_id: (place.merchant != PLATFORM).then(|| place.merchant.to_string()),
                    ledger_ref: LedgerRef(place.number).to_string(),
                })
            })
        })
        .await
}
