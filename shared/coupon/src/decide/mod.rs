//! What a command may do, on the state as its proposer knows it: events, and the guards under which they hold.
//!
//! Each decision is a ladder: existence, who may, state, terms, limits. It may change from release to release;
//! what it decided stands in the record.

mod appeal;
mod audit;
mod bulk;
mod case;
mod challenge;
mod claim;
mod kept;
mod label;
mod lifecycle;
mod list;
mod penalty;
mod platform;
mod redeem;
mod rehearse;
mod reverse;
mod risk_settings;
mod ruleset;
mod snooze;
mod user;

use crate::audit::Audited;
use crate::command::Command;
use crate::decision::EnforcedBy;
use crate::event::{Action, Decision, Event, Pseudonym};
use crate::id::MerchantId;
use crate::penalty::Deed;
use crate::record::{Counter, Entity, Guard};
use crate::rejection::{Refusal, Rejection};
use crate::state::{Merchant, Read, Stock, View};
use crate::subject::Subject;
use crate::terms::Millis;

pub use bulk::CHUNK_ROWS;
pub use redeem::{Evaluation, evaluate, preview};
pub use reverse::preview_reversal;

/// Events, and the guards under which they hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Proposal {
    /// All must hold.
    pub guards: Vec<Guard>,
    /// What then happens.
    pub events: Vec<Event>,
}

/// A decision's result.
pub type Decided = Result<Proposal, Refusal>;

/// Where and when a decision is made.
pub struct Scene<'a, V: ?Sized> {
    /// The state as the proposer knows it.
    pub view: &'a V,
    /// Whose it is.
    pub merchant: MerchantId,
    /// On the proposer's estimate of the log's clock.
    pub now: Millis,
}

/// Decides a command.
pub fn decide<V: View + ?Sized>(scene: Scene<'_, V>, command: &Command) -> Decided {
    match command {
        Command::CreateMerchant(profile) => Ok(only(Event::MerchantCreated(profile.clone()))),
        Command::OpenMerchant(profile) => platform::open_merchant(scene, profile),
        Command::SetQuotas(merchant, quotas) => platform::set_quotas(scene, *merchant, *quotas),
        Command::CreateKey(key) => platform::create_key(scene, key),
        Command::RotateKey(key, old, until) => platform::rotate_key(scene, key, *old, *until),
        Command::EndKey(hash) => platform::end_key(scene, *hash),
        Command::CreateStore(name, location) => lifecycle::create_store(scene, name, *location),
        Command::CreateStock(profile, expected) => lifecycle::create_stock(scene, profile, *expected),
        Command::ChangeStock(stock, patch) => lifecycle::change_stock(scene, *stock, patch),
        Command::MoveStock(stock, step, stop) => lifecycle::move_stock(scene, *stock, *step, *stop),
        Command::SetTotal(stock, current, target) => lifecycle::set_total(scene, *stock, *current, *target),
        Command::SetBudget(stock, current, target) => lifecycle::set_budget(scene, *stock, *current, *target),
        Command::SetLimit(stock, name, current, target) => {
            lifecycle::set_limit(scene, *stock, *name, *current, *target)
        }
        Command::MakeCodes(stock, count, label) => bulk::make_codes(scene, *stock, *count, label),
        Command::VoidBatch(batch, reason) => bulk::void_batch(scene, *batch, reason),
        Command::Claim(claim) => claim::claim(scene, claim),
        Command::Lock(usage, terms) => redeem::lock(scene, usage, *terms),
        Command::ExtendLock(lock, token, ttl) => redeem::extend_lock(scene, *lock, *token, *ttl),
        Command::ReleaseLock(lock, token, reason) => redeem::release_lock(scene, *lock, *token, *reason),
        Command::Redeem(usage) => redeem::redeem(scene, usage),
        Command::Reverse(reverse) => reverse::reverse(scene, reverse),
        Command::VoidCoupon(coupon, reason) => claim::void_coupon(scene, *coupon, reason),
        Command::StartOperation(operation) => bulk::start_operation(scene, operation),
        Command::ImportChunk(operation, chunk, rows, last) => {
            bulk::import_chunk(scene, *operation, *chunk, rows, *last)
        }
        Command::SendChunk(operation, chunk, rows, last) => bulk::send_chunk(scene, *operation, *chunk, rows, *last),
        Command::ExpireLock(lock) => redeem::expire_lock(scene, *lock),
        Command::ExpireCoupons(stock, until) => lifecycle::expire_coupons(scene, *stock, *until),
        Command::OpenRehearsal(terms) => rehearse::open(scene, *terms),
        Command::ForgetRehearsal(stock) => rehearse::forget(scene, *stock),
        Command::StoreLoadTest(test) => rehearse::store(scene, test),
        Command::PushRules(pushed) => ruleset::push(scene, pushed),
        Command::MoveRules(moved) => ruleset::step(scene, moved),
        Command::SetLabels(labels) => label::set(scene, labels),
        Command::StepCase(stepped, voids) => case::step(scene, stepped, voids),
        Command::StepSnooze(stepped) => snooze::step(scene, stepped),
        Command::StepList(stepped) => list::step(scene, stepped),
        Command::PushModel(pushed) => ruleset::push_model(scene, pushed),
        Command::MoveModel(moved) => ruleset::step_model(scene, moved),
        Command::By(by, command) => decide_by(scene, by, command),
        Command::Impose(impose) => penalty::impose(scene, impose),
        Command::MovePenalty(penalty, act, by) => penalty::step(scene, *penalty, act, by),
        Command::Appeal(appeal) => appeal::make(scene, appeal),
        Command::ResolveAppeal(resolve) => appeal::resolve(scene, resolve),
        Command::SetRiskSettings(set, current) => risk_settings::set(scene, set, *current),
        Command::SetPenaltyLadder(set, current) => risk_settings::set_ladder(scene, set, *current),
        Command::ResetBreaker(reset) => risk_settings::reset_breaker(scene, reset),
        Command::AnswerChallenge(answered) => challenge::answer(scene, answered),
        Command::KeepDecision(kept) => kept::keep(scene, kept),
        Command::StepUser(stepped) => user::step(scene, stepped),
    }
}

