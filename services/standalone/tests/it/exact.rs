//! A hot shelf: no more than there is, and never "sold out" while one is left.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use coupon::id::{LedgerRef, StockId};
use coupon::state::Read;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::support::{Caller, Server, code, fold_log, merchant, runtime, seeded, stock};

const CODES: u64 = 60;
const ROUNDS: u64 = 120;
const WORKERS: u64 = 8;

fn order(id: &str) -> Value {
    json!({"id": id, "amount": 2000, "currency": "CNY"})
}

/// What one worker was told of the shelf: claims, and the references at which it was sold out.
#[derive(Default)]
struct Told {
    claimed: u64,
    sold_out: Vec<u64>,
}

/// Locks unclaimed codes and lets them go or expire, redeems some and takes it back, and claims from the shelf.
async fn work(caller: Caller, stock: String, codes: Arc<Vec<String>>, worker: u64, seed: u64) -> Told {
    let mut rng = rand::rngs::SmallRng::seed_from_u64(seed ^ worker);
    let mut told = Told::default();
    for round in 0..ROUNDS {
        let name = format!("{worker}-{round}");
        let picked = &codes[rng.random_range(0..codes.len())];
        match rng.random_range(0..10) {
            0..=3 => {
                let ttl = if rng.random_bool(0.3) { 1 } else { 60 };
                let body = json!({"coupons": [{"code": picked}], "order": order(&name), "ttl_seconds": ttl});
                let reply = caller.post("/v1/locks", body).await;
                if reply.status.as_u16() == 201 && ttl > 1 {
                    let lock = reply.json().expect("JSON");
                    let path = format!("/v1/locks/{}/release", lock["id"].as_str().expect("an id"));
                    caller.ok(&path, json!({"token": lock["token"], "reason": "changed"})).await;
                }
            }
            4 => {
                let body = json!({"coupons": [{"code": picked}], "order": order(&name)});
                let reply = caller.post("/v1/redemptions", body).await;
                if reply.status.as_u16() == 201 {
                    let id = reply.json().expect("JSON")["id"].as_str().expect("an id").to_owned();
                    caller.ok(&format!("/v1/redemptions/{id}/reversals"), json!({"reason": "returned"})).await;
                }
            }
            _ => {
                let reply = caller.post("/v1/claims", json!({"stock_id": stock, "user_id": name})).await;
                match (reply.status.as_u16(), code(&reply).as_str()) {
                    (201, _) => told.claimed += 1,
                    (409, "stock_sold_out") => {
                        let problem = reply.json().expect("JSON");
                        let reference: LedgerRef =
                            problem["ledger_ref"].as_str().expect("a reference").parse().expect("a reference");
                        told.sold_out.push(reference.0);
                    }
                    other => panic!("{other:?}: {}", String::from_utf8_lossy(&reply.body)),
                }
            }
        }
    }
    told
}

/// The six sum to the total and nothing is below zero, whenever somebody looks.
async fn watch(caller: Caller, stock: String, over: Arc<AtomicBool>, readings: Arc<Mutex<u64>>) {
    while !over.load(Ordering::Relaxed) {
        let found = caller.get(&format!("/v1/stocks/{stock}/conservation")).await;
        let six = ["available", "claimed", "locked", "redeemed", "voided", "expired"];
        let sum: u64 = six.iter().map(|place| found[*place].as_u64().expect("a count")).sum();
        assert_eq!((found["total"].as_u64(), &found["holds"]), (Some(sum), &json!(true)), "{found}");
        *readings.lock().expect("not poisoned") += 1;
    }
}

#[test]
fn a_shelf_is_sold_out_only_where_nothing_is_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let seed: u64 = seeded().random();
    let (stock, told, readings) = runtime().block_on(async {
        let (_, caller) = merchant(&server.address, folder.path()).await;
        let stock = stock(&caller, json!({"total": CODES, "code_mode": "pool"})).await;
        let batch = caller.ok(&format!("/v1/stocks/{stock}/codes"), json!({"count": CODES})).await;
        let path = format!("/v1/code-batches/{}/codes?format=csv", batch["batch_id"].as_str().expect("an id"));
        let csv = caller.send("GET", &path, None, None).await;
        let text = String::from_utf8(csv.body.to_vec()).expect("UTF-8");
        let codes: Vec<String> =
            text.lines().skip(1).map(|l| l.split(',').next().expect("a code").to_owned()).collect();
        let codes = Arc::new(codes);
        let (over, readings) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(0)));
        let watching = tokio::spawn(watch(caller.clone(), stock.clone(), over.clone(), readings.clone()));
        let workers: Vec<_> =
            (0..WORKERS).map(|n| tokio::spawn(work(caller.clone(), stock.clone(), codes.clone(), n, seed))).collect();
        let mut told = Told::default();
        for worker in workers {
            let one = worker.await.expect("no panic");
            told.claimed += one.claimed;
            told.sold_out.extend(one.sold_out);
        }
        over.store(true, Ordering::Relaxed);
        watching.await.expect("no panic");
        let readings = *readings.lock().expect("not poisoned");
        (stock, told, readings)
    });
    assert_eq!(server.terminate(), Some(0));
    let id: StockId = stock.parse().expect("an id");
    let mut left: HashMap<u64, u64> = HashMap::new();
    fold_log(folder.path(), |ledger, at, _, _| {
        if at.shard == id.merchant.shard()
            && let Some(counts) = ledger.of(id.merchant).counts(id.merchant, id.number)
        {
            left.insert(at.sequence, counts.on_shelf);
        }
    });
    eprintln!("{} claimed, {} times sold out, {readings} readings", told.claimed, told.sold_out.len());
    assert!(told.claimed <= CODES && told.sold_out.len() > 50 && readings > 20, "the shelf was hot");
    for reference in &told.sold_out {
        assert_eq!(left.get(reference), Some(&0), "sold out at sequence {reference} while some were left");
    }
}
