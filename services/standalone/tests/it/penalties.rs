//! Penalties and appeals over HTTP: who may, what bites, what ends it.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::risk::{analyst, key, lead};
use crate::support::{Caller, Server, claim, code, merchant, redemption, runtime, stock};
use http_api::client::Reply;
use serde_json::{Value, json};

fn id(value: &Value) -> String {
    value["id"].as_str().expect("an id").to_owned()
}

fn refused(reply: &Reply, expected: &str) -> Value {
    let problem = reply.json().expect("JSON");
    assert_eq!(code(reply), expected, "{problem}");
    problem
}

async fn get(caller: &Caller, path: &str) -> Reply {
    caller.send("GET", path, None, None).await
}

async fn put(caller: &Caller, path: &str, body: Value) -> Reply {
    caller.send("PUT", path, Some(&Caller::key()), Some(&body)).await
}

fn claimed(stock: &str) -> Value {
    json!({"stock_id": stock, "user_id": "u"})
}

fn penalty(shop: &Value, violation: &str) -> Value {
    json!({"merchant_id": shop["id"], "violation": violation})
}

/// A key of a role at a merchant.
async fn key_of(server: &Server, folder: &Path, shop: &Value, role: &str) -> Caller {
    let path = format!("/v1/merchants/{}/keys", id(shop));
    let key = Caller::platform(&server.address, folder).ok(&path, json!({"role": role})).await;
    Caller::new(&server.address, key["key_id"].as_str().expect("id"), key["secret"].as_str().expect("secret"))
}

#[test]
fn a_penalty_bites_at_once_and_a_granted_appeal_lifts_it_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let runtime = runtime();
    let (shop, caller, pen) = runtime.block_on(async {
        let (shop, caller) = merchant(&server.address, folder.path()).await;
        let stock = stock(&caller, json!({})).await;
        let (an, bo) = (lead(&server, folder.path()).await, lead(&server, folder.path()).await);
        let (coupon, held) = (claim(&caller, &stock, "a").await, claim(&caller, &stock, "b").await);
        let locked = json!({"coupons": [{"code": held["code"]}], "ttl_seconds": 600,
            "order": {"id": "held", "amount": 2000, "currency": "CNY"}});
        let lock = caller.ok("/v1/locks", locked).await;
        let mut wanted = penalty(&shop, "cash_out");
        wanted["evidence"] = json!([coupon["decision"]["id"], "截图", {"note": "till 3"}]);

        let mut preview = wanted.clone();
        preview["preview"] = json!(true);
        let shown = an.post("/v1/risk/penalties", preview).await;
        let body = shown.json().expect("JSON");
        assert_eq!((shown.status.as_u16(), &body["id"], &body["sanction"]), (200, &json!(null), &json!("freeze")));
        claim(&caller, &stock, "c").await;

        let made = an.ok("/v1/risk/penalties", wanted).await;
        assert_eq!(
            (&made["offence"], &made["sanction"], &made["state"]),
            (&json!(1), &json!("freeze"), &json!("active"))
        );
        assert_eq!((&made["ends_at"], &made["evidence"][1]), (&json!(null), &json!("截图")));
        let problem = refused(&caller.post("/v1/claims", claimed(&stock)).await, "merchant_suspended");
        assert_eq!((&problem["penalty_id"], &problem["sanction"]), (&made["id"], &json!("freeze")));
        refused(&caller.post("/v1/redemptions", redemption(&coupon["code"], "o")).await, "merchant_suspended");
        let under_lock = json!({"lock": {"id": lock["id"], "token": lock["token"]},
            "order": {"id": "held", "amount": 2000, "currency": "CNY"}});
        refused(&caller.post("/v1/redemptions", under_lock.clone()).await, "merchant_suspended");
        let row = Caller::platform(&server.address, folder.path()).get(&format!("/v1/merchants/{}", id(&shop))).await;
        assert_eq!(row["status"], "suspended");

        let appeal = json!({"penalty_id": made["id"], "statement": "It was our own test."});
        let opened = caller.ok("/v1/risk/appeals", appeal.clone()).await;
        assert_eq!((&opened["state"], &opened["violation"]), (&json!("open"), &json!("cash_out")));
        let again = refused(&caller.post("/v1/risk/appeals", appeal).await, "appeal_open");
        assert_eq!(again["appeal_id"], opened["id"]);
        let resolve = format!("/v1/risk/appeals/{}/resolve", id(&opened));
        let outcome = json!({"outcome": "granted", "reason": "a test it was"});
        refused(&an.post(&resolve, outcome.clone()).await, "self_approval");
        let resolved = bo.ok(&resolve, outcome.clone()).await;
        assert_eq!((&resolved["state"], &resolved["penalty"]["state"]), (&json!("granted"), &json!("lifted")));
        let label = &resolved["labels"][0];
        assert_eq!((&label["decision_id"], &label["label"]), (&coupon["decision"]["id"], &json!("honest")));
        assert_eq!((&label["source"], resolved["labels"].as_array().map(Vec::len)), (&json!("appeal"), Some(1)));
        refused(&bo.post(&resolve, outcome).await, "appeal_resolved");
        claim(&caller, &stock, "d").await;
        caller.ok("/v1/redemptions", under_lock).await;
        let stats = an.get("/v1/risk/appeals/stats").await;
        assert_eq!((&stats["data"][0]["granted"], &stats["data"][0]["success_rate"]), (&json!(1), &json!(1.0)));
        (shop, caller, made)
    });
    assert_eq!(server.terminate(), Some(0));
    let server = Server::start(folder.path(), &[]);
    runtime.block_on(async {
        let mine = caller.at(&server.address).get("/v1/risk/penalties?state=lifted&violation=cash_out").await;
        assert_eq!((&mine["data"][0]["id"], &mine["data"][1]), (&pen["id"], &json!(null)), "also after a restart");
        let an = analyst(&server, folder.path()).await;
        let next = an.ok("/v1/risk/penalties", penalty(&shop, "cash_out")).await;
        assert_eq!(next["offence"], 1, "what was lifted does not count");
    });
}

