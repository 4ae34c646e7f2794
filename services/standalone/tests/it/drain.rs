//! SIGTERM under load: what was accepted is answered, then the process ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use coupon::event::Event;
use coupon::fold::Outcome;
use coupon::record::Entry;
use serde_json::json;

use crate::support::{Caller, Server, fold_log, merchant, runtime, stock};

const WORKERS: u64 = 32;

#[test]
fn whatever_was_accepted_is_answered_before_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let runtime = runtime();
    let (_, caller) = runtime.block_on(merchant(&server.address, folder.path()));
    let stock = runtime.block_on(stock(&caller, json!({"total": 1_000_000})));
    let created = Arc::new(AtomicU64::new(0));
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let (caller, stock, created) = (caller.clone(), stock.clone(), created.clone());
            runtime.spawn(async move {
                for n in 0.. {
                    let body = json!({"stock_id": stock, "user_id": format!("u{worker}-{n}")});
                    let key = Caller::key();
                    let sent = caller.client.signed(&caller.credentials, "POST", "/v1/claims", Some(&key), Some(&body));
                    match sent.await {
                        Ok(reply) if reply.status.as_u16() == 201 => drop(created.fetch_add(1, Ordering::Relaxed)),
                        Ok(reply) => panic!("{}: {}", reply.status, String::from_utf8_lossy(&reply.body)),
                        // Nobody listens any more.
                        Err(_) => return,
                    }
                }
            })
        })
        .collect();
    while created.load(Ordering::Relaxed) < 500 {
        std::thread::yield_now();
    }
    let begun = Instant::now();
    assert_eq!(server.terminate(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "it took {:?}", begun.elapsed());
    runtime.block_on(async {
        for worker in workers {
            worker.await.expect("only answers or nothing");
        }
    });
    let mut recorded = 0;
    fold_log(folder.path(), |_, _, entry, outcome| {
        if let (Entry::Guarded(record), Outcome::Applied(_)) = (entry, outcome) {
            recorded += record.events.iter().filter(|event| matches!(event, Event::CouponClaimed(_))).count() as u64;
        }
    });
    assert_eq!(recorded, created.load(Ordering::Relaxed), "a claim was made whose caller heard nothing");
}
