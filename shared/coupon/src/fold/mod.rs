//! What a record of the ledger does to the state: the same on every replica, for ever.
//!
//! The rules of keys, fences and cancels are those of the small model in the design; each is there because a
//! history goes wrong without it.

mod appeal;
mod audit;
mod bulk;
mod case;
mod challenge;
mod claim;
mod guard;
mod label;
mod list;
mod lock;
mod penalty;
mod redeem;
mod rehearse;
mod review;
mod ruleset;
mod shelf;
mod snooze;
mod stock;
mod user;

use crate::event::Event;
use crate::id::{MerchantId, Sequence, Shard};
use crate::record::{Cancel, Entry, Fence, GuardKind, Record, RequestKey};
use crate::state::{Done, Key, Read, RequestOutcome, RequestRow, Row, Rows, live_request, oldest_stamp, stamp};
use crate::terms::{Millis, Zone};

pub(crate) use guard::lock_end;
pub use guard::{counter_and_limit, entity_version};
pub(crate) use shelf::Place;
pub use shelf::{find_coupon, untouched};

/// Where a record stands in its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The shard.
    pub shard: Shard,
    /// Counted from 1.
    pub sequence: Sequence,
    /// On the log's clock.
    pub time: Millis,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It happened; the running number that it was given, or 0.
    Applied(u64),
    /// Its key was used before.
    Replayed(Done),
    /// Its key is cancelled, or this cancelled it.
    Cancelled,
    /// A refusal came between; its error code's number.
    Fenced(u16),
    /// A guard did not hold.
    Void(GuardKind),
    /// Refusals were noted.
    Noted,
}

/// The newest rules of the fold that this release knows. They change only at a recorded switch, so that what was
/// folded before keeps its meaning.
///
/// Rules number 2 are carried by test builds only: they keep the first refusal of a key where the first rules keep the
/// last. With them, switches between releases are exercised.
pub const SEMANTICS: u16 = if cfg!(feature = "semantics-2") { 2 } else { 1 };

/// By which rules a shard is folded.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The kind of guard that is not looked at: none, but where a test shows what each is for.
    pub without: Option<GuardKind>,
    /// The number of the rules.
    pub semantics: u16,
}

impl Default for Rules {
    fn default() -> Self {
        Self { without: None, semantics: 1 }
    }
}

impl Rules {
    fn look_at(self, kind: GuardKind) -> bool {
        self.without != Some(kind)
    }
}

/// The time of a record: never before the last, and never further ahead of its proposal than the lead.
pub fn record_time(last: Millis, append_time: Millis, proposed_at: Option<Millis>) -> Millis {
    let bounded = proposed_at.map_or(append_time, |at| append_time.min(at.saturating_add(crate::record::MAX_LEAD_MS)));
    last.max(bounded)
}

/// Folds one record.
pub fn fold<R: Rows>(rows: &mut R, entry: &Entry, at: At, rules: Rules) -> Outcome {
    rows.forget_requests(at.shard, oldest_stamp(at.time));
    match entry {
        Entry::Guarded(record) => fold_record(rows, record, at, rules),
        Entry::Fences(fences) => {
            for fence in &fences.fences {
                fold_fence(rows, fence, at, rules);
            }
            Outcome::Noted
        }
        Entry::Cancel(cancel) => fold_cancel(rows, *cancel, at),
    }
}

