//! Errors as callers see them: `application/problem+json` (RFC 9457) with a code of the one registry.

pub mod docs;
mod registry;

use std::fmt;
use std::str::FromStr;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::arrival;
pub use registry::Code;

impl Code {
    /// The number that the log stores.
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// The name that answers carry, like `coupon_expired`.
    pub const fn as_str(self) -> &'static str {
        self.row().name
    }

    /// The HTTP status that goes with it.
    pub const fn status(self) -> StatusCode {
        self.row().status
    }

    /// A short title, the same on every occurrence.
    pub const fn title(self) -> &'static str {
        self.row().title
    }

    /// What was wrong, for the page of the code.
    pub const fn cause(self) -> &'static str {
        self.row().cause
    }

    /// What to do about it, for the page of the code.
    pub const fn remedy(self) -> &'static str {
        self.row().remedy
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A text that is no code of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an error code")]
pub struct UnknownCode;

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text).ok_or(UnknownCode)
    }
}

/// A refusal or failure on its way to the caller. `detail` is for the caller alone; what only the log may know goes
/// into [`Problem::internal`].
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Which error.
    pub code: Code,
    /// What is wrong this time, as a sentence for the caller.
    pub detail: String,
    /// RFC 6901: which part of the request. Parts outside the body are under `/query` and `/headers`.
    pub pointer: Option<String>,
    /// Fields of the code's own.
    pub extra: Map<String, Value>,
    /// When to try again; 429 and 503 always say it, 1 second unless told otherwise.
    pub retry_after_seconds: Option<u32>,
}

/// What every handler that may refuse returns.
pub type Result<T, E = Problem> = std::result::Result<T, E>;

impl Problem {
    /// A problem with that code and detail.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), pointer: None, extra: Map::new(), retry_after_seconds: None }
    }

    /// The code with its cause as the detail, where there is nothing more to say.
    pub fn of(code: Code) -> Self {
        Self::new(code, code.cause())
    }

    /// A 500: the source goes to the log with the request id, the caller learns only that id.
    pub fn internal(source: impl fmt::Display) -> Self {
        let id = arrival::request_id();
        tracing::error!(request_id = id.as_ref().map(tracing::field::display), error = %source, "internal error");
        Self::new(Code::Internal, "Something failed on our side. The request id leads to the cause in our log.")
    }

    /// Names the part of the request.
    #[must_use]
    pub fn pointer(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// Adds a field of the code's own. A value that cannot be JSON becomes null.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        self.extra.insert(name.to_owned(), serde_json::to_value(value).unwrap_or(Value::Null));
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// The JSON of the problem, with the id of the request that the current task serves.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)?;
        self.pointer.as_ref().map_or(Ok(()), |pointer| write!(f, " ({pointer})"))
    }
}

impl std::error::Error for Problem {}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &format_args!("/docs/errors/{}", self.code))?;
        map.serialize_entry("title", self.code.title())?;
        map.serialize_entry("status", &self.status().as_u16())?;
        map.serialize_entry("code", self.code.as_str())?;
        map.serialize_entry("detail", &self.detail)?;
        if let Some(pointer) = &self.pointer {
            map.serialize_entry("pointer", pointer)?;
        }
        if let Some(id) = arrival::request_id() {
            map.serialize_entry("request_id", id.as_str())?;
        }
        for (name, value) in &self.extra {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = Response::new(Body::from(self.to_json()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(crate::signature::SCHEME));
        }
        let waits = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        if let Some(seconds) = self.retry_after_seconds.or(waits.then_some(1)) {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response.extensions_mut().insert(self.code);
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::testing::json;

    #[test]
    fn the_registry_is_consistent() {
        let mut names = HashSet::new();
        for &code in Code::ALL {
            assert_eq!(Code::from_u16(code.number()), Some(code));
            assert_eq!(code.as_str().parse(), Ok(code));
            assert!(names.insert(code.as_str()), "{code} stands twice");
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code}");
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{code}");
            assert!(code.cause().ends_with('.') && code.remedy().ends_with('.'), "{code}");
            assert!(!code.title().ends_with('.'), "{code}");
        }
        assert_eq!(Code::from_u16(0), None);
        assert!("nothing_of_the_kind".parse::<Code>().is_err());
    }

    /// The numbers of codes stand in logs that exist; this table only ever grows.
    #[test]
    fn numbers_never_change() {
        let golden = [
            (100, "malformed_json"),
            (120, "signature_missing"),
            (140, "role_forbidden"),
            (160, "route_not_found"),
            (200, "already_redeemed"),
            (205, "stock_sold_out"),
            (216, "request_cancelled"),
            (231, "case_not_claimed"),
            (300, "idempotency_key_reused"),
            (314, "model_invalid"),
            (350, "quota_exceeded"),
            (370, "outcome_unknown"),
            (390, "internal"),
        ];
        for (number, name) in golden {
            assert_eq!(Code::from_u16(number).map(Code::as_str), Some(name));
        }
    }

    #[tokio::test]
    async fn a_problem_answers_as_problem_json() {
        let problem = Problem::new(Code::CouponLocked, "Order 7 holds it.")
            .pointer("/coupons/0")
            .with("locked_until", "2026-11-24T07:00:00.000Z");
        let response = problem.into_response();
        assert_eq!(response.status(), 409);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(
            json(response).await,
            serde_json::json!({
                "type": "/docs/errors/coupon_locked", "title": "The coupon is locked", "status": 409,
                "code": "coupon_locked", "detail": "Order 7 holds it.", "pointer": "/coupons/0",
                "locked_until": "2026-11-24T07:00:00.000Z",
            })
        );
    }

    #[test]
    fn waiting_and_authenticating_are_announced() {
        for &code in Code::ALL {
            let response = Problem::of(code).into_response();
            let waits = matches!(code.status().as_u16(), 429 | 503);
            assert_eq!(response.headers().contains_key(RETRY_AFTER), waits, "{code}");
            assert_eq!(response.headers().contains_key(WWW_AUTHENTICATE), code.status() == 401, "{code}");
        }
        let response = Problem::of(Code::QuotaExceeded).retry_after(7).into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "7");
    }
}
