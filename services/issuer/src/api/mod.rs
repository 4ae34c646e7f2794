//! One file per resource.

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post, put};
use utoipa::OpenApi;

use crate::sign_ins::SignIns;
use crate::state::Issuer;

mod batches;
mod claims;
mod imports;
mod keys;
mod load_tests;
mod merchants;
mod operations;
mod rehearsals;
mod sessions;
mod settings;
mod stocks;
mod stores;
mod users;

#[derive(OpenApi)]
#[openapi(paths(
    merchants::create,
    merchants::list,
    merchants::get,
    merchants::set_quotas,
    merchants::quotas,
    keys::create,
    keys::create_platform,
    keys::list,
    keys::rotate,
    keys::end,
    stores::create,
    stores::list,
    stores::get,
    stocks::create,
    stocks::list,
    stocks::get,
    stocks::patch,
    stocks::activate,
    stocks::pause,
    stocks::resume,
    stocks::close,
    stocks::conservation,
    settings::total,
    settings::budget,
    settings::limit,
    batches::make,
    batches::list,
    batches::get,
    batches::codes,
    batches::void,
    imports::import,
    imports::send,
    operations::list,
    operations::get,
    operations::result,
    claims::create,
    rehearsals::create,
    rehearsals::list,
    load_tests::store,
    load_tests::list,
    load_tests::get,
    load_tests::report,
    users::create,
    users::list,
    users::link,
    users::disable,
    sessions::sign_in,
    sessions::current,
    sessions::sign_out,
    sessions::set_password,
), security(("signature" = []), ("test_key" = [])))]
struct Document;

/// The part of the `OpenAPI` document that is the issuer's.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// The issuer's routes.
pub fn router(state: Issuer) -> Router {
    let people = people(state.clone());
    Router::new()
        .route("/v1/merchants", post(merchants::create).get(merchants::list))
        .route("/v1/merchants/{id}", get(merchants::get))
        .route("/v1/merchants/{id}/quotas", put(merchants::set_quotas).get(merchants::quotas))
        .route("/v1/merchants/{id}/keys", post(keys::create).get(keys::list))
        .route("/v1/keys", post(keys::create_platform))
        .route("/v1/keys/{key_id}/rotate", post(keys::rotate))
        .route("/v1/keys/{key_id}", delete(keys::end))
        .route("/v1/stores", post(stores::create).get(stores::list))
        .route("/v1/stores/{id}", get(stores::get))
        .route("/v1/stocks", post(stocks::create).get(stocks::list))
        .route("/v1/stocks/{id}", get(stocks::get).patch(stocks::patch))
        .route("/v1/stocks/{id}/activate", post(stocks::activate))
        .route("/v1/stocks/{id}/pause", post(stocks::pause))
        .route("/v1/stocks/{id}/resume", post(stocks::resume))
        .route("/v1/stocks/{id}/close", post(stocks::close))
        .route("/v1/stocks/{id}/conservation", get(stocks::conservation))
        .route("/v1/stocks/{id}/total", put(settings::total))
        .route("/v1/stocks/{id}/budget", put(settings::budget))
        .route("/v1/stocks/{id}/limits/{name}", put(settings::limit))
        .route("/v1/stocks/{id}/codes", post(batches::make))
        .route("/v1/stocks/{id}/code-batches", get(batches::list))
        .route("/v1/code-batches/{id}", get(batches::get))
        .route("/v1/code-batches/{id}/codes", get(batches::codes))
        .route("/v1/code-batches/{id}/void", post(batches::void))
        .route("/v1/stocks/{id}/code-imports", post(imports::import))
        .route("/v1/sends", post(imports::send))
        .route("/v1/operations", get(operations::list))
        .route("/v1/operations/{id}", get(operations::get))
        .route("/v1/operations/{id}/result", get(operations::result))
        .route("/v1/claims", post(claims::create))
        .route("/v1/stocks/{id}/rehearsals", post(rehearsals::create).get(rehearsals::list))
        .route("/v1/load-tests", post(load_tests::store).get(load_tests::list))
        .route("/v1/load-tests/{id}", get(load_tests::get))
        .route("/v1/load-tests/{id}/report", get(load_tests::report))
        .with_state(state)
        .merge(people)
}

/// Users, and their sessions where people are let in.
fn people(issuer: Issuer) -> Router {
    let signs_in = issuer.gate.sessions.is_some();
    let door = users::Door { issuer, sign_ins: Arc::new(SignIns::default()) };
    let sessions = if signs_in { sessions::router() } else { Router::new() };
    users::router().merge(sessions).with_state(door)
}
