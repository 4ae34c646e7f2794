//! The thread that counts and, in the risk-scorer, publishes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use coupon::event::{Actor, Decision, Event, OrderSummary, Pseudonym};
use coupon::fold::Outcome;
use coupon::id::MerchantId;
use coupon::record::Entry;
use crossbeam_channel::{Receiver, Sender, select};
use event_log::envelope::{self, Header, Realm};
use event_log::{EventLog, Topic};
use projection::feed::{Feed, Folded};
use risk::feature::Happening;
use risk::{Counted, Rule, Subject, SubjectKind, VelocityRules, Verdict};
use rustc_hash::FxHashSet;

use crate::InlineRisk;
use crate::rule_book::Occasion;
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
}

/// A running scorer.
#[derive(Clone)]
pub struct ScorerHandle {
    /// Counts and verdicts.
    pub inline: Arc<InlineRisk>,
    stop: Sender<()>,
    stopped: Receiver<()>,
}

impl Scorer {
    /// Opens the projection in a folder; damage is wiped. Where nothing is there, it begins with what another instance
    /// has counted, if that is given and sound.
    pub fn open(folder: &Path, partitions: u32, counts: Option<&Path>) -> Result<Opened, StartError> {
        let (mut store, mut found) = Store::open(folder, partitions as usize)?;
        if let (true, Some(file)) = (found.is_empty(), counts) {
            match store.import(file, partitions as usize) {
                Ok(imported) => found = imported,
                Err(error) => tracing::warn!(%error, "counts of a snapshot are refused, counting anew from the log"),
            }
        }
        Ok(Opened { positions: store.positions().clone(), store, counts: found })
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
            clock,
        };
        inline.features().write().restore(self.counts.subjects);
        inline.table().write().restore(self.counts.cells);
        inline.counted_up_to(worker.positions.watermark_ms);
        worker.read_topics();
        std::thread::Builder::new().name("risk-scorer".into()).spawn(move || {
            worker.run(&feed, &moves, &stops);
            let _ = done.send(());
        })?;
        Ok(ScorerHandle { inline, stop, stopped })
    }
}

impl ScorerHandle {
    /// Writes everything and ends; waits at most five seconds.
    pub fn stop(&self) {
        let _ = self.stop.try_send(());
        let _ = self.stopped.recv_timeout(Duration::from_secs(5));
    }
}

struct Worker {
    log: Arc<dyn EventLog>,
    inline: Arc<InlineRisk>,
    rules: Vec<Rule>,
    block_seconds: i64,
    publishes: bool,
    writer: Sender<Changes>,
    positions: Positions,
    dirty: FxHashSet<Subject>,
    /// The next offset of each partition of the verdicts.
    verdicts: Vec<u64>,
    clock: fn() -> i64,
}

