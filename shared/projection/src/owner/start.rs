//! The start of an owner: what there is of the projection, the rest of the log, the threads.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use coupon::id::{PLATFORM, Sequence};
use coupon::terms::Millis;
use crossbeam_channel::Sender;
use event_log::{EventLog, ReadError, Topic};

use super::{Flusher, Message, Owner, UNREADABLE_PAUSE};
use crate::disk::{self, Disk, Image, Reached};
use crate::engine::{Engine, Follow};
use crate::feed::Feed;
use crate::handle::LedgerHandle;
use crate::ledger::{Ledger, Watcher};
use crate::snapshot::{Snapshots, Snapshotter};
use crate::waiting::Waiting;

/// While a long log is folded and nobody is served yet, so many changed rows are gathered before they are written behind.
const FLUSH_AT_START: usize = 200_000;
/// Records folded in one go while nobody is served yet.
pub(super) const FOLD_AT_START: usize = 4_096;
/// How often a long start says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);
/// How often reading is tried again before a start is given up.
const UNREADABLE_ATTEMPTS: u32 = 100;

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
    let waiting = Arc::<Waiting>::default();
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
        unsent: Vec::new(),
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

fn start_flusher(
    mut disk: Disk,
    feed: Option<Sender<Feed>>,
    snapshots: Option<Snapshots>,
    idle: Arc<AtomicBool>,
) -> std::io::Result<Flusher> {
    let mut snapshotter = snapshots.map(Snapshotter::new);
    let (outbox, inbox) = crossbeam_channel::unbounded::<(Image, Option<Sender<()>>)>();
    crate::background::spawn("ledger-flusher", move || {
        for (image, done) in inbox {
            if let Some(feed) = &feed {
                let (sender, receiver) = crossbeam_channel::bounded(1);
                if feed.send(Feed::Barrier(sender)).is_ok() && receiver.recv().is_err() {
                    // Later images rest on this one, so that none can be written any more; the next start folds the log
                    // from the last that was.
                    tracing::error!("the follower of the projection writes no more, and so does the projection");
                    idle.store(true, Ordering::Release);
                    return;
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
    /// Folds everything before anybody is served: half of a ledger would be taken for all of it.
    fn fold_all(&mut self) -> Result<(), ReadError> {
        let mut patience = UNREADABLE_ATTEMPTS;
        let mut said = Instant::now();
        let begun = said;
        self.fold_ahead(|owner| owner.folded_some(begun, &mut said))?;
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
                    self.folded_some(begun, &mut said)?;
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

    fn folded_some(&mut self, begun: Instant, said: &mut Instant) -> Result<(), ReadError> {
        self.forward();
        if self.engine.ledger.dirty() >= FLUSH_AT_START {
            self.flush(Duration::ZERO);
        }
        // What is written behind gets the processor when others leave it.
        while self.engine.ledger.dirty() >= 4 * FLUSH_AT_START && !self.flusher_idle.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.look_after();
        self.tell_progress(begun, said)
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
}
