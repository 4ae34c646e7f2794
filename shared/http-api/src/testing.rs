//! What the tests of this crate share.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use coupon::id::MerchantId;
use http::{Method, Request};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::auth::{Key, Role};
use crate::call::{BodyLimits, Gate};
use crate::signature::{Secret, SignedParts, authorization};

pub(crate) async fn text(response: Response) -> String {
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("utf-8")
}

pub(crate) async fn json(response: Response) -> serde_json::Value {
    serde_json::from_str(&text(response).await).expect("json")
}

pub(crate) async fn get(router: Router, path: &str) -> Response {
    let request = Request::get(path).body(Body::empty()).expect("a request");
    router.oneshot(request).await.expect("infallible")
}

/// 2026-11-24T07:00:00Z.
pub(crate) const NOW_MS: i64 = 1_795_503_600_000;

pub(crate) fn secret() -> Secret {
    Secret::new("cfs_test")
}

/// A test merchant's admin key.
pub(crate) fn key(key_id: &str) -> Arc<Key> {
    Arc::new(Key {
        key_id: key_id.into(),
        merchant: Some(MerchantId(7)),
        role: Role::Admin,
        store_ids: None,
        livemode: false,
        secret: secret(),
        suspended: None,
        expires_at_ms: None,
        quotas: Arc::default(),
    })
}

/// A gate whose clock stands still.
pub(crate) fn gate(keys: Vec<Arc<Key>>) -> Gate {
    let limits = BodyLimits { json_bytes: 100_000, upload_bytes: 1_000_000, ..BodyLimits::default() };
    Gate::with(Arc::new(keys), Arc::new(|| NOW_MS), limits)
}

/// A request that can be spoiled before or after it is signed.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) key_id: &'static str,
    pub(crate) seconds: i64,
    pub(crate) nonce: String,
    pub(crate) idempotency_key: Option<&'static str>,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) body: Vec<u8>,
}

impl Draft {
    pub(crate) fn claim() -> Self {
        Self {
            method: Method::POST,
            path: "/v1/claims",
            key_id: "cfk_test_1",
            seconds: NOW_MS / 1000,
            nonce: crate::request_id::RequestId::random().as_str().to_owned(),
            idempotency_key: Some("k1"),
            content_type: Some("application/json"),
            body: br#"{"user_id": "u1"}"#.to_vec(),
        }
    }

    pub(crate) fn read(path: &'static str) -> Self {
        Self { method: Method::GET, path, idempotency_key: None, content_type: None, body: Vec::new(), ..Self::claim() }
    }

    pub(crate) fn signed(&self) -> Request<Body> {
        let parts = SignedParts {
            method: self.method.as_str(),
            path_and_query: self.path,
            timestamp: &self.seconds.to_string(),
            nonce: &self.nonce,
            idempotency_key: self.idempotency_key.unwrap_or_default(),
            body: &self.body,
        };
        self.with_authorization(&authorization(self.key_id, &secret(), &parts))
    }

    pub(crate) fn with_authorization(&self, value: &str) -> Request<Body> {
        let mut request = Request::builder().method(&self.method).uri(self.path).header("authorization", value);
        if let Some(key) = self.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        if let Some(content_type) = self.content_type {
            request = request.header("content-type", content_type);
        }
        request.body(Body::from(self.body.clone())).expect("a request")
    }
}