/// The same, with a note of who did it where that is asked for later.
fn decide_by<V: View + ?Sized>(scene: Scene<'_, V>, by: &str, command: &Command) -> Decided {
    let mut proposal = decide(scene, command)?;
    if let Some((what, object)) = audit::deed(scene, command) {
        let deed = Audited { by: by.to_owned(), what: what.to_owned(), object };
        proposal.events.push(Event::Audited(Box::new(deed)));
    }
    Ok(proposal)
}

impl<V: ?Sized> Clone for Scene<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: ?Sized> Copy for Scene<'_, V> {}

fn only(event: Event) -> Proposal {
    Proposal { guards: Vec::new(), events: vec![event] }
}

impl<'a, V: View + ?Sized> Scene<'a, V> {
    fn stock(&self, number: u64) -> Result<&'a Stock, Rejection> {
        self.view.stock(self.merchant, number).map(AsRef::as_ref).ok_or(Rejection::StockNotFound)
    }

    /// The merchant, whatever bars it.
    fn known_merchant(&self) -> Result<&'a Merchant, Rejection> {
        self.view.merchant_row(self.merchant, self.merchant).map(AsRef::as_ref).ok_or(Rejection::MerchantNotFound)
    }

    /// The merchant, where no sanction bars it from this.
    fn free_to(&self, deed: Deed) -> Result<&'a Merchant, Rejection> {
        let merchant = self.known_merchant()?;
        merchant.barred(deed, self.now).map_or(Ok(merchant), |it| Err(Rejection::MerchantSuspended(it)))
    }

    /// The same, and what has to be guarded so that it holds where the record stands.
    fn still_free_to(&self, deed: Deed) -> Result<Vec<Guard>, Rejection> {
        let row = self.free_to(deed)?;
        let version = crate::fold::entity_version(self.view, self.merchant, Entity::Merchant);
        let since = row.standing.as_deref().and_then(|standing| standing.free_since(deed, self.now));
        let ended = since.map(|since| Guard::TimeIn(since, Millis::MAX));
        Ok([Guard::MerchantOpen, Guard::Version(Entity::Merchant, version)].into_iter().chain(ended).collect())
    }

    /// Whether risk lets it through. What this reads is not guarded: who was just cleared may have to try again.
    fn risk(&self, user: Option<Pseudonym>, decision: &Decision) -> Result<(), Rejection> {
        let is_let_through = match decision.action {
            Action::Allow => true,
            Action::Review => !self.holds() || decision.basis.is_none() || self.is_cleared(user, decision),
            Action::Challenge | Action::Block => false,
        };
        if is_let_through { Ok(()) } else { Err(Rejection::Risk(Box::new(decision.clone()))) }
    }

    /// What is to be reviewed waits here.
    fn holds(&self) -> bool {
        let has_tripped = self.view.breaker(self.merchant).is_some_and(|breaker| breaker.tripped_at.is_some());
        has_tripped || self.view.risk_settings(self.merchant).is_some_and(|row| row.set.value.review_holds)
    }

    /// Somebody has looked at the same subject, and found it honest.
    fn is_cleared(&self, user: Option<Pseudonym>, decision: &Decision) -> bool {
        let until = Subject::of(user, decision).and_then(|subject| self.view.cleared(self.merchant, subject));
        until.is_some_and(|until| *until > self.now)
    }

    /// A decision as its record keeps it: what a person has looked at already is not to be reviewed again.
    fn recorded(&self, user: Option<Pseudonym>, decision: &Decision) -> Decision {
        let mut recorded = decision.clone();
        if let Some(basis) = recorded.basis.as_mut().filter(|_| decision.action == Action::Review)
            && self.is_cleared(user, decision)
        {
            (recorded.action, basis.enforced_by) = (Action::Allow, EnforcedBy::Case);
        }
        recorded
    }

    fn zone(&self) -> chrono_tz::Tz {
        crate::fold::zone(self.view, self.merchant)
    }

    /// What a counter has left; `None` where nothing limits it.
    fn left(&self, counter: Counter) -> Option<i64> {
        let (count, limit) = crate::fold::counter_and_limit(self.view, self.merchant, counter, self.now);
        limit.map(|limit| limit - count)
    }
}
