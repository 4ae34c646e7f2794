//! Guards, read against the state in which their record stands.

use crate::event::StockState;
use crate::fold::{At, day_start, find_coupon};
use crate::id::{MerchantId, Sequence};
use crate::penalty::Deed;
use crate::record::{Counter, Entity, Guard, Use};
use crate::state::{LockEnd, Read, View};

/// Whether a guard holds.
pub(super) fn holds<V: View + ?Sized>(view: &V, merchant: MerchantId, guard: &Guard, at: At) -> bool {
    match guard {
        Guard::Version(entity, version) => entity_version(view, merchant, *entity) == *version,
        Guard::Absent(entity) => entity_version(view, merchant, *entity) == 0,
        Guard::Within(counter, add) => {
            let (count, limit) = counter_and_limit(view, merchant, *counter, at.time);
            limit.is_none_or(|limit| i128::from(count) + i128::from(*add) <= i128::from(limit))
        }
        Guard::TimeIn(from, until) => (*from..*until).contains(&at.time),
        Guard::LockToken(lock, token) => view
            .lock(merchant, *lock)
            .is_some_and(|row| row.end.is_none() && row.lock.expires_at > at.time && row.lock.token == *token),
        Guard::MerchantOpen => free(view, merchant, Deed::Use, at.time),
        Guard::StockOpen(stock, usage) => view.stock(merchant, *stock).is_some_and(|row| match usage {
            Use::Claim => row.state == StockState::Active && free(view, merchant, Deed::Claim, at.time),
            Use::Redeem => row.state != StockState::Draft && !row.redemptions_stopped,
        }),
    }
}

/// Whether there is such a merchant, and no sanction bars it from this.
pub(super) fn free<V: View + ?Sized>(view: &V, merchant: MerchantId, deed: Deed, now: i64) -> bool {
    view.merchant_row(merchant, merchant).is_some_and(|row| row.barred(deed, now).is_none())
}

/// The sequence that last changed an entity; 0 when there is none. An operation's is the number of its next chunk,
/// plus one, so that it is never 0.
pub fn entity_version<V: View + ?Sized>(view: &V, merchant: MerchantId, entity: Entity) -> Sequence {
    let version = match entity {
        Entity::Merchant => {
            let row = view.merchant_row(merchant, merchant);
            row.map(|row| row.standing.as_ref().map_or(1, |standing| standing.version))
        }
        Entity::Coupon(number) => find_coupon(view, merchant, number).map(|coupon| coupon.version),
        Entity::Stock(number) => view.stock(merchant, number).map(|row| row.version),
        Entity::Batch(number) => view.batch(merchant, number).map(|row| row.version),
        Entity::Lock(number) => view.lock(merchant, number).map(|row| row.version),
        Entity::Redemption(number) => view.redemption(merchant, number).map(|row| row.version),
        Entity::Order(hash) => view.order(merchant, hash).map(|row| row.version),
        Entity::Operation(number) => view.operation(merchant, number).map(|row| row.chunks + 1),
        Entity::ApiKey(hash) => view.api_key(merchant, hash).map(|row| row.version),
        Entity::RuleSet(number) => view.ruleset(merchant, number).map(|row| row.version),
        Entity::Case(number) => view.case(merchant, number).map(|row| row.version),
        Entity::List(number) => view.list(merchant, number).map(|row| row.version),
        Entity::Model(number) => view.model(merchant, number).map(|row| row.version),
        Entity::Snooze(number) => view.snooze(merchant, number).map(|row| row.version),
        Entity::Penalty(number) => view.penalty(merchant, number).map(|row| row.version),
        Entity::Appeal(number) => view.appeal(merchant, number).map(|row| row.version),
        Entity::RiskSettings => view.risk_settings(merchant).map(|row| row.version),
        Entity::PenaltyLadder => view.penalty_ladder(merchant).map(|row| row.version),
        Entity::User(number) => view.user(merchant, number).map(|row| row.version),
        Entity::UserName(name) => view.user_name(merchant, name).copied(),
    };
    version.unwrap_or(0)
}

/// What a counter stands at, and the limit in force; no limit where `None`.
pub fn counter_and_limit<V: View + ?Sized>(
    view: &V,
    merchant: MerchantId,
    counter: Counter,
    now: i64,
) -> (i64, Option<i64>) {
    let stock_number = match counter {
        Counter::Claimable(stock)
        | Counter::Issued(stock)
        | Counter::UserClaims(stock, _)
        | Counter::UserDayClaims(stock, _)
        | Counter::DayClaims(stock)
        | Counter::UserDayRedemptions(stock, _)
        | Counter::StoreDayRedemptions(stock, _)
        | Counter::Budget(stock) => stock,
    };
    let (Some(stock), Some(counts)) = (view.stock(merchant, stock_number), view.counts(merchant, stock_number)) else {
        // Nothing may be counted at a stock that does not exist.
        return (0, Some(-1));
    };
    let profile = &stock.profile;
    let user = |user| view.user_counts(merchant, stock_number, user).copied().unwrap_or_default();
    let day = || day_start(view, merchant, now);
    let signed = |limit: Option<u64>| limit.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX));
    match counter {
        Counter::Claimable(_) => {
            let fresh = match profile.terms.code_mode {
                crate::terms::CodeMode::Generated => profile.total.saturating_sub(counts.issued),
                crate::terms::CodeMode::Pool | crate::terms::CodeMode::Imported => 0,
            };
            (-((fresh + counts.on_shelf) as i64), Some(0))
        }
        Counter::Issued(_) => (counts.issued as i64, signed(Some(profile.total))),
        Counter::UserClaims(_, who) => (user(who).claims as i64, signed(profile.limits.per_user)),
        Counter::UserDayClaims(_, who) if profile.limits.per_user_day.is_some() => {
            (user(who).day_claims.on(day()) as i64, signed(profile.limits.per_user_day))
        }
        Counter::DayClaims(_) if profile.limits.per_day.is_some() => {
            (counts.claims.on(day()) as i64, signed(profile.limits.per_day))
        }
        Counter::UserDayRedemptions(_, who) if profile.limits.user_day_redemptions.is_some() => {
            (user(who).day_redemptions.on(day()) as i64, signed(profile.limits.user_day_redemptions))
        }
        Counter::StoreDayRedemptions(_, store) if profile.limits.store_day_redemptions.is_some() => {
            let count = view.store_counts(merchant, stock_number, store).copied().unwrap_or_default();
            (count.on(day()) as i64, signed(profile.limits.store_day_redemptions))
        }
        Counter::UserDayClaims(..)
        | Counter::DayClaims(_)
        | Counter::UserDayRedemptions(..)
        | Counter::StoreDayRedemptions(..) => (0, None),
        // No budget is one that nothing exceeds, so that a first one can be guarded like a lower one.
        Counter::Budget(_) => (counts.budget_used(), Some(profile.budget.unwrap_or(i64::MAX))),
    }
}

/// Whether a lock lives at `now`.
pub(crate) fn lives(row: &crate::state::LockRow, now: i64) -> bool {
    row.end.is_none() && row.lock.expires_at > now
}

/// How a lock ended, if it did by `now`.
pub(crate) fn lock_end(row: &crate::state::LockRow, now: i64) -> Option<LockEnd> {
    row.end.or_else(|| (!lives(row, now)).then_some(LockEnd::Expired))
}
