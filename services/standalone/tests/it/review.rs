//! What is to be reviewed: its cases, where it waits for them, breakers, and what else a merchant's settings do in line.

use std::path::Path;
use std::time::{Duration, Instant};

use http_api::client::Reply;
use serde_json::{Value, json};

use crate::risk::{analyst, lead};
use crate::support::{Caller, Server, claim, code, merchant, redemption, runtime, stock};

/// A shop with a stock, and people who look at its risk.
struct Scene {
    id: String,
    admin: Caller,
    stock: String,
    an: Caller,
    bo: Caller,
}

impl Scene {
    async fn new(server: &Server, folder: &Path) -> Self {
        let (shop, admin) = merchant(&server.address, folder).await;
        let stock = stock(&admin, json!({})).await;
        let (an, bo) = (analyst(server, folder).await, lead(server, folder).await);
        Self { id: shop["id"].as_str().expect("an id").to_owned(), admin, stock, an, bo }
    }

    async fn set(&self, settings: Value) {
        let path = format!("/v1/risk/settings?merchant_id={}", self.id);
        let reply = self.bo.send("PUT", &path, Some(&Caller::key()), Some(&settings)).await;
        assert_eq!(reply.status.as_u16(), 200, "{:?}", reply.json());
    }

    /// Redeems a coupon of a user's on a device.
    async fn redeem(&self, key: &str, user: &str, device: &str) -> Reply {
        let mut body = self.order(user, key).await;
        body["context"] = json!({"device_id": device});
        self.admin.send("POST", "/v1/redemptions", Some(key), Some(&body)).await
    }

    async fn order(&self, user: &str, order: &str) -> Value {
        let claimed = claim(&self.admin, &self.stock, user).await;
        let mut body = redemption(&claimed["code"], order);
        body["user_id"] = json!(user);
        body
    }

    /// The shop's only case that is not closed, once it is there.
    async fn case(&self) -> Value {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let found = self.an.get(&format!("/v1/risk/cases?state=open&merchant_id={}", self.id)).await;
            if let [case] = found["data"].as_array().expect("a list").as_slice() {
                return case.clone();
            }
            assert!(Instant::now() < deadline, "{found}");
        }
    }

    /// A refused decision, once it is among what happened.
    async fn decision(&self, id: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let reply = self.an.send("GET", &format!("/v1/risk/decisions/{id}"), None, None).await;
            if reply.status == 200 {
                return reply.json().expect("JSON");
            }
            assert!(Instant::now() < deadline, "{:?}", reply.json());
        }
    }

    async fn breaker(&self) -> Value {
        self.an.get(&format!("/v1/risk/breakers?merchant_id={}", self.id)).await["data"][0].clone()
    }
}

/// The metrics of the server, once a line is there or gone.
async fn metrics(platform: &Caller, line: &str, there: bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let reply = platform.send("GET", "/metrics", None, None).await;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        if text.contains(line) == there {
            return;
        }
        assert!(Instant::now() < deadline, "{line}: {there}");
    }
}

