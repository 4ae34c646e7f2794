//! A small client that signs: for the load test, the command line and tests. Plain HTTP to this machine only, over
//! connections that are kept.

mod pool;

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::Full;
use serde_json::Value;

use crate::idempotency::IDEMPOTENCY_KEY;
use crate::signature::{Secret, SignedParts, authorization};
use crate::time::system_clock_ms;
use pool::Pool;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

/// A key with its secret.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The id.
    pub key_id: String,
    /// The prepared secret.
    pub secret: Secret,
}

impl Credentials {
    /// Prepares a key for signing.
    pub fn new(key_id: impl Into<String>, secret: &str) -> Self {
        Self { key_id: key_id.into(), secret: Secret::new(secret) }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The base URL is not `http://` and a loopback address.
    #[error("the base url must be http:// with a loopback address and a port, got {0}")]
    BaseUrl(String),
    /// The request cannot be written.
    #[error("the request is malformed")]
    Request(#[from] http::Error),
    /// Nobody listens, or no connection could be made.
    #[error("no connection")]
    Connect(#[source] std::io::Error),
    /// The connection broke after the request may have been sent: the outcome is unknown.
    #[error("the connection broke off")]
    Broken(#[from] hyper::Error),
    /// No answer in time: the outcome is unknown.
    #[error("no answer within the time limit")]
    TimedOut,
    /// The answer is not the JSON that was expected.
    #[error("the answer is not the expected json")]
    Json(#[from] serde_json::Error),
}

impl ClientError {
    /// Whether the request may have been carried out.
    pub fn outcome_unknown(&self) -> bool {
        matches!(self, Self::Broken(_) | Self::TimedOut)
    }
}

/// An answer, read in full.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The header.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// The body as JSON.
    pub fn json(&self) -> Result<Value, ClientError> {
        Ok(serde_json::from_slice(&self.body)?)
    }

    /// The body as a type.
    pub fn json_as<T: serde::de::DeserializeOwned>(&self) -> Result<T, ClientError> {
        Ok(serde_json::from_slice(&self.body)?)
    }

    /// The code of a problem; `None` for other answers.
    pub fn code(&self) -> Option<crate::Code> {
        self.json().ok()?.get("code")?.as_str()?.parse().ok()
    }

    /// A header as text; empty if it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A client of one server. It may be shared; clones share its connections.
#[derive(Clone)]
pub struct Client {
    pool: Pool,
    host: HeaderValue,
    timeout: Duration,
    further: HeaderMap,
}

impl Client {
    /// A client of `http://127.0.0.1:port`, `http://[::1]:port` or `http://localhost:port`.
    pub fn new(base_url: &str) -> Result<Self, ClientError> {
        let refused = || ClientError::BaseUrl(base_url.to_owned());
        let authority = base_url.strip_prefix("http://").ok_or_else(refused)?.trim_end_matches('/');
        let numeric = authority.replacen("localhost:", "127.0.0.1:", 1);
        let address: std::net::SocketAddr = numeric.parse().map_err(|_| refused())?;
        if !address.ip().is_loopback() {
            return Err(refused());
        }
        let host = HeaderValue::from_str(authority).map_err(|_| refused())?;
        Ok(Self { pool: Pool::new(address), host, timeout: Duration::from_secs(30), further: HeaderMap::new() })
    }

    /// The same client with another time limit per request.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The same client, which sends one header more with each request.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.further.insert(name, value);
        self
    }

    /// Sends a signed request. `path` is path and query as they shall be sent.
    pub async fn signed(
        &self,
        credentials: &Credentials,
        method: &str,
        path: &str,
        idempotency_key: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Reply, ClientError> {
        let body = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        self.signed_bytes(credentials, (method, path), idempotency_key, ("application/json", body.into())).await
    }

    /// Sends a signed request whose body is of any content type.
    pub async fn signed_bytes(
        &self,
        credentials: &Credentials,
        (method, path): (&str, &str),
        idempotency_key: Option<&str>,
        (content_type, body): (&str, Bytes),
    ) -> Result<Reply, ClientError> {
        let nonce = nonce();
        let parts = SignedParts {
            method,
            path_and_query: path,
            timestamp: &(system_clock_ms() / 1000).to_string(),
            nonce: std::str::from_utf8(&nonce).unwrap_or_default(),
            idempotency_key: idempotency_key.unwrap_or_default(),
            body: &body,
        };
        let value = authorization(&credentials.key_id, &credentials.secret, &parts);
        let mut request = Request::builder().method(method).uri(path).header(AUTHORIZATION, value);
        if let Some(key) = idempotency_key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, content_type);
        }
        self.send(request.body(body)?).await
    }

    /// Sends a request with the secret itself, for test keys.
    pub async fn bearer(
        &self,
        (key_id, secret): (&str, &str),
        (method, path): (&str, &str),
        idempotency_key: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Reply, ClientError> {
        let body: Bytes = body.map(serde_json::to_vec).transpose()?.unwrap_or_default().into();
        let value = format!("Bearer {key_id}:{secret}");
        let mut request = Request::builder().method(method).uri(path).header(AUTHORIZATION, value);
        if let Some(key) = idempotency_key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        self.send(request.body(body)?).await
    }

    /// Gets a path without a key.
    pub async fn get(&self, path: &str) -> Result<Reply, ClientError> {
        self.send(Request::get(path).body(Bytes::new())?).await
    }

    /// Sends any request; its URI is path and query.
    pub async fn send(&self, mut request: Request<Bytes>) -> Result<Reply, ClientError> {
        request.headers_mut().insert(HOST, self.host.clone());
        request.headers_mut().extend(self.further.clone());
        let sending = self.pool.send(request.map(Full::new));
        tokio::time::timeout(self.timeout, sending).await.map_err(|_| ClientError::TimedOut)?
    }
}

/// 22 random characters: 132 bits.
fn nonce() -> [u8; 22] {
    let (mut bits, extra): (u128, u8) = rand::random();
    let mut text = [0; 22];
    for place in &mut text {
        *place = ALPHABET[(bits & 63) as usize];
        bits >>= 6;
    }
    text[21] = ALPHABET[usize::from(extra & 63)];
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_called() {
        for good in ["http://127.0.0.1:80", "http://[::1]:8080/", "http://localhost:1"] {
            assert!(Client::new(good).is_ok(), "{good}");
        }
        for bad in
            ["https://127.0.0.1:80", "http://10.0.0.1:80", "http://example.com:80", "http://127.0.0.1", "127.0.0.1:80"]
        {
            assert!(matches!(Client::new(bad), Err(ClientError::BaseUrl(_))), "{bad}");
        }
    }

    #[test]
    fn nonces_are_good_and_differ() {
        let (one, two) = (nonce(), nonce());
        assert_ne!(one, two);
        assert!(std::str::from_utf8(&one).is_ok_and(crate::signature::is_nonce));
    }
}
