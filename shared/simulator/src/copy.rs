//! A ledger copied into a log with another layout: sequence, time, state and hash of a shard do not depend on it.

use std::collections::BTreeMap;

use bytes::Bytes;
use event_log::envelope::{self, Header};
use event_log::{Entry, EventLog, Topic};

/// All records of the ledger by shard, in order, each sealed anew with the time at which the log first took it.
pub fn by_shard(from: &dyn EventLog) -> BTreeMap<u8, Vec<Bytes>> {
    let mut shards: BTreeMap<u8, Vec<Bytes>> = BTreeMap::new();
    for partition in 0..from.partitions(Topic::Ledger) {
        for stored in from.read(Topic::Ledger, partition, 0, usize::MAX).expect("a sound log") {
            let opened = envelope::open(&stored.bytes).expect("a sound record");
            let time = opened.header.original_time_ms.unwrap_or(stored.append_time_ms);
            let header = Header { original_time_ms: Some(time), ..opened.header };
            let mut bytes = Vec::with_capacity(stored.bytes.len());
            envelope::seal(&mut bytes, &header, |out| out.extend_from_slice(opened.payload));
            shards.entry(header.shard).or_default().push(bytes.into());
        }
    }
    shards
}

/// Appends them to another log, a chunk of each shard in turn, so that nothing but the order within a shard is kept.
pub fn append(shards: &BTreeMap<u8, Vec<Bytes>>, to: &dyn EventLog) {
    const CHUNK: usize = 64;
    let partitions = to.partitions(Topic::Ledger);
    let rounds = shards.values().map(|records| records.len().div_ceil(CHUNK)).max().unwrap_or(0);
    for round in 0..rounds {
        for (shard, records) in shards {
            let partition = u32::from(*shard) % partitions;
            let chunk = records.iter().skip(round * CHUNK).take(CHUNK);
            let entries = chunk.map(|bytes| Entry { topic: Topic::Ledger, partition, bytes: bytes.clone() }).collect();
            to.append(entries, Box::new(|end| assert_eq!(end, Ok(())))).expect("an open log");
        }
    }
}
