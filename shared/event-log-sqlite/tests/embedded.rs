//! What only the embedded log has: its file, its one writer, its end, its read-only side.

mod support;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;

use event_log::{AppendError, EventLog, ReadError, Topic};
use event_log_sqlite::{OpenError, Options, SqliteLog};
use support::{append, flip_byte, record, sql};
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.db");
    (folder, path)
}

fn open(path: &PathBuf) -> Arc<SqliteLog> {
    SqliteLog::open(path, Options::default()).expect("the log opens")
}

fn refusal(path: &PathBuf, options: Options) -> String {
    let refused = SqliteLog::open(path, options).err().expect("a refusal");
    refused.to_string()
}

/// A log of ten records in partition 0, closed.
fn ten_records(path: &PathBuf) {
    let log = open(path);
    let entries = (0..10).map(|number| record(0, &[number; 400]));
    append(&*log, entries.collect()).expect("durable");
    log.close();
}

fn damage_at(log: &SqliteLog, offset: u64) -> String {
    match log.read(Topic::Ledger, 0, offset, 100) {
        Err(ReadError::Damaged { offset: found, reason, .. }) if found == offset => reason,
        other => panic!("no damage at {offset}: {other:?}"),
    }
}

#[test]
fn a_second_writer_is_refused() {
    let (_folder, path) = place();
    let log = open(&path);
    let text = refusal(&path, Options::default());
    assert!(text.contains("in use by another process"), "{text}");
    log.close();
    // The handle is still there, and the file is free.
    open(&path);
}

#[cfg(unix)]
#[test]
fn a_link_does_not_lead_past_the_lock() {
    let (folder, path) = place();
    let _log = open(&path);
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    let refused = SqliteLog::open(&link, Options::default());
    assert!(matches!(refused, Err(OpenError::InUse(_))));
}

#[test]
fn another_number_of_partitions_is_refused() {
    let (_folder, path) = place();
    open(&path).close();
    let options = |partitions| Options { partitions, ..Options::default() };
    let text = refusal(&path, options(16));
    assert!(text.contains("8 partitions") && text.contains("not 16"), "{text}");
    let text = refusal(&path, options(0));
    assert!(text.contains("0 partitions"), "{text}");
}

#[test]
fn foreign_files_are_refused() {
    let (_folder, path) = place();
    sql(&path).execute_batch("CREATE TABLE sheep(name)").expect("a table");
    let text = refusal(&path, Options::default());
    assert!(text.contains("not a log of counterfoil"), "{text}");

    let (_folder, path) = place();
    fs::write(&path, "not a database at all, however long it may be".repeat(100)).expect("a file");
    let refused = SqliteLog::open(&path, Options::default());
    assert!(matches!(refused, Err(OpenError::Sqlite { .. })));

    let (_folder, path) = place();
    open(&path).close();
    let newer = "UPDATE meta SET value = 2 WHERE key = 'format'";
    sql(&path).execute_batch(newer).expect("a newer file");
    let text = refusal(&path, Options::default());
    assert!(text.contains("format 2"), "{text}");
}

