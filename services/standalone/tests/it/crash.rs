//! Killed at any moment, nothing that was answered is lost; what is damaged is found.

use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::support::{Caller, Server, claim, code, merchant, redemption, runtime, seeded, stock, tool};
use rand::RngExt;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// A request, and what its caller was answered; nothing where the answer was lost.
#[derive(Clone)]
struct Sent {
    path: String,
    key: String,
    body: Value,
    answer: Option<(u16, Vec<u8>)>,
}

type All = Arc<Mutex<Vec<Sent>>>;

/// Sends, and notes what came of it; the answer, if there was one.
async fn send(caller: &Caller, path: &str, body: Value, all: &All) -> Option<Value> {
    let key = Caller::key();
    let sent = caller.client.signed(&caller.credentials, "POST", path, Some(&key), Some(&body)).await.ok();
    let answer = sent.as_ref().map(|reply| (reply.status.as_u16(), reply.body.to_vec()));
    all.lock().expect("not poisoned").push(Sent { path: path.to_owned(), key, body, answer });
    let reply = sent?;
    assert!(reply.status.as_u16() < 500, "{path}: {}", String::from_utf8_lossy(&reply.body));
    reply.json().ok()
}

/// A shopper's way again and again, until nobody answers: claim, lock, redeem under the lock or without it, reverse.
async fn shop(caller: Caller, stock: String, all: All, name: String) -> Option<()> {
    for n in 0.. {
        let user = format!("{name}-{n}");
        let coupon = send(&caller, "/v1/claims", json!({"stock_id": stock, "user_id": user}), &all).await?;
        let mut body = redemption(&coupon["code"], &user);
        if n % 2 == 0 {
            body["ttl_seconds"] = json!(600);
            let lock = send(&caller, "/v1/locks", body, &all).await?;
            let order = json!({"id": user, "amount": 2000, "currency": "CNY"});
            body = json!({"order": order, "lock": {"id": lock["id"], "token": lock["token"]}});
        }
        let redeemed = send(&caller, "/v1/redemptions", body, &all).await?;
        if n % 3 == 0 {
            let path = format!("/v1/redemptions/{}/reversals", redeemed["id"].as_str()?);
            send(&caller, &path, json!({"reason": "returned"}), &all).await?;
        }
    }
    None
}

/// What was answered is answered again; what was not is found out by the same key, or cancelled for good.
async fn settle(caller: &Caller, all: &[Sent]) -> (usize, usize) {
    let (mut repeated, mut cancelled) = (0, 0);
    for (n, sent) in all.iter().enumerate() {
        let Sent { path, key, body, answer } = sent;
        let again = async || caller.send("POST", path, Some(key), Some(body)).await;
        if let Some((status, first)) = answer {
            let reply = again().await;
            if *status == 201 {
                assert_eq!((reply.status.as_u16(), &reply.body[..]), (201, &first[..]), "{path} {key}");
                assert_eq!(reply.header("idempotency-replayed"), "true", "{path} {key}");
            }
            continue;
        }
        if n % 2 == 0 {
            assert_eq!(again().await.status.as_u16(), 201, "{path} {key}");
            repeated += 1;
            continue;
        }
        let state = caller.ok(&format!("/v1/requests/{key}/cancel"), json!({})).await["state"].clone();
        let reply = again().await;
        match state.as_str() {
            Some("done") => assert_eq!(reply.status.as_u16(), 201, "{path} {key}"),
            Some("cancelled") => assert_eq!(code(&reply), "request_cancelled", "{path} {key}"),
            _ => panic!("{path} {key} is {state}"),
        }
        cancelled += 1;
    }
    (repeated, cancelled)
}

#[test]
fn what_was_answered_is_there_after_every_kill() {
    const KILLS: u64 = 20;
    let folder = tempfile::tempdir().expect("a folder");
    let mut rng = seeded();
    let runtime = runtime();
    let mut server = Server::start(folder.path(), &[]);
    let (_, mut caller) = runtime.block_on(merchant(&server.address, folder.path()));
    let stock = runtime.block_on(stock(&caller, json!({"total": 1_000_000})));
    let (mut repeated, mut cancelled) = (0, 0);
    for round in 0..KILLS {
        let all = All::default();
        let shoppers: Vec<_> = (0..8)
            .map(|n| runtime.spawn(shop(caller.clone(), stock.clone(), all.clone(), format!("{round}-{n}"))))
            .collect();
        // The kill comes once so many were answered: at another point of the work each round.
        let until = rng.random_range(1..300);
        while all.lock().expect("not poisoned").len() < until {
            std::thread::yield_now();
        }
        server.kill();
        runtime.block_on(async {
            for shopper in shoppers {
                shopper.await.expect("no panic");
            }
        });
        server = Server::start(folder.path(), &[]);
        caller = caller.at(&server.address);
        let all = all.lock().expect("not poisoned").clone();
        let found_out = runtime.block_on(settle(&caller, &all));
        (repeated, cancelled) = (repeated + found_out.0, cancelled + found_out.1);
    }
    eprintln!("{repeated} unknown outcomes repeated, {cancelled} cancelled");
    assert!(repeated > 10 && cancelled > 10, "the kills came when nothing was under way");
    server.kill();
    let audit = tool(folder.path(), &["audit"]);
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));
    let verify = tool(folder.path(), &["rebuild", "--verify"]);
    assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stdout));
}

