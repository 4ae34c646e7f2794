//! Decisions that are asked for, what people came to about them, what rules did, and who hangs together with whom.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{Caller, Server, code, merchant, runtime, stock};
use serde_json::{Value, json};

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}"))
}

async fn key_of(path: &str, role: &str, (address, folder): (&str, &Path)) -> Caller {
    let key = Caller::platform(address, folder).ok(path, json!({"role": role})).await;
    Caller::new(address, text(&key["key_id"]), text(&key["secret"]))
}

/// A rule set that goes live.
async fn goes_live(at: (&str, &Path), rules: &str) -> String {
    let (an, bo) = (key_of("/v1/keys", "analyst_lead", at).await, key_of("/v1/keys", "analyst_lead", at).await);
    let pushed = an.ok("/v1/risk/rulesets", json!({"name": "mine", "text": rules})).await;
    let path = |step: &str| format!("/v1/risk/rulesets/{}/versions/1/{step}", text(&pushed["id"]));
    an.ok(&path("submit"), json!({"to": "live"})).await;
    bo.ok(&path("approve"), json!({"comment": "ok"})).await;
    text(&pushed["id"]).to_owned()
}

/// What is counted a moment after it is answered.
async fn soon(caller: &Caller, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let found = caller.get(path).await;
        if is_so(&found) {
            return found;
        }
        assert!(Instant::now() < until, "{path}: {found}");
    }
}

fn count(found: &Value) -> usize {
    found["data"].as_array().map_or(0, Vec::len)
}

async fn claim(caller: &Caller, stock: &str, user: &str, device: &str) -> String {
    let body = json!({"stock_id": stock, "user_id": user, "context": {"device_id": device, "ip": "203.0.113.7"}});
    text(&caller.ok("/v1/claims", body).await["decision"]["id"]).to_owned()
}

