//! Risk on the path of a request: limits per device and address, and decisions from verdicts and counts that are here.
//! Each process follows the folded ledger, the signals and the verdicts itself, and counts in its sled projection; the
//! risk-scorer's process publishes verdicts too.
//!
//! Architecture invariant: no decision waits for anything; what is not known is said (`degraded`, `missing`). The ledger's
//! fold never reads a verdict: what is here is advisory and can be rebuilt.

mod limiter;
mod rule_book;
mod scorer;
mod signals;
mod store;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use coupon::event::{Action, Decision, Pseudonym, Reason};
use coupon::id::MerchantId;
use coupon::ruleset::RuleSetRow;
use coupon::state::{Key, Row};
use dashmap::DashMap;
use parking_lot::{Mutex, RwLock};
use risk::feature::{Observation, Table};
use risk::{EVALUATOR, Subject, SubjectKind, Velocity, Verdict};
use serde::{Deserialize, Serialize};

pub use limiter::Limited;
use limiter::Limiter;
pub use risk::VelocityRules;
pub use risk::feature::Happening;
pub use rule_book::Occasion;
use rule_book::RuleBook;
pub use scorer::{Opened, Part, Scorer, ScorerHandle, StartError};
pub use signals::{Beat, Signal, SignalKind, Signals, beat_of, beat_record};

/// Limits per end user, and how old knowledge may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InlineConfig {
    /// Attempts per second that one device regains. Default 20.
    pub device_per_second: u32,
    /// Attempts that one device may make at once. Default 200.
    pub device_burst: u32,
    /// Attempts per second that one address regains. Default 200.
    pub ip_per_second: u32,
    /// Attempts that one address may make at once. Default 2000.
    pub ip_burst: u32,
    /// Devices and addresses that are followed at once, each. Default 1000000.
    pub max_keys: usize,
    /// A risk-scorer that was not heard of for so long makes decisions `degraded`, milliseconds. Default 30000.
    pub stale_after_ms: i64,
}

impl Default for InlineConfig {
    fn default() -> Self {
        Self {
            device_per_second: 20,
            device_burst: 200,
            ip_per_second: 200,
            ip_burst: 2_000,
            max_keys: 1_000_000,
            stale_after_ms: 30_000,
        }
    }
}

/// What test merchants can force by their device ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forced {
    /// `test_block`
    Block,
    /// `test_challenge`
    Challenge,
    /// `test_review`
    Review,
    /// `test_degraded`
    Degraded,
}

impl Forced {
    /// What a device id forces.
    pub fn of(device_id: &str) -> Option<Self> {
        match device_id {
            "test_block" => Some(Self::Block),
            "test_challenge" => Some(Self::Challenge),
            "test_review" => Some(Self::Review),
            "test_degraded" => Some(Self::Degraded),
            _ => None,
        }
    }
}

/// Who asks to claim, lock or redeem.
#[derive(Clone, Debug)]
pub struct Question {
    /// At which merchant.
    pub merchant: MerchantId,
    /// The device, if told.
    pub device: Option<Pseudonym>,
    /// The address, if told.
    pub ip: Option<Pseudonym>,
    /// The user, if told.
    pub user: Option<Pseudonym>,
    /// What was not told.
    pub missing: Vec<String>,
    /// What a test merchant forces.
    pub forced: Option<Forced>,
    /// For what, where and for how much.
    pub occasion: Occasion,
    /// The wall clock, milliseconds.
    pub now_ms: i64,
}

/// Counts that rules may ask for of one device or address, on the average.
const COUNTS_PER_KEY: usize = 4;

/// Limits, verdicts and counts of this process.
pub struct InlineRisk {
    limiter: Limiter,
    stale_after_ms: i64,
    verdicts: DashMap<(Subject, String), Verdict>,
    features: RwLock<Velocity>,
    /// All rule sets, whatever their state.
    rule_sets: Mutex<BTreeMap<u64, Arc<RuleSetRow>>>,
    /// Those of them that are evaluated.
    book: RwLock<Arc<RuleBook>>,
    /// What they look at.
    table: RwLock<Table>,
    watermark_ms: AtomicI64,
    heard_ms: AtomicI64,
}