#[test]
fn every_kind_of_damage_is_found() {
    let (_folder, path) = place();
    ten_records(&path);
    flip_byte(&path, Topic::Ledger, 0, 1, 200);
    let changes = [
        "SET record = substr(record, 1, 100) WHERE offset = 3",
        "SET record = 'text' WHERE offset = 5",
        "SET offset = 77 WHERE offset = 7",
    ];
    for change in changes {
        let update = format!(r#"UPDATE "counterfoil.ledger/0" {change}"#);
        sql(&path).execute_batch(&update).expect("a change");
    }
    let log = SqliteLog::open_read_only(&path).expect("the log opens");
    assert!(damage_at(&log, 1).contains("checksum"));
    assert!(damage_at(&log, 3).contains("length"));
    assert!(damage_at(&log, 5).contains("foreign types"));
    assert!(damage_at(&log, 7).contains("missing"));
    for sound in [0, 2, 4, 6, 8] {
        let read = log.read(Topic::Ledger, 0, sound, 100).expect("a sound record");
        assert_eq!(read[0].offset, sound);
    }
}

#[test]
fn a_damaged_page_is_damage() {
    let (_folder, path) = place();
    let log = open(&path);
    for number in 0..200_u8 {
        append(&*log, vec![record(0, &[number; 400])]).expect("durable");
    }
    log.close();
    drop(log);
    // A page in the middle of the table: the root names its children in the order of their keys.
    let page = "SELECT rootpage FROM sqlite_schema WHERE name = 'counterfoil.ledger/0'";
    let root: u32 = sql(&path).query_row(page, (), |row| row.get(0)).expect("a root");
    let root = root as usize;
    let mut bytes = fs::read(&path).expect("the file");
    let child_at = (root - 1) * 4096 + 12 + 2 * 10;
    let cell = usize::from(u16::from_be_bytes([bytes[child_at], bytes[child_at + 1]]));
    let cell_at = (root - 1) * 4096 + cell;
    let number = bytes[cell_at..cell_at + 4].try_into().expect("four bytes");
    let child = u32::from_be_bytes(number) as usize;
    bytes[(child - 1) * 4096..child * 4096].fill(0x55);
    fs::write(&path, bytes).expect("the file");

    let log = open(&path);
    let mut from = 0;
    let error = loop {
        match log.read(Topic::Ledger, 0, from, 7) {
            Ok(records) if records.is_empty() => panic!("the damage was skipped"),
            Ok(records) => from += records.len() as u64,
            Err(error) => break error,
        }
    };
    assert!(from > 0, "what is before the damage was not given");
    let ReadError::Damaged { offset, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(offset, from);
    append(&*log, vec![record(1, b"another partition")]).expect("durable");
}

#[test]
fn records_missing_at_the_end_are_missed_by_the_writer() {
    let (_folder, path) = place();
    let options = Options { tail_bytes: 0, ..Options::default() };
    let log = SqliteLog::open(&path, options).expect("the log opens");
    let entries = (0..10).map(|number| record(0, &[number]));
    append(&*log, entries.collect()).expect("durable");
    let delete = r#"DELETE FROM "counterfoil.ledger/0" WHERE offset >= 8"#;
    sql(&path).execute_batch(delete).expect("a deletion");
    assert_eq!(log.read(Topic::Ledger, 0, 0, 100).map(|read| read.len()), Ok(8));
    assert!(damage_at(&log, 8).contains("missing"));
}

#[test]
fn a_reader_beside_the_writer_sees_what_is_committed() {
    let (_folder, path) = place();
    let log = open(&path);
    let reader = SqliteLog::open_read_only(&path).expect("the log opens");
    assert_eq!(reader.partitions(Topic::Ledger), 8);
    assert_eq!(reader.end(Topic::Ledger, 0), Ok(0));
    for round in 1..4_u64 {
        append(&*log, vec![record(0, b"a"), record(0, b"b")]).expect("durable");
        assert_eq!(reader.end(Topic::Ledger, 0), Ok(2 * round));
        let read = reader.read(Topic::Ledger, 0, 0, usize::MAX);
        assert_eq!(read, log.read(Topic::Ledger, 0, 0, usize::MAX));
    }
    assert_eq!(append(&*reader, vec![record(0, b"c")]), Err(AppendError::Closed));
    log.close();
    drop(log);
    let read = reader.read(Topic::Ledger, 0, 5, 10);
    assert_eq!(read.map(|records| records.len()), Ok(1));
}

#[test]
fn reading_what_is_not_there_makes_no_file() {
    let (_folder, path) = place();
    let refused = SqliteLog::open_read_only(&path);
    assert!(matches!(refused, Err(OpenError::Sqlite { .. })));
    assert!(!path.exists());
}

#[test]
fn closing_empties_the_wal() {
    let (_folder, path) = place();
    ten_records(&path);
    let wal = fs::metadata(path.with_extension("db-wal"));
    assert_eq!(wal.map_or(0, |wal| wal.len()), 0);
}

#[test]
fn the_wal_starts_anew_under_load() {
    let (_folder, path) = place();
    let options = Options { queue_bytes: 4 << 20, tail_bytes: 0, ..Options::default() };
    let log = SqliteLog::open(&path, options).expect("the log opens");
    // 400 MiB without a pause: the next batch is always queued before the last is durable.
    let payload = vec![7; 128 << 10];
    let (sender, receiver) = channel();
    for number in 0..400 {
        let sender = sender.clone();
        let ack = Box::new(move |result| sender.send(result).expect("the test waits"));
        let entries = (0..8).map(|_| record(0, &payload));
        log.append(entries.collect(), ack).expect("room");
        if number >= 2 {
            assert_eq!(receiver.recv().expect("an answer"), Ok(()));
        }
    }
    let wal = fs::metadata(path.with_extension("db-wal")).expect("a wal");
    assert!(wal.len() < 250 << 20, "the wal has {} bytes", wal.len());
    log.close();
}

#[test]
fn a_lock_of_another_program_only_delays() {
    let (_folder, path) = place();
    let log = open(&path);
    let other = sql(&path);
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let (sender, receiver) = channel();
    let ack = Box::new(move |result| sender.send(result).expect("the test waits"));
    log.append(vec![record(0, b"late")], ack).expect("room");
    assert_eq!(log.end(Topic::Ledger, 0), Ok(0));
    other.execute_batch("ROLLBACK").expect("the end of the lock");
    assert_eq!(receiver.recv().expect("an answer"), Ok(()));
    assert_eq!(log.end(Topic::Ledger, 0), Ok(1));
}

static FATAL: AtomicU32 = AtomicU32::new(0);

/// A commit that fails is never tried again: the process would end here.
#[test]
fn a_failed_write_is_the_end() {
    let (_folder, path) = place();
    let options = Options {
        on_fatal: |reason| {
            assert!(reason.contains("no room"), "{reason}");
            FATAL.fetch_add(1, Ordering::Relaxed);
        },
        ..Options::default()
    };
    let log = SqliteLog::open(&path, options).expect("the log opens");
    append(&*log, vec![record(0, b"sound")]).expect("durable");
    let trigger = r#"CREATE TRIGGER t BEFORE INSERT ON "counterfoil.ledger/1"
        BEGIN SELECT RAISE(FAIL, 'no room'); END"#;
    sql(&path).execute_batch(trigger).expect("a trigger");
    let result = append(&*log, vec![record(0, b"torn"), record(1, b"fails")]);
    assert!(matches!(result, Err(AppendError::OutcomeUnknown(_))), "{result:?}");
    assert_eq!(append(&*log, vec![record(0, b"after")]), Err(AppendError::Closed));
    log.close();
    assert_eq!(FATAL.load(Ordering::Relaxed), 1);
    sql(&path).execute_batch("DROP TRIGGER t").expect("no trigger");
    drop(log);
    assert_eq!(open(&path).end(Topic::Ledger, 0), Ok(1));
}

#[test]
fn a_log_may_be_closed_and_dropped_in_its_own_thread() {
    let (_folder, path) = place();
    let log = open(&path);
    let own = Arc::clone(&log);
    let (sender, receiver) = channel();
    let ack = Box::new(move |result| {
        own.close();
        drop(own);
        sender.send(result).expect("the test waits");
    });
    log.append(vec![record(0, b"last")], ack).expect("room");
    assert_eq!(receiver.recv().expect("an answer"), Ok(()));
    log.close();
    drop(log);
    assert_eq!(open(&path).end(Topic::Ledger, 0), Ok(1));
}

#[test]
fn times_go_on_from_the_last_of_the_file() {
    let (_folder, path) = place();
    ten_records(&path);
    let far = i64::MAX / 2;
    let update = r#"UPDATE "counterfoil.ledger/0" SET append_time_ms = ?1 WHERE offset = 9"#;
    sql(&path).execute(update, [far]).expect("a change");
    let log = open(&path);
    append(&*log, vec![record(0, b"after"), record(1, b"other")]).expect("durable");
    let time = |partition, offset| {
        let read = log.read(Topic::Ledger, partition, offset, 1);
        read.expect("a record")[0].append_time_ms
    };
    assert_eq!(time(0, 10), far);
    assert!(time(1, 0) < far);
}