#[test]
fn a_merchant_sees_its_own_penalties_and_not_who_is_behind_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let ((shop, admin), (_, other)) =
            (merchant(&server.address, folder.path()).await, merchant(&server.address, folder.path()).await);
        let an = analyst(&server, folder.path()).await;
        let first = an.ok("/v1/risk/penalties", penalty(&shop, "false_advertising")).await;
        let second = an.ok("/v1/risk/penalties", penalty(&shop, "false_advertising")).await;
        assert_eq!((&second["offence"], &second["sanction"]), (&json!(2), &json!("ban")));
        assert!(second["ends_at"].is_string(), "{second}");
        let own = admin.get("/v1/risk/penalties").await;
        assert_eq!((&own["data"][0]["id"], &own["data"][1]["id"]), (&second["id"], &first["id"]), "newest first");
        assert_eq!((&own["data"][0]["created_by"], first["created_by"].is_string()), (&json!(null), true));
        let page = an.get("/v1/risk/penalties?limit=1").await;
        let cursor = page["next_cursor"].as_str().expect("more");
        let rest = an.get(&format!("/v1/risk/penalties?limit=1&cursor={cursor}")).await;
        assert_eq!((&rest["data"][0]["id"], &rest["next_cursor"]), (&first["id"], &json!(null)));

        let path = format!("/v1/risk/penalties/{}", id(&first));
        assert_eq!(admin.get(&path).await["violation"], "false_advertising");
        refused(&get(&other, &path).await, "penalty_not_found");
        assert_eq!(other.get("/v1/risk/penalties").await["data"], json!([]));
        let of_another = format!("/v1/risk/penalties?merchant_id={}", id(&shop));
        refused(&get(&other, &of_another).await, "merchant_not_found");
        let appeal = json!({"penalty_id": first["id"], "statement": "?"});
        refused(&other.post("/v1/risk/appeals", appeal.clone()).await, "penalty_not_found");
        let opened = admin.ok("/v1/risk/appeals", appeal.clone()).await;
        refused(&get(&other, &format!("/v1/risk/appeals/{}", id(&opened))).await, "appeal_not_found");
        assert_eq!(an.get("/v1/risk/appeals?state=open").await["data"][0]["id"], opened["id"]);

        let operator = key_of(&server, folder.path(), &shop, "operator").await;
        refused(&get(&operator, "/v1/risk/penalties").await, "role_forbidden");
        refused(&operator.post("/v1/risk/appeals", appeal.clone()).await, "role_forbidden");
        refused(&an.post("/v1/risk/appeals", appeal).await, "role_forbidden");
        refused(&admin.post("/v1/risk/penalties", penalty(&shop, "cash_out")).await, "role_forbidden");
        refused(&an.post(&format!("{path}/lift"), json!({"reason": "?"})).await, "role_forbidden");
        let outcome = json!({"outcome": "denied", "reason": "?"});
        refused(&an.post(&format!("/v1/risk/appeals/{}/resolve", id(&opened)), outcome).await, "role_forbidden");
    });
}

