//! Cases from their opening to their labels, snoozes, and what is found of who did what.

use std::path::Path;

use crate::support::{Caller, Server, at_once, claim, code, merchant, redemption, runtime, stock};
use serde_json::{Value, json};

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}"))
}

async fn key_of(path: &str, role: &str, (address, folder): (&str, &Path)) -> Caller {
    let key = Caller::platform(address, folder).ok(path, json!({"role": role})).await;
    Caller::new(address, text(&key["key_id"]), text(&key["secret"]))
}

async fn analyst(at: (&str, &Path)) -> Caller {
    key_of("/v1/keys", "analyst", at).await
}

/// A shop, its admin, and the decision of a claim of one of its users.
async fn with_a_claim(at: (&str, &Path)) -> (Value, Caller, Value) {
    let (shop, admin) = merchant(at.0, at.1).await;
    let stock = stock(&admin, json!({})).await;
    let claimed = claim(&admin, &stock, "u-1").await;
    (shop, admin, claimed)
}

fn decision(answer: &Value) -> Value {
    answer["decision"]["id"].clone()
}

async fn open(analyst: &Caller, decisions: &[Value]) -> String {
    let body = json!({"decision_ids": decisions, "note": "looks like a farm"});
    text(&analyst.ok("/v1/risk/cases", body).await["id"]).to_owned()
}

fn step(case: &str, name: &str) -> String {
    format!("/v1/risk/cases/{case}/{name}")
}

async fn standing(analyst: &Caller, decision: &Value) -> Vec<Value> {
    let found = analyst.get(&format!("/v1/risk/labels?decision_id={}", text(decision))).await;
    let data = found["data"].as_array().expect("a list").clone();
    data.into_iter().filter(|label| label["state"] == "standing").map(|label| label["label"].clone()).collect()
}

