//! The thread that counts and, in the risk-scorer, publishes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use coupon::decision::{Asked, Decision};
use coupon::id::MerchantId;
use crossbeam_channel::{Receiver, Sender, select};
use event_log::envelope::{self, Header, Realm};
use event_log::{EventLog, Topic};
use projection::feed::{Feed, Folded};
use risk::{Rule, Subject, VelocityRules, Verdict};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::InlineRisk;
use crate::graph_of::{self, Seen};
use crate::history::History;
use crate::past::{self, Past, What};
use crate::refit::Fitted;
use crate::signals::{SCORER, SIGNAL, Signal, beat_of};
use crate::store::{Counts, Positions, Row, Store, StoreError};
use crate::writer::{self, Changes, Then};

/// The type of a verdict's record.
const VERDICT: u16 = 1;
/// Records read at once.
const AT_ONCE: usize = 1_024;

/// Why the scorer does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its projection cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No thread could be made.
    #[error("no thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// What a process does with its counts.
#[derive(Clone, Debug)]
pub enum Part {
    /// Counts, and publishes what its rules say.
    Publisher(VelocityRules),
    /// Counts for its own decisions; verdicts come from the publisher.
    Follower,
}

/// Starts the scorer in two steps: what it has counted so far decides from where the ledger must be fed.
pub struct Scorer;

/// A scorer's projection, opened.
pub struct Opened {
    store: Store,
    counts: Counts,
    positions: Positions,
    history: Arc<History>,
}

/// A running scorer.
#[derive(Clone)]
pub struct ScorerHandle {
    /// Counts and verdicts.
    pub inline: Arc<InlineRisk>,
    /// What happened.
    pub history: Arc<History>,
    stop: Sender<()>,
    stopped: Receiver<()>,
}

impl Scorer {
    /// Opens the projection in a folder; damage is wiped. Where nothing is there, it begins with what another instance
    /// has counted, if that is given and sound.
    pub fn open(folder: &Path, partitions: u32, counts: Option<&Path>) -> Result<Opened, StartError> {
        let kept = folder.with_extension("history");
        let (mut store, mut found) = Store::open(folder, partitions as usize)?;
        let history = if let Some(history) = History::open(&kept, store.positions().history)? {
            history
        } else {
            tracing::warn!("history of risk is damaged, counting anew from the log");
            (store, found) = store.wipe(partitions as usize)?;
            History::anew(&kept)?
        };
        if let (true, Some(file)) = (found.is_empty(), counts) {
            match store.import(file, partitions as usize) {
                Ok(imported) => found = imported,
                Err(error) => tracing::warn!(%error, "counts of a snapshot are refused, counting anew from the log"),
            }
        }
        Ok(Opened { positions: store.positions().clone(), store, counts: found, history: Arc::new(history) })
    }
}

impl Opened {
    /// The last sequence of each shard that is counted.
    pub fn positions(&self) -> Vec<u64> {
        self.positions.ledger.clone()
    }

    /// Starts counting.
    pub fn start(
        self,
        log: Arc<dyn EventLog>,
        feed: Receiver<Feed>,
        inline: Arc<InlineRisk>,
        part: &Part,
        clock: fn() -> i64,
    ) -> Result<ScorerHandle, StartError> {
        let (publishes, rules, block_seconds) = match part {
            Part::Publisher(rules) => (true, rules.rules(), rules.block_seconds),
            Part::Follower => (false, Vec::new(), 0),
        };
        let (moved, moves) = crossbeam_channel::bounded(1);
        log.watch(Arc::new(move || {
            // Full: it is going to look anyway.
            let _ = moved.try_send(());
        }));
        let (stop, stops) = crossbeam_channel::bounded(1);
        let (done, stopped) = crossbeam_channel::bounded(1);
        let (wish, wishes) = crossbeam_channel::bounded(1);
        let history = self.history.clone();
        let mut worker = Worker {
            writer: writer::start(self.store)?,
            rules,
            block_seconds,
            publishes,
            positions: self.positions,
            dirty: FxHashSet::default(),
            verdicts: vec![0; log.partitions(Topic::Verdicts) as usize],
            log,
            inline: inline.clone(),
            sightings: graph_of::start(&inline, &self.history)?,
            history: self.history,
            fitting: None,
            labels: FxHashMap::default(),
            relabelled: FxHashSet::default(),
            broken: false,
            clock,
        };
        inline.live().start(clock());
        worker.restore(self.counts);
        worker.read_topics();
        *inline.refits.lock() = Some(wish);
        inline.fit();
        std::thread::Builder::new().name("risk-scorer".into()).spawn(move || {
            worker.run(&feed, &Asks { moves, stops, wishes });
            let _ = done.send(());
        })?;
        Ok(ScorerHandle { inline, history, stop, stopped })
    }
}

