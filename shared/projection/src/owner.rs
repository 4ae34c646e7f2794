//! The owner's thread: one for all partitions, which decides, batches, folds and answers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use coupon::id::{SHARDS, Sequence};
use coupon::record::RequestKey;
use coupon::terms::Millis;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use event_log::{AppendError, EventLog, Offset, ReadError, Topic};

use crate::disk::{self, Image, Reached};
use crate::engine::{Answer, Difference, Engine, Follow, Submission};
use crate::feed::{Feed, Folded};
use crate::ledger::Ledger;
use crate::waiting::Waiting;

mod ahead;
mod start;
mod verify;

pub use start::{EXIT_CODE, Progress, Start, StartError, start};

/// How often what changed is written behind. Gathering it takes a moment in which nothing is answered, so: little at once.
const FLUSH_EVERY: Duration = Duration::from_millis(500);
/// The same while no row changes.
const FLUSH_AT_REST: Duration = Duration::from_secs(10);
/// Records folded in one go before others get their turn.
const FOLD_AT_ONCE: usize = 1_024;

/// Records that may wait for a follower that is busy; with more, the owner waits for it.
const MAX_UNSENT: usize = 8_192;

/// A batch that is under way for so long means that the log is away.
const AWAY_AFTER: Duration = Duration::from_secs(3);

/// How long to wait where the log could not be read.
const UNREADABLE_PAUSE: Duration = Duration::from_millis(50);

/// Looks at what is folded, at this time of the wall clock.
pub type Query = Box<dyn FnOnce(&Ledger, Millis) + Send>;

/// Something for the owner to do.
pub enum Message {
    /// Decide; handed in then.
    Submit(Box<Submission>, Instant),
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

type Flusher = Sender<(Image, Option<Sender<()>>)>;

struct Owner {
    engine: Engine,
    log: Arc<dyn EventLog>,
    inbox: Receiver<Message>,
    outbox: Sender<Message>,
    waiting: Arc<Waiting>,
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
    /// Folded, and not yet sent to the follower.
    unsent: Vec<Folded>,
    flusher: Option<Sender<(Image, Option<Sender<()>>)>>,
    flusher_idle: Arc<AtomicBool>,
    flushed: Vec<Sequence>,
    last_flush: Instant,
    /// Everything that was there at the start is folded.
    serving: bool,
    /// Who waits until each partition is folded so far.
    catching_up: Vec<(Vec<Offset>, tokio::sync::oneshot::Sender<()>)>,
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
        if !self.unsent.is_empty() {
            return Duration::from_millis(1);
        }
        let due = self.engine.ledger.next_due().map_or(1_000, |due| due - (self.clock)());
        Duration::from_millis(due.clamp(1, 1_000) as u64)
    }

    fn take(&mut self, message: Message, wall: Millis) {
        match message {
            Message::Submit(submission, since) => {
                self.waiting.taken(since.elapsed());
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
                if let Some(since) = self.appending.take() {
                    crate::metrics::APPEND.observe(since.elapsed().as_secs_f64());
                }
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

    /// Hands on what was folded, together: each time wakes the follower's thread.
    fn forward(&mut self) {
        let Some(feed) = &self.feed else { return };
        self.unsent.append(&mut self.engine.take_folded());
        if self.unsent.is_empty() {
            return;
        }
        if self.unsent.len() > MAX_UNSENT {
            return self.forward_all();
        }
        if let Err(TrySendError::Full(Feed::Records(kept))) =
            feed.try_send(Feed::Records(std::mem::take(&mut self.unsent)))
        {
            self.unsent = kept;
        }
    }

    /// The same, and waits until the follower has taken it: better slow than unseen.
    fn forward_all(&mut self) {
        let Some(feed) = &self.feed else { return };
        self.unsent.append(&mut self.engine.take_folded());
        // The follower may have ended.
        let _ = feed.send(Feed::Records(std::mem::take(&mut self.unsent)));
    }

    fn flush(&mut self, every: Duration) {
        let since = self.last_flush.elapsed();
        let due = since >= every && (since >= FLUSH_AT_REST || self.engine.ledger.dirty() > 0);
        let due = due && self.flusher_idle.load(Ordering::Acquire);
        if due && self.flusher.is_some() {
            // The follower has everything before the image that is written after it has said so. One that is busy is not
            // waited for: answers would.
            self.forward();
            if !self.unsent.is_empty() {
                return;
            }
            self.flusher_idle.store(false, Ordering::Release);
            self.last_flush = Instant::now();
            let reached = reached(&self.engine);
            let image = disk::image(&mut self.engine.ledger, reached, &mut self.flushed);
            if let Some(flusher) = &self.flusher {
                let _ = flusher.send((Image { serving: self.serving, ..image }, None));
            }
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
        self.forward_all();
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
