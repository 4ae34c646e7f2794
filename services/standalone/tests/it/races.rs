//! Many at once over HTTP: one effect each.

use std::collections::HashMap;

use crate::support::{Server, at_once, by_status, claim, merchant, redemption, runtime, stock, tool};
use serde_json::json;
use testkit::races::stack_against_its_members;

/// Coupons that are fought for.
const CODES: u64 = 1_000;

#[test]
fn one_code_sixty_four_redemptions_one_winner() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (_, caller) = merchant(&server.address, folder.path()).await;
        let stock = stock(&caller, json!({})).await;
        for code in 0..CODES {
            let coupon = claim(&caller, &stock, &format!("u{code}")).await;
            let replies = at_once(64, |i| {
                let (caller, coupon) = (caller.clone(), coupon.clone());
                async move { caller.post("/v1/redemptions", redemption(&coupon["code"], &format!("o{code}-{i}"))).await }
            })
            .await;
            assert_eq!(by_status(&replies), HashMap::from([(201, 1), (409, 63)]));
            let winner = replies.iter().find(|r| r.status.as_u16() == 201).expect("one").json().expect("JSON");
            for reply in replies.iter().filter(|r| r.status.as_u16() == 409) {
                let problem = reply.json().expect("JSON");
                assert_eq!(problem["code"], "already_redeemed");
                assert_eq!(problem["redeemed_by_order"], winner["order"]["id"]);
            }
        }
    });
    assert_eq!(server.terminate(), Some(0));
    let audit = tool(folder.path(), &["audit", "--json"]);
    let result: serde_json::Value = serde_json::from_slice(&audit.stdout).expect("JSON");
    assert_eq!((&result["sound"], &result["redemptions"]), (&json!(true), &json!(CODES)));
    assert!(result["void"].as_u64().expect("a count") < 3 * CODES, "fewer than three void records a code");
}

#[test]
fn a_hot_stock_is_exact_and_a_user_gets_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (_, caller) = merchant(&server.address, folder.path()).await;
        let hot = stock(&caller, json!({"total": 1000})).await;
        let replies = at_once(5_000, |i| {
            let (caller, body) = (caller.clone(), json!({"stock_id": hot, "user_id": format!("u{i}")}));
            async move { caller.post("/v1/claims", body).await }
        })
        .await;
        assert_eq!(by_status(&replies), HashMap::from([(201, 1_000), (409, 4_000)]));
        let one = stock(&caller, json!({"limits": {"per_user": 1}})).await;
        let replies = at_once(64, |_| {
            let (caller, body) = (caller.clone(), json!({"stock_id": one, "user_id": "same"}));
            async move { caller.post("/v1/claims", body).await }
        })
        .await;
        assert_eq!(by_status(&replies), HashMap::from([(201, 1), (409, 63)]));
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_stack_is_all_or_nothing_against_its_members() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (_, caller) = merchant(&server.address, folder.path()).await;
        let callers = [caller];
        stack_against_its_members(&callers, &callers).await;
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn one_key_from_sixteen_connections_has_one_effect() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (_, caller) = merchant(&server.address, folder.path()).await;
        let stock = stock(&caller, json!({})).await;
        let replies = at_once(16, |_| {
            let (caller, body) = (caller.clone(), json!({"stock_id": stock, "user_id": "u"}));
            async move { caller.send("POST", "/v1/claims", Some("the-same"), Some(&body)).await }
        })
        .await;
        assert_eq!(by_status(&replies), HashMap::from([(201, 16)]));
        assert!(replies.iter().all(|reply| reply.body == replies[0].body), "sixteen equal bodies");
        let found = caller.get(&format!("/v1/stocks/{stock}/conservation")).await;
        assert_eq!(found["claimed"], 1);
        let cancelled = caller.ok("/v1/requests/never-sent/cancel", json!({})).await;
        assert_eq!(cancelled["state"], "cancelled");
        let body = json!({"stock_id": stock, "user_id": "u2"});
        let late = caller.send("POST", "/v1/claims", Some("never-sent"), Some(&body)).await;
        assert_eq!(late.code().map(|c| c.to_string()), Some("request_cancelled".into()));
        assert_eq!(caller.get("/v1/requests/the-same").await["state"], "done");
        assert_eq!(caller.get("/v1/requests/unheard-of").await["state"], "absent");
    });
    assert_eq!(server.terminate(), Some(0));
}
