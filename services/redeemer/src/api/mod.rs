//! One file per resource.

use axum::Router;
use axum::routing::{get, post};
use coupon::id::{MerchantId, StockId};
use coupon_api::listing::{in_time, newest, page};
use utoipa::OpenApi;

use crate::state::Redeemer;

mod coupon_view;
mod coupons;
mod locks;
mod redemptions;
mod requests;
mod reversals;
mod usage;
mod validations;

#[derive(OpenApi)]
#[openapi(
    paths(
        validations::validate,
        locks::create,
        locks::list,
        locks::get,
        locks::extend,
        locks::release,
        redemptions::create,
        redemptions::list,
        redemptions::get,
        redemptions::receipt,
        redemptions::public_keys,
        reversals::create,
        coupons::lookup,
        coupons::list,
        coupons::get,
        coupons::events,
        coupons::void,
        requests::get,
        requests::cancel,
    ),
    components(schemas(coupon_view::CouponView))
)]
struct Document;

/// The part of the `OpenAPI` document that is the redeemer's.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// The redeemer's routes.
pub fn router(state: Redeemer) -> Router {
    Router::new()
        .route("/v1/validations", post(validations::validate))
        .route("/v1/locks", post(locks::create).get(locks::list))
        .route("/v1/locks/{id}", get(locks::get))
        .route("/v1/locks/{id}/extend", post(locks::extend))
        .route("/v1/locks/{id}/release", post(locks::release))
        .route("/v1/redemptions", post(redemptions::create).get(redemptions::list))
        .route("/v1/redemptions/{id}", get(redemptions::get))
        .route("/v1/redemptions/{id}/receipt", get(redemptions::receipt))
        .route("/v1/redemptions/{id}/reversals", post(reversals::create))
        .route("/.well-known/jwks.json", get(redemptions::public_keys))
        .route("/v1/coupons", get(coupons::list))
        .route("/v1/coupons/lookup", post(coupons::lookup))
        .route("/v1/coupons/{id}", get(coupons::get))
        .route("/v1/coupons/{id}/events", get(coupons::events))
        .route("/v1/coupons/{id}/void", post(coupons::void))
        .route("/v1/requests/{key}", get(requests::get))
        .route("/v1/requests/{key}/cancel", post(requests::cancel))
        .with_state(state)
}

/// Where what a list is of is: at the merchant, unless it is of a twin of one of its stocks.
fn listed_at(merchant: MerchantId, stock_id: Option<&str>) -> MerchantId {
    let stock = stock_id.and_then(|id| id.parse::<StockId>().ok());
    stock.map_or(merchant, |id| if id.merchant == merchant.rehearsals() { id.merchant } else { merchant })
}