impl ScorerHandle {
    /// Writes everything and ends; waits at most five seconds.
    pub fn stop(&self) {
        let _ = self.stop.try_send(());
        let _ = self.stopped.recv_timeout(Duration::from_secs(5));
    }
}

/// What the thread listens to beside the ledger.
struct Asks {
    /// Something stands in the log that it has not read.
    moves: Receiver<()>,
    /// It shall end.
    stops: Receiver<()>,
    /// Rules look at something that is not counted.
    wishes: Receiver<()>,
}

struct Worker {
    log: Arc<dyn EventLog>,
    inline: Arc<InlineRisk>,
    history: Arc<History>,
    /// To the thread that keeps the graph.
    sightings: Sender<Seen>,
    /// Counts that are being made from the history.
    fitting: Option<Receiver<Fitted>>,
    rules: Vec<Rule>,
    block_seconds: i64,
    publishes: bool,
    writer: Sender<Changes>,
    positions: Positions,
    dirty: FxHashSet<Subject>,
    /// Decisions that somebody labelled, and whether as fraud.
    labels: FxHashMap<(u32, u64), bool>,
    /// Of these, what changed since it was written last.
    relabelled: FxHashSet<(u32, u64)>,
    /// The history could not be written: nothing is made durable any more.
    broken: bool,
    /// The next offset of each partition of the verdicts.
    verdicts: Vec<u64>,
    clock: fn() -> i64,
}

impl Worker {
    fn restore(&mut self, found: Counts) {
        let mut counts = self.inline.counts().write();
        counts.velocity.restore(found.subjects);
        counts.table.restore(found.cells);
        self.labels = found.labels;
        counts.plan = risk::feature::Plan::of(&self.positions.features);
        counts.ledger.clone_from(&self.positions.ledger);
        counts.signals.clone_from(&self.positions.signals);
        counts.watermark_ms = self.positions.watermark_ms;
    }

    fn run(&mut self, feed: &Receiver<Feed>, asks: &Asks) {
        let tick = crossbeam_channel::tick(Duration::from_secs(1));
        let (never, still) = (crossbeam_channel::never(), crossbeam_channel::never());
        let mut moves = &asks.moves;
        loop {
            let fitting = self.fitting.clone();
            select! {
                recv(feed) -> message => match message {
                    Ok(message) => self.feed(message),
                    Err(_) => return self.drain_and_flush(feed),
                },
                recv(moves) -> moved => match moved {
                    Ok(()) => self.read_topics(),
                    // A log that is only read watches nothing, and has let go of who would tell.
                    Err(_) => moves = &still,
                },
                recv(asks.wishes) -> _ => self.begin_fitting(),
                recv(fitting.as_ref().unwrap_or(&never)) -> fitted => self.end_fitting(fitted.ok()),
                recv(tick) -> _ => self.forget(),
                recv(asks.stops) -> _ => return self.drain_and_flush(feed),
            }
            // What is still in the channel is at most a moment old; an own scorer is heard of as long as it runs.
            if self.publishes {
                self.inline.heard((self.clock)());
            }
        }
    }

    fn begin_fitting(&mut self) {
        if self.fitting.is_some() {
            return;
        }
        let plan = self.inline.lacking();
        if plan.features().is_empty() {
            return self.inline.fit();
        }
        let (done, fitted) = crossbeam_channel::bounded(1);
        let (history, most) = (self.history.clone(), self.inline.most_counts());
        let work = move || match Fitted::of(plan, most, &history) {
            // Who asked may have ended.
            Ok(fitted) => drop(done.send(fitted)),
            Err(error) => tracing::error!(%error, "history cannot be counted for new rules"),
        };
        match projection::background::spawn("risk-fitting", work) {
            Ok(_) => self.fitting = Some(fitted),
            Err(error) => tracing::error!(%error, "no thread to count for new rules"),
        }
    }

    fn end_fitting(&mut self, fitted: Option<Fitted>) {
        self.fitting = None;
        let Some(fitted) = fitted else { return };
        if let Err(error) = self.inline.take_over(fitted, &self.history) {
            tracing::error!(%error, "history cannot be counted for new rules");
        }
    }

