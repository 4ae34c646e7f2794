//! Risk on the path of a request: limits per device and address, and decisions from verdicts and counts that are here.
//! Each process follows the folded ledger, the signals and the verdicts itself, and counts in its sled projection; the
//! risk-scorer's process publishes verdicts too.
//!
//! Architecture invariant: no decision waits for anything; what is not known is said (`degraded`, `missing`). The ledger's
//! fold never reads a verdict: what is here is advisory and can be rebuilt.

mod backtest;
mod breakers;
mod counts;
mod decide;
mod digest;
mod graph_of;
mod history;
mod limiter;
mod list_book;
pub mod live;
mod past;
mod proofs;
mod question;
mod refit;
mod rule_book;
mod scorer;
mod signals;
mod store;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use coupon::breaker::BreakerRow;
use coupon::decision::Reason;
use coupon::event::Pseudonym;
use coupon::id::MerchantId;
use coupon::risk_settings::RiskSettings;
use coupon::ruleset::RuleSetRow;
use coupon::snooze::SnoozeRow;
use coupon::state::{Key, Row};
use crossbeam_channel::Sender;
use dashmap::DashMap;
use parking_lot::{Condvar, Mutex, RwLock};
use risk::graph::Graph;
use risk::{Subject, Verdict};

pub use backtest::{Ask, Met, backtest, tried};
use breakers::Breakers;
pub use counts::Counts;
pub use decide::{LIST, derive};
pub use digest::Digest;
pub use history::{History, Spot};
pub use limiter::Limited;
use limiter::Limits;
pub use list_book::{ListBook, Listed, Open, type_of};
use live::Live;
pub use past::{Decided, Labelled, Past, What};
use proofs::Proofs;
pub use question::{Forced, InlineConfig, Question};
pub use risk::VelocityRules;
pub use rule_book::{ModelVersion, Occasion, RuleBook, Version, action_of, outcome_name};
pub use scorer::{Opened, Part, Scorer, ScorerHandle, StartError};
pub use signals::{Beat, Signal, SignalKind, Signals, beat_of, beat_record};

/// Limits, verdicts and counts of this process.
pub struct InlineRisk {
    limits: Limits,
    /// How risk is handled at merchants where that was set.
    settings: DashMap<MerchantId, RiskSettings>,
    breakers: Breakers,
    stale_after_ms: i64,
    degraded_value_limit: i64,
    history_days: u32,
    verdicts: DashMap<(Subject, String), Verdict>,
    lists: RwLock<ListBook>,
    /// Rules that are silent for somebody: by merchant, the rule's name and whom.
    snoozes: DashMap<(MerchantId, u64), Arc<SnoozeRow>>,
    /// Requests that are let through for a proof.
    proofs: Proofs,
    counts: RwLock<Counts>,
    /// Who hangs together with whom. Locked apart: making it anew takes long, and no decision waits for that.
    graph: RwLock<Graph>,
    /// All of the past is in it.
    graph_is_whole: AtomicBool,
    /// All rule sets, whatever their state.
    rule_sets: Mutex<BTreeMap<u64, Arc<RuleSetRow>>>,
    /// All models, likewise.
    models: Mutex<BTreeMap<u64, Arc<RuleSetRow>>>,
    /// Told when rules look at something that is not counted yet; without a scorer there is no past to count.
    refits: Mutex<Option<Sender<()>>>,
    /// Told when other rules are in use.
    fitted: (Mutex<()>, Condvar),
    heard_ms: AtomicI64,
    live: Live,
}

impl InlineRisk {
    /// Knows nothing yet.
    pub fn new(config: &InlineConfig) -> Self {
        Self {
            limits: Limits::new(config),
            settings: DashMap::new(),
            breakers: Breakers::default(),
            stale_after_ms: config.stale_after_ms,
            degraded_value_limit: config.degraded_value_limit,
            history_days: config.history_days,
            verdicts: DashMap::new(),
            lists: RwLock::default(),
            snoozes: DashMap::new(),
            proofs: Proofs::default(),
            counts: RwLock::new(Counts::new(config.max_keys)),
            graph: RwLock::new(Graph::new(config.graph_nodes)),
            graph_is_whole: AtomicBool::new(false),
            rule_sets: Mutex::default(),
            models: Mutex::default(),
            refits: Mutex::default(),
            fitted: (Mutex::new(()), Condvar::new()),
            heard_ms: AtomicI64::new(0),
            live: Live::default(),
        }
    }

    /// Takes one attempt of a device and an address at a merchant. What was not told is not limited.
    pub fn limit(&self, merchant: MerchantId, device: Option<Pseudonym>, ip: Option<Pseudonym>) -> Result<(), Limited> {
        self.limits.take(merchant, device, ip)
    }