fn fold_record<R: Rows>(rows: &mut R, record: &Record, at: At, rules: Rules) -> Outcome {
    if let Some(request) = &record.request {
        let row = live_request(rows, at.shard, request.key, at.time);
        match row.map(|row| &row.outcome) {
            Some(RequestOutcome::Done(done)) if rules.look_at(GuardKind::Request) => return Outcome::Replayed(*done),
            Some(RequestOutcome::Cancelled) => return Outcome::Cancelled,
            _ => {}
        }
        let (fences, refusal) = row.map_or((0, 0), |row| (row.fences, row.refusal));
        if fences != request.fences && rules.look_at(GuardKind::Fences) {
            // An attempt that a refusal made void counts as a refusal itself: a third one may still be under way.
            put_refusal(rows, request.key, refusal, at);
            return Outcome::Fenced(refusal);
        }
        if at.time >= request.deadline && rules.look_at(GuardKind::Time) {
            return Outcome::Void(GuardKind::Time);
        }
    }
    if record.merchant.shard() != at.shard {
        return Outcome::Void(GuardKind::Absent);
    }
    for guard in &record.guards {
        if rules.look_at(guard.kind()) && !guard::holds(rows, record.merchant, guard, at) {
            return Outcome::Void(guard.kind());
        }
    }
    let mut number = 0;
    let mut scope = Scope { rows, merchant: record.merchant, at, labels: 0 };
    for event in &record.events {
        number = scope.apply(event).max(number);
    }
    if let Some(request) = &record.request {
        let done = Done { sequence: at.sequence, number, fingerprint: request.fingerprint };
        put_request(scope.rows, request.key, RequestOutcome::Done(done), at);
    }
    Outcome::Applied(number)
}

fn fold_fence<R: Rows>(rows: &mut R, fence: &Fence, at: At, rules: Rules) {
    let row = live_request(rows, at.shard, fence.key, at.time);
    let first = row.map(|row| row.refusal).filter(|_| rules.semantics >= 2);
    if row.is_none_or(|row| row.outcome == RequestOutcome::Open) {
        put_refusal(rows, fence.key, first.unwrap_or(fence.refusal), at);
    }
    if let Some(decision) = &fence.decision {
        review::refused(rows, decision, at);
    }
}

fn fold_cancel<R: Rows>(rows: &mut R, cancel: Cancel, at: At) -> Outcome {
    match live_request(rows, at.shard, cancel.key, at.time).map(|row| &row.outcome) {
        Some(RequestOutcome::Done(done)) => Outcome::Replayed(*done),
        Some(RequestOutcome::Cancelled) => Outcome::Cancelled,
        _ => {
            put_request(rows, cancel.key, RequestOutcome::Cancelled, at);
            Outcome::Cancelled
        }
    }
}

fn put_refusal<R: Rows>(rows: &mut R, key: RequestKey, refusal: u16, at: At) {
    let fences = live_request(rows, at.shard, key, at.time).map_or(0, |row| row.fences) + 1;
    let row = RequestRow { stamp: stamp(at.time), fences, refusal, outcome: RequestOutcome::Open };
    rows.put(Key::Request(at.shard, key), Row::Request(row));
}

fn put_request<R: Rows>(rows: &mut R, key: RequestKey, outcome: RequestOutcome, at: At) {
    let (fences, refusal) = live_request(rows, at.shard, key, at.time).map_or((0, 0), |row| (row.fences, row.refusal));
    let row = RequestRow { stamp: stamp(at.time), fences, refusal, outcome };
    rows.put(Key::Request(at.shard, key), Row::Request(row));
}

/// The rows of one merchant, at one record.
struct Scope<'a, R> {
    rows: &'a mut R,
    merchant: MerchantId,
    at: At,
    /// Labels that the record has set so far.
    labels: u64,
}

