//! The owner's thread: one for all partitions, which decides, batches, folds and answers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use coupon::id::{PLATFORM, SHARDS, Sequence};
use coupon::record::RequestKey;
use coupon::terms::Millis;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use event_log::{AppendError, EventLog, Offset, ReadError, Topic};

use crate::disk::{self, Disk, Image, Reached};
use crate::engine::{Answer, Difference, Engine, Follow, Submission};
use crate::feed::Feed;
use crate::handle::LedgerHandle;
use crate::ledger::{Ledger, Watcher};
use crate::snapshot::{Snapshots, Snapshotter};

/// Submissions that may wait for the owner; more is refused as overload.
pub const MAX_WAITING: usize = 20_000;
/// How often what changed is written behind.
const FLUSH_EVERY: Duration = Duration::from_secs(2);
/// The same while a long log is folded and nobody is served yet.
const FLUSH_AT_START: Duration = Duration::from_secs(20);
/// Records folded in one go before others get their turn.
const FOLD_AT_ONCE: usize = 1_024;

/// Records folded in one go while nobody is served yet.
const FOLD_AT_START: usize = 4_096;
/// How often a long start says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);
/// A batch that is under way for so long means that the log is away.
const AWAY_AFTER: Duration = Duration::from_secs(3);

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
    /// Wait until each partition is folded up to an offset.
    CatchUp(Vec<Offset>, tokio::sync::oneshot::Sender<()>),
    /// The log moved, or a batch's append ended.
    Appended(Vec<u64>, Result<(), AppendError>),
    /// The log moved.
    Moved,
    /// Another instance's hash was wrong, as the log says.
    Contradict(Difference),
    /// The own state is not what the log says.
    Wrong(String),
    /// Write everything behind and end.
    Stop(Sender<()>),
}

/// What an owner is started with.
pub struct Start {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// Where its image lies; `None` keeps nothing.
    pub folder: Option<PathBuf>,
    /// Drawn at random: tells this instance's records apart.
    pub instance: u64,
    /// The wall clock, in milliseconds since 1970.
    pub clock: fn() -> Millis,
    /// Told of merchants and keys.
    pub watcher: Option<Watcher>,
    /// Who follows what is folded, and from which sequence of each shard on it needs to.
    pub feed: Option<(Sender<Feed>, Vec<Sequence>)>,
    /// Whether it does what is due by the clock and tells its hashes; otherwise it only follows and does what it is
    /// asked to.
    pub leads: bool,
    /// How far the start is.
    pub progress: Arc<Progress>,
    /// Where snapshots go.
    pub snapshots: Option<Snapshots>,
    /// Called when the instance is of no use any more, with the reason. The default ends the process.
    pub on_fatal: fn(&str),
}

impl Start {
    /// With nothing but what is needed.
    pub fn new(log: Arc<dyn EventLog>, clock: fn() -> Millis) -> Self {
        Self {
            log,
            folder: None,
            instance: rand::random(),
            clock,
            watcher: None,
            feed: None,
            leads: true,
            progress: Arc::default(),
            snapshots: None,
            on_fatal: end_process,
        }
    }
}

/// The exit code of an instance that is of no use any more.
pub const EXIT_CODE: i32 = 4;

fn end_process(reason: &str) {
    tracing::error!(reason, "this instance ends");
    std::process::exit(EXIT_CODE);
}

