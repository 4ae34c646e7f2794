//! The ceiling of HTTP on this machine: an answer of a redemption's kind at once, nothing checked, nothing kept.

use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;

use crate::Common;
use crate::codes::Issued;
use crate::failure::Result;
use crate::serve::serve;

/// Answers until it is told to end.
pub(crate) async fn run(common: Common) -> Result<()> {
    Issued::make(common.codes, common.out.as_deref())?;
    // The body is read, as a server must before the next request of the same connection.
    let router = Router::new().route("/v1/redemptions", post(|_: Bytes| async { created() }));
    serve(&common, router).await
}

/// 201 with a fixed body.
pub(crate) fn created() -> Response {
    let mut response = Response::new(Body::from(r#"{"id":"rdm_0000000000000001","state":"redeemed"}"#));
    *response.status_mut() = StatusCode::CREATED;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
