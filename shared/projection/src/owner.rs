//! The owner's thread: one for all partitions, which decides, batches, folds and answers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use coupon::id::{SHARDS, Sequence};
use coupon::record::RequestKey;
use coupon::terms::Millis;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use event_log::{AppendError, EventLog, ReadError, Topic};

use crate::disk::{self, Disk, Image};
use crate::engine::{Answer, Engine, Follow, Submission};
use crate::feed::Feed;
use crate::handle::LedgerHandle;
use crate::ledger::{Ledger, Watcher};

/// Submissions that may wait for the owner; more is refused as overload.
pub const MAX_WAITING: usize = 20_000;
/// How often what changed is written behind.
const FLUSH_EVERY: Duration = Duration::from_secs(2);
/// Records folded in one go before others get their turn.
const FOLD_AT_ONCE: usize = 1_024;

/// How long to wait where the log could not be read, and how often before a start is given up.
const UNREADABLE_PAUSE: Duration = Duration::from_millis(50);
const UNREADABLE_ATTEMPTS: u32 = 100;

/// Looks at what is folded, at this time of the wall clock.
pub type Query = Box<dyn FnOnce(&Ledger, Millis) + Send>;

/// Something for the owner to do.
pub enum Message {
    /// Decide.
    Submit(Box<Submission>),
    /// Look at what is folded.
    Query(Query),
    /// Whether a request is under way here.
    IsInFlight(RequestKey, tokio::sync::oneshot::Sender<bool>),
    /// The log moved, or a batch's append ended.
    Appended(Vec<u64>, Result<(), AppendError>),
    /// The log moved.
    Moved,
    /// Write everything behind and end.
    Stop(Sender<()>),
}

/// What an owner is started with.
pub struct Start {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// Where sled lies; `None` keeps nothing.
    pub folder: Option<PathBuf>,
    /// Drawn at random: tells this instance's records apart.
    pub instance: u64,
    /// The wall clock, in milliseconds since 1970.
    pub clock: fn() -> Millis,
    /// Told of merchants and keys.
    pub watcher: Option<Watcher>,
    /// Who follows what is folded, and from which sequence of each shard on it needs to.
    pub feed: Option<(Sender<Feed>, Vec<Sequence>)>,
}

