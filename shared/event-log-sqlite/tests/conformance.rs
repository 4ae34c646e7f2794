//! The suite that every log runs, over the embedded one.

mod support;

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use event_log::conformance::Fixture;
use event_log::{EventLog, Offset, Topic};
use event_log_sqlite::{Options, SqliteLog};
use tempfile::TempDir;

struct OnDisk {
    folder: TempDir,
    path: RefCell<PathBuf>,
    options: Options,
}

impl OnDisk {
    /// Readers find all, half or none of what they ask for in memory, depending on `tail_bytes`.
    fn new(tail_bytes: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log.db");
        Self { folder, path: RefCell::new(path), options: Options { partitions: 3, tail_bytes, ..Options::default() } }
    }
}

impl Fixture for OnDisk {
    fn open(&self) -> Arc<dyn EventLog> {
        SqliteLog::open(&*self.path.borrow(), self.options).expect("the log opens")
    }

    fn open_after_crash(&self, log: Arc<dyn EventLog>) -> Arc<dyn EventLog> {
        // What a kill leaves is the database and the WAL as they are, without a checkpoint.
        let after = self.folder.path().join("after.db");
        let wal = |path: &PathBuf| path.with_extension("db-wal");
        let before = self.path.replace(after.clone());
        fs::copy(&before, &after).expect("the database is copied");
        fs::copy(wal(&before), wal(&after)).expect("the wal is copied");
        let reopened = self.open();
        drop(log);
        reopened
    }

    fn damage(&self, topic: Topic, partition: u32, offset: Offset) {
        support::flip_byte(&self.path.borrow(), topic, partition, offset, 30);
    }

    fn open_bounded(&self, queue_bytes: usize) -> Option<Arc<dyn EventLog>> {
        let options = Options { queue_bytes, ..self.options };
        Some(SqliteLog::open(&*self.path.borrow(), options).expect("the log opens"))
    }
}

mod from_memory {
    event_log::conformance_suite!(super::OnDisk::new(32 << 20));
}

mod from_both {
    event_log::conformance_suite!(super::OnDisk::new(2000));
}

mod from_disk {
    event_log::conformance_suite!(super::OnDisk::new(0));
}
