//! A shop with the starter rules live as they ship, and people and machines who come to it.

use std::path::Path;
use std::time::{Duration, Instant};

use http_api::client::Reply;
use serde_json::{Value, json};

use crate::risk::{analyst, lead};
use crate::support::{Caller, Server, code, merchant, stock};

/// The shop, and an analyst who looks on.
pub(crate) struct Scene {
    pub(crate) id: String,
    pub(crate) admin: Caller,
    pub(crate) analyst: Caller,
    lead: Caller,
    pub(crate) stock: String,
}

/// Somebody with a device behind an address.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) user: String,
    pub(crate) device: String,
    pub(crate) ip: String,
}

impl Person {
    /// By numbers: the user's, the device's, and the whole address.
    pub(crate) fn new(user: impl std::fmt::Display, device: impl std::fmt::Display, ip: &str) -> Self {
        Self { user: format!("user-{user}"), device: format!("device-{device}"), ip: ip.to_owned() }
    }

    fn context(&self) -> Value {
        json!({"device_id": self.device, "ip": self.ip})
    }
}

/// Where a coupon is used, and for how much.
pub(crate) struct Till<'a> {
    pub(crate) store: &'a str,
    pub(crate) cashier: &'a str,
    /// In fen; the coupon asks for 1,000.
    pub(crate) amount: i64,
    /// Latitude and longitude of the shopper.
    pub(crate) place: Option<(f64, f64)>,
}

/// What was decided: the action, and the rules that are named.
#[derive(Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) action: String,
    pub(crate) rules: Vec<String>,
    pub(crate) body: Value,
}

impl Told {
    /// From an answer to a claim or redemption.
    pub(crate) fn of(reply: &Reply) -> Self {
        let body = reply.json().expect("JSON");
        let code = code(reply);
        let action = match code.as_str() {
            "risk_blocked" => "block",
            "challenge_required" => "challenge",
            "" => body["decision"]["action"].as_str().unwrap_or_else(|| panic!("a decision: {body}")),
            other => other,
        };
        let reasons = body["decision"]["reasons"].as_array().cloned().unwrap_or_default();
        let rules = reasons.iter().filter_map(|reason| Some(reason["code"].as_str()?.to_owned())).collect();
        Self { action: action.to_owned(), rules, body }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self.action.as_str(), "challenge" | "block")
    }

    pub(crate) fn names(&self, rule: &str) -> bool {
        self.rules.iter().any(|named| named == rule)
    }
}

impl Scene {
    /// A shop; the rules go live by two people.
    pub(crate) async fn open(server: &Server, folder: &Path) -> Self {
        let (shop, admin) = merchant(&server.address, folder).await;
        let stock = stock(&admin, json!({"total": 10_000})).await;
        let (ann, bob) = (lead(server, folder).await, lead(server, folder).await);
        let rules = json!({"name": "starter", "text": risk::rules::STARTER});
        let pushed = ann.ok("/v1/risk/rulesets", rules).await;
        let path =
            |step: &str| format!("/v1/risk/rulesets/{}/versions/1/{step}", pushed["id"].as_str().expect("an id"));
        ann.ok(&path("submit"), json!({"to": "live"})).await;
        assert_eq!(bob.ok(&path("approve"), json!({})).await["state"], "live");
        let analyst = analyst(server, folder).await;
        Self { id: shop["id"].as_str().expect("an id").to_owned(), admin, analyst, lead: ann, stock }
    }

    /// What is to be reviewed waits for somebody from here on.
    pub(crate) async fn hold_reviews(&self) {
        let (path, body) = (format!("/v1/risk/settings?merchant_id={}", self.id), json!({"review_holds": true}));
        let reply = self.lead.send("PUT", &path, Some(&Caller::key()), Some(&body)).await;
        assert_eq!(reply.status.as_u16(), 200, "{:?}", reply.json());
    }

    /// A new store's id.
    pub(crate) async fn store(&self, name: &str) -> String {
        self.admin.ok("/v1/stores", json!({"name": name})).await["id"].as_str().expect("an id").to_owned()
    }

    pub(crate) async fn claim(&self, person: &Person) -> Told {
        let body = json!({"stock_id": self.stock, "user_id": person.user, "context": person.context()});
        Told::of(&self.admin.post("/v1/claims", body).await)
    }

    /// A claim that is let through, and counted.
    pub(crate) async fn claimed(&self, person: &Person, of_device: u64) -> Value {
        let told = self.claim(person).await;
        assert!(!told.is_stopped(), "{person:?}: {told:?}");
        self.counted(&person.device, "device_claims_24h", of_device).await;
        told.body
    }

    /// Uses a coupon.
    pub(crate) async fn redeem(&self, person: &Person, coupon: &Value, till: &Till<'_>) -> Told {
        let mut context = person.context();
        if let Some((latitude, longitude)) = till.place {
            context["location"] = json!({"latitude": latitude, "longitude": longitude, "datum": "wgs84"});
        }
        let body = json!({
            "coupons": [coupon], "user_id": person.user, "store_id": till.store, "cashier_id": till.cashier,
            "order": {"id": Caller::key(), "amount": till.amount, "currency": "CNY"}, "context": context,
        });
        Told::of(&self.admin.post("/v1/redemptions", body).await)
    }

    /// What is counted of a device, which follows what is answered by a moment.
    pub(crate) async fn counted(&self, device: &str, feature: &str, at_least: u64) {
        let path = format!("/v1/risk/subjects/device/{device}?merchant_id={}", self.id);
        self.soon(&path, |found| {
            let features = found["features"].as_array().expect("features");
            let value = features.iter().find(|one| one["name"] == feature).and_then(|one| one["value"].as_u64());
            value.unwrap_or_else(|| panic!("{feature}: {found}")) >= at_least
        })
        .await;
    }

    /// Reads until it is so.
    pub(crate) async fn soon(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let found = self.analyst.get(path).await;
            if is_so(&found) {
                return found;
            }
            assert!(Instant::now() < deadline, "{path}: {found}");
        }
    }
}

/// The coupon of an answer to a claim.
pub(crate) fn coupon(claimed: &Value) -> Value {
    json!({"coupon_id": claimed["coupon_id"]})
}
