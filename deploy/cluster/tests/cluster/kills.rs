//! Processes that are killed while others write.

use std::time::{Duration, Instant};

use cluster::Service;
use http::{HeaderName, HeaderValue};
use http_api::client::Reply;
use serde_json::{Value, json};
use testkit::{Caller, claim, merchant, redemption, runtime, stock};

use crate::support::{sound_audit, up};

/// Repeats a redemption under its key until there is an answer that ends it. What is told meanwhile must be a 503 that
/// says when to come again, or a connection that broke.
async fn until_answered(caller: &Caller, key: &str, body: &Value) -> Reply {
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        let sent = caller.client.signed(&caller.credentials, "POST", "/v1/redemptions", Some(key), Some(body)).await;
        match sent {
            Ok(reply) if reply.status.as_u16() != 503 => return reply,
            Ok(reply) => assert!(reply.headers.contains_key("retry-after"), "a 503 without Retry-After"),
            Err(_) => {}
        }
        assert!(Instant::now() < deadline, "no answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn nothing_is_lost_when_a_redeemer_and_the_broker_are_killed() {
    const COUPONS: usize = 300;
    let (mut cluster, _folder) = up(|plan| plan.redeemers = 2);
    let runtime = runtime();
    let (caller, coupons) = runtime.block_on(async {
        let (_, caller) = merchant(cluster.address(), cluster.folder()).await;
        let stock = stock(&caller, json!({})).await;
        let mut coupons = Vec::new();
        for n in 0..COUPONS {
            coupons.push(claim(&caller, &stock, &format!("u{n}")).await["code"].clone());
        }
        (caller, coupons)
    });
    let work = {
        let (caller, coupons) = (caller.clone(), coupons.clone());
        runtime.spawn(async move {
            let mut answers = Vec::new();
            for batch in coupons.chunks(10).enumerate() {
                let (round, codes) = batch;
                let caller = caller.clone();
                let codes = codes.to_vec();
                let replies = testkit::at_once(codes.len(), move |i| {
                    let (caller, body) = (caller.clone(), redemption(&codes[i], &format!("order-{round}-{i}")));
                    async move { until_answered(&caller, &format!("redeem-{round}-{i}"), &body).await }
                })
                .await;
                answers.extend(replies);
            }
            answers
        })
    };
    // One after the other, each while redemptions are under way.
    let redeemer = cluster.find(Service::Redeemer, 1);
    cluster.members[redeemer].kill();
    cluster.kafka.kill(1);
    cluster.kafka.restart(1).expect("the broker starts again");
    cluster.start(redeemer).expect("the redeemer starts again");
    let answers = runtime.block_on(work).expect("no panic");
    cluster.wait_ready(redeemer, Duration::from_mins(1)).expect("ready again");

    assert_eq!(answers.len(), COUPONS);
    for answer in &answers {
        assert_eq!(answer.status.as_u16(), 201, "{}", String::from_utf8_lossy(&answer.body));
    }
    let audit = sound_audit(&cluster);
    assert_eq!(audit["redemptions"], COUPONS);
    // Every answer is still the answer.
    runtime.block_on(async {
        for (at, answer) in answers.iter().enumerate().step_by(29) {
            let (round, i) = (at / 10, at % 10);
            let body = redemption(&coupons[at], &format!("order-{round}-{i}"));
            let again = until_answered(&caller, &format!("redeem-{round}-{i}"), &body).await;
            assert_eq!(again.body, answer.body);
        }
    });
}

#[test]
fn an_answer_that_is_lost_is_asked_for_again_and_harms_nobody_else() {
    let (cluster, _folder) = up(|_| {});
    let runtime = runtime();
    runtime.block_on(async {
        let (_, caller) = merchant(cluster.address(), cluster.folder()).await;
        let stock = stock(&caller, json!({})).await;
        let header = (HeaderName::from_static("counterfoil-test"), HeaderValue::from_static("drop_response"));
        let unlucky = caller.client.as_ref().clone().header(header.0, header.1);
        for n in 0..5 {
            let coupon = claim(&caller, &stock, &format!("u{n}")).await;
            let (key, body) = (format!("lost-{n}"), redemption(&coupon["code"], &format!("o{n}")));
            let lost = unlucky.signed(&caller.credentials, "POST", "/v1/redemptions", Some(&key), Some(&body)).await;
            assert!(lost.is_err(), "{lost:?}");
            // At once: the instance is not out of use, for this caller or another.
            let again = caller.send("POST", "/v1/redemptions", Some(&key), Some(&body)).await;
            assert_eq!(again.status.as_u16(), 201);
            assert_eq!(again.header("idempotency-replayed"), "true");
        }
    });
    assert_eq!(sound_audit(&cluster)["redemptions"], 5);
}

#[test]
fn without_a_broker_writes_are_refused_and_what_is_known_is_read() {
    let (mut cluster, _folder) = up(|_| {});
    let runtime = runtime();
    runtime.block_on(async {
        let (_, caller) = merchant(cluster.address(), cluster.folder()).await;
        let stock = stock(&caller, json!({})).await;
        let coupon = claim(&caller, &stock, "u").await;
        let path = format!("/v1/coupons/{}", coupon["coupon_id"].as_str().expect("an id"));
        // The redeemer has heard of it from the log, before there is none.
        assert_eq!(caller.get(&path).await["state"], "claimed");
        cluster.kafka.kill(1);
        let begun = Instant::now();
        let refused = caller.post("/v1/redemptions", redemption(&coupon["code"], "o1")).await;
        assert_eq!(refused.status.as_u16(), 503, "{}", String::from_utf8_lossy(&refused.body));
        assert!(refused.headers.contains_key("retry-after"));
        assert!(begun.elapsed() < Duration::from_secs(15), "within its deadline");
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let read = caller.send("GET", &path, None, None).await;
            assert_eq!(read.status.as_u16(), 200);
            assert_eq!(read.json().expect("JSON")["state"], "claimed");
            if let Some(age) = read.headers.get("counterfoil-stale-seconds") {
                assert!(age.to_str().expect("text").parse::<u64>().expect("a number") >= 5);
                break;
            }
            assert!(Instant::now() < deadline, "never told how old it is");
        }
        cluster.kafka.restart(1).expect("the broker starts again");
        let body = redemption(&coupon["code"], "o1");
        let answer = until_answered(&caller, "after-all", &body).await;
        let code = answer.code().map(|code| code.to_string()).unwrap_or_default();
        // The first attempt may have landed after all: its order has the coupon then.
        assert!(answer.status.as_u16() == 201 || code == "already_redeemed", "{code}");
    });
    sound_audit(&cluster);
}
