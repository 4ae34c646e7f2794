//! The `OpenAPI` document, put together from what the services say, and the pages to read it.

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_swagger_ui::SwaggerUi;

const ABOUT: &str = "Coupons on a guarded log: no code is redeemed twice, no cap is exceeded, and no acknowledged \
redemption is lost. Every write takes an `Idempotency-Key`; errors are `application/problem+json` with a stable \
`code`, each explained under [/docs/errors/](/docs/errors/). Clients ignore unknown fields of answers, and enums may \
grow.";

/// The whole document.
pub(crate) fn document() -> OpenApi {
    let info = InfoBuilder::new().title("Counterfoil").version(env!("CARGO_PKG_VERSION")).description(Some(ABOUT));
    let mut document = OpenApiBuilder::new().info(info.build()).build();
    document.merge(issuer::openapi());
    document.merge(redeemer::openapi());
    document.merge(risk_scorer::openapi());
    let components = document.components.get_or_insert_default();
    let signature = ApiKeyValue::with_description(
        "Authorization",
        "COUNTERFOIL-HMAC-SHA256 key_id=\"...\",timestamp=\"...\",nonce=\"...\",signature=\"...\"",
    );
    components.add_security_scheme("signature", SecurityScheme::ApiKey(ApiKey::Header(signature)));
    components.add_security_scheme("test_key", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    let none: [&str; 0] = [];
    document.security =
        Some(vec![SecurityRequirement::new("signature", none), SecurityRequirement::new("test_key", none)]);
    document
}

/// `/openapi.json`, `/docs`, and the pages of the error codes.
pub(crate) fn router() -> Router {
    let document = document();
    Router::new()
        .merge(SwaggerUi::new("/docs").url("/openapi.json", document))
        .merge(http_api::problem::docs::router())
        .route("/", get(|| async { Redirect::temporary("/docs/") }))
}
