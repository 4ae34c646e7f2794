//! A rule's hit becomes a penalty, the penalty an appeal, and the appeal a mark against the rule.

use serde_json::{Value, json};

use crate::risk::lead;
use crate::scene::{Person, Scene};
use crate::support::{Caller, Server, code, runtime};

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}"))
}

#[test]
fn a_penalty_bites_on_the_next_request_and_a_granted_appeal_lifts_it_and_counts_against_the_rule() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let scene = Scene::open(&server, folder.path()).await;
        // Five users on one phone: the rule lets four pass and looks at the fifth.
        let mut told = Vec::new();
        for n in 0..5_u64 {
            let person = Person::new(n, "tablet", "203.0.113.9");
            told.push(scene.claim(&person).await);
            scene.counted(&person.device, "device_claims_24h", n + 1).await;
        }
        let actions: Vec<_> = told.iter().map(|told| told.action.as_str()).collect();
        assert_eq!(actions, ["allow", "allow", "allow", "allow", "review"]);
        let decision = &told[4].body["decision"]["id"];

        let rule = "/v1/risk/rules/device_many_users/stats?interval=hour";
        let before = scene.soon(rule, |stats| stats["hits"] == 1).await;
        let numbers = |stats: &Value| json!([stats["honest"], stats["unlabelled"], stats["appeals_granted"]]);
        assert_eq!((numbers(&before), &before["precision"]), (json!([0, 1, 0]), &Value::Null), "{before}");

        let (ann, bob) = (lead(&server, folder.path()).await, lead(&server, folder.path()).await);
        let wanted = json!({"merchant_id": scene.id, "violation": "cash_out", "evidence": [decision]});
        let penalty = ann.ok("/v1/risk/penalties", wanted).await;
        let next = json!({"stock_id": scene.stock, "user_id": "next", "context": {"device_id": "next"}});
        let refused = scene.admin.post("/v1/claims", next.clone()).await;
        assert_eq!(code(&refused), "merchant_suspended", "the next request");
        assert_eq!(refused.json().expect("JSON")["penalty_id"], penalty["id"]);

        let statement = "One tablet stands at our counter for all customers.";
        let wanted = json!({"penalty_id": penalty["id"], "statement": statement});
        let appeal = scene.admin.ok("/v1/risk/appeals", wanted).await;
        let resolve = format!("/v1/risk/appeals/{}/resolve", text(&appeal["id"]));
        let outcome = json!({"outcome": "granted", "reason": "the tablet was seen"});
        assert_eq!(code(&ann.post(&resolve, outcome.clone()).await), "self_approval");
        let resolved = bob.ok(&resolve, outcome).await;
        assert_eq!(resolved["penalty"]["state"], "lifted", "{resolved}");
        let again = scene.admin.send("POST", "/v1/claims", Some(&Caller::key()), Some(&next)).await;
        assert_eq!(again.status.as_u16(), 201, "{:?}", again.json());

        let after = scene.soon(rule, |stats| stats["appeals_granted"] == 1).await;
        assert_eq!((numbers(&after), &after["precision"]), (json!([1, 0, 1]), &json!(0.0)), "{after}");
        let subject = scene.analyst.get(&format!("/v1/risk/decisions/{}", text(decision))).await;
        assert_eq!(subject["label"], "honest", "{subject}");
    });
    assert_eq!(server.terminate(), Some(0));
}
