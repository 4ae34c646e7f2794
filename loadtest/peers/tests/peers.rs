//! The peers as real processes: both databases keep what the product promises for a redemption, so that their speed
//! can be compared at all; and the durable ceiling has on the disk what it has answered.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use http_api::signature::{SignedParts, authorization};
use http_api::time::system_clock_ms;
use serde_json::{Value, json};
use support::{Peer, body, frames};

/// Each case as a test per database.
macro_rules! conformance {
    ($($case:ident($($argument:literal),*);)*) => {
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(super::Peer::start("postgres", &[$($argument),*])).await;
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(super::Peer::start("redis", &[$($argument),*])).await;
            })*
        }
    };
}

conformance! {
    of_many_tries_exactly_one_redeems();
    the_same_key_replays_the_same_answer();
    a_key_belongs_to_one_body();
    a_wrong_signature_is_refused();
    what_cannot_be_redeemed_is_refused();
    a_device_is_limited("--device-limit", "3");
    a_user_is_limited("--user-limit", "2");
    a_budget_is_never_exceeded("--budget", "3500");
    a_busy_peer_adds_up();
    it_ends_in_good_order();
}

async fn of_many_tries_exactly_one_redeems(peer: Peer) {
    let tries = (0..32).map(|n| {
        let peer = &peer;
        async move { peer.redeem(&format!("try-{n}"), &body(peer.code(0), n)).await }
    });
    let replies = join_all(tries).await;
    let won: Vec<usize> = (0..32).filter(|&n| replies[n].status == 201).collect();
    assert_eq!(won.len(), 1, "{won:?}");
    let redemption = replies[won[0]].json().expect("json");
    assert_eq!((&redemption["state"], &redemption["order"]["payable"]), (&json!("redeemed"), &json!(11_800)));
    for (n, reply) in replies.iter().enumerate().filter(|(n, _)| *n != won[0]) {
        let problem = reply.json().expect("json");
        assert_eq!((reply.status.as_u16(), &problem["code"]), (409, &json!("already_redeemed")), "{n}");
        assert_eq!(problem["redeemed_by_order"], format!("order-{}", won[0]));
        assert_eq!(
            (&problem["redemption_id"], &problem["redeemed_at"]),
            (&redemption["id"], &redemption["redeemed_at"])
        );
    }
    assert_eq!(peer.audit().await, json!({"redeemed": 1, "audit_rows": 1, "budget_used": 1_000}));
}

async fn the_same_key_replays_the_same_answer(peer: Peer) {
    let request = body(peer.code(0), 0);
    let replies = join_all((0..16).map(|_| peer.redeem("key", &request))).await;
    assert!(replies.iter().all(|reply| reply.status == 201 && reply.body == replies[0].body));
    assert_eq!(replies.iter().filter(|reply| reply.header("idempotency-replayed") == "true").count(), 15);
    assert_eq!(replies[0].header("content-length"), replies[0].body.len().to_string());

    let refused = body(peer.code(0), 1);
    let (first, again) = (peer.redeem("other", &refused).await, peer.redeem("other", &refused).await);
    assert_eq!((first.status.as_u16(), &first.body), (409, &again.body));
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    assert_eq!(peer.audit().await["audit_rows"], 1);
}

async fn a_key_belongs_to_one_body(peer: Peer) {
    assert_eq!(peer.redeem("key", &body(peer.code(0), 0)).await.status, 201);
    let other = peer.redeem("key", &body(peer.code(1), 0)).await;
    assert_eq!((other.status.as_u16(), &other.json().expect("json")["code"]), (422, &json!("idempotency_key_reused")));
    assert_eq!(peer.redeem("other", &body(peer.code(1), 0)).await.status, 201, "nothing had happened to it");

    // Both at once, with two coupons: one of them is the key's, and the other coupon stays as it was.
    let (two, three) = (body(peer.code(2), 0), body(peer.code(3), 0));
    let (two, three) = tokio::join!(peer.redeem("race", &two), peer.redeem("race", &three));
    let mut statuses = [two.status.as_u16(), three.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 422]);
    assert_eq!(peer.audit().await, json!({"redeemed": 3, "audit_rows": 3, "budget_used": 3_000}));
}

