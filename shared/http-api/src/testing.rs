//! What the tests of this crate share.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use coupon::id::MerchantId;
use http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::auth::{Key, Role};
use crate::call::{BodyLimits, Gate};
use crate::signature::Secret;

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
        suspended: false,
        expires_at_ms: None,
        quotas: Arc::default(),
    })
}

/// A gate whose clock stands still.
pub(crate) fn gate(keys: Vec<Arc<Key>>) -> Gate {
    let limits = BodyLimits { json_bytes: 100_000, upload_bytes: 1_000_000, ..BodyLimits::default() };
    Gate::with(Arc::new(keys), Arc::new(|| NOW_MS), limits)
}
