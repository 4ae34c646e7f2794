//! How services speak to the owner.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use coupon::fold::At;
use coupon::id::{Sequence, Shard};
use coupon::record::{Entry, RequestKey};
use coupon::terms::Millis;
use crossbeam_channel::Sender;
use event_log::{EventLog, Topic};
use tokio::sync::oneshot;

use crate::codec::{self, Decoded};
use crate::engine::{Answer, Reply, Submission};
use crate::ledger::Ledger;
use crate::owner::{Message, overloaded};
use crate::waiting::Waiting;

/// How long an answer is waited for; then its outcome is unknown to the caller.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How long catching up may take.
const CATCHING_UP: Duration = Duration::from_secs(2);

/// A submission without its reply.
pub type Ask = Box<dyn FnOnce(Reply) -> Submission + Send>;

/// The ledger, to ask and to read. Cheap to clone.
#[derive(Clone)]
pub struct LedgerHandle {
    owner: Sender<Message>,
    log: Arc<dyn EventLog>,
    waiting: Arc<Waiting>,
    clock: fn() -> Millis,
    rounds: Arc<Rounds>,
}

/// Rounds of catching up: who comes while one is under way waits for the next one, together with all others.
#[derive(Default)]
struct Rounds {
    begun: AtomicU64,
    turn: tokio::sync::Mutex<u64>,
}

/// The owner does not answer: it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ledger has ended")]
pub struct Ended;

impl LedgerHandle {
    pub(crate) fn new(
        owner: Sender<Message>,
        log: Arc<dyn EventLog>,
        waiting: Arc<Waiting>,
        clock: fn() -> Millis,
    ) -> Self {
        Self { owner, log, waiting, clock, rounds: Arc::default() }
    }

    /// The wall clock, in milliseconds since 1970.
    pub fn now(&self) -> Millis {
        (self.clock)()
    }

    /// Hands in a submission and waits for its answer; [`Answer::Unknown`] when it takes too long.
    pub async fn submit(&self, ask: impl FnOnce(Reply) -> Submission) -> Answer {
        let (sender, receiver) = oneshot::channel();
        let submission = ask(Box::new(move |answer| {
            // The caller may have gone away; what happened stands in the log.
            let _ = sender.send(answer);
        }));
        if !self.waiting.come() {
            overloaded(submission);
        } else if self.owner.send(Message::Submit(Box::new(submission), Instant::now())).is_err() {
            return Answer::Overloaded;
        }
        match tokio::time::timeout(PATIENCE, receiver).await {
            Ok(Ok(answer)) => {
                crate::fail::point("before_reply");
                answer
            }
            Ok(Err(_)) | Err(_) => Answer::Unknown,
        }
    }

    /// How long those submissions waited for the owner, in the mean, that it took up since this was last asked.
    pub fn waited(&self) -> Duration {
        self.waiting.mean()
    }

    /// Looks at what is folded. Everything that was answered before is in it.
    pub async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Ledger, Millis) -> T + Send + 'static,
    ) -> Result<T, Ended> {
        let (sender, receiver) = oneshot::channel();
        let work = Box::new(move |ledger: &Ledger, now: Millis| {
            let _ = sender.send(query(ledger, now));
        });
        self.owner.send(Message::Query(work)).map_err(|_| Ended)?;
        receiver.await.map_err(|_| Ended)
    }

    /// Whether a request is under way in this process.
    pub async fn is_in_flight(&self, key: RequestKey) -> Result<bool, Ended> {
        let (sender, receiver) = oneshot::channel();
        self.owner.send(Message::IsInFlight(key, sender)).map_err(|_| Ended)?;
        receiver.await.map_err(|_| Ended)
    }

    /// The record with a sequence, and when it was; `None` when there is none of ours.
    pub async fn record(&self, shard: Shard, sequence: Sequence) -> Result<Option<(At, Entry)>, Ended> {
        let place = self.query(move |ledger, _| ledger.shard(shard).positions().get(sequence)).await?;
        let Some((offset, time)) = place else { return Ok(None) };
        let log = self.log.clone();
        let partition = u32::from(shard.0) % log.partitions(Topic::Ledger);
        let read = tokio::task::spawn_blocking(move || log.read(Topic::Ledger, partition, offset, 1));
        let stored = match read.await {
            Ok(Ok(stored)) => stored,
            Ok(Err(error)) => {
                tracing::warn!(%error, "record cannot be read");
                return Ok(None);
            }
            Err(_) => return Err(Ended),
        };
        let decoded = stored.first().and_then(|stored| codec::decode(&stored.bytes).ok());
        Ok(match decoded {
            Some((_, Decoded::Entry(entry))) => Some((At { shard, sequence, time }, *entry)),
            _ => None,
        })
    }

    /// Waits until everything is folded that the log held when this was called, by whomever it was written: what others
    /// were answered before is known here then. False where that cannot be had now.
    pub async fn catch_up(&self) -> bool {
        let wanted = self.rounds.begun.load(Ordering::Acquire) + 1;
        let mut done = self.rounds.turn.lock().await;
        if *done >= wanted {
            return true;
        }
        let round = self.rounds.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let log = self.log.clone();
        let ends = tokio::task::spawn_blocking(move || {
            let partitions = 0..log.partitions(Topic::Ledger);
            partitions.map(|partition| log.latest(Topic::Ledger, partition)).collect::<Result<Vec<_>, _>>()
        });
        let Ok(Ok(ends)) = ends.await else { return false };
        let (sender, receiver) = oneshot::channel();
        let asked = self.owner.send(Message::CatchUp(ends, sender)).is_ok();
        let caught_up = asked && matches!(tokio::time::timeout(CATCHING_UP, receiver).await, Ok(Ok(())));
        if caught_up {
            *done = round;
        }
        caught_up
    }

    /// The log itself.
    pub fn log(&self) -> &Arc<dyn EventLog> {
        &self.log
    }

    /// Finishes what is under way, writes everything behind, ends. At most ten seconds.
    pub async fn stop(&self) {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        if self.owner.send(Message::Stop(sender)).is_ok() {
            let wait = move || receiver.recv_timeout(Duration::from_secs(10));
            let _ = tokio::task::spawn_blocking(wait).await;
        }
    }
}
