//! Copying the WAL into the database, off the commit's path.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode};

use crate::fatal::Failure;

/// A checkpoint is asked for when so many bytes were appended since the last. The WAL holds whole
/// pages, and so about twice as much.
const EVERY_BYTES: usize = 8 << 20;

/// From this size on the WAL is started anew even under load, for which the writer has to pause. A
/// passive checkpoint never catches up with a writer that never rests.
const RESTART_BYTES: i64 = 64 << 20;

/// How long a restart waits for readers while the writer waits for it. A reader that stays longer
/// costs disk space, not the service.
const READER_TIMEOUT: Duration = Duration::from_millis(50);

/// Held by the writer for a transaction and by the checkpointer for a restart, so that neither has
/// to poll for `SQLite`'s lock.
pub(crate) type Turn = Arc<Mutex<()>>;

/// The writer's side: says how much was written.
pub(crate) struct Checkpoints {
    asks: Sender<()>,
    unasked_bytes: usize,
}

struct Checkpointer {
    connection: Connection,
    asked: Receiver<()>,
    turn: Turn,
    failure: Failure,
}

/// What `SQLite` says about the WAL after a checkpoint.
struct Wal {
    busy: bool,
    frames: i64,
}

/// Gives the writer's side, the turn, and the body of the checkpointer's thread. The thread ends
/// when the writer's side is dropped, and empties the WAL.
pub(crate) fn new(connection: Connection, failure: Failure) -> (Checkpoints, Turn, impl FnOnce() + Send + 'static) {
    let (asks, asked) = bounded(1);
    let turn = Turn::default();
    let checkpointer = Checkpointer { connection, asked, turn: Arc::clone(&turn), failure };
    let checkpoints = Checkpoints { asks, unasked_bytes: 0 };
    (checkpoints, turn, move || checkpointer.run())
}

impl Checkpoints {
    pub(crate) fn wrote(&mut self, bytes: usize) {
        self.unasked_bytes += bytes;
        if self.unasked_bytes >= EVERY_BYTES {
            self.unasked_bytes = 0;
            // Full means that one is asked for already.
            let _ = self.asks.try_send(());
        }
    }
}

impl Checkpointer {
    fn run(self) {
        let outcome = self.serve();
        if let Err(error) = outcome {
            // SQLite keeps the WAL after a failed checkpoint; the next start copies it again.
            self.failure.end("checkpoint", &error);
        }
    }

    fn serve(&self) -> rusqlite::Result<()> {
        self.connection.busy_timeout(READER_TIMEOUT)?;
        let page_bytes: i64 = self.connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        for () in &self.asked {
            let wal = self.checkpoint("PASSIVE")?;
            if wal.frames * page_bytes >= RESTART_BYTES {
                let _turn = self.turn.lock();
                let wal = self.checkpoint("RESTART")?;
                if wal.busy {
                    tracing::warn!(frames = wal.frames, "readers keep the wal from starting anew");
                }
            }
        }
        if !self.failure.has_failed() && self.checkpoint("TRUNCATE")?.busy {
            tracing::debug!("readers keep the wal from being emptied");
        }
        Ok(())
    }

    fn checkpoint(&self, mode: &str) -> rusqlite::Result<Wal> {
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        let row = self.connection.query_row(&sql, (), |row| Ok(Wal { busy: row.get(0)?, frames: row.get(1)? }));
        match row {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                Ok(Wal { busy: true, frames: 0 })
            }
            other => other,
        }
    }
}
