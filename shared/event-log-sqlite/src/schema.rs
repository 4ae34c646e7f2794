//! The file: its lock, its connections, its tables.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use event_log::{Offset, Topic};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};

use crate::OpenError;

/// The first release that mends a rare loss of committed pages when a WAL is reset.
const NEEDED_SQLITE: (i32, &str) = (3_051_003, "3.51.3");

const FORMAT: i64 = 1;

/// How long a statement waits for a lock that another connection holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// Where a partition ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The offset behind the last record.
    pub(crate) next: Offset,
    /// The last append time, in milliseconds since 1970; the smallest number when there is none.
    pub(crate) last_time_ms: i64,
}

/// The number of a partition among those of all topics.
pub(crate) fn index(partitions: u32, topic: Topic, partition: u32) -> usize {
    topic as usize * partitions as usize + partition as usize
}

/// All partitions of all topics, in the order of [`index`].
pub(crate) fn places(partitions: u32) -> impl Iterator<Item = (Topic, u32)> {
    let of_topic = move |topic| (0..partitions).map(move |partition| (topic, partition));
    Topic::ALL.into_iter().flat_map(of_topic)
}

pub(crate) fn check_sqlite() -> Result<(), OpenError> {
    let (needed_number, needed) = NEEDED_SQLITE;
    if rusqlite::version_number() < needed_number {
        let found = rusqlite::version();
        return Err(OpenError::SqliteTooOld { found, needed });
    }
    Ok(())
}

/// Makes the file if there is none and takes the lock on it, which goes with the process or with
/// the file returned. Gives the file's one true path, so that links do not lead to a second lock.
pub(crate) fn lock(path: &Path) -> Result<(PathBuf, File), OpenError> {
    let io_error = |source| OpenError::Io { path: path.to_owned(), source };
    let mut writable = OpenOptions::new();
    writable.create(true).truncate(false).write(true);
    drop(writable.open(path).map_err(io_error)?);
    let path = fs::canonicalize(path).map_err(io_error)?;
    let mut lock_path = OsString::from(&path);
    lock_path.push(".lock");
    let lock = writable.open(lock_path).map_err(io_error)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path)),
        Err(TryLockError::Error(source)) => return Err(io_error(source)),
    }
    if let Some(folder) = path.parent() {
        // A file whose name is lost with the power is lost with all that was acknowledged in it.
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(io_error)?;
    }
    Ok((path, lock))
}

pub(crate) fn open_for_writing(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags).and_then(|connection| {
        configure(&connection)?;
        let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        connection.execute_batch(
            "PRAGMA synchronous = FULL;
             PRAGMA fullfsync = ON;
             PRAGMA checkpoint_fullfsync = ON;
             PRAGMA wal_autocheckpoint = 0;",
        )?;
        Ok((connection, mode))
    });
    match opened {
        Ok((connection, mode)) if mode == "wal" => Ok(connection),
        Ok(_) => Err(OpenError::NoWal(path.to_owned())),
        Err(source) => Err(sqlite_error(path, source)),
    }
}

pub(crate) fn open_for_reading(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    configure(&connection)?;
    // One statement per partition that is read.
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // A checkpoint happens where its errors are seen, never on the quiet when a connection goes.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(())
}

/// Makes the tables of a new file, or checks those of an old one; gives the ends in the order of
/// [`index`].
pub(crate) fn prepare(connection: &Connection, path: &Path, partitions: u32) -> Result<Vec<End>, OpenError> {
    let failed = |source| sqlite_error(path, source);
    if table_count(connection).map_err(failed)? == 0 {
        create(connection, partitions).map_err(failed)?;
    }
    let found = check_meta(connection, path)?;
    if found != partitions {
        let asked = partitions;
        return Err(OpenError::Partitions { found, asked });
    }
    let ends = places(partitions).map(|(topic, partition)| end(connection, topic, partition));
    ends.collect::<rusqlite::Result<_>>().map_err(failed)
}

/// The number of partitions of an existing log.
pub(crate) fn stored_partitions(path: &Path) -> Result<u32, OpenError> {
    let connection = open_for_reading(path).map_err(|source| sqlite_error(path, source))?;
    check_meta(&connection, path)
}

fn table_count(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))
}

fn create(connection: &Connection, partitions: u32) -> rusqlite::Result<()> {
    let behavior = TransactionBehavior::Immediate;
    let transaction = rusqlite::Transaction::new_unchecked(connection, behavior)?;
    transaction.execute_batch("CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL)")?;
    let meta = [("format", FORMAT), ("partitions", i64::from(partitions))];
    for row in meta {
        transaction.execute("INSERT INTO meta(key, value) VALUES (?1, ?2)", row)?;
    }
    for (topic, partition) in places(partitions) {
        transaction.execute_batch(&format!(
            r#"CREATE TABLE "{topic}/{partition}"(
                offset INTEGER PRIMARY KEY,
                append_time_ms INTEGER NOT NULL,
                record BLOB NOT NULL
            )"#
        ))?;
    }
    transaction.commit()
}

/// Checks what the file says about itself and gives its number of partitions.
fn check_meta(connection: &Connection, path: &Path) -> Result<u32, OpenError> {
    let failed = |source| sqlite_error(path, source);
    let has_meta = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'meta'";
    let row = connection.query_row(has_meta, (), |_| Ok(())).optional();
    if row.map_err(failed)?.is_none() {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    let value = |key| {
        let sql = "SELECT value FROM meta WHERE key = ?1";
        let found = connection.query_row(sql, [key], |row| row.get::<_, i64>(0));
        let found = found.optional().map_err(failed)?;
        found.ok_or_else(|| OpenError::Foreign(path.to_owned()))
    };
    let format = value("format")?;
    if format != FORMAT {
        return Err(OpenError::Format(format));
    }
    let partitions = u32::try_from(value("partitions")?);
    partitions.map_err(|_| OpenError::Foreign(path.to_owned()))
}

pub(crate) fn end(connection: &Connection, topic: Topic, partition: u32) -> rusqlite::Result<End> {
    let sql = format!(r#"SELECT offset, append_time_ms FROM "{topic}/{partition}" ORDER BY offset DESC LIMIT 1"#);
    let mut statement = connection.prepare_cached(&sql)?;
    let last =
        statement.query_row((), |row| Ok(End { next: row.get::<_, i64>(0)? as Offset + 1, last_time_ms: row.get(1)? }));
    Ok(last.optional()?.unwrap_or(End { next: 0, last_time_ms: i64::MIN }))
}

pub(crate) fn insert(topic: Topic, partition: u32) -> String {
    format!(r#"INSERT INTO "{topic}/{partition}"(offset, append_time_ms, record) VALUES (?1, ?2, ?3)"#)
}

pub(crate) fn select(topic: Topic, partition: u32) -> String {
    format!(
        r#"SELECT offset, append_time_ms, record FROM "{topic}/{partition}"
        WHERE offset >= ?1 AND offset < ?2 ORDER BY offset"#
    )
}

fn sqlite_error(path: &Path, source: rusqlite::Error) -> OpenError {
    OpenError::Sqlite { path: path.to_owned(), source }
}