    fn forget(&self) {
        let before = (self.clock)() - i64::from(self.inline.history_days) * 86_400_000;
        if let Err(error) = self.history.forget_before(before) {
            tracing::warn!(%error, "old history of risk cannot be deleted");
        }
    }

    fn drain_and_flush(&mut self, feed: &Receiver<Feed>) {
        while let Ok(message) = feed.recv_timeout(Duration::from_millis(1)) {
            self.feed(message);
        }
        let (sender, done) = crossbeam_channel::bounded(1);
        self.write(Then::Done(sender));
        // Gone without a word: it has said why.
        let _ = done.recv();
    }

    fn feed(&mut self, message: Feed) {
        match message {
            Feed::Records(folded) => folded.iter().for_each(|folded| self.record(folded)),
            Feed::Barrier(done) => self.write(Then::Done(done)),
            Feed::Export(done) => self.write(Then::Export(done)),
        }
    }

    fn record(&mut self, folded: &Folded) {
        let shard = usize::from(folded.at.shard.0);
        if folded.at.sequence <= self.positions.ledger[shard] {
            return;
        }
        self.positions.ledger[shard] = folded.at.sequence;
        let watermark_ms = self.positions.watermark_ms.max(folded.at.time);
        self.positions.watermark_ms = watermark_ms;
        let mut past = past::of_record(folded);
        self.inline.live().record(folded, &past);
        past.extend(self.labelled(folded));
        self.count(&past, folded.at.time, |counts| {
            counts.ledger[shard] = folded.at.sequence;
            counts.watermark_ms = watermark_ms;
        });
    }