impl Worker {
    fn run(&mut self, feed: &Receiver<Feed>, moves: &Receiver<()>, stops: &Receiver<()>) {
        let tick = crossbeam_channel::tick(Duration::from_secs(1));
        loop {
            select! {
                recv(feed) -> message => match message {
                    Ok(message) => self.feed(message),
                    Err(_) => return self.drain_and_flush(feed),
                },
                recv(moves) -> _ => self.read_topics(),
                recv(tick) -> _ => {}
                recv(stops) -> _ => return self.drain_and_flush(feed),
            }
            // What is still in the channel is at most a moment old; an own scorer is heard of as long as it runs.
            if self.publishes {
                self.inline.heard((self.clock)());
            }
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
        self.positions.watermark_ms = self.positions.watermark_ms.max(folded.at.time);
        let mut counted = Vec::new();
        let mut observed = Vec::new();
        if let (Outcome::Applied(_), Some(Entry::Guarded(record))) = (folded.outcome, folded.entry.as_deref()) {
            for event in &record.events {
                match event {
                    Event::CouponClaimed(claim) => {
                        let subjects = subjects(record.merchant, &claim.decision, Some(claim.user));
                        counted.extend(subjects.map(|subject| (subject, Counted::Claims)));
                        let occasion = Occasion { stock: Some(claim.stock), ..Occasion::of(Happening::Claim) };
                        observed.push((&claim.decision, Some(claim.user), occasion));
                    }
                    Event::CouponsLocked(lock) => {
                        let occasion = placed(Happening::Lock, &lock.actor, &lock.order);
                        observed.push((&lock.decision, lock.actor.user, occasion));
                    }
                    Event::CouponsRedeemed(redemption) => {
                        let subjects = subjects(record.merchant, &redemption.decision, redemption.actor.user);
                        counted.extend(subjects.map(|subject| (subject, Counted::Redemptions)));
                        let occasion = placed(Happening::Redemption, &redemption.actor, &redemption.order);
                        observed.push((&redemption.decision, redemption.actor.user, occasion));
                    }
                    _ => {}
                }
            }
        }
        if let Some(merchant) = folded.entry.as_deref().and_then(merchant_of) {
            for (decision, user, occasion) in observed {
                let told = [decision.device, decision.ip, user];
                self.inline.observe(merchant, told, &occasion, folded.at.time);
            }
        }
        self.count(&counted, folded.at.time, Some(folded.at.time));
    }

    /// Counts in one go, the watermark with it: a decision sees all of a record or nothing.
    fn count(&mut self, counted: &[(Subject, Counted)], time_ms: i64, watermark_ms: Option<i64>) {
        let mut hits = Vec::new();
        let mut features = self.inline.features().write();
        for (subject, counted) in counted {
            self.dirty.insert(*subject);
            let counts = features.add(*subject, *counted, time_ms);
            hits.extend(self.rules.iter().filter_map(|rule| Some((*subject, rule.hit(subject, counts, time_ms)?))));
        }
        if let Some(watermark_ms) = watermark_ms {
            self.inline.counted_up_to(watermark_ms);
        }
        drop(features);
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
        each: fn(&mut Self, T),
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
                if topic == Topic::Signals && beat_of(&stored).is_some_and(|beat| beat.service == SCORER) {
                    self.inline.heard(stored.append_time_ms);
                }
                let Ok(opened) = envelope::open(&stored.bytes) else { continue };
                if opened.header.record_type != record_type {
                    continue;
                }
                let decoded = bincode::serde::decode_from_slice(opened.payload, bincode::config::standard());
                if let Ok((value, _)) = decoded {
                    each(self, value);
                }
            }
        }
    }

    fn verdict(&mut self, verdict: Verdict) {
        self.inline.apply(verdict, (self.clock)());
    }

    fn signal(&mut self, signal: Signal) {
        let told = [(SubjectKind::Device, signal.device), (SubjectKind::Ip, signal.ip)];
        let subject = |(kind, pseudonym): (SubjectKind, Option<Pseudonym>)| {
            Some((Subject { kind, merchant: signal.merchant, pseudonym: pseudonym? }, Counted::Refused))
        };
        let counted: Vec<_> = told.into_iter().filter_map(subject).collect();
        let refused = Occasion::of(Happening::Refused);
        let told = [signal.device, signal.ip, signal.user];
        self.inline.observe(MerchantId(signal.merchant), told, &refused, signal.time_ms);
        self.count(&counted, signal.time_ms, None);
    }

    /// Hands what changed to the thread that writes it. Decisions are made meanwhile: only this thread changes counts, so
    /// that reading them here keeps nobody from reading.
    fn write(&mut self, then: Then) {
        let evicted = self.inline.features().write().take_evicted();
        self.dirty.extend(evicted);
        let features = self.inline.features().read();
        let of_subject = |subject: Subject| Row::Subject(subject, features.get(&subject).cloned());
        let mut rows: Vec<Row> = self.dirty.drain().map(of_subject).collect();
        drop(features);
        let changed = self.inline.table().write().take_changed();
        let table = self.inline.table().read();
        rows.extend(changed.into_iter().map(|key| Row::Cell(key, table.row(&key))));
        drop(table);
        let changes = Changes { rows, positions: self.positions.clone(), then };
        if self.writer.send(changes).is_err() {
            tracing::error!("the thread that writes the risk projection is gone");
        }
    }
}

fn merchant_of(entry: &Entry) -> Option<MerchantId> {
    match entry {
        Entry::Guarded(record) => Some(record.merchant),
        Entry::Fences(_) | Entry::Cancel(_) => None,
    }
}

fn placed(event: Happening, actor: &Actor, order: &OrderSummary) -> Occasion {
    Occasion {
        store: actor.store,
        cashier: actor.cashier.as_deref().map(Occasion::cashier),
        amount: Some(order.amount),
        ..Occasion::of(event)
    }
}

/// Who is behind a decision, as far as was told.
fn subjects(merchant: MerchantId, decision: &Decision, user: Option<Pseudonym>) -> impl Iterator<Item = Subject> {
    let told = [(SubjectKind::Device, decision.device), (SubjectKind::Ip, decision.ip), (SubjectKind::User, user)];
    told.into_iter()
        .filter_map(move |(kind, pseudonym)| Some(Subject { kind, merchant: merchant.0, pseudonym: pseudonym? }))
}
