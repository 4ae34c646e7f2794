//! The embedded log: one `SQLite` file, for the first run, development and a small shop.
//!
//! One thread writes. It takes everything that has gathered while the last commit was under way,
//! over all topics and partitions, into one transaction; commits with `synchronous=FULL`; publishes
//! to a tail in memory, from which readers at the end are served without touching `SQLite`; and then
//! calls the acknowledgements. Each partition is a table, which `sqlite3` can open and show:
//!
//! ```sql
//! "counterfoil.ledger/0"(offset INTEGER PRIMARY KEY, append_time_ms INTEGER NOT NULL, record BLOB NOT NULL)
//! ```
//!
//! The WAL is copied into the database by another thread, off the commit's path.
//!
//! **Architecture invariant.** No error of a write is ever tried again. After a failed `fsync` the
//! kernel may have dropped the pages that it could not write, and a second one would report success
//! for data that is nowhere. So any error of a commit or of a checkpoint ends the process, and the
//! next start recovers from what the disk really holds.
//!
//! **Architecture invariant.** One process writes: `<file>.lock` is held for as long as it lives.
//! Any number of processes may read.

mod checkpoint;
mod fatal;
mod queue;
mod reader;
mod schema;
mod writer;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use event_log::{Ack, AppendError, Entry, EventLog, Offset, ReadError, Stored, Topic, Waker};
use parking_lot::Mutex;

pub use fatal::EXIT_CODE;

use event_log::tail::{Tail, TailRead};
use queue::Queue;
use reader::Reader;
use writer::Wakers;

/// How a log is opened for writing.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Partitions per topic. Fixed when the file is made; a different number is refused later.
    pub partitions: u32,
    /// How much may wait for its commit, in bytes, a little overhead per record included. Beyond it
    /// appends are refused with [`AppendError::Full`].
    pub queue_bytes: usize,
    /// How much of the log's end is kept in memory for readers, in bytes, over all partitions.
    pub tail_bytes: usize,
    /// The least time from the start of one commit to the start of the next. A commit writes the
    /// last page of every table that it touches, so on a disk with a fast `fsync` many small ones
    /// would cost several times the CPU of a few larger ones. A log at rest commits at once.
    pub commit_interval: Duration,
    /// Called after the reason has been logged when the log cannot be written any more. The default
    /// ends the process with [`EXIT_CODE`]; anything else is for tests. If it returns, what was
    /// under way is answered with an unknown outcome and the log is closed.
    pub on_fatal: fn(&str),
}

impl Default for Options {
    /// 8 partitions, 64 MiB of queue, 32 MiB of tail, 1 ms between commits.
    fn default() -> Self {
        Self {
            partitions: 8,
            queue_bytes: 64 << 20,
            tail_bytes: 32 << 20,
            commit_interval: Duration::from_millis(1),
            on_fatal: fatal::end_process,
        }
    }
}

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The `SQLite` in this program has a defect in WAL recovery that later ones have not.
    #[error("this program contains SQLite {found}, the log needs {needed} or later")]
    SqliteTooOld {
        /// The version in the program.
        found: &'static str,
        /// The first version that will do.
        needed: &'static str,
    },
    /// Another process writes to the log.
    #[error("{} is in use by another process; only one may write to it", .0.display())]
    InUse(PathBuf),
    /// A log has at least one partition.
    #[error("a log cannot have 0 partitions")]
    NoPartitions,
    /// The file has another number of partitions than was asked for.
    #[error("the log has {found} partitions per topic, not {asked}; the number is fixed when the log is made")]
    Partitions {
        /// What the file has.
        found: u32,
        /// What the options say.
        asked: u32,
    },
    /// The file was written in a format that this program does not know.
    #[error("the log has format {0}, which this program does not know")]
    Format(i64),
    /// The file is a `SQLite` database, but not a log.
    #[error("{} is not a log of counterfoil", .0.display())]
    Foreign(PathBuf),
    /// The file system cannot share memory between processes, as those of networks cannot.
    #[error("{} is on a file system that cannot hold a WAL", .0.display())]
    NoWal(PathBuf),
    /// The file system refused something.
    #[error("{} cannot be opened: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// `SQLite` refused something; a damaged or foreign file shows here too.
    #[error("{} cannot be opened: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What `SQLite` said.
        source: rusqlite::Error,
    },
}

/// The embedded log.
pub struct SqliteLog {
    partitions: u32,
    reader: Reader,
    /// None when it was opened for reading only.
    live: Option<Live>,
}

/// What a log has that is written to.
struct Live {
    queue: Arc<Queue>,
    tail: Arc<Tail>,
    wakers: Arc<Wakers>,
    running: Mutex<Option<Running>>,
}

struct Running {
    writer: JoinHandle<()>,
    checkpointer: JoinHandle<()>,
}

