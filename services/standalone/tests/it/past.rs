//! The past as it was answered then: along random lives of coupons, and along a stock's life.

use coupon::id::LedgerRef;
use http_api::time::{format_ms, system_clock_ms};
use rand::RngExt;
use rand::rngs::SmallRng;
use serde_json::{Value, json};

use crate::support::{Caller, Server, merchant, runtime, seeded, stock};

/// What was answered, as of which reference and which time.
struct Seen {
    path: String,
    reference: String,
    time: String,
    answer: Value,
}

/// Reads an object now, and notes as of when. The next change comes at a later millisecond.
async fn look(caller: &Caller, stock: &str, path: &str, seen: &mut Vec<Seen>) {
    let answer = caller.get(path).await;
    let reference = caller.get(&format!("/v1/stocks/{stock}/conservation")).await["ledger_ref"].clone();
    let now = system_clock_ms();
    while system_clock_ms() <= now + 1 {
        tokio::task::yield_now().await;
    }
    let reference: LedgerRef = reference.as_str().expect("a reference").parse().expect("a reference");
    seen.push(Seen { path: path.to_owned(), reference: reference.to_string(), time: format_ms(now), answer });
}

async fn check(caller: &Caller, seen: &[Seen]) {
    for Seen { path, reference, time, answer } in seen {
        for as_of in [reference, time] {
            let then = caller.get(&format!("{path}?as_of={as_of}")).await;
            assert_eq!(&then, answer, "{path} as of {as_of}");
        }
    }
}

/// A coupon in the middle of its life.
struct Life {
    stock: String,
    id: String,
    path: String,
    lock: Option<Value>,
    redemptions: Vec<Value>,
    orders: u32,
}

impl Life {
    fn order(&mut self) -> Value {
        self.orders += 1;
        json!({"id": format!("{}-{}", self.id, self.orders), "amount": 5000, "currency": "CNY"})
    }

    /// One thing that may happen next; the state allows some of them, the others are refused and change nothing.
    async fn step(&mut self, caller: &Caller, rng: &mut SmallRng) {
        match rng.random_range(0..9) {
            0 | 1 => {
                let body = json!({"coupons": [{"coupon_id": self.id}], "order": self.order(), "ttl_seconds": 600});
                let reply = caller.post("/v1/locks", body).await;
                if reply.status.as_u16() == 201 {
                    self.lock = Some(reply.json().expect("JSON"));
                }
            }
            2 => {
                let Some(lock) = self.lock.take() else { return };
                let path = format!("/v1/locks/{}/release", lock["id"].as_str().expect("an id"));
                caller.post(&path, json!({"token": lock["token"], "reason": "payment_failed"})).await;
            }
            3 => {
                let Some(lock) = self.lock.take() else { return };
                let order = json!({"id": lock["order"]["id"], "amount": 5000, "currency": "CNY"});
                let body = json!({"order": order, "lock": {"id": lock["id"], "token": lock["token"]}});
                self.redemptions.push(caller.ok("/v1/redemptions", body).await["id"].clone());
            }
            4 | 5 => {
                let body = json!({"coupons": [{"coupon_id": self.id}], "order": self.order()});
                let reply = caller.post("/v1/redemptions", body).await;
                if reply.status.as_u16() == 201 {
                    self.redemptions.push(reply.json().expect("JSON")["id"].clone());
                }
            }
            6 | 7 => {
                let Some(id) = self.redemptions.pop() else { return };
                let path = format!("/v1/redemptions/{}/reversals", id.as_str().expect("an id"));
                caller.ok(&path, json!({"reason": "returned"})).await;
            }
            _ => {
                let body = json!({"coupons": [{"coupon_id": self.id}], "order": self.order(), "ttl_seconds": 1});
                if caller.post("/v1/locks", body).await.status.as_u16() == 201 {
                    while caller.get(&self.path).await["state"] == "locked" {
                        tokio::task::yield_now().await;
                    }
                }
            }
        }
    }
}