#[test]
fn a_case_goes_from_its_opening_to_labels_and_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let at = (server.address.as_str(), folder.path());
    runtime().block_on(async {
        let (shop, admin, claimed) = with_a_claim(at).await;
        let redeemed = admin.ok("/v1/redemptions", redemption(&claimed["code"], "o-1")).await;
        let (an, bo) = (analyst(at).await, analyst(at).await);
        let body = json!({"decision_ids": [decision(&claimed)], "note": "look", "queue": "night"});
        let reply = an.post("/v1/risk/cases", body).await;
        assert_eq!(reply.status.as_u16(), 201);
        let case = reply.json().expect("JSON");
        let id = text(&case["id"]).to_owned();
        let told = (&case["state"], &case["queue"], &case["priority"], &case["merchant_id"], &case["subject"]["kind"]);
        assert_eq!(told, (&json!("open"), &json!("night"), &json!("normal"), &shop["id"], &json!("user")), "{case}");

        // Of the same user, so it comes to the same case.
        let more = json!({"decision_ids": [decision(&redeemed)], "subject": {"kind": "user", "value": "u-1"}});
        let reply = an.post("/v1/risk/cases", more).await;
        assert_eq!((reply.status.as_u16(), &reply.json().expect("JSON")["id"]), (200, &json!(id)));

        let nothing = bo.post("/v1/risk/cases/next", json!({"queue": "elsewhere"})).await;
        assert_eq!((nothing.status.as_u16(), nothing.body.len()), (204, 0));
        let key = Caller::key();
        let next = async || an.send("POST", "/v1/risk/cases/next", Some(&key), Some(&json!({"queue": "night"}))).await;
        let (first, again) = (next().await, next().await);
        assert_eq!((first.status.as_u16(), &first.body), (200, &again.body), "the same key gets the same case");
        assert_eq!(again.header("idempotency-replayed"), "true");
        let taken = first.json().expect("JSON");
        assert_eq!(
            (&taken["id"], &taken["state"], &taken["decision_count"]),
            (&json!(id), &json!("claimed"), &json!(2))
        );
        assert!(taken["claim_expires_at"].as_str() > taken["opened_at"].as_str(), "{taken}");

        let late = bo.post(&step(&id, "claim"), json!({})).await;
        assert_eq!(code(&late), "case_claimed");
        assert_eq!(late.json().expect("JSON")["claimed_by"], taken["claimed_by"]);
        an.ok(&step(&id, "notes"), json!({"text": "three devices"})).await;
        let missing = an.post(&step(&id, "close"), json!({"outcome": "fraud"})).await;
        assert_eq!(code(&missing), "missing_field");
        let closing = json!({"outcome": "fraud", "reason": "a farm", "apply": {"void_coupons": false}});
        let closed = an.ok(&step(&id, "close"), closing).await;
        assert_eq!(
            (&closed["state"], closed["labels"].as_array().map(Vec::len)),
            (&json!("closed"), Some(2)),
            "{closed}"
        );
        assert_eq!(an.get(&format!("/v1/risk/cases/{id}")).await["labels"], closed["labels"]);
        let label = an.get(&format!("/v1/risk/labels/{}", text(&closed["labels"][1]))).await;
        let told = (&label["decision_id"], &label["label"], &label["source"], &label["reason"]);
        assert_eq!(told, (&decision(&redeemed), &json!("fraud"), &json!("analyst"), &json!("a farm")));
        assert_eq!(code(&bo.post(&step(&id, "claim"), json!({})).await), "case_closed");

        let second = open(&an, &[decision(&claimed)]).await;
        let similar = an.get(&format!("/v1/risk/cases/{second}/similar")).await;
        let alike = &similar["data"][0];
        assert_eq!((&alike["case"]["id"], &alike["case"]["outcome"]), (&json!(id), &json!("fraud")), "{similar}");
        assert_eq!(alike["shared"], json!(["subject"]));

        assert_eq!(code(&bo.post(&step(&id, "undo"), json!({})).await), "nothing_to_undo");
        assert_eq!(an.ok(&step(&id, "undo"), json!({})).await["state"], "claimed");
        assert!(standing(&an, &decision(&claimed)).await.is_empty(), "the labels went with the close");
        let whole = an.get(&format!("/v1/risk/cases/{id}")).await;
        let steps: Vec<&str> = whole["steps"].as_array().expect("steps").iter().map(|it| text(&it["step"])).collect();
        assert_eq!(steps, ["opened", "added", "claimed", "noted", "closed", "undone"], "{whole}");
        assert_eq!(whole["notes"].as_array().map(Vec::len), Some(2), "the opening's and the other");
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn of_analysts_who_race_for_the_next_case_each_gets_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let at = (server.address.as_str(), folder.path());
    runtime().block_on(async {
        let (_, admin) = merchant(at.0, at.1).await;
        let stock = stock(&admin, json!({})).await;
        let an = analyst(at).await;
        for n in 0..4 {
            open(&an, &[decision(&claim(&admin, &stock, &format!("u-{n}")).await)]).await;
        }
        let urgent = json!({"subject": {"kind": "device", "value": "d-1"}, "priority": "high"});
        let refused = an.post("/v1/risk/cases", urgent.clone()).await;
        assert_eq!(code(&refused), "missing_field", "whose device");
        let own = key_of(&format!("/v1/merchants/{}/keys", text(&admin_merchant(&an).await)), "analyst", at).await;
        let urgent = own.ok("/v1/risk/cases", urgent).await["id"].clone();
        assert_eq!(an.ok("/v1/risk/cases/next", json!({})).await["id"], urgent, "the most urgent one goes first");
        let mut callers = Vec::new();
        for _ in 0..6 {
            callers.push(analyst(at).await);
        }
        let replies = at_once(6, |n| {
            let caller = callers[n].clone();
            async move { caller.post("/v1/risk/cases/next", json!({})).await }
        })
        .await;
        let mut taken: Vec<Value> =
            replies.iter().filter(|it| it.status == 200).map(|it| it.json().expect("JSON")["id"].clone()).collect();
        taken.sort_by_key(Value::to_string);
        let all = taken.len();
        taken.dedup();
        assert_eq!((taken.len(), all), (4, 4), "four cases, each once");
        let others = replies.iter().filter(|it| it.status != 200);
        assert!(others.into_iter().all(|it| it.status == 204 || code(it) == "case_claimed"));
        let queues = an.get("/v1/risk/queues").await;
        let review = queues["data"].as_array().expect("queues").iter().find(|it| it["queue"] == "review");
        let review = review.expect("always there");
        assert_eq!((&review["open"], &review["claimed"], &review["overdue"]), (&json!(0), &json!(5), &json!(0)));
    });
    assert_eq!(server.terminate(), Some(0));
}

/// The merchant of the only cases there are.
async fn admin_merchant(analyst: &Caller) -> Value {
    analyst.get("/v1/risk/cases").await["data"][0]["merchant_id"].clone()
}

#[test]
fn steps_move_a_case_and_lists_find_it_also_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let runtime = runtime();
    let (an, id) = runtime.block_on(async {
        let at = (server.address.as_str(), folder.path());
        let (_, _, claimed) = with_a_claim(at).await;
        let an = analyst(at).await;
        let id = open(&an, &[decision(&claimed)]).await;
        assert_eq!(code(&an.post(&step(&id, "release"), json!({})).await), "case_not_claimed");
        an.ok(&step(&id, "claim"), json!({})).await;
        assert_eq!(an.ok(&step(&id, "release"), json!({})).await["state"], "open");
        let past = json!({"until": "2020-01-01T00:00:00Z", "reason": "later"});
        assert_eq!(code(&an.post(&step(&id, "snooze"), past).await), "invalid_field");
        an.ok(&step(&id, "escalate"), json!({"reason": "a ring"})).await;
        let leads = an.get("/v1/risk/cases?queue=lead&state=open").await;
        assert_eq!((&leads["data"][0]["id"], &leads["data"][0]["priority"]), (&json!(id), &json!("high")));
        let snooze = json!({"until": "2100-01-01T00:00:00Z", "reason": "asked the store"});
        assert_eq!(an.ok(&step(&id, "snooze"), snooze).await["state"], "snoozed");
        assert_eq!(an.post("/v1/risk/cases/next", json!({})).await.status.as_u16(), 204, "nobody gets it now");
        assert_eq!(code(&an.post(&step(&id, "reopen"), json!({"reason": "x"})).await), "case_not_closed");
        // It comes back by itself.
        let soon = json!({"until": soon(), "reason": "a moment"});
        an.ok(&step(&id, "snooze"), soon).await;
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while an.get(&format!("/v1/risk/cases/{id}")).await["state"] != "open" {
            assert!(std::time::Instant::now() < deadline, "still snoozed");
        }
        an.ok(&step(&id, "close"), json!({"outcome": "honest", "reason": "a family", "apply": {}})).await;
        assert_eq!(standing(&an, &decision(&claimed)).await, ["honest"]);
        (an, id)
    });
    assert_eq!(server.terminate(), Some(0));
    let server = Server::start(folder.path(), &[]);
    runtime.block_on(async {
        let an = an.at(&server.address);
        for (query, found) in [
            ("state=closed", 1),
            ("state=open", 0),
            ("assignee=cfk_live_nobody", 0),
            ("due_before=2020-01-01T00:00:00Z", 0),
            ("due_before=2100-01-01T00:00:00Z", 1),
        ] {
            let list = an.get(&format!("/v1/risk/cases?{query}")).await;
            assert_eq!(list["data"].as_array().map(Vec::len), Some(found), "{query}: {list}");
        }
        assert_eq!(an.ok(&step(&id, "reopen"), json!({"reason": "new facts"})).await["state"], "open");
        assert_eq!(an.ok("/v1/risk/cases/next", json!({"queue": "lead"})).await["id"], json!(id));
    });
    assert_eq!(server.terminate(), Some(0));
}