#[test]
fn a_review_opens_a_case() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let scene = Scene::new(&server, folder.path()).await;
        let body = json!({"stock_id": scene.stock, "user_id": "u-1", "context": {"device_id": "test_review"}});
        let claimed = scene.admin.ok("/v1/claims", body).await;
        assert_eq!(claimed["decision"]["action"], "review");
        let case = scene.case().await;
        assert_eq!(case["decision_ids"], json!([claimed["decision"]["id"]]));
        assert_eq!((&case["subject"]["kind"], &case["queue"]), (&json!("user"), &json!("review")));
        let redeemed = scene.redeem("o-1", "u-1", "test_review").await;
        assert_eq!(redeemed.status.as_u16(), 201);
        let redeemed = redeemed.json().expect("JSON");
        let grown = scene.case().await;
        assert_eq!((&grown["id"], &grown["decision_ids"][1]), (&case["id"], &redeemed["decision"]["id"]));
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn what_is_held_goes_through_once_its_case_is_closed_as_honest() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let scene = Scene::new(&server, folder.path()).await;
        scene.set(json!({"review_holds": true})).await;
        let mut body = scene.order("u-1", "o-1").await;
        body["context"] = json!({"device_id": "test_review"});
        let redeem = async || scene.admin.send("POST", "/v1/redemptions", Some("held"), Some(&body)).await;
        let held = redeem().await;
        assert_eq!((held.status.as_u16(), code(&held)), (403, "risk_review".to_owned()));
        let case = scene.case().await;
        assert_eq!((&case["priority"], &case["decision_count"]), (&json!("high"), &json!(1)));
        let decision = case["decision_ids"][0].as_str().expect("an id").to_owned();
        let found = scene.decision(&decision).await;
        assert_eq!((&found["id"], &found["action"]), (&json!(decision), &json!("review")), "{found}");
        assert_eq!(code(&redeem().await), "risk_review", "nobody has looked yet");
        let close = format!("/v1/risk/cases/{}/close", case["id"].as_str().expect("an id"));
        scene.an.ok(&close, json!({"outcome": "honest", "reason": "a regular"})).await;
        let redeemed = redeem().await;
        assert_eq!(redeemed.status.as_u16(), 201, "{:?}", redeemed.json());
        let told = redeemed.json().expect("JSON")["decision"].clone();
        assert_eq!(told["action"], "allow");
        let id = told["id"].as_str().expect("an id");
        let whole = scene.an.get(&format!("/v1/risk/decisions/{id}")).await;
        assert_eq!(whole["enforced_by"], "case_closed_honest", "{whole}");
        let again = scene.an.ok(&format!("/v1/risk/decisions/{id}/derive"), json!({})).await;
        assert_eq!(again["equal"], true, "{again}");
        assert_eq!(code(&scene.redeem("o-2", "u-2", "test_review").await), "risk_review", "another user");
        let case = scene.case().await;
        let close = format!("/v1/risk/cases/{}/close", case["id"].as_str().expect("an id"));
        scene.an.ok(&close, json!({"outcome": "fraud", "reason": "a farm"})).await;
        assert_eq!(code(&scene.redeem("o-3", "u-2", "test_review").await), "risk_review");
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_breaker_trips_and_is_reset() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let (scene, tripped_at) = runtime().block_on(async {
        let scene = Scene::new(&server, folder.path()).await;
        scene.set(json!({"minimum_volume": 10, "abnormal_share_bp": 1_000})).await;
        for n in 0..8 {
            assert_eq!(scene.redeem(&format!("o-{n}"), &format!("u-{n}"), "honest").await.status.as_u16(), 201);
        }
        assert_eq!(scene.redeem("o-8", "u-8", "test_review").await.status.as_u16(), 201);
        let before = scene.breaker().await;
        assert_eq!(
            (&before["attempts"], &before["abnormal"], &before["tripped"]),
            (&json!(9), &json!(1), &json!(false))
        );
        assert_eq!(code(&scene.redeem("o-9", "u-9", "test_block").await), "risk_blocked");
        let deadline = Instant::now() + Duration::from_secs(10);
        let tripped = loop {
            let breaker = scene.breaker().await;
            if breaker["tripped"] == true {
                break breaker;
            }
            assert!(Instant::now() < deadline, "{breaker}");
        };
        assert_eq!((&tripped["attempts"], &tripped["share_bp"]), (&json!(10), &json!(2_000)));
        assert_eq!(code(&scene.redeem("o-10", "u-10", "test_review").await), "risk_review");
        assert_eq!(scene.redeem("o-11", "u-11", "honest").await.status.as_u16(), 201, "only what is to be reviewed");
        let platform = Caller::platform(&server.address, folder.path());
        metrics(&platform, &format!("counterfoil_breaker_tripped{{merchant=\"{}\"}} 1", scene.id), true).await;
        metrics(&platform, "counterfoil_breaker_trips_total 1", true).await;
        let deadline = Instant::now() + Duration::from_secs(10);
        while !server.log_lines.lock().expect("not poisoned").contains("a merchant's breaker tripped") {
            assert!(Instant::now() < deadline, "no line in the log");
        }
        (scene, tripped["tripped_at"].clone())
    });
    assert_eq!(server.terminate(), Some(0));
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (an, bo) = (scene.an.at(&server.address), scene.bo.at(&server.address));
        let scene = Scene { admin: scene.admin.at(&server.address), an, bo, ..scene };
        let all = scene.an.get("/v1/risk/breakers?tripped=true").await;
        let told = (&all["data"][0]["merchant_id"], &all["data"][0]["tripped_at"]);
        assert_eq!(told, (&json!(scene.id), &tripped_at), "{all}");
        let reset = format!("/v1/risk/breakers/{}/reset", scene.id);
        let why = json!({"reason": "a test of ours"});
        assert_eq!(code(&scene.an.post(&reset, why.clone()).await), "role_forbidden");
        assert_eq!(code(&scene.bo.post(&reset, json!({})).await), "missing_field");
        let elsewhere = scene.bo.post("/v1/risk/breakers/mer_zzzzzzz/reset", why.clone()).await;
        assert_eq!(code(&elsewhere), "merchant_not_found");
        let told = scene.bo.ok(&reset, why).await;
        assert_eq!((&told["merchant_id"], &told["reason"]), (&json!(scene.id), &json!("a test of ours")));
        let breaker = scene.breaker().await;
        assert_eq!((&breaker["attempts"], &breaker["tripped_at"]), (&json!(0), &Value::Null));
        assert_eq!(scene.redeem("o-12", "u-12", "test_review").await.status.as_u16(), 201);
        let line = format!("counterfoil_breaker_tripped{{merchant=\"{}\"}}", scene.id);
        metrics(&Caller::platform(&server.address, folder.path()), &line, false).await;
        let deeds = scene.bo.get(&format!("/v1/audit-events?object={}", scene.id)).await;
        let deeds = deeds["data"].as_array().expect("a list").clone();
        assert!(deeds.iter().any(|deed| deed["action"] == "breaker.reset"), "{deeds:?}");
        let own = scene.an.get("/v1/risk/breakers?tripped=true").await;
        assert_eq!(own["data"], json!([]));
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_merchant_has_degraded_values_and_limits_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let scene = Scene::new(&server, folder.path()).await;
        let other = Scene::new(&server, folder.path()).await;
        scene.set(json!({"degraded_value_limit": 1_999})).await;
        let refused = scene.redeem("o-1", "u-1", "test_degraded").await;
        assert_eq!((refused.status.as_u16(), code(&refused)), (503, "risk_unavailable".to_owned()));
        assert_eq!(refused.json().expect("JSON")["degraded_value_limit"], 1_999);
        assert_eq!(other.redeem("o-1", "u-1", "test_degraded").await.status.as_u16(), 201, "the common limit");
        scene.set(json!({"degraded_value_limit": 2_000})).await;
        assert_eq!(scene.redeem("o-2", "u-2", "test_degraded").await.status.as_u16(), 201);
        scene.set(json!({"device_burst": 2, "device_per_second": 1})).await;
        let mut codes = Vec::new();
        for n in 3..8 {
            codes.push(code(&scene.redeem(&format!("o-{n}"), "u-3", "one-device").await));
            assert_eq!(other.redeem(&format!("o-{n}"), "u-3", "one-device").await.status.as_u16(), 201);
        }
        assert_eq!((codes[0].as_str(), codes[1].as_str()), ("", ""), "{codes:?}");
        assert!(codes[2..].iter().any(|code| code == "device_limited"), "{codes:?}");
    });
    assert_eq!(server.terminate(), Some(0));
}