async fn a_wrong_signature_is_refused(peer: Peer) {
    let (request, now) = (body(peer.code(0), 0).to_string(), system_clock_ms() / 1000);
    let send = |timestamp: i64, signed: String, sent: String| {
        let peer = &peer;
        async move {
            let parts = SignedParts {
                method: "POST",
                path_and_query: "/v1/redemptions",
                timestamp: &timestamp.to_string(),
                nonce: "0123456789abcdef",
                idempotency_key: "key",
                body: signed.as_bytes(),
            };
            let header = authorization(&peer.credentials.key_id, &peer.credentials.secret, &parts);
            let reply = peer.send(&header, "key", sent).await;
            (reply.status.as_u16(), reply.json().expect("json")["code"].as_str().unwrap_or_default().to_owned())
        }
    };
    let refused = |code: &str| (401, code.to_owned());
    let other = body(peer.code(1), 0).to_string();
    assert_eq!(send(now, request.clone(), other).await, refused("signature_invalid"));
    assert_eq!(send(now - 301, request.clone(), request.clone()).await, refused("timestamp_out_of_range"));
    assert_eq!(send(now + 330, request.clone(), request.clone()).await, refused("timestamp_out_of_range"));
    let unsigned = peer.send("", "key", request.clone()).await;
    assert_eq!(unsigned.status, 401);
    assert_eq!(peer.audit().await["redeemed"], 0);
    assert_eq!(send(now - 290, request.clone(), request).await.0, 201);
}

async fn what_cannot_be_redeemed_is_refused(peer: Peer) {
    let told = async |key: &str, request: &Value| {
        let reply = peer.redeem(key, request).await;
        (reply.status.as_u16(), reply.json().expect("json")["code"].as_str().unwrap_or_default().to_owned())
    };
    let refused = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(told("unknown", &body("ZZZZZZZZZZZZZZZZ", 0)).await, refused(404, "coupon_not_found"));
    let mut small = body(peer.code(0), 0);
    small["order"]["amount"] = 9_999.into();
    assert_eq!(told("small", &small).await, refused(422, "order_below_minimum"));
    let mut foreign = body(peer.code(0), 0);
    foreign["order"]["currency"] = "EUR".into();
    assert_eq!(told("foreign", &foreign).await, refused(422, "currency_mismatch"));
    assert_eq!(told("odd", &json!({"coupons": []})).await, refused(400, "malformed_json"));
    assert_eq!(told("sound", &body(peer.code(0), 0)).await.0, 201);
    assert_eq!(peer.audit().await, json!({"redeemed": 1, "audit_rows": 1, "budget_used": 1_000}));
}

