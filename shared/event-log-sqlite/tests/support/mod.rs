//! What the tests of this crate share.
#![allow(dead_code, reason = "each test binary uses a part")]

pub(crate) mod child;

use std::path::Path;
use std::sync::mpsc::channel;

use bytes::Bytes;
use event_log::envelope::{self, Header, Realm};
use event_log::{AppendError, Entry, EventLog, Offset, Topic};
use rusqlite::Connection;

/// A record of the ledger with `payload`.
pub(crate) fn record(partition: u32, payload: &[u8]) -> Entry {
    let header = Header { realm: Realm::Live, record_type: 1, semantics: 1, shard: 0, original_time_ms: None };
    let mut out = Vec::new();
    envelope::seal(&mut out, &header, |buffer| {
        buffer.extend_from_slice(payload);
    });
    Entry { topic: Topic::Ledger, partition, bytes: Bytes::from(out) }
}

/// Appends and waits for the answer.
pub(crate) fn append(log: &dyn EventLog, entries: Vec<Entry>) -> Result<(), AppendError> {
    let (sender, receiver) = channel();
    let ack = Box::new(move |result| sender.send(result).expect("the test waits"));
    log.append(entries, ack)?;
    receiver.recv().expect("an answer")
}

/// A connection of somebody else's to the file.
pub(crate) fn sql(path: &Path) -> Connection {
    Connection::open(path).expect("the file opens")
}

/// Inverts one byte of a stored record.
pub(crate) fn flip_byte(path: &Path, topic: Topic, partition: u32, offset: Offset, byte: usize) {
    let sql = sql(path);
    let place = [offset as i64];
    let select = format!(r#"SELECT record FROM "{topic}/{partition}" WHERE offset = ?1"#);
    let record = sql.query_row(&select, place, |row| row.get(0));
    let mut record: Vec<u8> = record.expect("the record");
    record[byte] ^= 0xff;
    let update = format!(r#"UPDATE "{topic}/{partition}" SET record = ?1 WHERE offset = ?2"#);
    let changed = sql.execute(&update, (record, offset as i64));
    assert_eq!(changed, Ok(1));
}
