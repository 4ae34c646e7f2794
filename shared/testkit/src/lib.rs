//! What tests over HTTP have in common: callers, a merchant with a stock, many at once.

pub mod command;
pub mod person;
pub mod races;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http_api::client::{Client, Credentials, Reply};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde_json::{Value, json};

/// A merchant's caller.
#[derive(Clone)]
pub struct Caller {
    /// Its connections.
    pub client: Arc<Client>,
    /// Its key.
    pub credentials: Credentials,
}

impl Caller {
    /// With a key, at an address.
    pub fn new(address: &str, key_id: &str, secret: &str) -> Self {
        let client = Arc::new(Client::new(address).expect("an address"));
        Self { client, credentials: Credentials::new(key_id, secret) }
    }

    /// The platform's first key.
    pub fn platform(address: &str, data_dir: &Path) -> Self {
        let text = std::fs::read_to_string(data_dir.join("platform-key.json")).expect("a platform key");
        let key: Value = serde_json::from_str(&text).expect("JSON");
        Self::new(address, key["key_id"].as_str().expect("an id"), key["secret"].as_str().expect("a secret"))
    }

    /// The same caller at another address.
    #[must_use]
    pub fn at(&self, address: &str) -> Self {
        Self { client: Arc::new(Client::new(address).expect("an address")), ..self.clone() }
    }

    /// A new idempotency key.
    pub fn key() -> String {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        format!("key-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Sends, and gives whatever answer there is.
    pub async fn send(&self, method: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> Reply {
        self.client.signed(&self.credentials, method, path, key, body).await.expect("an answer")
    }

    /// A post under a new key.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, Some(&Self::key()), Some(&body)).await
    }

    /// A read that must succeed.
    pub async fn get(&self, path: &str) -> Value {
        let reply = self.send("GET", path, None, None).await;
        assert_eq!(reply.status.as_u16(), 200, "GET {path}: {}", String::from_utf8_lossy(&reply.body));
        reply.json().expect("JSON")
    }

    /// A post that must succeed.
    pub async fn ok(&self, path: &str, body: Value) -> Value {
        let reply = self.post(path, body).await;
        assert!(reply.status.is_success(), "POST {path}: {}", String::from_utf8_lossy(&reply.body));
        reply.json().expect("JSON")
    }
}

/// A test merchant with generous quotas and an admin key.
pub async fn merchant(address: &str, data_dir: &Path) -> (Value, Caller) {
    let platform = Caller::platform(address, data_dir);
    let merchant = platform.ok("/v1/merchants", json!({"name": "茶铺 Tea", "mode": "test"})).await;
    let id = merchant["id"].as_str().expect("an id");
    let quotas =
        json!({"create_per_second": 1_000_000, "redeem_per_second": 1_000_000, "import_per_minute": 1_000_000});
    let path = format!("/v1/merchants/{id}/quotas");
    let reply = platform.send("PUT", &path, Some(&Caller::key()), Some(&quotas)).await;
    assert_eq!(reply.status.as_u16(), 200);
    let key = platform.ok(&format!("/v1/merchants/{id}/keys"), json!({"role": "admin"})).await;
    let caller = Caller::new(address, key["key_id"].as_str().expect("id"), key["secret"].as_str().expect("secret"));
    (merchant, caller)
}

/// A cash stock of 5 yuan off, active.
pub async fn stock(caller: &Caller, changes: Value) -> String {
    let mut body = json!({
        "type": "cash", "name": "五元券", "terms": "5 off", "total": 1000, "code_mode": "generated",
        "value": {"amount_off": {"amount": 500, "currency": "CNY"}, "minimum_spend": {"amount": 1000, "currency": "CNY"}},
        "valid_after_claim": {"days": 30},
    });
    for (field, value) in changes.as_object().expect("an object") {
        body[field] = value.clone();
    }
    let stock = caller.ok("/v1/stocks", body).await;
    let id = stock["id"].as_str().expect("an id").to_owned();
    caller.ok(&format!("/v1/stocks/{id}/activate"), json!({})).await;
    id
}

/// A claim that must succeed.
pub async fn claim(caller: &Caller, stock: &str, user: &str) -> Value {
    caller.ok("/v1/claims", json!({"stock_id": stock, "user_id": user})).await
}

/// The body of a redemption of one code.
pub fn redemption(code: &Value, order: &str) -> Value {
    json!({"coupons": [{"code": code}], "order": {"id": order, "amount": 2000, "currency": "CNY"}})
}

/// Two threads, as on a small machine.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Numbers from a seed, which is printed; `COUNTERFOIL_SEED` gives it back.
pub fn seeded() -> SmallRng {
    let given = std::env::var("COUNTERFOIL_SEED").ok().and_then(|text| text.parse().ok());
    let seed: u64 = given.unwrap_or_else(rand::random);
    eprintln!("COUNTERFOIL_SEED={seed}");
    SmallRng::seed_from_u64(seed)
}

/// The code of a problem; nothing for other answers.
pub fn code(reply: &Reply) -> String {
    reply.code().map(|code| code.to_string()).unwrap_or_default()
}

/// How many replies have each status.
pub fn by_status(replies: &[Reply]) -> HashMap<u16, usize> {
    let mut counts = HashMap::new();
    for reply in replies {
        *counts.entry(reply.status.as_u16()).or_default() += 1;
    }
    counts
}

/// Does `n` things at once and gives what came of each, in their order.
pub async fn at_once<F, R>(n: usize, make: impl Fn(usize) -> F) -> Vec<R>
where
    F: Future<Output = R> + Send + 'static,
    R: Send + 'static,
{
    let tasks: Vec<_> = (0..n).map(|i| tokio::spawn(make(i))).collect();
    let mut results = Vec::with_capacity(n);
    for task in tasks {
        results.push(task.await.expect("no panic"));
    }
    results
}
