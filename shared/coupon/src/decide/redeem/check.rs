//! What stands against a coupon's use: itself, its terms, its company, its limits.

use std::collections::BTreeMap;

use crate::calendar;
use crate::command::{CouponRef, UseCommand};
use crate::decide::Scene;
use crate::decide::redeem::{EvaluatedPart, PER_ORDER};
use crate::event::{CouponState, Part, Pseudonym};
use crate::fold::find_coupon;
use crate::money::Money;
use crate::record::{Counter, Entity, Guard, Use};
use crate::rejection::{Refusal, Rejection};
use crate::state::{LockRow, OrderRow, Read, Stock, View};
use crate::terms::{Millis, Validity};

pub(super) fn find<V: View + ?Sized>(
    scene: Scene<'_, V>,
    coupon: CouponRef,
    uses: u32,
) -> Result<EvaluatedPart<'_>, Rejection> {
    let number = scene.resolve(coupon)?;
    let row = find_coupon(scene.view, scene.merchant, number).ok_or(Rejection::CouponNotFound)?;
    let stock = scene.view.stock(scene.merchant, row.stock).ok_or(Rejection::CouponNotFound)?;
    Ok(EvaluatedPart { number, coupon: row, stock, uses })
}

/// The ladder of one coupon; adds what must still hold where the record will stand.
pub(super) fn usable<V: View + ?Sized>(
    scene: Scene<'_, V>,
    part: &EvaluatedPart<'_>,
    usage: &UseCommand,
    guards: &mut Vec<Guard>,
) -> Result<(), Rejection> {
    let (coupon, stock, now) = (&part.coupon, part.stock, scene.now);
    let (valid_from, valid_until) = validity(scene, part);
    match coupon.state {
        CouponState::Voided => return Err(Rejection::CouponVoided),
        CouponState::Redeemed => return Err(scene.redeemed_by(coupon, Some(&usage.order.id))),
        CouponState::Locked => {
            if let Some(locked) = scene.locked_until(coupon) {
                return Err(locked);
            }
        }
        CouponState::Available | CouponState::Claimed | CouponState::Expired => {}
    }
    if now >= valid_until {
        return Err(Rejection::CouponExpired(valid_until));
    }
    if stock.state == crate::event::StockState::Draft || stock.redemptions_stopped {
        return Err(Rejection::StockNotActive(stock.state));
    }
    if now < valid_from {
        return Err(Rejection::NotYetValid(valid_from));
    }
    let (open, open_from, open_until) = calendar::available(scene.zone(), &stock.profile.terms.available_times, now);
    if !open {
        return Err(Rejection::OutsideAvailableTimes(open_until));
    }
    if let (Some(owner), Some(user)) = (coupon.user, usage.actor.user)
        && owner != user
    {
        return Err(Rejection::UserMismatch);
    }
    eligible_store(stock, scene, usage)?;
    if usage.order.currency != stock.profile.terms.currency {
        return Err(Rejection::CurrencyMismatch);
    }
    if part.uses > coupon.uses_left {
        return Err(Rejection::UsesExceeded { left: coupon.uses_left });
    }
    let next = coupon.used_at.map(|at| at + stock.profile.terms.value.minimum_interval_ms());
    let interval_over = next.filter(|_| stock.profile.terms.value.minimum_interval_ms() > 0);
    if let Some(next) = interval_over.filter(|next| now < *next) {
        return Err(Rejection::MinimumInterval(next));
    }
    guards.push(Guard::StockOpen(coupon.stock, Use::Redeem));
    guards.push(Guard::Version(Entity::Coupon(part.number), coupon.version));
    let from = valid_from.max(open_from).max(interval_over.unwrap_or(Millis::MIN));
    let mut until = valid_until.min(open_until);
    if coupon.valid_until == Millis::MAX {
        // Claimed by its use: its days were counted from this one.
        until = until.min(calendar::day_bounds(scene.zone(), now).1);
    }
    guards.push(Guard::TimeIn(from, until));
    Ok(())
}

fn eligible_store<V: View + ?Sized>(stock: &Stock, scene: Scene<'_, V>, usage: &UseCommand) -> Result<(), Rejection> {
    let stores = &stock.profile.terms.store_ids;
    let here = usage.actor.store;
    let fits = stores.is_empty()
        || here.is_some_and(|store| stores.iter().any(|id| id.number == store && id.merchant == scene.merchant));
    if fits { Ok(()) } else { Err(Rejection::StoreNotEligible) }
}

/// When a coupon may be used; one made ahead whose days begin with the claim is claimed by its use.
pub(super) fn validity<V: View + ?Sized>(scene: Scene<'_, V>, part: &EvaluatedPart<'_>) -> (Millis, Millis) {
    match part.stock.profile.terms.validity {
        Validity::AfterClaim { .. } if part.coupon.valid_until == Millis::MAX => {
            calendar::validity(scene.zone(), part.stock.profile.terms.validity, scene.now)
        }
        _ => (part.coupon.valid_from, part.coupon.valid_until),
    }
}

