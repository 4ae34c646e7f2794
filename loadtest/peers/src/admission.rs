//! From a raw request to one whose sender is known: the product's signature scheme, with the same window for the clock.
//!
//! Nonces are not remembered: an idempotency key already makes a replayed request harmless, and few would keep both.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use bytes::Bytes;
use http_api::idempotency::IDEMPOTENCY_KEY;
use http_api::problem::{Code, Problem, Result};
use http_api::signature::{AuthorizationHeader, SignedParts, TOLERANCE_SECONDS};
use http_api::time::system_clock_ms;

use crate::codes::Key;

/// Redemptions are small.
const BODY_LIMIT: usize = 64 * 1024;

/// A request that its key has signed.
pub(crate) struct Admitted {
    /// The caller's name for this change.
    pub(crate) idempotency_key: String,
    /// As it was sent.
    pub(crate) body: Bytes,
    /// When it arrived, milliseconds since 1970.
    pub(crate) at_ms: i64,
}

/// Reads the request and checks who signed it.
pub(crate) async fn admit(key: &Key, request: Request) -> Result<Admitted> {
    let at_ms = system_clock_ms();
    let (parts, body) = request.into_parts();
    let too_large = |_| Problem::new(Code::BodyTooLarge, format!("The body may have at most {BODY_LIMIT} bytes."));
    let body = to_bytes(body, BODY_LIMIT).await.map_err(too_large)?;
    let authorization =
        text(&parts.headers, AUTHORIZATION.as_str()).ok_or_else(|| Problem::of(Code::SignatureMissing))?;
    let AuthorizationHeader::Signed { key_id, timestamp, timestamp_seconds, nonce, signature } =
        AuthorizationHeader::parse(authorization)?
    else {
        return Err(Problem::of(Code::SignatureMissing));
    };
    if key_id != key.id {
        return Err(Problem::of(Code::KeyUnknown));
    }
    if (timestamp_seconds - at_ms.div_euclid(1000)).abs() > TOLERANCE_SECONDS {
        return Err(Problem::of(Code::TimestampOutOfRange));
    }
    let idempotency_key = text(&parts.headers, IDEMPOTENCY_KEY.as_str()).unwrap_or_default();
    let signed = SignedParts {
        method: parts.method.as_str(),
        path_and_query: parts.uri.path_and_query().map_or("/", |target| target.as_str()),
        timestamp,
        nonce,
        idempotency_key,
        body: &body,
    };
    if !key.secret.verify(&signed, &signature) {
        return Err(Problem::of(Code::SignatureInvalid));
    }
    if idempotency_key.is_empty() {
        return Err(Problem::of(Code::IdempotencyKeyMissing));
    }
    if idempotency_key.len() > 128 {
        return Err(Problem::new(Code::InvalidField, "An idempotency key has at most 128 characters."));
    }
    Ok(Admitted { idempotency_key: idempotency_key.to_owned(), body, at_ms })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
