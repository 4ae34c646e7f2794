//! Calls that must succeed, each under a key of its own, so that it is made once however often it is sent.

use std::sync::Arc;

use host::Failure;
use http_api::client::{Client, ClientError, Credentials, Reply};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A key as it was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) key_id: String,
    pub(super) secret: String,
}

impl Key {
    /// The key in an answer that made one, or in a file.
    pub(super) fn of(made: &Value) -> Self {
        Self { key_id: text(&made["key_id"]), secret: text(&made["secret"]) }
    }
}

/// Who calls.
#[derive(Clone)]
pub(super) struct Caller {
    client: Arc<Client>,
    credentials: Credentials,
}

impl Caller {
    /// With a key; connections are shared with others of the same client.
    pub(super) fn new(client: &Arc<Client>, key: &Key) -> Self {
        Self { client: client.clone(), credentials: Credentials::new(&key.key_id, &key.secret) }
    }

    /// Whatever answer there is.
    pub(super) async fn send(
        &self,
        (method, path): (&str, &str),
        key: &str,
        body: Option<&Value>,
    ) -> Result<Reply, ClientError> {
        self.client.signed(&self.credentials, method, path, Some(key), body).await
    }

    /// A post that must succeed.
    pub(super) async fn post(&self, path: &str, key: &str, body: Value) -> Result<Value, Failure> {
        accepted(("POST", path), &self.send(("POST", path), key, Some(&body)).await?)
    }

    /// A put that must succeed.
    pub(super) async fn put(&self, path: &str, key: &str, body: Value) -> Result<Value, Failure> {
        accepted(("PUT", path), &self.send(("PUT", path), key, Some(&body)).await?)
    }

    /// A read that must succeed.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        accepted(("GET", path), &self.client.signed(&self.credentials, "GET", path, None, None).await?)
    }

    /// A CSV file that must be taken.
    pub(super) async fn upload(&self, path: &str, key: &str, csv: String) -> Result<Value, Failure> {
        let content = ("text/csv", csv.into_bytes().into());
        accepted(
            ("POST", path),
            &self.client.signed_bytes(&self.credentials, ("POST", path), Some(key), content).await?,
        )
    }
}

fn accepted((method, path): (&str, &str), reply: &Reply) -> Result<Value, Failure> {
    if reply.status.is_success() {
        return Ok(reply.json()?);
    }
    Err(format!("{method} {path}: {} {}", reply.status, String::from_utf8_lossy(&reply.body)).into())
}

/// A text; empty where there is none.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