/// Whoever redeems under a lock is who locked, where that was told. Who was not told then is counted now, since the lock
/// counted for nobody.
pub(super) fn same_actor<V: View + ?Sized>(
    scene: Scene<'_, V>,
    row: &LockRow,
    usage: &UseCommand,
    guards: &mut Vec<Guard>,
) -> Result<(), Refusal> {
    let (locked, actor) = (&row.lock.actor, &usage.actor);
    if let (Some(before), Some(now)) = (locked.store, actor.store)
        && before != now
    {
        return Err(Rejection::StoreNotEligible.into());
    }
    let mut problems = Vec::new();
    let mut late = BTreeMap::new();
    for (i, part) in row.lock.parts.iter().enumerate() {
        let owner = scene.view.coupon_row(scene.merchant, part.coupon).and_then(|coupon| coupon.user).or(locked.user);
        match (owner, actor.user) {
            (Some(owner), Some(user)) if owner != user => problems.push((i, Rejection::UserMismatch)),
            (None, Some(user)) => {
                let counter = Counter::UserDayRedemptions(part.stock, user);
                late.entry(counter).or_insert((i, 0)).1 += i64::from(part.uses);
            }
            _ => {}
        }
        if let (None, Some(store)) = (locked.store, actor.store) {
            let counter = Counter::StoreDayRedemptions(part.stock, store);
            late.entry(counter).or_insert((i, 0)).1 += i64::from(part.uses);
        }
    }
    for (counter, (i, uses)) in late {
        if scene.left(counter).is_some_and(|left| left < uses) {
            problems.push((i, day_limit(scene, counter)));
        }
        guards.push(Guard::Within(counter, uses));
    }
    Refusal::of(problems).map_or(Ok(()), Err)
}

fn day_limit<V: View + ?Sized>(scene: Scene<'_, V>, counter: Counter) -> Rejection {
    let limit = match counter {
        Counter::StoreDayRedemptions(..) => "store_day_redemptions",
        _ => "user_day_redemptions",
    };
    Rejection::DayLimitReached { limit, until: calendar::day_bounds(scene.zone(), scene.now).1 }
}

/// Against each other, and against what stands for the order already.
pub(super) fn stacking<V: View + ?Sized>(
    scene: Scene<'_, V>,
    chosen: &[EvaluatedPart<'_>],
    standing: Option<&OrderRow>,
    problems: &mut Vec<(usize, Rejection)>,
) {
    let there = standing.map(|row| row.parts.as_slice()).unwrap_or_default();
    let mut company: Vec<(u64, &Stock)> = there
        .iter()
        .enumerate()
        // A coupon's own earlier uses do not stand against its next one, and several uses of another are one coupon.
        .filter(|(i, part)| {
            !chosen.iter().any(|c| c.number == part.coupon) && !there[..*i].iter().any(|p| p.coupon == part.coupon)
        })
        .filter_map(|(_, part)| scene.view.stock(scene.merchant, part.stock).map(|stock| (part.stock, stock.as_ref())))
        .collect();
    for (i, part) in chosen.iter().enumerate() {
        let own = &part.stock.profile.terms.stacking;
        let same_stock = company.iter().filter(|(number, _)| *number == part.coupon.stock).count();
        let clash = company.iter().filter(|(number, _)| *number != part.coupon.stock).any(|(_, other)| {
            let theirs = &other.profile.terms.stacking;
            own.exclusive || theirs.exclusive || (own.group.is_some() && own.group == theirs.group)
        });
        if clash || same_stock >= own.max_per_order as usize || company.len() >= PER_ORDER {
            problems.push((i, Rejection::NotStackable));
        }
        company.push((part.coupon.stock, part.stock));
    }
}

/// What is counted per stock for this request.
#[derive(Default)]
struct Tally {
    discount: i64,
    users: BTreeMap<Pseudonym, (usize, i64)>,
    uses: i64,
    first: usize,
}

pub(super) fn limits<V: View + ?Sized>(
    scene: Scene<'_, V>,
    chosen: &[EvaluatedPart<'_>],
    parts: &[Part],
    usage: &UseCommand,
    guards: &mut Vec<Guard>,
) -> Result<(), Refusal> {
    let mut tallies: BTreeMap<u64, Tally> = BTreeMap::new();
    for (i, (chosen, part)) in chosen.iter().zip(parts).enumerate() {
        let tally = tallies.entry(part.stock).or_insert_with(|| Tally { first: i, ..Tally::default() });
        tally.discount += part.discount;
        tally.uses += i64::from(part.uses);
        if let Some(user) = chosen.coupon.user.or(usage.actor.user) {
            tally.users.entry(user).or_insert((i, 0)).1 += i64::from(part.uses);
        }
    }
    let mut problems = Vec::new();
    for (stock, tally) in tallies {
        // Guarded without a limit too: one may be set before the record stands.
        let mut within = |counter, add, i, refusal: &dyn Fn(i64) -> Rejection| {
            match scene.left(counter) {
                Some(left) if left < add => problems.push((i, refusal(left))),
                _ => {}
            }
            guards.push(Guard::Within(counter, add));
        };
        for (user, (i, uses)) in tally.users {
            let counter = Counter::UserDayRedemptions(stock, user);
            within(counter, uses, i, &|_| day_limit(scene, counter));
        }
        if let Some(store) = usage.actor.store {
            let counter = Counter::StoreDayRedemptions(stock, store);
            within(counter, tally.uses, tally.first, &|_| day_limit(scene, counter));
        }
        let budget = Counter::Budget(stock);
        let currency = usage.order.currency;
        within(budget, tally.discount, tally.first, &|amount| Rejection::BudgetExhausted {
            left: Money { amount, currency },
        });
    }
    Refusal::of(problems).map_or(Ok(()), Err)
}