    /// What labels change: whoever said the same before changes nothing, and what is not in the history any more is in no
    /// window either.
    fn labelled(&mut self, folded: &Folded) -> Vec<Past<&'static Decision>> {
        let labels = past::labels_of(folded);
        let Some(merchant) = folded.entry.as_deref().and_then(past::merchant_of).filter(|_| !labels.is_empty()) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for (decision, fraud) in labels {
            let before = self.labels.insert((merchant.0, decision), fraud).unwrap_or(false);
            if before != fraud {
                self.relabelled.insert((merchant.0, decision));
                found.extend(self.label(merchant, decision, folded, i64::from(fraud) - i64::from(before)));
            }
        }
        found
    }

    fn label(&self, merchant: MerchantId, number: u64, folded: &Folded, fraud: i64) -> Option<Past<&'static Decision>> {
        let found = self.history.find(merchant, number).unwrap_or_else(|error| {
            tracing::error!(%error, "history of risk cannot be read for a label");
            None
        });
        let (event_at_ms, decided) = found.filter(|(_, decided)| decided.done && decided.asked != Asked::Lock)?;
        let Decision { device, ip, .. } = decided.decision;
        let (sequence, who) = (folded.at.sequence, decided.who);
        let labelled = past::Labelled { sequence, event_at_ms, fraud, device, ip, who };
        Some(Past { merchant, time_ms: folded.at.time, what: What::Labelled(Box::new(labelled)) })
    }

    /// Counts in one go, the positions with it: a decision sees all of a record or nothing.
    fn count(&mut self, past: &[Past<&Decision>], time_ms: i64, reached: impl FnOnce(&mut crate::Counts)) {
        let mut hits = Vec::new();
        let mut counts = self.inline.counts().write();
        for past in past {
            counts.count(past, |subject, of_subject| {
                self.dirty.insert(subject);
                let rules = self.rules.iter();
                hits.extend(rules.filter_map(|rule| Some((subject, rule.hit(&subject, of_subject, time_ms)?))));
            });
        }
        reached(&mut counts);
        drop(counts);
        for seen in past.iter().filter_map(Past::sighting) {
            // Gone only where this process ends.
            let _ = self.sightings.send(seen);
        }
        if let Err(error) = self.history.append(past) {
            tracing::error!(%error, "history of risk cannot be written");
            self.broken = true;
        }
        for (subject, hit) in hits {
            let verdict = hit.verdict(subject, time_ms, self.block_seconds);
            let standing = self.inline.verdict(&subject, &verdict.rule);
            // Said already, or over before it is said: a rebuild says nothing twice.
            let said = standing.is_some_and(|standing| standing.until_ms > time_ms);
            if !said && verdict.until_ms > (self.clock)() {
                self.publish(verdict);
            }
        }
    }

    /// Into the log; here it counts from now on, elsewhere when it is read.
    fn publish(&mut self, verdict: Verdict) {
        let key = verdict.subject.pseudonym[0];
        let header =
            Header { realm: Realm::Live, record_type: VERDICT, semantics: 1, shard: key, original_time_ms: None };
        let mut bytes = Vec::with_capacity(128);
        envelope::seal(&mut bytes, &header, |out| {
            let written = bincode::serde::encode_into_std_write(&verdict, out, bincode::config::standard());
            debug_assert!(written.is_ok(), "writing to memory fails for no verdict");
        });
        let partition = u32::from(key) % self.log.partitions(Topic::Verdicts);
        let entry = event_log::Entry { topic: Topic::Verdicts, partition, bytes: bytes.into() };
        projection::fail::point("before_append");
        if let Err(error) = self.log.append(vec![entry], Box::new(|_| projection::fail::point("after_append"))) {
            tracing::warn!(%error, "verdict was not published");
        }
        tracing::info!(rule = verdict.rule, count = verdict.count, "verdict: subject blocked");
        self.inline.apply(verdict, (self.clock)());
    }

    fn read_topics(&mut self) {
        for partition in 0..self.verdicts.len() {
            let from = self.verdicts[partition];
            self.verdicts[partition] = self.read(Topic::Verdicts, partition, from, VERDICT, Self::verdict);
        }
        for partition in 0..self.positions.signals.len() {
            let from = self.positions.signals[partition];
            self.positions.signals[partition] = self.read(Topic::Signals, partition, from, SIGNAL, Self::signal);
        }
    }

    /// Reads on to the end of a partition; the next offset.
    fn read<T: serde::de::DeserializeOwned>(
        &mut self,
        topic: Topic,
        partition: usize,
        mut next: u64,
        record_type: u16,
        each: fn(&mut Self, T, usize, u64),
    ) -> u64 {
        loop {
            let records = match self.log.read(topic, partition as u32, next, AT_ONCE) {
                Ok(records) if records.is_empty() => return next,
                Ok(records) => records,
                Err(error) => {
                    tracing::warn!(%error, "topic cannot be read on");
                    return next;
                }
            };
            for stored in records {
                next = stored.offset + 1;
                if let Some(beat) = beat_of(&stored).filter(|_| topic == Topic::Signals) {
                    if beat.service == SCORER {
                        self.inline.heard(stored.append_time_ms);
                    }
                    self.inline.live().instances().lock().beat(beat, stored.append_time_ms);
                }
                let Ok(opened) = envelope::open(&stored.bytes) else { continue };
                if opened.header.record_type != record_type {
                    continue;
                }
                let decoded = bincode::serde::decode_from_slice(opened.payload, bincode::config::standard());
                if let Ok((value, _)) = decoded {
                    each(self, value, partition, stored.offset);
                }
            }
        }
    }

    fn verdict(&mut self, verdict: Verdict, _partition: usize, _offset: u64) {
        self.inline.apply(verdict, (self.clock)());
    }

    fn signal(&mut self, signal: Signal, partition: usize, offset: u64) {
        self.positions.signals[partition] = offset + 1;
        self.inline.live().signal(&signal);
        let (merchant, time_ms) = (MerchantId(signal.merchant), signal.time_ms);
        let past = Past { merchant, time_ms, what: What::Refused { offset, signal } };
        self.count(&[past], time_ms, |counts| counts.signals[partition] = offset + 1);
    }

    /// Hands what changed to the thread that writes it. Decisions are made meanwhile: only this thread changes counts, so
    /// that reading them here keeps nobody from reading.
    fn write(&mut self, then: Then) {
        match self.history.write() {
            Ok(end) if !self.broken => self.positions.history = end,
            Ok(_) => return,
            Err(error) => {
                tracing::error!(%error, "history of risk cannot be written");
                self.broken = true;
                return;
            }
        }
        let mut counts = self.inline.counts().write();
        self.dirty.extend(counts.velocity.take_evicted());
        let changed = counts.table.take_changed();
        self.positions.features = counts.plan.features().to_vec();
        drop(counts);
        let counts = self.inline.counts().read();
        let of_subject = |subject: Subject| Row::Subject(subject, counts.velocity.get(&subject).cloned());
        let mut rows: Vec<Row> = self.dirty.drain().map(of_subject).collect();
        rows.extend(changed.into_iter().map(|key| Row::Cell(key, counts.table.row(&key))));
        drop(counts);
        let labels = &self.labels;
        rows.extend(self.relabelled.drain().map(|key| Row::Label(key, labels.get(&key).copied())));
        let changes = Changes { rows, positions: self.positions.clone(), then };
        if self.writer.send(changes).is_err() {
            tracing::error!("the thread that writes the risk projection is gone");
        }
    }
}
