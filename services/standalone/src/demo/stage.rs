//! Where the traffic plays: shops with their callers, requests under keys of this run, and what became of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use http_api::client::Client;
use serde_json::{Value, json};

use super::caller::{Caller, text};
use super::catalogue::{HOT, MERCHANTS, Merchant, Stock};
use super::shops::Shop;

/// Somebody with a phone.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) user: String,
    pub(super) device: String,
    pub(super) ip: String,
}

impl Person {
    /// The end user as the caller sees them.
    pub(super) fn context(&self) -> Value {
        json!({"device_id": self.device, "ip": self.ip, "user_agent": "CounterfoilSample/1.0 (demo)"})
    }
}

/// Where in the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    pub(super) shop: usize,
    pub(super) stock: usize,
}

/// Where and for how much a coupon is used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Till<'a> {
    pub(super) store: usize,
    pub(super) cashier: &'a str,
    /// In fen.
    pub(super) amount: i64,
}

/// What came of a request.
pub(super) struct Came {
    /// `allow`, `review`, `challenge`, `block`, or the code of another refusal.
    pub(super) of: String,
    /// The answer.
    pub(super) body: Value,
}

impl Came {
    /// Whether it was carried out.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.of.as_str(), "allow" | "review")
    }

    /// Whether risk control refused it.
    pub(super) fn is_stopped(&self) -> bool {
        matches!(self.of.as_str(), "challenge" | "block" | "held")
    }
}

/// How often each kind of visitor met what.
type Tally = BTreeMap<(&'static str, String), u64>;

/// Shops and what is remembered of this run.
pub(super) struct Stage {
    shops: Vec<(Shop, Caller)>,
    /// When it began, seconds since 1970: keys and ids of a run are its own.
    pub(super) run: u64,
    next: AtomicU64,
    tally: Mutex<Tally>,
}

impl Stage {
    pub(super) fn new(client: &Arc<Client>, shops: &[Shop], run: u64) -> Self {
        let shops = shops.iter().map(|shop| (shop.clone(), Caller::new(client, &shop.key))).collect();
        Self { shops, run, next: AtomicU64::new(0), tally: Mutex::default() }
    }

    /// Where the hot stock is.
    pub(super) fn hot() -> At {
        let stock = MERCHANTS[0].stocks.iter().position(|stock| stock.slug == HOT).unwrap_or_default();
        At { shop: 0, stock }
    }

    pub(super) fn merchant(at: At) -> &'static Merchant {
        &MERCHANTS[at.shop]
    }

    pub(super) fn stock(at: At) -> &'static Stock {
        &MERCHANTS[at.shop].stocks[at.stock]
    }

    /// A name that nobody has yet.
    pub(super) fn fresh(&self, what: &str) -> String {
        format!("{what}-{}-{}", self.run, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// What each kind of visitor has met since the last time, in words.
    pub(super) fn tally(&self) -> String {
        let counted = std::mem::take(&mut *self.tally.lock().unwrap_or_else(PoisonError::into_inner));
        counted.iter().map(|((kind, of), n)| format!("{kind}/{of}={n}")).collect::<Vec<_>>().join(" ")
    }

    /// Claims a coupon.
    pub(super) async fn claim(&self, kind: &'static str, person: &Person, at: At) -> Came {
        let stock = &self.shops[at.shop].0.stocks[at.stock];
        let wanted = json!({"stock_id": stock, "user_id": person.user, "channel": "mini_program",
            "context": person.context()});
        self.send(kind, at.shop, "/v1/claims", wanted).await
    }

    /// Uses the coupon of an answer to a claim.
    pub(super) async fn redeem(
        &self,
        kind: &'static str,
        person: &Person,
        (at, coupon): (At, &Value),
        till: Till<'_>,
    ) -> Came {
        let wanted = self.redemption(person, (at, json!({"coupon_id": coupon["coupon_id"]})), till);
        self.send(kind, at.shop, "/v1/redemptions", wanted).await
    }

    /// The body of a redemption.
    pub(super) fn redemption(&self, person: &Person, (at, coupon): (At, Value), till: Till<'_>) -> Value {
        let store = &Self::merchant(at).stores[till.store];
        let mut context = person.context();
        // Rounded to some hundred metres: nobody stands on the till.
        context["location"] = json!({"latitude": store.latitude, "longitude": store.longitude, "datum": "wgs84"});
        json!({
            "coupons": [coupon], "user_id": person.user, "store_id": self.shops[at.shop].0.stores[till.store],
            "cashier_id": till.cashier, "terminal_id": format!("{}-terminal", till.cashier), "context": context,
            "order": Self::stock(at).value.order_of(&self.fresh("order"), till.amount),
        })
    }

    /// Posts under a new key. A connection that broke is what came, too.
    pub(super) async fn send(&self, kind: &'static str, shop: usize, path: &str, body: Value) -> Came {
        let came = match self.shops[shop].1.send(("POST", path), &self.fresh("demo"), Some(&body)).await {
            Ok(reply) => outcome(reply.status.is_success(), reply.json().unwrap_or_default()),
            Err(_) => Came { of: "no_answer".to_owned(), body: Value::Null },
        };
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        *tally.entry((kind, came.of.clone())).or_default() += 1;
        came
    }

    /// Raises a stock's total.
    pub(super) async fn restock(&self, at: At, by: u64) {
        let (shop, caller) = &self.shops[at.shop];
        let path = format!("/v1/stocks/{}", shop.stocks[at.stock]);
        let Ok(known) = caller.get(&path).await else { return };
        let Some(current) = known["total"].as_u64() else { return };
        let body = json!({"current": current, "target": current + by});
        // If somebody else changed it meanwhile, the next release comes.
        let _ = caller.put(&format!("{path}/total"), &self.fresh("demo"), body).await;
    }
}

fn outcome(done: bool, body: Value) -> Came {
    let of = match text(&body["code"]).as_str() {
        "risk_blocked" => "block".to_owned(),
        "challenge_required" => "challenge".to_owned(),
        "risk_review" => "held".to_owned(),
        code if !done => code.to_owned(),
        // What is not decided, such as a reversal, is let through.
        _ => body["decision"]["action"].as_str().unwrap_or("allow").to_owned(),
    };
    Came { of, body }
}