async fn live(caller: &Caller, rng: &mut SmallRng, kind: usize) {
    let value = json!({"uses": 3});
    let shape = [
        json!({"code_mode": "pool", "total": 2}),
        json!({"code_mode": "pool", "total": 2, "type": "multi_use", "value": value}),
        json!({"code_mode": "imported", "total": 2}),
        json!({"type": "multi_use", "value": value}),
    ];
    let stock = stock(caller, shape[kind].clone()).await;
    let mut batch = None;
    let id = match kind {
        0 | 1 => {
            let made = caller.ok(&format!("/v1/stocks/{stock}/codes"), json!({"count": 1})).await;
            let path = format!("/v1/code-batches/{}/codes", made["batch_id"].as_str().expect("an id"));
            batch = made["batch_id"].as_str().map(str::to_owned);
            let csv = caller.send("GET", &path, None, None).await;
            let text = String::from_utf8(csv.body.to_vec()).expect("UTF-8");
            text.lines().nth(1).and_then(|line| line.split(',').nth(1)).expect("an id").to_owned()
        }
        2 => imported(caller, &stock).await,
        _ => {
            let claimed = caller.ok("/v1/claims", json!({"stock_id": stock, "user_id": "用户"})).await;
            claimed["coupon_id"].as_str().expect("an id").to_owned()
        }
    };
    let path = format!("/v1/coupons/{id}");
    let mut life = Life { stock, id, path, lock: None, redemptions: Vec::new(), orders: 0 };
    let mut seen = Vec::new();
    look(caller, &life.stock, &life.path, &mut seen).await;
    let claimed_after = rng.random_range(0..8);
    for n in 0..24 {
        if n == claimed_after && kind < 3 {
            // From the shelf; taken already, if somebody has used it.
            caller.post("/v1/claims", json!({"stock_id": life.stock, "user_id": "somebody"})).await;
        } else {
            life.step(caller, rng).await;
        }
        look(caller, &life.stock, &life.path, &mut seen).await;
    }
    if let Some(batch) = batch {
        caller.ok(&format!("/v1/code-batches/{batch}/void"), json!({"reason": "misprint"})).await;
        look(caller, &life.stock, &life.path, &mut seen).await;
    }
    caller.post(&format!("{}/void", life.path), json!({"reason": "the end"})).await;
    look(caller, &life.stock, &life.path, &mut seen).await;
    check(caller, &seen).await;
    explained(caller, &life, &seen).await;
}

async fn imported(caller: &Caller, stock: &str) -> String {
    let code = format!("own-{}", stock.len() + rand::random::<u16>() as usize);
    let path = format!("/v1/stocks/{stock}/code-imports");
    let content = ("text/csv", format!("code\n{code}\n").into());
    let key = Caller::key();
    let sent = caller.client.signed_bytes(&caller.credentials, ("POST", &path), Some(&key), content);
    assert_eq!(sent.await.expect("an answer").status.as_u16(), 202);
    loop {
        let found = caller.post("/v1/coupons/lookup", json!({"code": code})).await;
        if found.status.as_u16() == 200 {
            return found.json().expect("JSON")["id"].as_str().expect("an id").to_owned();
        }
        tokio::task::yield_now().await;
    }
}

/// Every change of state that was seen has an event that brought it.
async fn explained(caller: &Caller, life: &Life, seen: &[Seen]) {
    let events = caller.get(&format!("{}/events", life.path)).await;
    let events = events["data"].as_array().expect("a list");
    let references: Vec<&str> = events.iter().filter_map(|event| event["ledger_ref"].as_str()).collect();
    assert!(references.is_sorted(), "{references:?}");
    for Seen { answer, .. } in seen {
        let reference = answer["ledger_ref"].as_str().expect("a reference");
        assert!(references.contains(&reference), "{reference} is not among {events:?}");
    }
    assert!(events.iter().all(|event| event["type"] != "other"), "{events:?}");
}

#[test]
fn a_coupon_was_what_was_answered_then() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let mut rng = seeded();
    runtime().block_on(async {
        let (_, caller) = merchant(&server.address, folder.path()).await;
        for n in 0..12 {
            live(&caller, &mut rng, n % 4).await;
        }
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_stock_was_what_was_answered_then() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (_, caller) = merchant(&server.address, folder.path()).await;
        let stock = stock(&caller, json!({})).await;
        let path = format!("/v1/stocks/{stock}");
        let mut seen = Vec::new();
        look(&caller, &stock, &path, &mut seen).await;
        let changes = [
            ("PATCH", "", json!({"name": "新名", "terms": "spend 10"})),
            ("PUT", "/total", json!({"current": 1000, "target": 2000})),
            ("PUT", "/budget", json!({"current": null, "target": {"amount": 7, "currency": "CNY"}})),
            ("PUT", "/limits/per_user", json!({"current": null, "target": 3})),
            ("POST", "/pause", json!({"stop_redemptions": true})),
            ("POST", "/resume", json!({})),
            ("POST", "/close", json!({})),
        ];
        for (method, below, body) in changes {
            let reply = caller.send(method, &format!("{path}{below}"), Some(&Caller::key()), Some(&body)).await;
            assert_eq!(reply.status.as_u16(), 200, "{below}: {}", String::from_utf8_lossy(&reply.body));
            look(&caller, &stock, &path, &mut seen).await;
            let last = &seen.last().expect("seen").answer;
            assert_eq!(&reply.json().expect("JSON"), last, "the answer is the stock as the change left it");
        }
        check(&caller, &seen).await;
    });
    assert_eq!(server.terminate(), Some(0));
}
