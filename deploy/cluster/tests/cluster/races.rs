//! Two redeemers and two issuers on one Kafka: what one instance promises holds against the other.

use std::collections::HashMap;

use cluster::{Cluster, Service};
use serde_json::json;
use testkit::races::stack_against_its_members;
use testkit::{Caller, at_once, by_status, claim, merchant, redemption, runtime, stock};

use crate::support::{addresses, sound_audit, up};

const CODES: usize = 40;

struct Both {
    issuers: Vec<Caller>,
    redeemers: Vec<Caller>,
}

/// The same merchant's caller at each instance.
async fn both(cluster: &Cluster) -> Both {
    let (_, caller) = merchant(cluster.address(), cluster.folder()).await;
    let at = |service| addresses(cluster, service).iter().map(|address| caller.at(address)).collect();
    Both { issuers: at(Service::Issuer), redeemers: at(Service::Redeemer) }
}

#[test]
fn the_races_hold_across_instances() {
    let (cluster, _folder) = up(|plan| {
        plan.issuers = 2;
        plan.redeemers = 2;
    });
    runtime().block_on(async {
        let both = both(&cluster).await;
        one_code_has_one_winner(&both).await;
        a_hot_stock_is_exact(&both).await;
        stack_against_its_members(&both.issuers, &both.redeemers).await;
        one_key_has_one_effect(&both).await;
        what_is_refused_stays_refused(&both).await;
    });
    let audit = sound_audit(&cluster);
    assert!(audit["redemptions"].as_u64() > Some(CODES as u64));
}

async fn one_code_has_one_winner(both: &Both) {
    let stock = stock(&both.issuers[0], json!({})).await;
    for code in 0..CODES {
        let coupon = claim(&both.issuers[code % 2], &stock, &format!("u{code}")).await;
        let replies = at_once(64, |i| {
            let (caller, coupon) = (both.redeemers[i % 2].clone(), coupon.clone());
            async move { caller.post("/v1/redemptions", redemption(&coupon["code"], &format!("o{code}-{i}"))).await }
        })
        .await;
        assert_eq!(by_status(&replies), HashMap::from([(201, 1), (409, 63)]));
        let winner = replies.iter().find(|reply| reply.status.as_u16() == 201).expect("one").json().expect("JSON");
        for reply in replies.iter().filter(|reply| reply.status.as_u16() == 409) {
            let problem = reply.json().expect("JSON");
            assert_eq!(problem["code"], "already_redeemed");
            assert_eq!(problem["redeemed_by_order"], winner["order"]["id"]);
        }
    }
}

async fn a_hot_stock_is_exact(both: &Both) {
    let hot = stock(&both.issuers[0], json!({"total": 300})).await;
    let replies = at_once(1_200, |i| {
        let (caller, body) = (both.issuers[i % 2].clone(), json!({"stock_id": hot, "user_id": format!("u{i}")}));
        async move { caller.post("/v1/claims", body).await }
    })
    .await;
    assert_eq!(by_status(&replies), HashMap::from([(201, 300), (409, 900)]));
    let one = stock(&both.issuers[1], json!({"limits": {"per_user": 1}})).await;
    let replies = at_once(64, |i| {
        let (caller, body) = (both.issuers[i % 2].clone(), json!({"stock_id": one, "user_id": "same"}));
        async move { caller.post("/v1/claims", body).await }
    })
    .await;
    assert_eq!(by_status(&replies), HashMap::from([(201, 1), (409, 63)]));
}

async fn one_key_has_one_effect(both: &Both) {
    let stock = stock(&both.issuers[0], json!({})).await;
    let replies = at_once(16, |i| {
        let (caller, body) = (both.issuers[i % 2].clone(), json!({"stock_id": stock, "user_id": "u"}));
        async move { caller.send("POST", "/v1/claims", Some("the-same"), Some(&body)).await }
    })
    .await;
    assert_eq!(by_status(&replies), HashMap::from([(201, 16)]));
    assert!(replies.iter().all(|reply| reply.body == replies[0].body), "sixteen equal bodies");
    let found = both.issuers[1].get(&format!("/v1/stocks/{stock}/conservation")).await;
    assert_eq!(found["claimed"], 1);
    assert_eq!(both.redeemers[0].get("/v1/requests/the-same").await["state"], "done");
}

async fn what_is_refused_stays_refused(both: &Both) {
    let stock = stock(&both.issuers[0], json!({})).await;
    // Cancelled through one, late through the other.
    let cancelled = both.redeemers[0].ok("/v1/requests/late/cancel", json!({})).await;
    assert_eq!(cancelled["state"], "cancelled");
    let body = json!({"stock_id": stock, "user_id": "u2"});
    let late = both.issuers[1].send("POST", "/v1/claims", Some("late"), Some(&body)).await;
    assert_eq!(late.code().map(|code| code.to_string()), Some("request_cancelled".into()));

    // Two attempts under one key, one of which comes when the coupon is taken: at most one effect, and no answer that
    // another one takes back.
    for round in 0..20 {
        let coupon = claim(&both.issuers[round % 2], &stock, &format!("r{round}")).await;
        let key = format!("twice-{round}");
        let replies = at_once(4, |i| {
            let (caller, coupon) = (both.redeemers[i % 2].clone(), coupon.clone());
            let key = if i < 2 { key.clone() } else { format!("{key}-rival-{i}") };
            async move {
                let body = redemption(&coupon["code"], &format!("order-{round}-{}", i.max(1)));
                caller.send("POST", "/v1/redemptions", Some(&key), Some(&body)).await
            }
        })
        .await;
        let won = replies.iter().filter(|reply| reply.status.as_u16() == 201).count();
        let distinct = 1 + usize::from(replies[0].status.as_u16() == 201 && replies[1].status.as_u16() == 201);
        assert_eq!(won, distinct, "{:?}", by_status(&replies));
        if distinct == 2 {
            assert_eq!(replies[0].body, replies[1].body);
        }
        let state = both.redeemers[1].get(&format!("/v1/requests/{key}")).await["state"].clone();
        let told_done = replies[..2].iter().any(|reply| reply.status.as_u16() == 201);
        assert_eq!(state == "done", told_done, "{state}");
    }
}