#[test]
fn a_decision_that_is_asked_for_is_kept_and_counts_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let at = (server.address.as_str(), folder.path());
    runtime().block_on(async {
        let (shop, admin) = merchant(at.0, at.1).await;
        let analyst = key_of("/v1/keys", "analyst", at).await;
        goes_live(at, "rule dear { when amount > 50000 then block score 700 }").await;
        let subject = json!({"user_id": "u-1", "device_id": "d-1", "ip": "203.0.113.7"});
        let body = json!({"event": "redemption", "subject": subject, "amount": 60_000, "merchant_id": shop["id"]});
        let (key, path) = (Caller::key(), "/v1/risk/decisions");
        let send = async || analyst.send("POST", path, Some(&key), Some(&body)).await;
        let (first, again) = (send().await, send().await);
        assert_eq!((first.status.as_u16(), &first.body), (201, &again.body), "the same key gets the same answer");
        assert_eq!(again.header("idempotency-replayed"), "true");
        let kept = first.json().expect("JSON");
        let told = (&kept["action"], &kept["event"], &kept["done"], &kept["amount"], &kept["subject"]["user_id"]);
        let wanted = (&json!("block"), &json!("redemption"), &json!(false), &json!(60_000), &json!("u-1"));
        assert_eq!(told, wanted, "{kept}");
        assert_eq!(kept["reasons"][0]["code"], "dear");
        let id = text(&kept["id"]);
        let found = analyst.get(&format!("{path}/{id}")).await;
        assert_eq!(found, kept);
        assert_eq!(analyst.ok(&format!("{path}/{id}/derive"), json!({})).await["equal"], true);
        let listed = format!("{path}?rule=dear&subject=user:u-1");
        assert_eq!(soon(&analyst, &listed, |found| count(found) == 1).await["data"][0]["id"], kept["id"]);
        let subject = analyst.get(&format!("/v1/risk/subjects/device/d-1?merchant_id={}", text(&shop["id"]))).await;
        let features = subject["features"].as_array().expect("features");
        assert!(features.iter().all(|feature| feature["value"] == 0), "{subject}");

        let dry = json!({"event": "redemption", "subject": {"user_id": "u-2"}, "amount": 60_000, "dry_run": true});
        let shown = admin.ok(path, dry).await;
        assert_eq!((&shown["id"], &shown["action"]), (&Value::Null, &json!("block")), "{shown}");
        assert_eq!(shown["features"], Value::Null, "operators see no features");
        assert_eq!(count(&analyst.get(&format!("{path}?rule=dear")).await), 1, "nothing is kept of it");

        let nobody = analyst.post(path, json!({"event": "claim", "subject": {}})).await;
        assert_eq!(code(&nobody), "missing_field", "at which merchant");
        let odd = admin.post(path, json!({"event": "wedding", "subject": {}})).await;
        assert_eq!((odd.status.as_u16(), code(&odd)), (400, "invalid_field".to_owned()));
        let other = merchant(at.0, at.1).await.1;
        let foreign = other.post(path, body).await;
        assert_eq!((foreign.status.as_u16(), code(&foreign)), (404, "merchant_not_found".to_owned()));
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn labels_and_cases_are_found_at_decisions_and_subjects_and_measure_rules() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let at = (server.address.as_str(), folder.path());
    runtime().block_on(async {
        let (shop, admin) = merchant(at.0, at.1).await;
        let analyst = key_of("/v1/keys", "analyst", at).await;
        let rules =
            "rule told { when has(device) then review score 10 }\nrule near { when has(ip) then review score 10 }";
        let set = goes_live(at, rules).await;
        let stock = stock(&admin, json!({})).await;
        let mut decisions = Vec::new();
        for n in 0..4 {
            decisions.push(claim(&admin, &stock, &format!("u-{n}"), "d-1").await);
        }
        for (decision, label) in [(0, "fraud"), (1, "fraud"), (2, "honest")] {
            let body =
                json!({"decision_id": decisions[decision], "label": label, "source": "analyst", "reason": "seen"});
            analyst.ok("/v1/risk/labels", body).await;
        }
        let case = analyst.ok("/v1/risk/cases", json!({"decision_ids": [decisions[0]], "note": "look"})).await;

        let one = analyst.get(&format!("/v1/risk/decisions/{}", decisions[0])).await;
        assert_eq!((&one["label"], &one["case"]), (&json!("fraud"), &case["id"]), "{one}");
        let last = analyst.get(&format!("/v1/risk/decisions/{}", decisions[3])).await;
        assert_eq!(last["label"], Value::Null, "{last}");
        assert!(last["case"].is_string() && last["case"] != case["id"], "its review opened one of its own: {last}");
        soon(&analyst, "/v1/risk/decisions", |found| count(found) == 4).await;
        for (label, wanted) in [("fraud", 2), ("honest", 1), ("none", 1)] {
            let found = analyst.get(&format!("/v1/risk/decisions?label={label}")).await;
            assert_eq!(count(&found), wanted, "{label}: {found}");
        }

        let stats = analyst.get("/v1/risk/rules/told/stats?interval=hour").await;
        assert_eq!((&stats["hits"], &stats["by_action"]), (&json!(4), &json!({"review": 4})), "{stats}");
        let labels = (&stats["fraud"], &stats["honest"], &stats["unlabelled"], &stats["precision"]);
        assert_eq!(labels, (&json!(2), &json!(1), &json!(1), &json!(2.0 / 3.0)), "{stats}");
        assert_eq!((&stats["false_positive_rate"], &stats["appeals_granted"]), (&json!(1.0), &json!(0)), "{stats}");
        assert_eq!(stats["co_hits"], json!([{"rule": "near", "count": 4}]));
        let newest: Vec<&String> = decisions.iter().rev().collect();
        assert_eq!(stats["examples"], json!(newest));
        let hits = stats["series"].as_array().expect("a series").iter().map(|one| one["hits"].as_u64());
        assert_eq!(hits.sum::<Option<u64>>(), Some(4), "{stats}");
        assert_eq!(stats["shadow"]["hits"], 0, "{stats}");
        assert_eq!(analyst.get(&format!("/v1/risk/rules/{set}%2Ftold/stats")).await["hits"], 4);
        for unknown in ["nobody", &format!("{set}%2Fnobody")] {
            let path = format!("/v1/risk/rules/{unknown}/stats");
            let missing = analyst.send("GET", &path, None, None).await;
            assert_eq!((missing.status.as_u16(), code(&missing)), (404, "rule_not_found".to_owned()));
        }

        let list = analyst.ok("/v1/risk/lists", json!({"name": "farm", "mode": "watch", "item_type": "user"})).await;
        let items = format!("/v1/risk/lists/{}/items", text(&list["id"]));
        analyst.ok(&items, json!({"value": "u-0", "reason": "seen"})).await;
        let path = format!("/v1/risk/subjects/user/u-0?merchant_id={}", text(&shop["id"]));
        let subject = analyst.get(&path).await;
        assert_eq!(
            (&subject["lists"][0]["name"], &subject["cases"]),
            (&json!("farm"), &json!([case["id"]])),
            "{subject}"
        );
        assert_eq!(subject["labels"], json!([{"decision_id": decisions[0], "label": "fraud"}]), "{subject}");
        assert_eq!(subject["penalties"], json!([]));
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn those_who_share_a_device_are_one_cluster() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let at = (server.address.as_str(), folder.path());
    runtime().block_on(async {
        let (shop, admin) = merchant(at.0, at.1).await;
        let analyst = key_of("/v1/keys", "analyst", at).await;
        let stock = stock(&admin, json!({})).await;
        for user in ["u-1", "u-2"] {
            claim(&admin, &stock, user, "d-1").await;
        }
        let merchant = text(&shop["id"]);
        let path = |subject: &str, depth: u32| {
            format!("/v1/risk/subjects/{subject}/cluster?merchant_id={merchant}&depth={depth}")
        };
        let nodes = |found: &Value| found["nodes"].as_array().map_or(0, Vec::len);
        let whole = soon(&analyst, &path("user/u-1", 2), |found| nodes(found) == 4).await;
        assert_eq!((&whole["density"], &whole["truncated"]), (&json!(1.0), &json!(false)), "{whole}");
        let edges = whole["edges"].as_array().expect("edges");
        let ids: Vec<&Value> = whole["nodes"].as_array().expect("nodes").iter().map(|node| &node["id"]).collect();
        assert!(edges.iter().all(|edge| ids.contains(&&edge["from"]) && ids.contains(&&edge["to"])), "{whole}");
        let near = analyst.get(&path("user/u-1", 1)).await;
        assert_eq!(
            (&near["nodes"][0]["kind"], nodes(&near)),
            (&json!("user"), 3),
            "itself, device and address: {near}"
        );
        assert_eq!(nodes(&analyst.get(&path("device/nobody", 2)).await), 0);
        for wrong in [path("user/u-1", 5), path("user/u-1", 0), path("cashier/c-1", 2)] {
            let refused = analyst.send("GET", &wrong, None, None).await;
            assert_eq!((refused.status.as_u16(), code(&refused)), (400, "invalid_field".to_owned()), "{wrong}");
        }
    });
    assert_eq!(server.terminate(), Some(0));
}