/// What a server leaves behind that handed out one coupon: the caller, the stock and the coupon.
fn one_coupon(folder: &Path, runtime: &Runtime) -> (Caller, String, Value) {
    let server = Server::start(folder, &[]);
    let (_, caller) = runtime.block_on(merchant(&server.address, folder));
    let stock = runtime.block_on(stock(&caller, json!({})));
    let coupon = runtime.block_on(claim(&caller, &stock, "u1"));
    assert_eq!(server.terminate(), Some(0));
    (caller, stock, coupon)
}

#[test]
fn a_projection_that_is_gone_or_damaged_is_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = runtime();
    let (caller, _, coupon) = one_coupon(folder.path(), &runtime);
    let projection = folder.path().join("ledger");
    let read = |server: &Server| {
        let caller = caller.at(&server.address);
        runtime.block_on(caller.get(&format!("/v1/coupons/{}", coupon["coupon_id"].as_str().expect("id"))))
    };
    let database = projection.join("image");
    let mut bytes = std::fs::read(&database).expect("the image");
    let places: Vec<usize> = (0..bytes.len()).step_by(97).collect();
    for i in places {
        bytes[i] ^= 0x55;
    }
    std::fs::write(&database, bytes).expect("writes");
    let server = Server::start(folder.path(), &[]);
    assert_eq!(read(&server)["state"], "claimed");
    assert_eq!(server.terminate(), Some(0));
    assert!(tool(folder.path(), &["rebuild", "--verify"]).status.success());
    std::fs::remove_dir_all(&projection).expect("removes");
    std::fs::remove_dir_all(folder.path().join("risk.sled")).expect("removes");
    let server = Server::start(folder.path(), &[]);
    assert_eq!(read(&server)["state"], "claimed");
    assert_eq!(server.terminate(), Some(0));
    assert!(tool(folder.path(), &["rebuild", "--verify"]).status.success());
}

#[test]
fn a_damaged_record_stops_its_partition_and_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = runtime();
    let (caller, stock, coupon) = one_coupon(folder.path(), &runtime);
    let merchant: coupon::id::StockId = stock.parse().expect("an id");
    let partition = u32::from(merchant.merchant.shard().0) % 8;
    let database = rusqlite::Connection::open(folder.path().join("log.sqlite")).expect("opens");
    let table = format!("\"counterfoil.ledger/{partition}\"");
    let last: i64 =
        database.query_row(&format!("SELECT max(offset) FROM {table}"), [], |row| row.get(0)).expect("a record");
    let flip = format!(
        "UPDATE {table} SET record = CAST(substr(record, 1, 40) || x'00ff' || substr(record, 43) AS BLOB) WHERE offset = {last}"
    );
    assert_eq!(database.execute(&flip, []).expect("changes"), 1);
    drop(database);
    std::fs::remove_dir_all(folder.path().join("ledger")).expect("removes");
    let server = Server::start(folder.path(), &[]);
    let lines = server.log_lines.lock().expect("not poisoned").clone();
    assert!(lines.contains("damaged") && lines.contains(&format!("offset {last}")), "{lines}");
    runtime.block_on(async {
        let caller = caller.at(&server.address);
        let refused = caller.post("/v1/redemptions", redemption(&coupon["code"], "o1")).await;
        assert_eq!(
            (refused.status.as_u16(), refused.code().map(|c| c.to_string())),
            (503, Some("log_unavailable".into()))
        );
        let platform = crate::support::Caller::platform(&server.address, folder.path());
        platform.ok("/v1/merchants", json!({"name": "another partition serves"})).await;
    });
    server.kill();
    assert_eq!(tool(folder.path(), &["audit"]).status.code(), Some(1));
}

#[test]
fn personal_data_and_secrets_stand_nowhere_in_clear() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = runtime();
    let server = Server::start(folder.path(), &[("RUST_LOG", "debug")]);
    let (_, caller) = runtime.block_on(merchant(&server.address, folder.path()));
    let planted = ["planted-user-77", "planted-device-77", "198.51.100.77"];
    runtime.block_on(async {
        let stock = stock(&caller, json!({})).await;
        let context = json!({"device_id": planted[1], "ip": planted[2]});
        let body = json!({"stock_id": stock, "user_id": planted[0], "context": context});
        let coupon = caller.ok("/v1/claims", body).await;
        let mut body = redemption(&coupon["code"], "o1");
        body["user_id"] = json!(planted[0]);
        body["context"] = context;
        caller.ok("/v1/redemptions", body).await;
        caller.ok("/v1/sends", json!({"stock_id": stock, "user_ids": [planted[0]]})).await;
    });
    let platform: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("platform-key.json")).expect("a file"))
            .expect("JSON");
    let secret = platform["secret"].as_str().expect("a secret").to_owned();
    let lines = server.log_lines.clone();
    assert_eq!(server.terminate(), Some(0));
    let mut haystack = lines.lock().expect("not poisoned").clone().into_bytes();
    for entry in std::fs::read_dir(folder.path()).expect("a folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("log.sqlite") {
            haystack.extend(std::fs::read(entry.path()).expect("a file"));
        }
    }
    for text in planted.iter().copied().chain([secret.as_str()]) {
        let found = haystack.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!found, "{text} stands in the log");
    }
}
