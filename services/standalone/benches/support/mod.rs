//! A server without sockets: signed requests go in at its edge, one process does all the rest as the real one does, and
//! the log is a file that is synced.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use host::Parts;
use host::config::Config;
use http_api::client::Credentials;
use http_api::server::{Edge, ServerLimits};
use http_api::signature::{SignedParts, authorization};
use http_api::time::system_clock_ms;
use serde_json::{Value, json};

/// Redemptions under way at once.
const AT_ONCE: usize = 32;
const QUOTA: u32 = 1_000_000;

/// A merchant with codes made ahead.
pub(crate) struct Shop {
    edge: Edge,
    parts: Parts,
    credentials: Credentials,
    codes: Vec<String>,
    nonce: u64,
}

impl Shop {
    /// Opens it in an empty folder.
    pub(crate) async fn open(folder: &Path, codes: usize) -> Self {
        let parts = standalone::open(&Config::default(), folder).expect("an empty folder");
        let router = standalone::router(&parts, &Arc::new(AtomicBool::new(true))).await.expect("routes");
        let key: Value =
            serde_json::from_slice(&std::fs::read(folder.join("platform-key.json")).expect("a key")).expect("JSON");
        let credentials = Credentials::new(text(&key, "key_id"), &text(&key, "secret"));
        let edge = Edge::new(router, ServerLimits::default());
        let mut shop = Self { edge, parts, credentials, codes: Vec::new(), nonce: 0 };
        let merchant =
            shop.post("/v1/merchants", json!({"name": "bench", "time_zone": "Asia/Shanghai", "mode": "test"}));
        let merchant = text(&merchant.await, "id");
        let quotas = json!({"create_per_second": QUOTA, "redeem_per_second": QUOTA, "import_per_minute": QUOTA});
        shop.call("PUT", &format!("/v1/merchants/{merchant}/quotas"), quotas).await;
        let key = json!({"name": "bench", "role": "admin"});
        let key = shop.post(&format!("/v1/merchants/{merchant}/keys"), key).await;
        shop.credentials = Credentials::new(text(&key, "key_id"), &text(&key, "secret"));
        shop.make_codes(codes).await;
        shop
    }

    async fn make_codes(&mut self, codes: usize) {
        let yuan = |amount: u64| json!({"amount": amount, "currency": "CNY"});
        let stock = json!({
            "type": "spend_and_save", "name": "bench", "terms": "满100减10", "total": codes, "code_mode": "pool",
            "value": {"amount_off": yuan(1_000), "minimum_spend": yuan(10_000)},
            "valid_after_claim": {"days": 365},
        });
        let stock = text(&self.post("/v1/stocks", stock).await, "id");
        self.post(&format!("/v1/stocks/{stock}/activate"), json!({})).await;
        let path = format!("/v1/stocks/{stock}/codes");
        let batch = text(&self.post(&path, json!({"count": codes, "label": "bench"})).await, "batch_id");
        let export = self.request("GET", &format!("/v1/code-batches/{batch}/codes?format=csv"), "", String::new());
        let csv = answer(&self.edge, export).await;
        let csv = std::str::from_utf8(&csv).expect("UTF-8");
        let code = |line: &str| line.split(',').next().unwrap_or_default().to_owned();
        self.codes = csv.lines().skip(1).map(code).collect();
        assert_eq!(self.codes.len(), codes);
    }

    /// The next so many redemptions, signed: each of its own shopper, device and address.
    pub(crate) fn redemptions(&mut self, count: usize) -> Vec<Request> {
        let codes = self.codes.split_off(self.codes.len() - count);
        let redemption = |code: String| {
            let n = self.nonce;
            let address = (n as u32).to_be_bytes();
            let body = format!(
                concat!(
                    r#"{{"coupons":[{{"code":"{}"}}],"order":{{"id":"order-{}","amount":12800,"currency":"CNY"}},"#,
                    r#""user_id":"user-{}","context":{{"device_id":"device-{}","ip":"10.{}.{}.{}"}}}}"#
                ),
                code, n, n, n, address[1], address[2], address[3]
            );
            self.request("POST", "/v1/redemptions", &format!("redemption-{n}"), body)
        };
        codes.into_iter().map(redemption).collect()
    }

    /// Redeems, some at once.
    pub(crate) async fn redeem(&self, requests: Vec<Request>) {
        let mut under_way = FuturesUnordered::new();
        for request in requests {
            if under_way.len() == AT_ONCE {
                under_way.next().await;
            }
            under_way.push(answer(&self.edge, request));
        }
        while under_way.next().await.is_some() {}
    }

    /// Ends in good order.
    pub(crate) async fn close(self) {
        self.parts.stop().await;
    }

    async fn post(&mut self, path: &str, body: Value) -> Value {
        self.call("POST", path, body).await
    }

    async fn call(&mut self, method: &str, path: &str, body: Value) -> Value {
        let key = format!("setup-{}", self.nonce);
        let request = self.request(method, path, &key, body.to_string());
        serde_json::from_slice(&answer(&self.edge, request).await).expect("JSON")
    }

    fn request(&mut self, method: &str, path: &str, key: &str, body: String) -> Request {
        self.nonce += 1;
        let (timestamp, nonce) = ((system_clock_ms() / 1_000).to_string(), format!("{:032}", self.nonce));
        let parts = SignedParts {
            method,
            path_and_query: path,
            timestamp: &timestamp,
            nonce: &nonce,
            idempotency_key: key,
            body: body.as_bytes(),
        };
        let authorization = authorization(&self.credentials.key_id, &self.credentials.secret, &parts);
        let request = Request::builder().method(method).uri(path).header("authorization", authorization);
        let request = if key.is_empty() { request } else { request.header("idempotency-key", key) };
        request.header("content-type", "application/json").body(Body::from(body)).expect("a request")
    }
}

/// The body of an answer, which must be a success.
async fn answer(edge: &Edge, request: Request) -> Bytes {
    let response = edge.handle(request).await.expect("an answer");
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.expect("a whole answer");
    assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
    body
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}")).to_owned()
}
