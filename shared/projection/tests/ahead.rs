//! A long log is read ahead of its fold; what comes out is what folding it record by record gives.

use std::sync::Arc;

use bytes::Bytes;
use coupon::id::Shard;
use coupon::record::{Cancel, Entry, Origin, RequestKey};
use event_log::envelope::Realm;
use event_log::memory::MemoryLog;
use event_log::{EventLog, Topic};
use projection::codec::{decode, encode};
use projection::ledger::Ledger;
use projection::owner::{Start, start};
use projection::shard::ShardState;

const PARTITIONS: u32 = 2;
/// Above what is read ahead for.
const RECORDS: u32 = 24_000;
/// Even ones are in the first partition.
const SHARDS: u8 = 6;

fn record(n: u32) -> (Shard, Bytes) {
    let shard = Shard((n % u32::from(SHARDS)) as u8);
    let mut key = [0; 16];
    key[..4].copy_from_slice(&n.to_le_bytes());
    let origin = Origin { instance: 7, number: u64::from(n) };
    let cancel = Entry::Cancel(Cancel { origin, proposed_at: 1_000, key: RequestKey(key) });
    (shard, encode(&cancel, shard, 1, Realm::Live, None))
}

/// A log of cancels; the record of this number is not one.
fn log(damaged: Option<u32>) -> Arc<dyn EventLog> {
    let log = MemoryLog::with_clock(PARTITIONS, Arc::new(|| 1_500));
    let (sender, acks) = std::sync::mpsc::channel();
    let entries = (0..RECORDS).map(|n| {
        let (shard, bytes) = record(n);
        let bytes = if damaged == Some(n) { Bytes::from_static(b"not a record") } else { bytes };
        event_log::Entry { topic: Topic::Ledger, partition: u32::from(shard.0) % PARTITIONS, bytes }
    });
    let ack = Box::new(move |appended| sender.send(appended).expect("somebody waits"));
    log.append(entries.collect(), ack).expect("takes them");
    acks.recv().expect("an answer").expect("appended");
    Arc::new(log)
}

/// Record by record, each partition up to its first that is damaged.
fn folded(log: &dyn EventLog) -> Vec<u128> {
    let mut ledger = Ledger::new();
    for partition in 0..PARTITIONS {
        let records = log.read(Topic::Ledger, partition, 0, RECORDS as usize).expect("reads");
        for stored in &records {
            let Ok((header, decoded)) = decode(&stored.bytes) else { break };
            ledger.take(&header, &decoded, stored).expect("of this release");
        }
    }
    ledger.shards().map(ShardState::state_hash).collect()
}

fn started(log: Arc<dyn EventLog>) -> Vec<u128> {
    let handle = start(Start::new(log, || 2_000)).expect("starts");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let hashes = handle.query(|ledger, _| ledger.shards().map(ShardState::state_hash).collect()).await;
        handle.stop().await;
        hashes.expect("an answer")
    })
}

#[test]
fn it_is_the_same_fold() {
    let log = log(None);
    assert_eq!(started(log.clone()), folded(log.as_ref()));
}

#[test]
fn damage_stops_its_partition_there_and_no_other() {
    let log = log(Some(RECORDS / 2));
    let hashes = folded(log.as_ref());
    assert_ne!(hashes, folded(self::log(None).as_ref()));
    assert_eq!(started(log), hashes);
}
