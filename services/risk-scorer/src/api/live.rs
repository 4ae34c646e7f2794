//! The live board, and the stream of what happens: for analysts over all merchants, for a merchant's admin over its own.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream;
use http_api::Ending;
use http_api::auth::Role;
use http_api::call::Call;
use http_api::problem::{Code, Problem};
use serde::Deserialize;
use utoipa::OpenApi;

use super::RiskApi;
use super::subjects::{Named, scope};

mod batch;
mod board;
mod hub;
mod sampler;
mod stocks;

use batch::Wanted;
pub(super) use board::change;
pub(super) use hub::Hub;

#[derive(OpenApi)]
#[openapi(paths(board, stream))]
pub(super) struct Document;

pub(super) fn router() -> Router<RiskApi> {
    Router::new().route("/v1/risk/board", get(board)).route("/v1/risk/stream", get(stream))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    merchant_id: Option<String>,
}

/// What happens now
///
/// Counts are of the log and hold for all instances; `refusals` and `latency` are of the instance that answers. A
/// merchant's admin sees its own merchant alone.
#[utoipa::path(get, path = "/v1/risk/board", tag = "Risk", params(("merchant_id" = Option<String>, Query)),
    responses((status = 200, body = serde_json::Value)))]
async fn board(State(state): State<RiskApi>, call: Call) -> Result<Response, Problem> {
    call.require(&[Role::Analyst, Role::Admin])?;
    let Whose { merchant_id } = call.query_as()?;
    let scope = scope(&call, merchant_id.as_deref())?;
    let board = state.live.board(&state, scope).await?;
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, board).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    merchant_id: Option<String>,
    action: Option<super::decisions::WantedAction>,
    subject: Option<String>,
}

/// What happens, as it happens
///
/// Server-sent events: `hello` first (`instance`, `started_at`, `release`), then `board` each second (as
/// `GET /v1/risk/board`), `decisions` (at most 50 at once, and how many were `left_out`) and `cases` that changed. It ends
/// when the server does, or the caller's key or session.
#[utoipa::path(get, path = "/v1/risk/stream", tag = "Risk",
    params(("merchant_id" = Option<String>, Query), ("action" = Option<String>, Query), ("subject" = Option<String>, Query)),
    responses((status = 200, content_type = "text/event-stream", body = String)))]
async fn stream(State(state): State<RiskApi>, call: Call) -> Result<Response, Problem> {
    call.require(&[Role::Analyst, Role::Admin])?;
    let Query { merchant_id, action, subject } = call.query_as()?;
    let merchant = scope(&call, merchant_id.as_deref())?;
    let named = subject.as_deref().map(|text| Named::parse(&state, text)).transpose()?;
    let wanted = Wanted::new(merchant, action, subject.zip(named));
    let Some(events) = state.live.subscribe(&state, call, wanted) else {
        let detail = "As many watch this instance as it bears; try again later.";
        return Err(Problem::new(Code::Overloaded, detail).retry_after(5));
    };
    // One that is cut off ends the answer in good order: nothing else would.
    let pieces = stream::unfold((events, Ending::of_this_server()), |(mut events, mut ending)| async move {
        let piece: Bytes = tokio::select! {
            piece = events.recv() => piece?,
            () = ending.begun() => return None,
        };
        Some((Ok::<_, Infallible>(piece), (events, ending)))
    });
    let headers = [
        (header::CONTENT_TYPE.as_str(), "text/event-stream"),
        (header::CACHE_CONTROL.as_str(), "no-store"),
        // Proxies that gather answers would hold it back.
        ("x-accel-buffering", "no"),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}