/// How a start went.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// sled cannot be opened.
    #[error("the projection cannot be opened: {0}")]
    Disk(#[from] disk::DiskError),
    /// The log cannot be read.
    #[error("the log cannot be read: {0}")]
    Log(#[from] ReadError),
    /// No thread could be made.
    #[error("no thread: {0}")]
    Thread(#[from] std::io::Error),
}

struct Owner {
    engine: Engine,
    log: Arc<dyn EventLog>,
    inbox: Receiver<Message>,
    outbox: Sender<Message>,
    waiting: Arc<AtomicUsize>,
    moved: Arc<AtomicBool>,
    clock: fn() -> Millis,
    appending: bool,
    feed: Option<Sender<Feed>>,
    flusher: Option<Sender<(Image, Option<Sender<()>>)>>,
    flusher_idle: Arc<AtomicBool>,
    flushed: Vec<Sequence>,
    last_flush: Instant,
}

/// Reads sled, folds what the log holds beyond it, and starts the owner. Returns when everything is folded.
pub fn start(start: Start) -> Result<LedgerHandle, StartError> {
    let partitions = start.log.partitions(Topic::Ledger) as usize;
    let (disk, mut ledger, mut next) = open_disk(&start, partitions)?;
    for (partition, next) in next.iter().enumerate() {
        if *next > start.log.end(Topic::Ledger, partition as u32)? {
            tracing::warn!(partition, "projection is ahead of the log, folding the log anew");
            ledger = Ledger::new();
        }
    }
    if let Some((_, wanted)) = &start.feed
        && ledger.shards().zip(wanted).any(|(shard, wanted)| shard.sequence > *wanted)
    {
        tracing::info!("a follower needs the whole log, folding it anew");
        ledger = Ledger::new();
    }
    if ledger.is_empty() {
        next = vec![0; partitions];
    }
    if let Some(watcher) = start.watcher {
        ledger.watch(watcher);
    }
    let flushed = ledger.shards().map(|shard| shard.sequence).collect();
    let follow = next.into_iter().map(|next| Follow { next, stopped: None }).collect();
    let (outbox, inbox) = crossbeam_channel::unbounded();
    let waiting = Arc::new(AtomicUsize::new(0));
    let moved = Arc::new(AtomicBool::new(true));
    watch_log(start.log.as_ref(), &outbox, &moved);
    let feed = start.feed.map(|(feed, _)| feed);
    let flusher_idle = Arc::new(AtomicBool::new(true));
    let flusher = disk.map(|disk| start_flusher(disk, feed.clone(), flusher_idle.clone())).transpose()?;
    let mut owner = Owner {
        engine: Engine::new(ledger, start.instance, follow, feed.is_some()),
        log: start.log.clone(),
        inbox,
        outbox: outbox.clone(),
        waiting: waiting.clone(),
        moved,
        clock: start.clock,
        appending: false,
        feed,
        flusher,
        flusher_idle,
        flushed,
        last_flush: Instant::now(),
    };
    owner.fold_all()?;
    for (partition, follow) in owner.engine.follow().iter().enumerate() {
        if let Some(reason) = &follow.stopped {
            tracing::error!(partition, reason, "partition is damaged and stopped; the others serve");
        }
    }
    let handle = LedgerHandle::new(outbox, start.log, waiting, start.clock);
    std::thread::Builder::new().name("ledger-owner".into()).spawn(move || owner.run())?;
    Ok(handle)
}

fn open_disk(start: &Start, partitions: usize) -> Result<(Option<Disk>, Ledger, Vec<u64>), StartError> {
    match &start.folder {
        None => Ok((None, Ledger::new(), vec![0; partitions])),
        Some(folder) => {
            let (disk, ledger, next) = Disk::open(folder, partitions)?;
            Ok((Some(disk), ledger, next))
        }
    }
}

fn watch_log(log: &dyn EventLog, outbox: &Sender<Message>, moved: &Arc<AtomicBool>) {
    let (outbox, moved) = (outbox.clone(), moved.clone());
    log.watch(Arc::new(move || {
        if !moved.swap(true, Ordering::AcqRel) {
            // The owner is gone when this fails.
            let _ = outbox.send(Message::Moved);
        }
    }));
}

type Flusher = Sender<(Image, Option<Sender<()>>)>;

fn start_flusher(disk: Disk, feed: Option<Sender<Feed>>, idle: Arc<AtomicBool>) -> std::io::Result<Flusher> {
    let (outbox, inbox) = crossbeam_channel::unbounded::<(Image, Option<Sender<()>>)>();
    std::thread::Builder::new().name("ledger-flusher".into()).spawn(move || {
        for (image, done) in inbox {
            if let Some(feed) = &feed {
                let (sender, receiver) = crossbeam_channel::bounded(1);
                if feed.send(Feed::Barrier(sender)).is_ok() {
                    let _ = receiver.recv();
                }
            }
            if let Err(error) = disk.write(&image) {
                // The log has everything; the next start folds what is missing here.
                tracing::error!(%error, "projection cannot be written");
            }
            idle.store(true, Ordering::Release);
            if let Some(done) = done {
                let _ = done.send(());
            }
        }
    })?;
    Ok(outbox)
}

impl Owner {
    fn run(mut self) {
        loop {
            let first = match self.inbox.recv_timeout(self.patience()) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let wall = (self.clock)();
            let mut messages = 0;
            let mut next = first;
            while let Some(message) = next {
                if let Message::Stop(done) = message {
                    return self.stop(&done);
                }
                self.take(message, wall);
                messages += 1;
                next = if messages < FOLD_AT_ONCE { self.inbox.try_recv().ok() } else { None };
            }
            if self.moved.swap(false, Ordering::AcqRel) {
                self.fold_on();
            }
            self.engine.propose_due(wall);
            self.engine.sweep(wall);
            self.append(wall);
            self.forward();
            self.flush();
        }
    }

    fn patience(&self) -> Duration {
        if self.moved.load(Ordering::Acquire) || (self.engine.has_batch() && !self.appending) {
            return Duration::ZERO;
        }
        let due = self.engine.ledger.next_due().map_or(1_000, |due| due - (self.clock)());
        Duration::from_millis(due.clamp(1, 1_000) as u64)
    }

    fn take(&mut self, message: Message, wall: Millis) {
        match message {
            Message::Submit(submission) => {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                self.engine.submit(submission, wall);
            }
            Message::Query(query) => query(&self.engine.ledger, wall),
            Message::IsInFlight(key, asked) => {
                // Who asked may have gone away.
                let _ = asked.send(self.engine.is_in_flight(key));
            }
            Message::Appended(numbers, result) => {
                self.appending = false;
                match result {
                    Ok(()) => self.moved.store(true, Ordering::Release),
                    Err(AppendError::OutcomeUnknown(error)) => {
                        tracing::warn!(error, records = numbers.len(), "append without an answer");
                        self.engine.doubt(&numbers);
                    }
                    Err(AppendError::Full | AppendError::Closed) => self.engine.refused_by_log(&numbers, wall),
                }
            }
            Message::Moved | Message::Stop(_) => {}
        }
    }

    /// One batch at a time: what gathers while it is written goes into the next.
    fn append(&mut self, wall: Millis) {
        if self.appending || !self.engine.has_batch() {
            return;
        }
        let (entries, numbers) = self.engine.take_batch(wall);
        crate::metrics::BATCH.observe(entries.len() as f64);
        crate::metrics::PENDING.set(self.engine.pending() as i64);
        let outbox = self.outbox.clone();
        let acknowledged = numbers.clone();
        let ack = Box::new(move |result| {
            let _ = outbox.send(Message::Appended(acknowledged, result));
        });
        self.appending = true;
        if let Err(error) = self.log.append(entries, ack) {
            self.appending = false;
            tracing::warn!(%error, "batch was not taken");
            self.engine.refused_by_log(&numbers, wall);
        }
    }

    /// Folds everything before anybody is served: half of a ledger would be taken for all of it.
    fn fold_all(&mut self) -> Result<(), ReadError> {
        let mut patience = UNREADABLE_ATTEMPTS;
        loop {
            self.moved.store(false, Ordering::Release);
            if let Err(error) = self.fold_some() {
                patience -= 1;
                if patience == 0 {
                    return Err(error);
                }
                std::thread::sleep(UNREADABLE_PAUSE);
            }
            self.forward();
            self.flush();
            if !self.moved.load(Ordering::Acquire) {
                return Ok(());
            }
        }
    }

    /// Folds what the log holds; asks for another go if there may be more, or if it could not be read.
    fn fold_some(&mut self) -> Result<(), ReadError> {
        let mut outcome = Ok(());
        for partition in 0..self.engine.follow().len() {
            let follow = &self.engine.follow()[partition];
            if follow.stopped.is_some() {
                continue;
            }
            match self.log.read(Topic::Ledger, partition as u32, follow.next, FOLD_AT_ONCE) {
                Ok(records) => {
                    let wall = (self.clock)();
                    for stored in &records {
                        self.engine.stored(stored, wall);
                        if self.engine.follow()[partition].stopped.is_some() {
                            self.stopped(partition);
                            break;
                        }
                    }
                    if !records.is_empty() {
                        self.moved.store(true, Ordering::Release);
                    }
                }
                Err(ReadError::Damaged { offset, reason, .. }) => {
                    self.engine.stop(partition, format!("offset {offset}: {reason}"));
                    self.stopped(partition);
                }
                Err(error @ ReadError::Unavailable(_)) => {
                    tracing::warn!(partition, %error, "log cannot be read now");
                    self.moved.store(true, Ordering::Release);
                    outcome = Err(error);
                }
            }
        }
        outcome
    }

    /// The same while others are served: what cannot be read now is tried again after a pause.
    fn fold_on(&mut self) {
        if self.fold_some().is_err() {
            std::thread::sleep(UNREADABLE_PAUSE);
        }
    }

    fn stopped(&self, partition: usize) {
        crate::metrics::STOPPED.inc();
        let reason = self.engine.follow()[partition].stopped.as_deref();
        tracing::error!(partition, reason, "a record is damaged: this partition stops, the others serve");
    }

    fn forward(&mut self) {
        let Some(feed) = &self.feed else { return };
        for folded in self.engine.take_folded() {
            // Blocks when the follower is far behind: better slow than unseen.
            if feed.send(Feed::Record(folded)).is_err() {
                return;
            }
        }
    }

    fn flush(&mut self) {
        let due = self.last_flush.elapsed() >= FLUSH_EVERY && self.flusher_idle.load(Ordering::Acquire);
        if due && let Some(flusher) = &self.flusher {
            self.flusher_idle.store(false, Ordering::Release);
            self.last_flush = Instant::now();
            let next = self.engine.follow().iter().map(|follow| follow.next).collect();
            let image = disk::image(&mut self.engine.ledger, next, &mut self.flushed);
            let _ = flusher.send((image, None));
        }
    }

    /// Folds what was appended, answers it, and writes everything behind.
    fn stop(mut self, done: &Sender<()>) {
        let patience = Instant::now() + Duration::from_secs(5);
        while (self.engine.pending() > 0 || self.engine.has_batch()) && Instant::now() < patience {
            let wall = (self.clock)();
            self.append(wall);
            if let Ok(message) = self.inbox.recv_timeout(Duration::from_millis(50)) {
                self.take(message, wall);
            }
            self.fold_on();
            self.forward();
        }
        if let Some(flusher) = self.flusher.take() {
            let (sender, receiver) = crossbeam_channel::bounded(1);
            let next = self.engine.follow().iter().map(|follow| follow.next).collect();
            let image = disk::image(&mut self.engine.ledger, next, &mut self.flushed);
            if flusher.send((image, Some(sender))).is_ok() {
                let _ = receiver.recv_timeout(Duration::from_secs(5));
            }
        }
        let _ = done.send(());
    }
}

/// Answers a submission that never reached the owner.
pub(crate) fn overloaded(submission: Submission) {
    (submission.reply)(Answer::Overloaded);
}

/// Every shard from its beginning, for a follower that has nothing yet.
pub fn from_the_beginning() -> Vec<Sequence> {
    vec![0; usize::from(SHARDS)]
}
