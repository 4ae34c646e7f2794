//! Idempotency keys at the door, and answers that are the same bytes however often they are given.

use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use crate::problem::{Code, Problem, Result};

/// The header of a key.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header that marks an answer as the repetition of an earlier one.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A caller's name for one intended change: 1 to 128 of `A-Za-z0-9_.:-`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdempotencyKey(Arc<str>);

impl IdempotencyKey {
    /// Checks a key; `pointer` says where it stood.
    pub fn parse(text: &str, pointer: &str) -> Result<Self> {
        let sound = (1..=128).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-'));
        if sound {
            Ok(Self(text.into()))
        } else {
            let detail = "An idempotency key must be 1 to 128 of A-Za-z0-9_.:-";
            Err(Problem::new(Code::InvalidField, detail).pointer(pointer))
        }
    }

    /// The key as sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A JSON answer that is not a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200, 201, 202, ...
    pub status: StatusCode,
    /// The JSON, byte for byte as the first time.
    pub body: Bytes,
    /// Whether it has been given before.
    pub replayed: bool,
    /// The path of what was made.
    pub location: Option<String>,
}

/// Most answers are no longer.
const USUAL_BYTES: usize = 1_024;

impl Answer {
    /// An answer given for the first time.
    pub fn new(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, body: body.into(), replayed: false, location: None }
    }

    /// An answer made from a value.
    pub fn json(status: StatusCode, value: &impl Serialize) -> Result<Self> {
        let mut body = Vec::with_capacity(USUAL_BYTES);
        serde_json::to_writer(&mut body, value).map(|()| Self::new(status, body)).map_err(Problem::internal)
    }

    /// 200 with a value.
    pub fn ok(value: &impl Serialize) -> Result<Self> {
        Self::json(StatusCode::OK, value)
    }

    /// Marks it as a repetition.
    #[must_use]
    pub fn replayed(mut self, replayed: bool) -> Self {
        self.replayed = replayed;
        self
    }

    /// Says where what was made can be found.
    #[must_use]
    pub fn location(mut self, path: impl Into<String>) -> Self {
        self.location = Some(path.into());
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.replayed {
            headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        }
        if let Some(Ok(location)) = self.location.map(HeaderValue::try_from) {
            headers.insert(LOCATION, location);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::text;

    #[test]
    fn a_key_is_checked() {
        for good in ["a", "order-8431", "k.1:2_3-4", &"x".repeat(128)] {
            assert_eq!(IdempotencyKey::parse(good, "").map(|key| key.as_str().to_owned()), Ok(good.to_owned()));
        }
        for bad in ["", "a b", "ключ", "a/b", &"x".repeat(129)] {
            let problem = IdempotencyKey::parse(bad, "/headers/idempotency-key").expect_err(bad);
            assert_eq!(problem.code, Code::InvalidField);
            assert_eq!(problem.pointer.as_deref(), Some("/headers/idempotency-key"));
        }
    }

    #[tokio::test]
    async fn an_answer_says_when_it_is_repeated() {
        let first = Answer::json(StatusCode::CREATED, &serde_json::json!({"id": 1})).expect("json").location("/v1/x/1");
        let again = first.clone().replayed(true).into_response();
        let first = first.into_response();
        assert_eq!(first.headers()[LOCATION], "/v1/x/1");
        assert_eq!(first.headers().get(IDEMPOTENCY_REPLAYED), None);
        assert_eq!(again.headers()[IDEMPOTENCY_REPLAYED], "true");
        assert_eq!(
            (again.status(), again.headers()[CONTENT_TYPE].as_bytes()),
            (StatusCode::CREATED, &b"application/json"[..])
        );
        assert_eq!(text(first).await, text(again).await);
    }
}
