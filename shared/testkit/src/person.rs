//! Somebody in a browser: a session's cookie and its token.

use std::sync::Arc;

use bytes::Bytes;
use http_api::axum::http::Request;
use http_api::client::{Client, Reply};
use serde_json::{Value, json};

use crate::Caller;

/// Who is signed in.
#[derive(Clone)]
pub struct Person {
    /// The connections.
    pub client: Arc<Client>,
    /// As the browser sends it.
    pub cookie: String,
    /// As the page sends it.
    pub csrf_token: String,
    /// `usr_...`
    pub user_id: String,
}

/// Signs in, and gives whatever answer there is.
pub async fn sign_in(address: &str, body: &Value) -> Reply {
    let client = Client::new(address).expect("an address");
    let request = Request::post("/v1/sessions").header("content-type", "application/json");
    client.send(request.body(body.to_string().into()).expect("a request")).await.expect("an answer")
}

/// The token of a link.
pub fn token(made: &Value) -> String {
    let link = made["sign_in_url"].as_str().expect("a link");
    link.strip_prefix("/#/sign-in?token=").expect("a link to the pages").to_owned()
}

impl Person {
    /// Signs in by name and password, or by a token; it must succeed.
    pub async fn signed_in(address: &str, body: &Value) -> Self {
        let reply = sign_in(address, body).await;
        assert_eq!(reply.status.as_u16(), 200, "{}", String::from_utf8_lossy(&reply.body));
        Self::of(address, &reply)
    }

    /// From the answer that began a session.
    pub fn of(address: &str, reply: &Reply) -> Self {
        let client = Client::new(address).expect("an address");
        let cookie = reply.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
        let session = reply.json().expect("JSON");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let (csrf_token, user_id) = (text(&session["csrf_token"]), text(&session["user"]["id"]));
        Self { client: Arc::new(client), cookie, csrf_token, user_id }
    }

    /// A new user of a role, signed in by the link that comes with it.
    pub async fn new(platform: &Caller, address: &str, user: Value) -> Self {
        let made = platform.ok("/v1/users", user).await;
        Self::signed_in(address, &json!({"token": token(&made)})).await
    }

    /// The same person at another address, by the same cookie.
    #[must_use]
    pub fn at(&self, address: &str) -> Self {
        Self { client: Arc::new(Client::new(address).expect("an address")), ..self.clone() }
    }

    /// Sends as a page does, and gives whatever answer there is.
    pub async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let request = Request::builder().method(method).uri(path).header("cookie", &self.cookie);
        let request = request.header("x-csrf-token", &self.csrf_token).header("idempotency-key", Caller::key());
        let (request, body) = match body {
            Some(body) => (request.header("content-type", "application/json"), Bytes::from(body.to_string())),
            None => (request, Bytes::new()),
        };
        self.client.send(request.body(body).expect("a request")).await.expect("an answer")
    }

    /// A read that must succeed.
    pub async fn get(&self, path: &str) -> Value {
        let reply = self.send("GET", path, None).await;
        assert_eq!(reply.status.as_u16(), 200, "GET {path}: {}", String::from_utf8_lossy(&reply.body));
        reply.json().expect("JSON")
    }
}