#[test]
fn a_takedown_and_a_ban_leave_what_was_claimed_redeemable() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (shop, caller) = merchant(&server.address, folder.path()).await;
        let stock = stock(&caller, json!({})).await;
        let coupons = [claim(&caller, &stock, "a").await, claim(&caller, &stock, "b").await];
        let an = analyst(&server, folder.path()).await;
        let codes = format!("/v1/stocks/{stock}/codes");
        let made = async || caller.post(&codes, json!({"count": 1, "label": "more"})).await;
        for (coupon, bars_codes) in coupons.iter().zip([false, true]) {
            an.ok("/v1/risk/penalties", penalty(&shop, "false_advertising")).await;
            refused(&caller.post("/v1/claims", claimed(&stock)).await, "merchant_suspended");
            assert_eq!(made().await.status.as_u16() == 403, bars_codes, "codes ahead");
            let order = coupon["coupon_id"].as_str().expect("an id");
            caller.ok("/v1/redemptions", redemption(&coupon["code"], order)).await;
        }
    });
}

#[test]
fn what_has_no_end_waits_for_a_second_lead() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (shop, caller) = merchant(&server.address, folder.path()).await;
        let (an, bo) = (lead(&server, folder.path()).await, lead(&server, folder.path()).await);
        let stock = stock(&caller, json!({})).await;
        let first = an.ok("/v1/risk/penalties", penalty(&shop, "hijacking")).await;
        assert_eq!(first["sanction"], "api_off");
        let off = refused(&get(&caller, "/v1/stocks").await, "merchant_suspended");
        assert_eq!(off["penalty_id"], first["id"], "all calls");
        let second = an.ok("/v1/risk/penalties", penalty(&shop, "hijacking")).await;
        assert_eq!((&second["sanction"], &second["state"]), (&json!("blacklist"), &json!("proposed")));
        let own = caller.get("/v1/risk/penalties").await;
        assert_eq!(own["data"][0]["id"], second["id"], "but those by which it can appeal");
        an.ok(&format!("/v1/risk/penalties/{}/lift", id(&first)), json!({"reason": "the keys are new"})).await;
        claim(&caller, &stock, "while it is proposed").await;

        let approve = format!("/v1/risk/penalties/{}/approve", id(&second));
        refused(&an.post(&approve, json!({})).await, "self_approval");
        let (once, body) = (Caller::key(), json!({"reason": "seen"}));
        let approved = bo.send("POST", &approve, Some(&once), Some(&body)).await;
        assert_eq!(approved.json().expect("JSON")["state"], "active");
        let again = bo.send("POST", &approve, Some(&once), Some(&body)).await;
        assert_eq!(again.body, approved.body, "the same key gets the same answer");
        let problem = refused(&caller.post("/v1/claims", claimed(&stock)).await, "merchant_suspended");
        assert_eq!((&problem["sanction"], &problem["ends_at"]), (&json!("blacklist"), &json!(null)));
        assert_eq!(refused(&bo.post(&approve, json!({})).await, "penalty_not_active")["state"], "active");
    });
}

