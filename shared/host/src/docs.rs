//! The documentation of the API, which every process serves as a whole.

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use utoipa_swagger_ui::SwaggerUi;

/// The document of all services, put together by `standalone`, whose tests hold it to the code.
pub const DOCUMENT: &str = include_str!("../openapi.json");

/// `/openapi.json`, `/docs`, and the pages of the error codes.
pub fn router() -> Router {
    let document = serde_json::from_str(DOCUMENT).unwrap_or_default();
    Router::new()
        .merge(SwaggerUi::new("/docs").external_url_unchecked("/openapi.json", document))
        .merge(http_api::problem::docs::router())
        .route("/", get(|| async { Redirect::temporary("/docs/") }))
}