/// How far a start is, in records; for those who wait for it.
#[derive(Debug, Default)]
pub struct Progress {
    folded: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// Records that are folded, and how many there are.
    pub fn get(&self) -> (u64, u64) {
        (self.folded.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }
}

/// How a start went.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The image cannot be opened.
    #[error("the projection cannot be opened: {0}")]
    Disk(#[from] disk::DiskError),
    /// The log cannot be read.
    #[error("the log cannot be read: {0}")]
    Log(#[from] ReadError),
    /// A copy of another log that was begun and not ended.
    #[error("copying the ledger to this log was begun and not ended: run `counterfoil copy` again")]
    Unfinished,
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
    /// Since when a batch is under way.
    appending: Option<Instant>,
    /// The last batch came to no answer.
    failing: bool,
    verifying: Arc<AtomicBool>,
    on_fatal: fn(&str),
    folder: Option<PathBuf>,
    progress: Arc<Progress>,
    feed: Option<Sender<Feed>>,
    flusher: Option<Sender<(Image, Option<Sender<()>>)>>,
    flusher_idle: Arc<AtomicBool>,
    flushed: Vec<Sequence>,
    last_flush: Instant,
    /// Everything that was there at the start is folded.
    serving: bool,
    /// Who waits until each partition is folded so far.
    catching_up: Vec<(Vec<Offset>, tokio::sync::oneshot::Sender<()>)>,
}

/// Reads the image, folds what the log holds beyond it, and starts the owner. Returns when everything is folded.
pub fn start(start: Start) -> Result<LedgerHandle, StartError> {
    let partitions = start.log.partitions(Topic::Ledger) as usize;
    let (mut disk, mut ledger, mut reached) = open_disk(&start, partitions)?;
    for (partition, reached) in reached.iter().enumerate() {
        if !reached.stands_in(start.log.as_ref(), partition as u32)? {
            tracing::warn!(partition, "the projection is not of this log, or ahead of it: folding the log anew");
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
        reached = vec![Reached::default(); partitions];
        if let Some(disk) = &mut disk {
            disk.clear()?;
        }
    }
    if let Some(watcher) = start.watcher {
        ledger.watch(watcher);
    }
    let flushed = ledger.shards().map(|shard| shard.sequence).collect();
    let follow = reached.into_iter().map(Follow::from).collect();
    let (outbox, inbox) = crossbeam_channel::unbounded();
    let waiting = Arc::new(AtomicUsize::new(0));
    let moved = Arc::new(AtomicBool::new(true));
    watch_log(start.log.as_ref(), &outbox, &moved);
    let feed = start.feed.map(|(feed, _)| feed);
    let flusher_idle = Arc::new(AtomicBool::new(true));
    let flusher =
        disk.map(|disk| start_flusher(disk, feed.clone(), start.snapshots, flusher_idle.clone())).transpose()?;
    let mut owner = Owner {
        engine: engine(Engine::new(ledger, start.instance, follow, feed.is_some()), start.leads),
        log: start.log.clone(),
        inbox,
        outbox: outbox.clone(),
        waiting: waiting.clone(),
        moved,
        clock: start.clock,
        appending: None,
        failing: false,
        verifying: Arc::default(),
        on_fatal: start.on_fatal,
        folder: start.folder,
        progress: start.progress,
        feed,
        flusher,
        flusher_idle,
        flushed,
        last_flush: Instant::now(),
        catching_up: Vec::new(),
        serving: false,
    };
    owner.fold_all()?;
    owner.serving = true;
    let platform = owner.engine.ledger.shard(PLATFORM.shard());
    if platform.sequence > 0 && !platform.sealed {
        return Err(StartError::Unfinished);
    }
    for (partition, follow) in owner.engine.follow().iter().enumerate() {
        if let Some(reason) = &follow.stopped {
            tracing::error!(partition, reason, "partition is damaged and stopped; the others serve");
        }
    }
    let handle = LedgerHandle::new(outbox, start.log, waiting, start.clock);
    std::thread::Builder::new().name("ledger-owner".into()).spawn(move || owner.run())?;
    Ok(handle)
}

fn engine(mut engine: Engine, leads: bool) -> Engine {
    if leads {
        engine.tell_hashes();
    } else {
        engine.only_follow();
    }
    engine
}

fn open_disk(start: &Start, partitions: usize) -> Result<(Option<Disk>, Ledger, Vec<Reached>), StartError> {
    match &start.folder {
        None => Ok((None, Ledger::new(), vec![Reached::default(); partitions])),
        Some(folder) => {
            let (disk, ledger, reached) = Disk::open(folder, partitions)?;
            Ok((Some(disk), ledger, reached))
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

fn start_flusher(
    mut disk: Disk,
    feed: Option<Sender<Feed>>,
    snapshots: Option<Snapshots>,
    idle: Arc<AtomicBool>,
) -> std::io::Result<Flusher> {
    let mut snapshotter = snapshots.map(Snapshotter::new);
    let (outbox, inbox) = crossbeam_channel::unbounded::<(Image, Option<Sender<()>>)>();
    std::thread::Builder::new().name("ledger-flusher".into()).spawn(move || {
        for (image, done) in inbox {
            if let Some(feed) = &feed {
                let (sender, receiver) = crossbeam_channel::bounded(1);
                if feed.send(Feed::Barrier(sender)).is_ok() {
                    let _ = receiver.recv();
                }
            }
            let written = disk.write(&image).and_then(|()| if disk.is_wasteful() { disk.compact() } else { Ok(()) });
            if let Err(error) = written {
                // The log has everything; the next start folds what is missing here.
                tracing::error!(%error, "projection cannot be written");
            }
            if image.serving
                && done.is_none()
                && let Some(snapshotter) = &mut snapshotter
            {
                snapshotter.look(&mut disk, image.meta.records(), feed.as_ref());
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
            self.caught_up();
            self.engine.propose_due(wall);
            self.engine.sweep(wall);
            self.append(wall);
            self.forward();
            self.flush(FLUSH_EVERY);
        }
    }

    fn patience(&self) -> Duration {
        if self.moved.load(Ordering::Acquire) || (self.engine.has_batch() && self.appending.is_none()) {
            return Duration::ZERO;
        }
        let due = self.engine.ledger.next_due().map_or(1_000, |due| due - (self.clock)());
        Duration::from_millis(due.clamp(1, 1_000) as u64)
    }

    fn take(&mut self, message: Message, wall: Millis) {
        match message {
            Message::Submit(submission) => {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                if self.is_away() {
                    return (submission.reply)(Answer::Away);
                }
                self.engine.submit(submission, wall);
            }
            Message::Query(query) => query(&self.engine.ledger, wall),
            Message::IsInFlight(key, asked) => {
                // Who asked may have gone away.
                let _ = asked.send(self.engine.is_in_flight(key));
            }
            Message::Appended(numbers, result) => {
                self.appending = None;
                match result {
                    Ok(()) => {
                        crate::fail::point("after_append");
                        self.failing = false;
                        self.moved.store(true, Ordering::Release);
                    }
                    Err(AppendError::OutcomeUnknown(error)) => {
                        tracing::warn!(error, records = numbers.len(), "append without an answer");
                        self.failing = true;
                        self.engine.doubt(&numbers);
                    }
                    Err(AppendError::Full | AppendError::Closed) => self.engine.refused_by_log(&numbers, wall),
                }
            }
            Message::CatchUp(ends, done) => self.catching_up.push((ends, done)),
            Message::Contradict(difference) => self.engine.contradict(difference),
            Message::Wrong(reason) => self.end(&reason),
            Message::Moved | Message::Stop(_) => {}
        }
    }

    /// One batch at a time: what gathers while it is written goes into the next.
    fn append(&mut self, wall: Millis) {
        if self.appending.is_some() || !self.engine.has_batch() {
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
        self.appending = Some(Instant::now());
        crate::fail::point("before_append");
        if let Err(error) = self.log.append(entries, ack) {
            self.appending = None;
            tracing::warn!(%error, "batch was not taken");
            self.engine.refused_by_log(&numbers, wall);
        }
    }

    fn caught_up(&mut self) {
        let follow = self.engine.follow();
        let reached = |ends: &[Offset]| ends.iter().zip(follow).all(|(end, follow)| follow.next >= *end);
        let (there, waiting) = std::mem::take(&mut self.catching_up).into_iter().partition(|(ends, _)| reached(ends));
        self.catching_up = waiting;
        let there: Vec<(Vec<Offset>, tokio::sync::oneshot::Sender<()>)> = there;
        for (_, done) in there {
            // Who asked may have gone away.
            let _ = done.send(());
        }
    }

    /// The log has not answered for so long that more would only wait in vain. Between two attempts whatever comes is
    /// taken: it shows whether the log is back.
    fn is_away(&self) -> bool {
        let limit = if self.failing { Duration::ZERO } else { AWAY_AFTER };
        self.appending.is_some_and(|since| since.elapsed() > limit)
    }

    /// Folds everything before anybody is served: half of a ledger would be taken for all of it.
    fn fold_all(&mut self) -> Result<(), ReadError> {
        let mut patience = UNREADABLE_ATTEMPTS;
        let mut said = Instant::now();
        let begun = said;
        loop {
            self.moved.store(false, Ordering::Release);
            for partition in 0..self.engine.follow().len() {
                loop {
                    let folded = match self.fold_partition(partition, FOLD_AT_START) {
                        Ok(folded) => folded,
                        Err(error) => {
                            patience -= 1;
                            if patience == 0 {
                                return Err(error);
                            }
                            std::thread::sleep(UNREADABLE_PAUSE);
                            self.moved.store(true, Ordering::Release);
                            break;
                        }
                    };
                    self.forward();
                    self.flush(FLUSH_AT_START);
                    self.look_after();
                    self.tell_progress(begun, &mut said)?;
                    if folded == 0 {
                        break;
                    }
                }
            }
            if !self.moved.load(Ordering::Acquire) {
                return Ok(());
            }
        }
    }

    fn tell_progress(&self, begun: Instant, said: &mut Instant) -> Result<(), ReadError> {
        let folded = self.engine.follow().iter().map(|follow| follow.next).sum();
        self.progress.folded.store(folded, Ordering::Relaxed);
        if said.elapsed() < PROGRESS_EVERY && self.progress.total.load(Ordering::Relaxed) > 0 {
            return Ok(());
        }
        let ends = (0..self.engine.follow().len()).map(|partition| self.log.end(Topic::Ledger, partition as u32));
        let total: u64 = ends.sum::<Result<u64, _>>()?;
        self.progress.total.store(total, Ordering::Relaxed);
        if said.elapsed() >= PROGRESS_EVERY {
            *said = Instant::now();
            let percent = folded * 100 / total.max(1);
            tracing::info!(folded, total, percent, seconds = begun.elapsed().as_secs(), "folding the log");
        }
        Ok(())
    }

    /// Folds what the log holds; asks for another go if there may be more, or if it could not be read.
    fn fold_some(&mut self) -> Result<(), ReadError> {
        let mut outcome = Ok(());
        for partition in 0..self.engine.follow().len() {
            match self.fold_partition(partition, FOLD_AT_ONCE) {
                Ok(0) => {}
                Ok(_) => self.moved.store(true, Ordering::Release),
                Err(error) => {
                    self.moved.store(true, Ordering::Release);
                    outcome = Err(error);
                }
            }
        }
        self.look_after();
        outcome
    }

    /// Folds what one partition holds, so many records at most; how many it were.
    fn fold_partition(&mut self, partition: usize, most: usize) -> Result<usize, ReadError> {
        let follow = &self.engine.follow()[partition];
        if follow.stopped.is_some() {
            return Ok(0);
        }
        match self.log.read(Topic::Ledger, partition as u32, follow.next, most) {
            Ok(records) => {
                let wall = (self.clock)();
                for stored in &records {
                    self.engine.stored(stored, wall);
                    if self.engine.follow()[partition].stopped.is_some() {
                        self.stopped(partition);
                        break;
                    }
                }
                Ok(records.len())
            }
            Err(ReadError::Damaged { offset, reason, .. }) => {
                self.engine.stop(partition, format!("offset {offset}: {reason}"));
                self.stopped(partition);
                Ok(0)
            }
            Err(error @ ReadError::Unavailable(_)) => {
                tracing::warn!(partition, %error, "log cannot be read now");
                Err(error)
            }
        }
    }

    /// What was folded may say that this instance is too old, or that its state is not that of another.
    fn look_after(&mut self) {
        if let Some(newer) = self.engine.outdated() {
            (self.on_fatal)(&newer.to_string());
        }
        for difference in self.engine.take_differences() {
            tracing::error!(?difference, "another instance has another state; the log is asked who is right");
            if !self.verifying.swap(true, Ordering::AcqRel) {
                self.verify(difference);
            }
        }
    }

    /// Folds the shard anew on a thread of its own. Who is wrong ends; who is right says so, and goes on.
    fn verify(&self, difference: Difference) {
        let (log, outbox, verifying) = (self.log.clone(), self.outbox.clone(), self.verifying.clone());
        let body = move || {
            let message = match crate::refold::hash_at(log.as_ref(), difference.shard, difference.sequence) {
                Ok(Some(hash)) if hash == difference.own => Some(Message::Contradict(difference)),
                Ok(Some(_)) => {
                    let Difference { shard, sequence, .. } = difference;
                    Some(Message::Wrong(format!(
                        "the state of shard {} after record {sequence} is not what the log gives; the projection is \
                         thrown away at the next start",
                        shard.0
                    )))
                }
                Ok(None) => None,
                Err(error) => {
                    tracing::warn!(%error, "the log could not be asked");
                    None
                }
            };
            if let Some(message) = message {
                // The owner is gone when this fails.
                let _ = outbox.send(message);
            }
            verifying.store(false, Ordering::Release);
        };
        if let Err(error) = std::thread::Builder::new().name("ledger-verify".into()).spawn(body) {
            tracing::error!(%error, "no thread to ask the log with");
        }
    }

    fn end(&self, reason: &str) {
        if let Some(folder) = &self.folder
            && let Err(error) = disk::discard(folder)
        {
            tracing::error!(%error, "the projection cannot be marked; remove it by hand");
        }
        (self.on_fatal)(reason);
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

    fn flush(&mut self, every: Duration) {
        let due = self.last_flush.elapsed() >= every && self.flusher_idle.load(Ordering::Acquire);
        if due && let Some(flusher) = &self.flusher {
            self.flusher_idle.store(false, Ordering::Release);
            self.last_flush = Instant::now();
            let reached = reached(&self.engine);
            let image = disk::image(&mut self.engine.ledger, reached, &mut self.flushed);
            let _ = flusher.send((Image { serving: self.serving, ..image }, None));
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
            let reached = reached(&self.engine);
            let image = disk::image(&mut self.engine.ledger, reached, &mut self.flushed);
            if flusher.send((image, Some(sender))).is_ok() {
                let _ = receiver.recv_timeout(Duration::from_secs(5));
            }
        }
        let _ = done.send(());
    }
}

fn reached(engine: &Engine) -> Vec<Reached> {
    engine.follow().iter().map(Follow::reached).collect()
}

/// Answers a submission that never reached the owner.
pub(crate) fn overloaded(submission: Submission) {
    (submission.reply)(Answer::Overloaded);
}

/// Every shard from its beginning, for a follower that has nothing yet.
pub fn from_the_beginning() -> Vec<Sequence> {
    vec![0; usize::from(SHARDS)]
}
