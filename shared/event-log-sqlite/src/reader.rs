//! Reading what is no longer in memory.

use std::ops::Range;
use std::path::PathBuf;

use bytes::Bytes;
use event_log::{Offset, ReadError, Stored, Topic, envelope};
use parking_lot::Mutex;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, Row};

use crate::schema;

/// Connections kept for the next reads; more are opened when more threads read, and then closed.
const KEPT_CONNECTIONS: usize = 4;

/// A read ends behind the record that exceeds this, whatever number was asked for.
const READ_BYTES: usize = 8 << 20;

/// Reads records from the file and checks each: its envelope, and that none is left out.
pub(crate) struct Reader {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

/// One read.
struct Request {
    topic: Topic,
    partition: u32,
    range: Range<Offset>,
    /// Whether the partition may end before the range does.
    may_end: bool,
}

impl Reader {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::default() }
    }

    /// Records of `range`, each of which is known to have been written.
    pub(crate) fn read(&self, topic: Topic, partition: u32, range: Range<Offset>) -> Result<Vec<Stored>, ReadError> {
        self.run(&Request { topic, partition, range, may_end: false })
    }

    /// At most `max` records from `from` on, up to the last that the file holds.
    pub(crate) fn read_to_last(
        &self,
        topic: Topic,
        partition: u32,
        from: Offset,
        max: usize,
    ) -> Result<Vec<Stored>, ReadError> {
        self.run(&Request { topic, partition, range: from..from.saturating_add(max as Offset), may_end: true })
    }

    /// The offset behind the last record that the file holds.
    pub(crate) fn end(&self, topic: Topic, partition: u32) -> Result<Offset, ReadError> {
        self.with_connection(|connection| schema::end(connection, topic, partition))
            .map(|end| end.next)
            .map_err(|error| ReadError::Unavailable(error.to_string()))
    }

    fn run(&self, request: &Request) -> Result<Vec<Stored>, ReadError> {
        let mut found = Vec::new();
        let outcome = self.with_connection(|connection| Ok(request.collect(connection, &mut found)));
        let outcome = outcome.unwrap_or_else(|error| Err(request.failure(&error, request.range.start)));
        match outcome {
            Err(error) if found.is_empty() => Err(error),
            // What is before the damage is given; the read that begins there tells it.
            _ => Ok(found),
        }
    }

    fn with_connection<T>(&self, use_it: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => schema::open_for_reading(&self.path)?,
        };
        let result = use_it(&connection)?;
        let mut idle = self.idle.lock();
        if idle.len() < KEPT_CONNECTIONS {
            idle.push(connection);
        }
        Ok(result)
    }
}

impl Request {
    fn collect(&self, connection: &Connection, found: &mut Vec<Stored>) -> Result<(), ReadError> {
        let bound = |offset: Offset| i64::try_from(offset).unwrap_or(i64::MAX);
        let (start, end) = (bound(self.range.start), bound(self.range.end));
        let sql = schema::select(self.topic, self.partition);
        let failed = |error| self.failure(&error, self.range.start);
        let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
        let mut rows = statement.query((start, end)).map_err(failed)?;
        let mut bytes = 0;
        for expected in self.range.clone() {
            let row = rows.next().map_err(|error| self.failure(&error, expected))?;
            let record = match row {
                Some(row) => self.decode(row, expected)?,
                None if self.may_end => break,
                None => return Err(self.damaged(expected, "the record is missing")),
            };
            bytes += record.bytes.len();
            found.push(record);
            if bytes > READ_BYTES {
                break;
            }
        }
        Ok(())
    }

    fn decode(&self, row: &Row<'_>, expected: Offset) -> Result<Stored, ReadError> {
        let column = |at| row.get_ref(at).map_err(|error| self.failure(&error, expected));
        let (ValueRef::Integer(offset), ValueRef::Integer(append_time_ms), ValueRef::Blob(record)) =
            (column(0)?, column(1)?, column(2)?)
        else {
            return Err(self.damaged(expected, "the row has foreign types"));
        };
        if offset as Offset != expected {
            return Err(self.damaged(expected, "the record is missing"));
        }
        if let Err(damage) = envelope::open(record) {
            return Err(self.damaged(expected, &damage.to_string()));
        }
        Ok(Stored {
            topic: self.topic,
            partition: self.partition,
            offset: expected,
            append_time_ms,
            bytes: Bytes::copy_from_slice(record),
        })
    }

    fn damaged(&self, offset: Offset, reason: &str) -> ReadError {
        ReadError::Damaged { topic: self.topic, partition: self.partition, offset, reason: reason.to_owned() }
    }

    /// What an error of `SQLite` at `offset` means to a reader.
    fn failure(&self, error: &rusqlite::Error, offset: Offset) -> ReadError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => self.damaged(offset, &error.to_string()),
            _ => ReadError::Unavailable(error.to_string()),
        }
    }
}