impl<R: Rows> Scope<'_, R> {
    /// Applies an event; the running number that it gave, or 0.
    fn apply(&mut self, event: &Event) -> u64 {
        self.decided(event);
        match event {
            Event::MerchantCreated(profile) => self.merchant_created(profile),
            Event::QuotasSet(merchant, quotas) => self.quotas_set(*merchant, *quotas),
            Event::ApiKeyCreated(key) => self.api_key_created(key),
            Event::ApiKeyEnds(hash, at) => self.api_key_ends(*hash, *at),
            Event::MerchantOpened(profile) => self.merchant_opened(profile),
            Event::StoreCreated(profile) => self.store_created(profile),
            Event::StockCreated(profile) => self.stock_created(profile),
            Event::StockChanged(stock, profile) => self.stock_changed(*stock, |s| s.profile = (**profile).clone()),
            Event::StockMoved(stock, state, stop) => self.stock_changed(*stock, |s| {
                s.state = *state;
                s.redemptions_stopped = *stop;
            }),
            Event::TotalSet(stock, total) => self.stock_changed(*stock, |s| s.profile.total = *total),
            Event::BudgetSet(stock, budget) => self.stock_changed(*stock, |s| s.profile.budget = *budget),
            Event::LimitsSet(stock, limits) => self.stock_changed(*stock, |s| s.profile.limits = *limits),
            Event::CodesMade(made) => return self.codes_made(made),
            Event::BatchVoided(batch, _) => self.batch_voided(*batch),
            Event::CouponClaimed(claim) => return self.claimed(claim),
            Event::CouponsLocked(lock) => self.locked(lock),
            Event::LockExtended(lock, until) => self.lock_extended(*lock, *until),
            Event::LockReleased(lock, _) => self.lock_ended(*lock, crate::state::LockEnd::Released),
            Event::LockExpired(lock) => self.lock_ended(*lock, crate::state::LockEnd::Expired),
            Event::CouponsRedeemed(redemption) => self.redeemed(redemption),
            Event::RedemptionReversed(reversal) => self.reversed(reversal),
            Event::CouponVoided(void) => self.coupon_voided(void.coupon),
            Event::CouponsExpired(stock, until) => self.coupons_expired(*stock, *until),
            Event::OperationStarted(operation) => self.operation_started(operation),
            Event::CodesImported(chunk) => self.codes_imported(chunk),
            Event::CouponsSent(chunk) => self.coupons_sent(chunk),
            Event::RehearsalOpened(rehearsal) => self.rehearsal_opened(rehearsal),
            Event::RehearsalForgotten(forgotten) => self.rehearsal_forgotten(forgotten),
            Event::RedemptionsExpected(stock, expected) => self.redemptions_expected(*stock, *expected),
            Event::LoadTestStored(test) => self.load_test_stored(test),
            Event::RulesPushed(pushed) => return self.rules_pushed(pushed),
            Event::RulesMoved(moved) => return self.rules_moved(moved),
            Event::LabelSet(set) => return self.label_set(set),
            Event::CaseStepped(stepped) => return self.case_stepped(stepped),
            Event::SnoozeStepped(stepped) => self.snooze_stepped(stepped),
            Event::ListStepped(stepped) => self.list_stepped(stepped),
            Event::ModelPushed(pushed) => return self.model_pushed(pushed),
            Event::ModelMoved(moved) => return self.model_moved(moved),
            Event::Audited(deed) => self.audited(deed),
            Event::Penalty(step) => self.penalty(step),
            Event::Appeal(step) => self.appeal(step),
            Event::RiskSettingsSet(set) => self.risk_settings_set(set),
            Event::PenaltyLadderSet(set) => self.penalty_ladder_set(set),
            Event::BreakerReset(_) => self.breaker_reset(),
            Event::ChallengeAnswered(answered) => self.challenge_answered(answered),
            Event::UserStepped(stepped) => self.user_stepped(stepped),
            // It stands in its record, and changes nothing.
            Event::Decided(_) => {}
        }
        0
    }

    /// The first moment of the merchant's day in which the record stands.
    fn day(&self) -> Millis {
        day_start(self.rows, self.merchant, self.at.time)
    }
}

/// The merchant's zone; UTC where it is not known, which no record that applies can meet.
pub(crate) fn zone<V: crate::state::View + ?Sized>(view: &V, merchant: MerchantId) -> chrono_tz::Tz {
    view.merchant_row(merchant, merchant).map_or(chrono_tz::UTC, |row| {
        let Zone(zone) = row.profile.zone;
        zone
    })
}

pub(crate) fn day_start<V: crate::state::View + ?Sized>(view: &V, merchant: MerchantId, at: Millis) -> Millis {
    crate::calendar::day_bounds(zone(view, merchant), at).0
}