#[test]
fn a_sanction_of_a_ladder_that_was_set_ends_by_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (shop, caller) = merchant(&server.address, folder.path()).await;
        let stock = stock(&caller, json!({})).await;
        let (an, lead) = (analyst(&server, folder.path()).await, lead(&server, folder.path()).await);
        let path = "/v1/risk/penalty-ladder";
        let given = an.get(path).await;
        assert_eq!((&given["version"], given["rungs"].as_array().map(Vec::len)), (&json!(0), Some(6)));
        let rung = |offence: u32, sanction: &str, seconds: Value| {
            json!({"violation": "spam", "offence": offence, "sanction": sanction, "duration_seconds": seconds})
        };
        let ladder = json!({"rungs": [rung(1, "freeze", json!(1))], "appeal_days": 3, "version": 0});
        refused(&put(&an, path, ladder.clone()).await, "role_forbidden");
        let bound = key_of(&server, folder.path(), &shop, "analyst_lead").await;
        refused(&put(&bound, path, ladder.clone()).await, "role_forbidden");
        for wrong in [rung(2, "freeze", json!(1)), rung(1, "scolding", json!(null)), rung(1, "permanent", json!(1))] {
            refused(&put(&lead, path, json!({"rungs": [wrong]})).await, "invalid_field");
        }
        let set = put(&lead, path, ladder.clone()).await.json().expect("JSON");
        assert_eq!((&set["rungs"][0]["sanction"], &set["appeal_days"]), (&json!("freeze"), &json!(3)));
        assert_eq!(an.get(path).await, set);
        assert_eq!(refused(&put(&lead, path, ladder).await, "version_conflict")["current"], set["version"]);

        let unknown = refused(&an.post("/v1/risk/penalties", penalty(&shop, "cash_out")).await, "invalid_field");
        assert_eq!(unknown["pointer"], "/violation", "no longer on the ladder");
        let made = an.ok("/v1/risk/penalties", penalty(&shop, "spam")).await;
        let problem = refused(&caller.post("/v1/claims", claimed(&stock)).await, "merchant_suspended");
        assert_eq!(problem["ends_at"], made["ends_at"]);
        let deadline = Instant::now() + Duration::from_secs(30);
        while caller.post("/v1/claims", claimed(&stock)).await.status != 201 {
            assert!(Instant::now() < deadline, "it never ends");
        }
        assert_eq!(an.get(&format!("/v1/risk/penalties/{}", id(&made))).await["state"], "expired");
    });
}

#[test]
fn evidence_and_appeals_are_about_what_there_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (shop, caller) = merchant(&server.address, folder.path()).await;
        let stock = stock(&caller, json!({})).await;
        let coupon = claim(&caller, &stock, "a").await;
        let (an, platform) = (lead(&server, folder.path()).await, key(&server, folder.path(), "platform").await);
        let decision = coupon["decision"]["id"].as_str().expect("an id");
        let gone = format!("{}zz", &decision[..decision.len() - 2]);
        let mut wanted = penalty(&shop, "cash_out");
        wanted["evidence"] = json!([gone]);
        refused(&an.post("/v1/risk/penalties", wanted).await, "decision_not_found");
        let nowhere = json!({"merchant_id": "mer_zzzzzzz", "violation": "cash_out"});
        refused(&an.post("/v1/risk/penalties", nowhere).await, "merchant_not_found");
        let statement = "An honest customer.";
        refused(&caller.post("/v1/risk/appeals", json!({"statement": statement})).await, "missing_field");
        let about = |id: &str| json!({"decision_id": id, "statement": statement});
        refused(&caller.post("/v1/risk/appeals", about(&gone)).await, "decision_not_found");
        let opened = caller.ok("/v1/risk/appeals", about(decision)).await;
        assert_eq!((&opened["decision_id"], &opened["penalty_id"]), (&json!(decision), &json!(null)));
        refused(&caller.post("/v1/risk/appeals", about(decision)).await, "appeal_open");
        let outcome = json!({"outcome": "denied", "reason": "three devices"});
        let resolved = platform.ok(&format!("/v1/risk/appeals/{}/resolve", id(&opened)), outcome).await;
        assert_eq!((&resolved["penalty"], &resolved["labels"][0]["label"]), (&json!(null), &json!("fraud")));
        let shown = caller.get(&format!("/v1/risk/appeals/{}", id(&opened))).await;
        assert_eq!((&shown["state"], &shown["reason"]), (&json!("denied"), &json!("three devices")));
        assert_eq!(shown["resolved_by"], json!(null), "the merchant does not see who");
        let stats = an.get(&format!("/v1/risk/appeals/stats?merchant_id={}", id(&shop))).await;
        assert_eq!((&stats["decisions"]["denied"], &stats["decisions"]["success_rate"]), (&json!(1), &json!(0.0)));
    });
}
