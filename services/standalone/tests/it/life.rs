//! A coupon's whole life over HTTP.

use crate::support::{Server, claim, merchant, redemption, runtime, stock};
use serde_json::{Value, json};

#[test]
fn a_coupon_is_claimed_redeemed_reversed_and_explained() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (_, caller) = merchant(&server.address, folder.path()).await;
        let stock = stock(&caller, json!({})).await;
        let coupon = claim(&caller, &stock, "用户-1").await;
        assert_eq!(
            (&coupon["state"], &coupon["uses_left"], &coupon["user_id"]),
            (&json!("claimed"), &json!(1), &json!("用户-1"))
        );
        assert_eq!(coupon["decision"]["missing"], json!(["device_id", "ip"]));
        let body = redemption(&coupon["code"], "order-1");
        let first = caller.send("POST", "/v1/redemptions", Some("redeem-1"), Some(&body)).await;
        assert_eq!(first.status.as_u16(), 201, "{}", String::from_utf8_lossy(&first.body));
        let again = caller.send("POST", "/v1/redemptions", Some("redeem-1"), Some(&body)).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(first.body, again.body, "byte for byte");
        let redeemed = first.json().expect("JSON");
        assert_eq!(
            redeemed["order"],
            json!({"id": "order-1", "amount": 2000, "discount": 500, "payable": 1500, "currency": "CNY"})
        );
        let other = caller.send("POST", "/v1/redemptions", Some("redeem-2"), Some(&body)).await;
        let problem = other.json().expect("JSON");
        assert_eq!((other.status.as_u16(), &problem["code"]), (409, &json!("already_redeemed")));
        assert_eq!((&problem["redeemed_by_order"], &problem["same_order"]), (&json!("order-1"), &json!(true)));
        let reused = redemption(&coupon["code"], "order-9");
        let reused = caller.send("POST", "/v1/redemptions", Some("redeem-1"), Some(&reused)).await;
        assert_eq!(
            (reused.status.as_u16(), reused.code().map(|c| c.to_string())),
            (422, Some("idempotency_key_reused".into()))
        );

        let path = format!("/v1/coupons/{}", coupon["coupon_id"].as_str().expect("id"));
        let then = caller.get(&path).await;
        assert_eq!(then["state"], "redeemed");
        let reversal = format!("/v1/redemptions/{}/reversals", redeemed["id"].as_str().expect("id"));
        let reversal = caller.ok(&reversal, json!({"reason": "customer returned it"})).await;
        assert_eq!(
            (&reversal["coupons"][0]["state"], &reversal["coupons"][0]["discount_returned"]),
            (&json!("claimed"), &json!(500))
        );
        let as_of = format!("{path}?as_of={}", redeemed["ledger_ref"].as_str().expect("a ref"));
        assert_eq!(caller.get(&as_of).await, then, "as it was answered then");
        let events = caller.get(&format!("{path}/events")).await;
        let kinds: Vec<&str> =
            events["data"].as_array().expect("a list").iter().filter_map(|e| e["type"].as_str()).collect();
        assert_eq!(kinds, ["coupon_claimed", "coupon_redeemed", "redemption_reversed"]);
        let found = caller.get("/v1/redemptions?order_id=order-1").await;
        assert_eq!(found["data"][0]["state"], "reversed");
        let conservation = caller.get(&format!("/v1/stocks/{stock}/conservation")).await;
        assert_eq!(
            (&conservation["available"], &conservation["claimed"], &conservation["holds"]),
            (&json!(999), &json!(1), &json!(true))
        );
        let receipt = caller.get(&format!("/v1/redemptions/{}/receipt", redeemed["id"].as_str().expect("id"))).await;
        assert_eq!(receipt["receipt"].as_str().expect("a JWS").split('.').count(), 3);
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_lock_is_a_quote_that_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (_, caller) = merchant(&server.address, folder.path()).await;
        let stock = stock(&caller, json!({})).await;
        let coupon = claim(&caller, &stock, "u1").await;
        let mut body = redemption(&coupon["code"], "order-1");
        body["ttl_seconds"] = json!(600);
        let lock = caller.ok("/v1/locks", body).await;
        assert_eq!(lock["order"]["discount"], 500);
        let refused = caller.post("/v1/redemptions", redemption(&coupon["code"], "order-2")).await;
        assert_eq!(
            (refused.status.as_u16(), refused.code().map(|c| c.to_string())),
            (409, Some("coupon_locked".into()))
        );
        let pause = format!("/v1/stocks/{stock}/pause");
        caller.ok(&pause, json!({})).await;
        let under = json!({
            "order": {"id": "order-1", "amount": 2000, "currency": "CNY"},
            "lock": {"id": lock["id"], "token": lock["token"]},
        });
        let redeemed = caller.ok("/v1/redemptions", under.clone()).await;
        assert_eq!(
            (&redeemed["order"]["discount"], &redeemed["coupons"][0]["coupon_id"]),
            (&json!(500), &coupon["coupon_id"])
        );
        let late = caller.post("/v1/redemptions", under).await;
        assert_eq!(late.code().map(|c| c.to_string()), Some("already_redeemed".into()));
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn codes_made_ahead_are_redeemed_claimed_and_voided() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (_, caller) = merchant(&server.address, folder.path()).await;
        let stock = stock(&caller, json!({"total": 1_000_000, "code_mode": "pool"})).await;
        let batch =
            caller.ok(&format!("/v1/stocks/{stock}/codes"), json!({"count": 1_000_000, "label": "printed"})).await;
        let id = batch["id"].as_str().expect("an id");
        let csv = caller.send("GET", &format!("/v1/code-batches/{id}/codes?format=csv"), None, None).await;
        let text = String::from_utf8(csv.body.to_vec()).expect("UTF-8");
        assert_eq!(text.lines().count(), 1_000_001);
        let codes: Vec<&str> = text.lines().skip(1).take(3).filter_map(|line| line.split(',').next()).collect();
        caller.ok("/v1/redemptions", redemption(&json!(codes[0]), "o1")).await;
        let typed = codes[1].to_lowercase().replace('-', " ");
        let claimed = caller.ok("/v1/claims", json!({"code": typed, "user_id": "u1"})).await;
        assert_eq!(claimed["code"], codes[1]);
        let next = claim(&caller, &stock, "u2").await;
        assert_eq!(next["code"], codes[2], "the pool hands out the next");
        caller.ok(&format!("/v1/code-batches/{id}/void"), json!({"reason": "leaked"})).await;
        let found = caller.get(&format!("/v1/stocks/{stock}/conservation")).await;
        let six: Vec<&Value> = ["available", "claimed", "redeemed", "voided"].iter().map(|f| &found[*f]).collect();
        assert_eq!(six, [&json!(0), &json!(2), &json!(1), &json!(999_997)]);
        let wrong = caller.post("/v1/redemptions", redemption(&json!("0000-0000-0000-0000"), "o2")).await;
        assert_eq!(
            (wrong.status.as_u16(), wrong.code().map(|c| c.to_string())),
            (404, Some("coupon_not_found".into()))
        );
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn own_codes_and_sends_go_row_by_row() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (_, caller) = merchant(&server.address, folder.path()).await;
        let limited = stock(&caller, json!({"total": 3, "limits": {"per_user": 1}})).await;
        let users = json!({"stock_id": limited, "user_ids": ["a", "b", "a", "c", "d"]});
        let operation = caller.ok("/v1/sends", users).await;
        let id = operation["id"].as_str().expect("an id").to_owned();
        let done = finished(&caller, &id).await;
        assert_eq!((&done["done"], &done["failed"]), (&json!(5), &json!(2)));
        let csv = caller.send("GET", &format!("/v1/operations/{id}/result"), None, None).await;
        let text = String::from_utf8(csv.body.to_vec()).expect("UTF-8");
        let results: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split(',').nth(1)).collect();
        assert_eq!(results, ["sent", "sent", "user_limit_reached", "sent", "stock_sold_out"]);
    });
    assert_eq!(server.terminate(), Some(0));
}

