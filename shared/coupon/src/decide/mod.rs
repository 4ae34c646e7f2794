//! What a command may do, on the state as its proposer knows it: events, and the guards under which they hold.
//!
//! Each decision is a ladder: existence, who may, state, terms, limits. It may change from release to release;
//! what it decided stands in the record.

mod bulk;
mod claim;
mod lifecycle;
mod platform;
mod redeem;
mod rehearse;
mod reverse;
mod ruleset;

use crate::command::Command;
use crate::event::{Action, Decision, Event};
use crate::id::MerchantId;
use crate::record::{Counter, Guard};
use crate::rejection::{Refusal, Rejection};
use crate::state::{Read, Stock, View};
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
    }
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

    /// Merchants that are suspended may do nothing.
    fn open_merchant(&self) -> Result<(), Rejection> {
        let row = self.view.merchant_row(self.merchant, self.merchant).ok_or(Rejection::MerchantNotFound)?;
        if row.suspended { Err(Rejection::MerchantSuspended) } else { Ok(()) }
    }

    fn risk(decision: &Decision) -> Result<(), Rejection> {
        match decision.action {
            Action::Allow | Action::Review => Ok(()),
            Action::Challenge | Action::Block => Err(Rejection::Risk(Box::new(decision.clone()))),
        }
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
