//! What the gate reads from header fields.

use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE};

use super::gate::{BodyKind, COUNTERFOIL_TEST};
use super::{TestOutcome, UploadFormat};
use crate::arrival;
use crate::auth::Key;
use crate::idempotency::{IDEMPOTENCY_KEY, IdempotencyKey};
use crate::problem::{Code, Problem, Result};
use crate::signature::{AuthorizationHeader, TOLERANCE_SECONDS};
use crate::time::format_ms;

pub(super) fn check_content_type(headers: &HeaderMap, kind: BodyKind) -> Result<()> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    let (fits, wanted) = match kind {
        BodyKind::Json => (essence.eq_ignore_ascii_case("application/json"), "application/json"),
        BodyKind::Upload => (UploadFormat::of(essence).is_some(), "text/csv or application/x-ndjson"),
    };
    if fits {
        return Ok(());
    }
    let detail = format!("The body must be sent with Content-Type {wanted}.");
    Err(Problem::new(Code::UnsupportedMediaType, detail).pointer("/headers/content-type"))
}

pub(super) fn credentials(headers: &HeaderMap) -> Result<AuthorizationHeader<'_>> {
    let missing = |detail: &str| Problem::new(Code::SignatureMissing, detail).pointer("/headers/authorization");
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or_else(|| missing(Code::SignatureMissing.cause()))?;
    if values.next().is_some() {
        return Err(missing("There is more than one Authorization header."));
    }
    AuthorizationHeader::parse(value.to_str().map_err(|_| missing("The Authorization header is not ASCII."))?)
}

pub(super) fn check_clock(credentials: &AuthorizationHeader<'_>, now_ms: i64) -> Result<()> {
    let AuthorizationHeader::Signed { timestamp_seconds, .. } = credentials else {
        return Ok(());
    };
    let now_seconds = now_ms.div_euclid(1000);
    let difference = timestamp_seconds - now_seconds;
    if difference.abs() <= TOLERANCE_SECONDS {
        return Ok(());
    }
    let side = if difference < 0 { "behind" } else { "ahead of" };
    let detail = format!(
        "The timestamp is {} s {side} the server's clock, which says {}; {TOLERANCE_SECONDS} s are tolerated.",
        difference.abs(),
        format_ms(now_ms)
    );
    Err(Problem::new(Code::TimestampOutOfRange, detail)
        .pointer("/headers/authorization")
        .with("server_time", format_ms(now_ms))
        .with("server_time_seconds", now_seconds))
}

pub(super) fn wrong_signature(credentials: &AuthorizationHeader<'_>) -> Problem {
    let detail = match credentials {
        AuthorizationHeader::Bearer { .. } => "The secret is not that of the key.",
        AuthorizationHeader::Signed { .. } => Code::SignatureInvalid.cause(),
    };
    Problem::new(Code::SignatureInvalid, detail).pointer("/headers/authorization")
}

pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>> {
    const POINTER: &str = "/headers/idempotency-key";
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Problem::new(Code::InvalidField, "There is more than one Idempotency-Key.").pointer(POINTER));
    }
    IdempotencyKey::parse(value.to_str().unwrap_or_default(), POINTER).map(Some)
}

pub(super) fn test_outcome(headers: &HeaderMap, caller: &Key) -> Result<Option<TestOutcome>> {
    const POINTER: &str = "/headers/counterfoil-test";
    let Some(value) = headers.get(COUNTERFOIL_TEST) else {
        return Ok(None);
    };
    if caller.livemode {
        return Err(Problem::of(Code::TestModeOnly).pointer(POINTER));
    }
    let outcome = match value.as_bytes() {
        b"outcome_unknown" => TestOutcome::OutcomeUnknown,
        b"drop_response" => TestOutcome::DropResponse,
        _ => {
            let detail = "Counterfoil-Test must be outcome_unknown or drop_response.";
            return Err(Problem::new(Code::InvalidField, detail).pointer(POINTER));
        }
    };
    arrival::leave_test_outcome(outcome);
    Ok(Some(outcome))
}
