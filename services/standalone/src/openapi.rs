//! The `OpenAPI` document, put together from what the services say.

use serde::Serialize;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required, Response,
    ResponseBuilder, Type,
};
use utoipa::{PartialSchema, ToSchema};

const ABOUT: &str = "Coupons on a guarded log: no code is redeemed twice, no cap is exceeded, and no acknowledged \
redemption is lost. Every write takes an `Idempotency-Key`; errors are `application/problem+json` with a stable \
`code`, each explained under [/docs/errors/](/docs/errors/). Clients ignore unknown fields of answers, and enums may \
grow.";

const PROBLEM: &str = "Problem";

/// A refusal, as RFC 9457 has it, with fields of its code's own.
#[derive(Serialize, ToSchema)]
struct Problem {
    /// The page of the code, below `/docs/errors/`.
    #[serde(rename = "type")]
    kind: String,
    /// The same for every refusal with this code.
    title: String,
    /// As the answer's.
    status: u16,
    /// Stable; `/docs/errors/` has them all.
    #[schema(example = "already_redeemed")]
    code: String,
    /// What was wrong this time, and what to do.
    detail: String,
    /// RFC 6901: which part of the request; outside the body under `/query`, `/path` and `/headers`.
    #[schema(required = false)]
    pointer: Option<String>,
    /// Names this answer in the server's log.
    request_id: String,
}

/// The whole document.
pub(crate) fn document() -> OpenApi {
    let info = InfoBuilder::new().title("Counterfoil").version(env!("CARGO_PKG_VERSION")).description(Some(ABOUT));
    let mut document = OpenApiBuilder::new().info(info.build()).build();
    document.merge(issuer::openapi());
    document.merge(redeemer::openapi());
    document.merge(risk_scorer::openapi());
    document.merge(http_api::signature_check::openapi());
    let components = document.components.get_or_insert_default();
    components.schemas.insert(PROBLEM.to_owned(), Problem::schema());
    let signature = ApiKeyValue::with_description(
        "Authorization",
        "COUNTERFOIL-HMAC-SHA256 key_id=\"...\",timestamp=\"...\",nonce=\"...\",signature=\"...\"",
    );
    components.add_security_scheme("signature", SecurityScheme::ApiKey(ApiKey::Header(signature)));
    components.add_security_scheme("test_key", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    let cookie = ApiKeyValue::with_description("counterfoil_session", "Of people; writes carry X-CSRF-Token besides.");
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    let none: [&str; 0] = [];
    document.security = Some(vec![
        SecurityRequirement::new("signature", none),
        SecurityRequirement::new("test_key", none),
        SecurityRequirement::new("session", none),
    ]);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            complete(operation, method != "get");
            operation.operation_id =
                Some(format!("{method}{}", path.replace(['/', '.', '-'], "_").replace(['{', '}'], "")));
        }
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let all = [("get", get), ("put", put), ("post", post), ("delete", delete), ("patch", patch)];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// What every operation has: words for its answers, the problem that it may answer, and for writes the key.
fn complete(operation: &mut Operation, writes: bool) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(Response { description, .. }) = response
            && description.is_empty()
        {
            words(status).clone_into(description);
        }
    }
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(PROBLEM))).build();
    let problem = ResponseBuilder::new().description("Refused").content("application/problem+json", content).build();
    operation.responses.responses.insert("default".to_owned(), problem.into());
    if writes {
        operation.parameters.get_or_insert_default().push(idempotency_key().into());
    }
}

fn words(status: &str) -> &'static str {
    match status {
        "201" => "Made",
        "202" => "Accepted; an operation goes on",
        _ => "Done",
    }
}

fn idempotency_key() -> Parameter {
    let pattern = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[A-Za-z0-9_.:-]{1,128}$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "The same key is the same request, however often it is sent. Calls that change coupons need it.",
        ))
        .schema(Some(pattern.build()))
        .build()
}

/// The document as the processes serve it.
pub(crate) fn text() -> String {
    serde_json::to_string_pretty(&document()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_document_that_is_served_is_that_of_the_code() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/host/openapi.json");
        let text = super::text() + "\n";
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(file, &text).expect("the file is written");
        }
        let served = std::fs::read_to_string(file).expect("the file");
        assert!(served == text, "shared/host/openapi.json is made anew by UPDATE_GOLDEN=1 make test");
    }
}