    /// The counts, which the scorer of this process keeps.
    pub fn counts(&self) -> &RwLock<Counts> {
        &self.counts
    }

    /// What happens now.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// Each merchant's breaker as it was last changed, with what it goes by.
    pub fn breakers(&self) -> Vec<(MerchantId, BreakerRow, RiskSettings)> {
        let settings = |merchant: &MerchantId| self.settings.get(merchant).map(|own| *own).unwrap_or_default();
        self.breakers.rows().into_iter().map(|(merchant, row)| (merchant, row, settings(&merchant))).collect()
    }

    /// How long ago the risk-scorer was heard of, milliseconds, where that is long enough to make decisions `degraded`;
    /// `i64::MAX` where it never was.
    pub fn stale_for(&self, now_ms: i64) -> Option<i64> {
        let age = if self.heard_ms() == 0 { i64::MAX } else { now_ms - self.heard_ms() };
        (age > self.stale_after_ms).then_some(age)
    }

    /// Lists of risk.
    pub fn lists(&self) -> &RwLock<ListBook> {
        &self.lists
    }

    /// Users, devices and addresses that hang together.
    pub fn graph(&self) -> &RwLock<Graph> {
        &self.graph
    }

    /// Takes note of a rule set that changed: from here on its live version counts, with its shadow beside it.
    pub fn changed(&self, key: &Key, row: &Row) {
        if let (Key::RuleSet(_, number), Row::RuleSet(row)) = (key, row) {
            self.rule_sets.lock().insert(*number, row.clone());
            self.fit();
        }
        if let (Key::Model(_, number), Row::Model(row)) = (key, row) {
            self.models.lock().insert(*number, row.clone());
            self.fit();
        }
        if let (Key::Snooze(merchant, number), Row::Snooze(row)) = (key, row) {
            self.snoozes.insert((*merchant, *number), row.clone());
        }
        if let (Key::RiskSettings(merchant), Row::RiskSettings(row)) = (key, row) {
            self.settings.insert(*merchant, row.set.value);
            self.limits.set(*merchant, &row.set.value);
        }
        if let (Key::Breaker(merchant), Row::Breaker(row)) = (key, row) {
            self.breakers.changed(*merchant, row);
        }
        if let (Key::Case(merchant, number), Row::Case(row)) = (key, row) {
            self.live.cases().lock().changed(*merchant, *number, row);
        }
        if let (Key::Passed(_, request), Row::Passed(row)) = (key, row) {
            self.proofs.add(*request, row.until);
        }
    }

    /// The scorer was up to date at this time of the wall clock.
    pub fn heard(&self, now_ms: i64) {
        self.heard_ms.fetch_max(now_ms, Ordering::Relaxed);
    }

    /// How many counts are kept for rules at most.
    pub(crate) fn most_counts(&self) -> usize {
        self.counts.read().most()
    }

    fn heard_ms(&self) -> i64 {
        self.heard_ms.load(Ordering::Relaxed)
    }

    /// Up to which time of the log everything is counted.
    pub fn watermark_ms(&self) -> i64 {
        self.counts.read().watermark_ms
    }

    /// Takes a verdict in; those that are over go when there are many.
    pub fn apply(&self, verdict: Verdict, now_ms: i64) {
        if self.verdicts.len() > 100_000 {
            self.verdicts.retain(|_, verdict| verdict.until_ms > now_ms);
        }
        self.verdicts.insert((verdict.subject, verdict.rule.clone()), verdict);
    }

    /// What is said of a subject, over or not.
    pub fn verdicts_of(&self, subject: &Subject) -> Vec<Verdict> {
        let of = self.verdicts.iter().filter(|entry| entry.key().0 == *subject);
        of.map(|entry| entry.value().clone()).collect()
    }

    /// A rule's verdict of a subject.
    pub fn verdict(&self, subject: &Subject, rule: &str) -> Option<Verdict> {
        self.verdicts.get(&(*subject, rule.to_owned())).map(|verdict| verdict.clone())
    }

    fn reasons(&self, subject: &Subject, now_ms: i64) -> Vec<Reason> {
        if self.verdicts.is_empty() {
            return Vec::new();
        }
        let rules = risk::velocity::SLOTS.iter().filter(|slot| slot.kind == subject.kind);
        rules
            .filter_map(|slot| self.verdict(subject, slot.name))
            .filter(|verdict| verdict.until_ms > now_ms)
            .map(|verdict| Reason {
                code: verdict.rule,
                value: verdict.count,
                threshold: verdict.threshold,
                window_seconds: verdict.window_seconds,
            })
            .collect()
    }
}