async fn a_device_is_limited(peer: Peer) {
    // Windows are minutes of the clock, one of which may end meanwhile: so 3 of 7 are let through, or up to 6.
    let mut statuses = Vec::new();
    for n in 0..7 {
        let mut request = body(peer.code(n), n);
        request["context"]["device_id"] = "one".into();
        statuses.push(peer.redeem(&format!("key-{n}"), &request).await.status.as_u16());
    }
    let redeemed = statuses.iter().filter(|status| **status == 201).count();
    assert!(statuses.starts_with(&[201, 201, 201]) && redeemed < 7, "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 429].contains(status)), "{statuses:?}");
    assert_eq!(peer.audit().await["audit_rows"], redeemed);

    // A limited attempt leaves its key and its coupon free.
    let limited = statuses.iter().position(|status| *status == 429).expect("one");
    let reply = peer.redeem(&format!("key-{limited}"), &body(peer.code(limited), 99)).await;
    assert_eq!((reply.status.as_u16(), reply.header("idempotency-replayed")), (201, ""));
}

async fn a_user_is_limited(peer: Peer) {
    let of = |user: &str, n: usize| {
        let mut request = body(peer.code(n), n);
        request["user_id"] = user.into();
        request
    };
    let requests: Vec<Value> = (0..8).map(|n| of("one", n)).collect();
    let keys: Vec<String> = (0..8).map(|n| format!("key-{n}")).collect();
    let replies = join_all((0..8).map(|n| peer.redeem(&keys[n], &requests[n]))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 2);
    let refused = replies.iter().position(|reply| reply.status == 409).expect("one");
    assert_eq!(replies[refused].json().expect("json")["code"], "user_limit_reached");
    assert_eq!(peer.redeem("another", &of("two", refused)).await.status, 201, "the coupon was left as it was");
    assert_eq!(peer.audit().await, json!({"redeemed": 3, "audit_rows": 3, "budget_used": 3_000}));
}

async fn a_budget_is_never_exceeded(peer: Peer) {
    let requests: Vec<Value> = (0..16).map(|n| body(peer.code(n), n)).collect();
    let keys: Vec<String> = (0..16).map(|n| format!("key-{n}")).collect();
    let replies = join_all((0..16).map(|n| peer.redeem(&keys[n], &requests[n]))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 3);
    let refused = replies.iter().filter(|reply| reply.status == 409);
    assert!(refused.clone().all(|reply| reply.json().expect("json")["code"] == "budget_exhausted"));
    assert_eq!(refused.count(), 13);
    assert_eq!(peer.audit().await, json!({"redeemed": 3, "audit_rows": 3, "budget_used": 3_000}));
}

async fn a_busy_peer_adds_up(peer: Peer) {
    // Each coupon is tried by two orders, and every request is sent twice.
    let counts = join_all((0..16).map(async |worker| {
        let mut redeemed = 0;
        for n in (0..200).skip(worker % 8).step_by(8) {
            let (key, request) = (format!("key-{worker}-{n}"), body(peer.code(n), worker * 1_000 + n));
            let first = peer.redeem(&key, &request).await;
            let again = peer.redeem(&key, &request).await;
            assert_eq!((first.status, &first.body), (again.status, &again.body));
            redeemed += usize::from(first.status == 201);
        }
        redeemed
    }))
    .await;
    assert_eq!(counts.into_iter().sum::<usize>(), 200);
    assert_eq!(peer.audit().await, json!({"redeemed": 200, "audit_rows": 200, "budget_used": 200_000}));
}

async fn it_ends_in_good_order(peer: Peer) {
    assert_eq!(peer.redeem("key", &body(peer.code(0), 0)).await.status, 201);
    let (code, left) = peer.terminate();
    assert_eq!((code, left), (Some(0), Vec::<String>::new()), "the database's folder goes with it");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_durable_ceiling_keeps_what_it_has_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("requests.log");
    let peer = Arc::new(Peer::start("durable-echo", &["--file", file.to_str().expect("text")]));
    let answered = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..16)
        .map(|worker| {
            let (peer, answered) = (peer.clone(), answered.clone());
            tokio::spawn(async move {
                let mut kept = Vec::new();
                for n in 0.. {
                    let (key, request) = (format!("key-{worker}-{n}"), body(peer.code(n), n));
                    let Ok(reply) = peer.try_redeem(&key, &request).await else { break };
                    assert_eq!(reply.status, 201);
                    kept.push((key, request.to_string()));
                    // Killed in the midst of it, while others still wait for their answers.
                    if answered.fetch_add(1, Ordering::Relaxed) == 500 {
                        peer.kill();
                    }
                }
                kept
            })
        })
        .collect();
    let mut kept = Vec::new();
    for worker in workers {
        kept.extend(worker.await.expect("a worker"));
    }
    assert!(kept.len() > 500);
    let written = frames(&std::fs::read(&file).expect("the file"));
    for (key, request) in &kept {
        assert_eq!(written.get(key), Some(request), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_durable_ceiling_checks_signatures() {
    let peer = Peer::start("durable-echo", &[]);
    assert_eq!(peer.send("", "key", body(peer.code(0), 0).to_string()).await.status, 401);
    assert_eq!(peer.redeem("key", &body(peer.code(0), 0)).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ceiling_of_http_answers_anything() {
    let peer = Peer::start("echo", &[]);
    let reply = peer.send("", "key", body(peer.code(0), 0).to_string()).await;
    assert_eq!((reply.status.as_u16(), &reply.json().expect("json")["state"]), (201, &json!("redeemed")));
    assert_eq!(peer.terminate().0, Some(0));
}
