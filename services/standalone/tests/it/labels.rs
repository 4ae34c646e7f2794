//! Labels, snoozes and the list of deeds.

use std::path::Path;

use crate::support::{Caller, Server, claim, code, merchant, redemption, runtime, stock};
use http_api::client::Reply;
use serde_json::{Value, json};

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}"))
}

async fn key_of(path: &str, role: &str, (address, folder): (&str, &Path)) -> Caller {
    let key = Caller::platform(address, folder).ok(path, json!({"role": role})).await;
    Caller::new(address, text(&key["key_id"]), text(&key["secret"]))
}

/// A shop's admin, its id, an analyst, and a redemption of the order `o-1`.
async fn redeemed(at: (&str, &Path)) -> (Caller, String, Caller, Value) {
    let (shop, admin) = merchant(at.0, at.1).await;
    let stock = stock(&admin, json!({})).await;
    let claimed = claim(&admin, &stock, "u-1").await;
    let redeemed = admin.ok("/v1/redemptions", redemption(&claimed["code"], "o-1")).await;
    (admin, text(&shop["id"]).to_owned(), key_of("/v1/keys", "analyst", at).await, redeemed)
}

#[test]
fn a_label_supersedes_the_one_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let at = (server.address.as_str(), folder.path());
    runtime().block_on(async {
        let (admin, shop, an, redeemed) = redeemed(at).await;
        let by_decision = json!({"decision_id": redeemed["decision"]["id"], "label": "fraud", "kind": "farm",
            "source": "analyst", "reason": "seen"});
        let first = an.post("/v1/risk/labels", by_decision.clone()).await;
        assert_eq!(first.status.as_u16(), 201);
        let first = first.json().expect("JSON");
        assert!(text(&first["id"]).starts_with("lbl_") && first["known_at"].is_string(), "{first}");
        assert_eq!((&first["decision_id"], &first["supersedes"]), (&redeemed["decision"]["id"], &Value::Null));
        let by_order = json!({"order_id": "o-1", "label": "honest", "source": "merchant", "reason": "a regular"});
        let second = admin.ok("/v1/risk/labels", by_order).await;
        assert_eq!((&second["supersedes"], &second["decision_id"]), (&first["id"], &first["decision_id"]));
        let by_redemption =
            json!({"redemption_id": redeemed["id"], "label": "fraud", "source": "chargeback", "reason": "cb"});
        let third = admin.ok("/v1/risk/labels", by_redemption).await;
        assert_eq!(third["supersedes"], second["id"]);
        let read = an.get(&format!("/v1/risk/labels/{}", text(&second["id"]))).await;
        assert_eq!(
            (&read["state"], &read["supersedes"], &read["label"]),
            (&json!("superseded"), &first["id"], &json!("honest"))
        );
        let ids = |list: &Value| -> Vec<Value> {
            list["data"].as_array().expect("a list").iter().map(|label| label["id"].clone()).collect()
        };
        let all = format!("/v1/risk/labels?merchant_id={shop}");
        let page = an.get(&format!("{all}&limit=2")).await;
        assert_eq!(ids(&page), [third["id"].clone(), second["id"].clone()], "newest first");
        let rest = an.get(&format!("{all}&limit=2&cursor={}", text(&page["next_cursor"]))).await;
        assert_eq!((ids(&rest), &rest["next_cursor"]), (vec![first["id"].clone()], &Value::Null));
        assert_eq!(ids(&an.get("/v1/risk/labels?label=fraud&source=chargeback").await), [third["id"].clone()]);
        assert_eq!(ids(&admin.get("/v1/risk/labels").await), [third["id"].clone(), second["id"].clone()]);
        let hidden = admin.send("GET", &format!("/v1/risk/labels/{}", text(&first["id"])), None, None).await;
        assert_eq!(code(&hidden), "label_not_found", "an analyst's is the analysts'");
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn labels_are_set_by_those_who_may_on_what_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let at = (server.address.as_str(), folder.path());
    runtime().block_on(async {
        let (admin, shop, an, redeemed) = redeemed(at).await;
        let (stranger, _, _, _) = self::redeemed(at).await;
        let developer = key_of(&format!("/v1/merchants/{shop}/keys"), "developer", at).await;
        let of = |field: &str, id: &Value, source: &str| json!({field: id, "label": "fraud", "source": source, "reason": "x"});
        let decision = &redeemed["decision"]["id"];
        for (caller, body, refusal) in [
            (&admin, of("decision_id", decision, "analyst"), "role_forbidden"),
            (&developer, of("decision_id", decision, "merchant"), "role_forbidden"),
            (&an, of("decision_id", decision, "appeal"), "invalid_field"),
            (&stranger, of("decision_id", decision, "merchant"), "decision_not_found"),
            (&stranger, of("redemption_id", &redeemed["id"], "merchant"), "redemption_not_found"),
            (&admin, of("order_id", &json!("o-9"), "merchant"), "redemption_not_found"),
            (&an, of("order_id", &json!("o-1"), "merchant"), "missing_field"),
            (&an, json!({"label": "fraud", "source": "analyst", "reason": "x"}), "missing_field"),
            (&an, json!({"decision_id": decision, "order_id": "o-1", "label": "fraud", "source": "analyst",
                "reason": "x"}), "invalid_field"),
            (&an, json!({"decision_id": decision, "label": "fraud", "source": "analyst", "reason": ""}), "invalid_field"),
        ] {
            assert_eq!(code(&caller.post("/v1/risk/labels", body.clone()).await), refusal, "{body}");
        }
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_file_of_labels_is_answered_row_by_row() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let at = (server.address.as_str(), folder.path());
    runtime().block_on(async {
        let (admin, _, an, redeemed) = redeemed(at).await;
        let rows = "order_id,label,kind,reason\no-1,fraud,card,cb 4837\no-9,fraud,,cb\no-1,perhaps,,cb\n";
        let key = Caller::key();
        let send = async |path: &str| -> Reply {
            let body = bytes::Bytes::from_static(rows.as_bytes());
            let file = ("text/csv", body);
            admin.client.signed_bytes(&admin.credentials, ("POST", path), Some(&key), file).await.expect("an answer")
        };
        let reply = send("/v1/risk/labels?source=chargeback").await;
        let answer = reply.json().expect("JSON");
        assert_eq!((reply.status.as_u16(), &answer["set"], &answer["failed"]), (200, &json!(1), &json!(2)), "{answer}");
        let codes: Vec<&Value> = answer["data"].as_array().expect("rows").iter().map(|row| &row["code"]).collect();
        assert_eq!(codes, [&Value::Null, &json!("redemption_not_found"), &json!("invalid_field")]);
        assert_eq!(answer["data"][0]["labels"][0]["decision_id"], redeemed["decision"]["id"]);
        assert_eq!(send("/v1/risk/labels?source=chargeback").await.body, reply.body, "once, however often it is sent");
        let label = an.get("/v1/risk/labels").await["data"][0].clone();
        assert_eq!((&label["kind"], &label["source"]), (&json!("card"), &json!("chargeback")), "{label}");
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_snooze_begins_and_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let at = (server.address.as_str(), folder.path());
    runtime().block_on(async {
        let (_, shop, an, _) = redeemed(at).await;
        let set = json!({"name": "night", "text": "rule dark { when hour < 5 then review score 100 }"});
        let set = text(&an.ok("/v1/risk/rulesets", set).await["id"]).to_owned();
        let body = |rule: &str| {
            json!({"rule_id": rule, "subject": {"kind": "user", "value": "u-1"},
            "until": "2100-01-01T00:00:00Z", "reason": "a tester", "merchant_id": shop})
        };
        let snoozed = an.post("/v1/risk/snoozes", body(&format!("{set}/dark"))).await;
        assert_eq!(snoozed.status.as_u16(), 201);
        let first = snoozed.json().expect("JSON");
        assert_eq!(
            (&first["active"], text(&first["rule_id"])),
            (&json!(true), format!("{set}/dark").as_str()),
            "{first}"
        );
        let second = an.ok("/v1/risk/snoozes", body("device_claims_1m")).await;
        let path = |snooze: &Value| format!("/v1/risk/snoozes/{}", text(&snooze["id"]));
        let end = async |snooze: &Value| an.send("DELETE", &path(snooze), Some(&Caller::key()), None).await;
        assert_eq!(end(&second).await.json().expect("JSON")["deleted"], true);
        assert_eq!(code(&end(&second).await), "snooze_not_found");
        let third = an.ok("/v1/risk/snoozes", body("device_claims_1h")).await;
        let mut found = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = an.get(&format!("/v1/risk/snoozes?limit=1{cursor}")).await;
            found.extend(page["data"].as_array().expect("a list").iter().map(|it| it["id"].clone()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found, [third["id"].clone(), first["id"].clone(), second["id"].clone()], "active ones first");
        for (body, refusal) in [
            (body(&format!("{set}/other")), "rule_not_found"),
            (
                json!({"rule_id": "r", "subject": {"kind": "ip", "value": "nowhere"}, "until": "2100-01-01T00:00:00Z",
                "reason": "x", "merchant_id": shop}),
                "invalid_field",
            ),
            (
                json!({"rule_id": "r", "subject": {"kind": "user", "value": "u"}, "until": "2020-01-01T00:00:00Z",
                "reason": "x", "merchant_id": shop}),
                "invalid_field",
            ),
            (
                json!({"rule_id": "r", "subject": {"kind": "user", "value": "u"}, "until": "2100-01-01T00:00:00Z",
                "reason": "x"}),
                "missing_field",
            ),
        ] {
            assert_eq!(code(&an.post("/v1/risk/snoozes", body.clone()).await), refusal, "{body}");
        }
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn who_did_what_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let at = (server.address.as_str(), folder.path());
    runtime().block_on(async {
        let (admin, shop, an, redeemed) = redeemed(at).await;
        let stock = redeemed["coupons"][0]["stock_id"].clone();
        admin.ok("/v1/sends", json!({"stock_id": stock, "user_ids": ["a"]})).await;
        let decision = &redeemed["decision"]["id"];
        let case = an.ok("/v1/risk/cases", json!({"decision_ids": [decision], "note": "look"})).await["id"].clone();
        an.ok(&format!("/v1/risk/cases/{}/claim", text(&case)), json!({})).await;
        an.ok("/v1/risk/rulesets", json!({"name": "n", "text": "rule a { when hour < 5 then review score 1 }"})).await;
        let deeds = |list: &Value| -> Vec<String> {
            list["data"].as_array().expect("a list").iter().map(|it| text(&it["action"]).to_owned()).collect()
        };
        let of_case = an.get(&format!("/v1/audit-events?object={}", text(&case))).await;
        assert_eq!(deeds(&of_case), ["case.claim", "case.open"], "{of_case}");
        assert_eq!((&of_case["data"][0]["merchant_id"], &of_case["data"][0]["object"]), (&json!(shop), &case));
        let actor = text(&of_case["data"][0]["actor"]).to_owned();
        assert!(actor.starts_with("cfk_"), "{actor}");
        let mine = an.get(&format!("/v1/audit-events?actor={actor}&limit=2")).await;
        assert_eq!(deeds(&mine), ["ruleset.push", "case.claim"], "over all merchants and the platform");
        let rest = an.get(&format!("/v1/audit-events?actor={actor}&cursor={}", text(&mine["next_cursor"]))).await;
        assert_eq!(deeds(&rest), ["case.open"]);
        let own = deeds(&admin.get("/v1/audit-events").await);
        assert_eq!(own, ["case.claim", "case.open", "operation.start", "stock.activate", "stock.create"], "no claims");
        let later = an.get("/v1/audit-events?from=2100-01-01T00:00:00Z").await;
        assert!(deeds(&later).is_empty());
        let operator = key_of(&format!("/v1/merchants/{shop}/keys"), "operator", at).await;
        let refused = operator.send("GET", "/v1/audit-events", None, None).await;
        assert_eq!(code(&refused), "role_forbidden");
    });
    assert_eq!(server.terminate(), Some(0));
}