/// A moment that has not come yet: the step before it takes less.
fn soon() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    http_api::time::format_ms(i64::try_from(now.as_millis()).expect("in range") + 1_500)
}

#[test]
fn another_merchants_is_not_there_and_roles_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let at = (server.address.as_str(), folder.path());
    runtime().block_on(async {
        let (shop, admin, claimed) = with_a_claim(at).await;
        let (other, _, _) = with_a_claim(at).await;
        let keys = |shop: &Value| format!("/v1/merchants/{}/keys", text(&shop["id"]));
        let (own, foreign) = (key_of(&keys(&shop), "analyst", at).await, key_of(&keys(&other), "analyst", at).await);
        let id = open(&own, &[decision(&claimed)]).await;
        for (path, body) in [
            (step(&id, "claim"), json!({})),
            (step(&id, "close"), json!({"outcome": "fraud", "reason": "x", "apply": {}})),
        ] {
            assert_eq!(code(&foreign.post(&path, body.clone()).await), "case_not_found", "{path}");
            assert_eq!(code(&admin.post(&path, body).await), "role_forbidden", "{path}");
        }
        let hidden = foreign.send("GET", &format!("/v1/risk/cases/{id}"), None, None).await;
        assert_eq!(code(&hidden), "case_not_found");
        assert!(foreign.get("/v1/risk/cases").await["data"].as_array().expect("a list").is_empty());
        let asked = foreign.post("/v1/risk/cases", json!({"decision_ids": [decision(&claimed)]})).await;
        assert_eq!(
            (code(&asked), &asked.json().expect("JSON")["pointer"]),
            ("decision_not_found".into(), &json!("/decision_ids/0"))
        );
        assert_eq!(own.get("/v1/risk/cases").await["data"][0]["id"], json!(id));
        assert_eq!(code(&foreign.post("/v1/risk/cases/next", json!({})).await), "", "no case is theirs");
        let unknown = own.post("/v1/risk/cases", json!({"decision_ids": ["dec_00000000000000000000"]})).await;
        assert_eq!(code(&unknown), "decision_not_found");
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_close_voids_what_its_decisions_let_through() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let at = (server.address.as_str(), folder.path());
    runtime().block_on(async {
        let (_, admin) = merchant(at.0, at.1).await;
        let stock = stock(&admin, json!({"stacking": {"max_per_order": 2}})).await;
        let mut claims = Vec::new();
        for _ in 0..4 {
            claims.push(claim(&admin, &stock, "u-1").await);
        }
        // The first two are held for an order, together; the fourth is used.
        let codes: Vec<Value> = claims[..2].iter().map(|claim| json!({"code": claim["code"]})).collect();
        let order = json!({"id": "o-1", "amount": 5000, "currency": "CNY"});
        let lock = json!({"coupons": codes, "order": order, "ttl_seconds": 600});
        let locked = admin.ok("/v1/locks", lock).await;
        admin.ok("/v1/redemptions", redemption(&claims[3]["code"], "o-2")).await;
        let an = analyst(at).await;
        let decisions: Vec<Value> = claims[1..].iter().map(decision).collect();
        let id = open(&an, &decisions).await;
        let closing = json!({"outcome": "fraud", "reason": "a farm", "apply": {"void_coupons": true}});
        assert_eq!(an.ok(&step(&id, "close"), closing).await["voided_coupons"], 2);
        for (claim, state, story) in [
            (&claims[0], "claimed", &["coupon_claimed", "coupon_locked", "lock_voided"][..]),
            (&claims[1], "voided", &["coupon_claimed", "coupon_locked", "coupon_voided"]),
            (&claims[2], "voided", &["coupon_claimed", "coupon_voided"]),
            (&claims[3], "redeemed", &["coupon_claimed", "coupon_redeemed"]),
        ] {
            let path = format!("/v1/coupons/{}", text(&claim["coupon_id"]));
            assert_eq!(admin.get(&path).await["state"], state);
            let events = admin.get(&format!("{path}/events")).await;
            let told: Vec<&str> =
                events["data"].as_array().expect("events").iter().map(|it| text(&it["type"])).collect();
            assert_eq!(told, story, "{events}");
        }
        assert_eq!(code(&an.post(&step(&id, "undo"), json!({})).await), "nothing_to_undo", "what is void stays void");
        let extend = format!("/v1/locks/{}/extend", text(&locked["id"]));
        let late = admin.post(&extend, json!({"token": locked["token"], "ttl_seconds": 60})).await;
        assert_eq!(code(&late), "lock_lost");
    });
    assert_eq!(server.terminate(), Some(0));
}