async fn finished(caller: &crate::support::Caller, id: &str) -> Value {
    // By the clock: on a busy machine a thousand looks are over before its first chunk.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let operation = caller.get(&format!("/v1/operations/{id}")).await;
        if operation["state"] == "done" {
            return operation;
        }
        assert!(std::time::Instant::now() < deadline, "operation {id} does not end: {operation}");
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_patch_changes_what_it_names_and_null_takes_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (_, caller) = merchant(&server.address, folder.path()).await;
        let body = json!({
            "type": "cash", "name": "满10减5", "total": 10, "valid_after_claim": {"delay_days": 0, "days": 30},
            "value": {"amount_off": {"amount": 500, "currency": "CNY"}, "minimum_spend": {"amount": 0, "currency": "CNY"}},
            "claim_until": "2099-01-01T00:00:00Z", "budget": {"amount": 900, "currency": "CNY"},
            "limits": {"per_user": 2}, "stacking": {"group": "tea"}, "reference": "spring",
        });
        let stock = caller.ok("/v1/stocks", body).await;
        let path = format!("/v1/stocks/{}", stock["id"].as_str().expect("an id"));
        let patch = async |body: Value, key: &str| {
            let answer = caller.send("PATCH", &path, Some(key), Some(&body)).await;
            assert_eq!(answer.status.as_u16(), 200, "{}", String::from_utf8_lossy(&answer.body));
            answer.json().expect("JSON")
        };
        let named = patch(json!({"name": "新名"}), "p1").await;
        assert_eq!((&named["name"], &named["budget"], &named["reference"]), (&json!("新名"), &stock["budget"], &stock["reference"]));
        let nothing = json!({"claim_until": null, "budget": null, "limits": null, "stacking": null, "reference": null});
        let bare = patch(nothing, "p2").await;
        assert_eq!((&bare["claim_until"], &bare["budget"], &bare["limits"]["per_user"]), (&Value::Null, &Value::Null, &Value::Null));
        assert_eq!((&bare["stacking"]["group"], &bare["reference"]), (&Value::Null, &Value::Null));
        // Many at once, each of another field: none is lost.
        tokio::join!(
            patch(json!({"total": 20}), "q1"),
            patch(json!({"reversal_window_days": 7}), "q2"),
            patch(json!({"limits": {"per_day": 9}}), "q3"),
        );
        let then = caller.get(&path).await;
        assert_eq!(
            (&then["total"], &then["reversal_window_days"], &then["limits"]["per_day"]),
            (&json!(20), &json!(7), &json!(9))
        );
    });
}
