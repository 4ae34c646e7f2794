//! What every process serves beside its calls: the documentation of the API, and the pages for people.

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::middleware::map_response;
use axum::response::Response;
use utoipa_swagger_ui::SwaggerUi;

use crate::Failure;
use crate::config::Dashboard;

/// The document of all services, put together by `standalone`, whose tests hold it to the code.
pub const DOCUMENT: &str = include_str!("../openapi.json");

/// The documentation is on the same origin as people's sessions: it runs no inline script and calls nobody else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `/openapi.json`, `/docs`, and the pages of the error codes; with the dashboard, its pages at `/`.
///
/// # Errors
/// Where the pages are to come from a folder that cannot be read.
pub fn router(config: &Dashboard) -> Result<Router, Failure> {
    let document = serde_json::from_str(DOCUMENT).unwrap_or_default();
    let documentation = Router::new()
        .merge(SwaggerUi::new("/docs").external_url_unchecked("/openapi.json", document))
        .merge(http_api::problem::docs::router())
        .layer(map_response(guarded));
    let pages = match &config.folder {
        _ if !config.enabled => Router::new(),
        None => dashboard::router(dashboard::embedded()),
        Some(folder) => {
            let wrong = |error| format!("dashboard.folder {}: {error}", folder.display());
            dashboard::router(dashboard::from_folder(folder).map_err(wrong)?)
        }
    };
    Ok(documentation.merge(pages))
}

async fn guarded(mut response: Response) -> Response {
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}