impl SqliteLog {
    /// Opens the log at `path` for writing, and makes it if there is none.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Arc<Self>, OpenError> {
        schema::check_sqlite()?;
        if options.partitions == 0 {
            return Err(OpenError::NoPartitions);
        }
        let (path, lock) = schema::lock(path.as_ref())?;
        // Both threads hold the lock, so that it goes when the last of them has ended.
        let lock = Arc::new(lock);
        let connection = schema::open_for_writing(&path)?;
        let ends = schema::prepare(&connection, &path, options.partitions)?;
        let next = ends.iter().map(|end| end.next).collect();

        let queue = Arc::new(Queue::new(options.queue_bytes));
        let tail = Arc::new(Tail::new(next, options.tail_bytes));
        let wakers = Arc::new(Wakers::default());
        let failure = fatal::Failure::new(&path, options.on_fatal);
        let io_error = |source| OpenError::Io { path: path.clone(), source };

        let shared = schema::open_for_writing(&path)?;
        let (checkpoints, turn, body) = checkpoint::new(shared, failure.clone());
        let own_lock = Arc::clone(&lock);
        let checkpointer = spawn("log-checkpoint", own_lock, body).map_err(io_error)?;
        let parts = writer::Parts {
            partitions: options.partitions,
            commit_interval: options.commit_interval,
            queue: Arc::clone(&queue),
            tail: Arc::clone(&tail),
            wakers: Arc::clone(&wakers),
            checkpoints,
            turn,
            failure,
        };
        let body = move || writer::run(&connection, ends, parts);
        let writer = spawn("log-writer", lock, body).map_err(io_error)?;

        let running = Running { writer, checkpointer };
        Ok(Arc::new(Self {
            partitions: options.partitions,
            reader: Reader::new(path),
            live: Some(Live { queue, tail, wakers, running: Mutex::new(Some(running)) }),
        }))
    }

    /// Opens the log at `path` for reading only, beside a process that writes to it or without one.
    /// It sees what is committed; appends are refused as on a closed log, and watchers are never
    /// called.
    ///
    /// `SQLite` needs to write to the folder unless another process has the log open: it keeps the
    /// index of the WAL there.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Arc<Self>, OpenError> {
        schema::check_sqlite()?;
        let path = path.as_ref();
        let partitions = schema::stored_partitions(path)?;
        Ok(Arc::new(Self { partitions, reader: Reader::new(path.to_owned()), live: None }))
    }

    fn check(&self, topic: Topic, partition: u32) -> Result<usize, ReadError> {
        if partition >= self.partitions {
            let text = format!("there is no partition {topic}/{partition}");
            return Err(ReadError::Unavailable(text));
        }
        Ok(schema::index(self.partitions, topic, partition))
    }
}

/// Starts a thread that holds the lock of the log until it ends.
fn spawn(name: &str, lock: Arc<File>, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(move || {
        body();
        drop(lock);
    })
}

impl EventLog for SqliteLog {
    fn partitions(&self, _topic: Topic) -> u32 {
        self.partitions
    }

    fn append(&self, entries: Vec<Entry>, ack: Ack) -> Result<(), AppendError> {
        let Some(live) = &self.live else {
            return Err(AppendError::Closed);
        };
        for Entry { topic, partition, .. } in &entries {
            assert!(*partition < self.partitions, "there is no partition {topic}/{partition}");
        }
        live.queue.push(entries, ack)
    }

    fn read(&self, topic: Topic, partition: u32, from: Offset, max: usize) -> Result<Vec<Stored>, ReadError> {
        let index = self.check(topic, partition)?;
        let Some(live) = &self.live else {
            return self.reader.read_to_last(topic, partition, from, max);
        };
        match live.tail.read(index, from, max) {
            TailRead::Found(records) => Ok(records),
            TailRead::Older { end } => {
                let until = end.min(from.saturating_add(max as Offset));
                self.reader.read(topic, partition, from..until)
            }
        }
    }

    fn end(&self, topic: Topic, partition: u32) -> Result<Offset, ReadError> {
        let index = self.check(topic, partition)?;
        match &self.live {
            Some(live) => Ok(live.tail.end(index)),
            None => self.reader.end(topic, partition),
        }
    }

    fn watch(&self, waker: Waker) {
        if let Some(live) = &self.live {
            live.wakers.add(waker);
        }
    }

    fn close(&self) {
        if let Some(live) = &self.live {
            live.close();
        }
    }
}

impl Live {
    fn close(&self) {
        self.queue.close();
        let mut running = self.running.lock();
        let own = |thread: &JoinHandle<()>| thread.thread().id() == thread::current().id();
        // An acknowledgement or a waker may close the log, or hold the last handle on it; the
        // thread that runs it cannot wait for itself.
        if running.as_ref().is_some_and(|running| own(&running.writer)) {
            return;
        }
        if let Some(Running { writer, checkpointer }) = running.take() {
            for thread in [writer, checkpointer] {
                if thread.join().is_err() {
                    tracing::error!("a thread of the log panicked");
                }
            }
            // Watchers often own the log's readers; without this neither would ever go.
            self.wakers.clear();
        }
    }
}

impl Drop for SqliteLog {
    fn drop(&mut self) {
        self.close();
    }
}