impl InlineRisk {
    /// Knows nothing yet.
    pub fn new(config: &InlineConfig) -> Self {
        Self {
            limiter: Limiter::new(config),
            stale_after_ms: config.stale_after_ms,
            verdicts: DashMap::new(),
            features: RwLock::new(Velocity::new(config.max_keys)),
            rule_sets: Mutex::default(),
            book: RwLock::default(),
            table: RwLock::new(Table::new(COUNTS_PER_KEY * config.max_keys)),
            watermark_ms: AtomicI64::new(0),
            heard_ms: AtomicI64::new(0),
        }
    }

    /// Takes one attempt of a device and an address. What was not told is not limited.
    pub fn limit(&self, device: Option<Pseudonym>, ip: Option<Pseudonym>) -> Result<(), Limited> {
        self.limiter.take(device, ip)
    }

    /// The counts, which the scorer of this process keeps.
    pub fn features(&self) -> &RwLock<Velocity> {
        &self.features
    }

    /// Takes note of a rule set that changed: from here on its live version counts, with its shadow beside it.
    pub fn changed(&self, key: &Key, row: &Row) {
        if let (Key::RuleSet(_, number), Row::RuleSet(row)) = (key, row) {
            let mut sets = self.rule_sets.lock();
            sets.insert(*number, row.clone());
            let book = RuleBook::of(&sets);
            *self.book.write() = Arc::new(book);
        }
    }

    /// The rules that are evaluated now.
    pub(crate) fn book(&self) -> Arc<RuleBook> {
        self.book.read().clone()
    }

    /// Counts what rules look at, if any do: of device, address and user, as far as they were told.
    pub fn observe(&self, merchant: MerchantId, told: [Option<Pseudonym>; 3], occasion: &Occasion, at_ms: i64) {
        let book = self.book();
        if book.is_empty() {
            return;
        }
        let subject = rule_book::whom(merchant, told, occasion);
        let amount = occasion.amount.unwrap_or_default();
        let observation = Observation { happening: occasion.event, at_ms, subject, amount };
        self.table.write().observe(&book.plan, &observation);
    }

    /// What they look at, which the scorer of this process counts.
    pub(crate) fn table(&self) -> &RwLock<Table> {
        &self.table
    }

    /// Everything up to this time of the log is counted; told while the counts are locked.
    pub fn counted_up_to(&self, watermark_ms: i64) {
        self.watermark_ms.fetch_max(watermark_ms, Ordering::Relaxed);
    }

    /// The scorer was up to date at this time of the wall clock.
    pub fn heard(&self, now_ms: i64) {
        self.heard_ms.fetch_max(now_ms, Ordering::Relaxed);
    }

    /// Up to which time of the log everything is counted.
    pub fn watermark_ms(&self) -> i64 {
        self.watermark_ms.load(Ordering::Relaxed)
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

    /// Decides from what is known here.
    pub fn decide(&self, question: &Question) -> Decision {
        let told = [
            (SubjectKind::Device, question.device),
            (SubjectKind::Ip, question.ip),
            (SubjectKind::User, question.user),
        ];
        let mut slots = Vec::new();
        let mut reasons = Vec::new();
        let features = self.features.read();
        // Moved under the same lock, with what it stands for.
        let watermark = self.watermark_ms();
        for (kind, pseudonym) in told {
            let Some(pseudonym) = pseudonym else { continue };
            let subject = Subject { kind, merchant: question.merchant.0, pseudonym };
            slots.extend(features.slots(&subject, watermark));
            reasons.extend(self.reasons(&subject, question.now_ms));
        }
        drop(features);
        let mut blocked = !reasons.is_empty();
        let book = self.book();
        let mut judged = Action::Allow;
        if !book.is_empty() {
            let told = [question.device, question.ip, question.user];
            let subject = rule_book::whom(question.merchant, told, &question.occasion);
            let table = self.table.read();
            let judgement = book.judge(&table, &subject, &question.occasion, watermark, question.now_ms);
            judged = judgement.action;
            blocked |= judged == Action::Block;
            reasons.extend(judgement.reasons);
        }
        let stale = question.now_ms - self.heard_ms.load(Ordering::Relaxed) > self.stale_after_ms;
        let action = match question.forced {
            Some(Forced::Block) => Action::Block,
            Some(Forced::Challenge) => Action::Challenge,
            Some(Forced::Review) => Action::Review,
            _ if blocked => Action::Block,
            _ => judged,
        };
        Decision {
            action,
            watermark,
            slots,
            missing: question.missing.clone(),
            reasons,
            degraded: stale || question.forced == Some(Forced::Degraded),
            evaluator: EVALUATOR,
            device: question.device,
            ip: question.ip,
        }
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
