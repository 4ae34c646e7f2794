//! Locks, redemptions and reversals in the books.

use std::collections::BTreeMap;

use coupon::event::{Lock, Part, Pseudonym, Redemption, Reversal, StockState};
use coupon::terms::{Millis, Value};

use crate::judge::book::{Book, LockBook, RedemptionBook};
use crate::judge::events::{DAY_MS, day, must};
use crate::judge::{Scene, Violation};

/// What must be true of a coupon that is locked, or redeemed without a lock.
fn usable(book: &Book, part: &Part, scene: Scene<'_>, wrong: &mut Vec<Violation>) {
    let now = scene.at.time;
    let number = part.coupon;
    let (Some(coupon), Some(stock)) = (book.coupons.get(&number), book.stocks.get(&part.stock)) else {
        return must(false, "I1", wrong, || format!("coupon {number} was used and never issued"));
    };
    must(!coupon.voided, "I1", wrong, || format!("coupon {number} was used and is void"));
    must(coupon.lock.is_none(), "I1", wrong, || format!("coupon {number} was used and is locked"));
    must(coupon.used + part.uses <= coupon.uses, "I1", wrong, || {
        format!("coupon {number} was used {} and {} of {} times", coupon.used, part.uses, coupon.uses)
    });
    let (from, until) = coupon.valid.unwrap_or((part.valid_from, part.valid_until));
    must((from..until).contains(&now), "validity", wrong, || format!("coupon {number} was used outside its time"));
    open(stock.state, stock.stopped, part.stock, wrong);
    if let (Value::MultiUse { minimum_interval_seconds, .. }, Some(last)) =
        (&stock.profile.terms.value, coupon.last_use)
    {
        let next = last + Millis::from(*minimum_interval_seconds) * 1000;
        must(now >= next, "validity", wrong, || format!("coupon {number} was used again too soon"));
    }
}

fn open(state: StockState, stopped: bool, stock: u64, wrong: &mut Vec<Violation>) {
    must(state != StockState::Draft && !stopped, "status", wrong, || {
        format!("stock {stock} is {state:?}, stopped {stopped}, and was redeemed")
    });
}

/// What stands for an order fits together.
fn company(book: &Book, order: &str, wrong: &mut Vec<Violation>) {
    let standing = book.standing_for(order);
    let mut per_stock: BTreeMap<u64, u32> = BTreeMap::new();
    for stock in standing.values() {
        *per_stock.entry(*stock).or_default() += 1;
    }
    must(standing.len() <= 30, "stacking", wrong, || format!("{} coupons stand for {order}", standing.len()));
    for (number, count) in &per_stock {
        let Some(stock) = book.stocks.get(number) else { continue };
        let stacking = &stock.profile.terms.stacking;
        must(*count <= stacking.max_per_order, "stacking", wrong, || {
            format!("{count} coupons of stock {number} stand for {order}")
        });
        must(!stacking.exclusive || per_stock.len() == 1, "stacking", wrong, || {
            format!("the exclusive stock {number} has company in {order}")
        });
    }
}

pub(super) fn locked(book: &mut Book, lock: &Lock, scene: Scene<'_>, wrong: &mut Vec<Violation>) {
    for part in &lock.parts {
        usable(book, part, scene, wrong);
        if let Some(coupon) = book.coupons.get_mut(&part.coupon) {
            coupon.lock = Some(scene.at.sequence);
        }
    }
    let users = users(book, &lock.parts, lock.actor.user, scene);
    book.locks.insert(scene.at.sequence, LockBook { lock: lock.clone(), ended: false, users: users.clone() });
    company(book, &lock.order.id, wrong);
    within_the_day(book, &lock.parts, &users, wrong);
}

pub(super) fn extended(book: &mut Book, lock: u64, until: Millis, scene: Scene<'_>, wrong: &mut Vec<Violation>) {
    must_live(book, lock, scene, wrong);
    if let Some(lock) = book.locks.get_mut(&lock) {
        must(until >= lock.lock.expires_at, "lock", wrong, || "an extension shortened a lock".to_owned());
        lock.lock.expires_at = until;
    }
}

/// The lock lives, and the record shows its token.
pub(super) fn must_live(book: &Book, lock: u64, scene: Scene<'_>, wrong: &mut Vec<Violation>) {
    let Some(row) = book.locks.get(&lock) else {
        return must(false, "lock", wrong, || format!("there is no lock {lock}"));
    };
    let lives = !row.ended && scene.at.time < row.lock.expires_at;
    must(lives, "lock", wrong, || format!("lock {lock} was used and is over"));
    let token = scene.token(lock);
    must(token == Some(row.lock.token), "lock", wrong, || format!("lock {lock} was used without its token"));
}

pub(super) fn end_lock(book: &mut Book, number: u64) {
    let Some(lock) = book.locks.get_mut(&number) else { return };
    lock.ended = true;
    for part in &lock.lock.parts {
        if let Some(coupon) = book.coupons.get_mut(&part.coupon).filter(|coupon| coupon.lock == Some(number)) {
            coupon.lock = None;
            // Its batch may have been voided while it was held.
            let void = coupon.batch.is_some_and(|batch| book.void_batches.contains(&batch));
            coupon.voided |= void && !coupon.touched;
        }
    }
}

pub(super) fn redeemed(book: &mut Book, redemption: &Redemption, scene: Scene<'_>, wrong: &mut Vec<Violation>) {
    match redemption.lock {
        None => {
            for part in &redemption.parts {
                usable(book, part, scene, wrong);
            }
        }
        Some(lock) => {
            must_live(book, lock, scene, wrong);
            as_quoted(book, lock, redemption, wrong);
            if let Some(row) = book.locks.get_mut(&lock) {
                row.ended = true;
            }
        }
    }
    // Under a lock it counts for whom and for when the lock counted, if that was for anybody.
    let locked = redemption.lock.and_then(|lock| book.locks.get(&lock)).map(|lock| lock.users.clone());
    let locked = locked.unwrap_or_else(|| vec![None; redemption.parts.len()]);
    let mut now = users(book, &redemption.parts, redemption.actor.user, scene);
    for (now, _) in now.iter_mut().zip(&locked).filter(|(_, locked)| locked.is_some()) {
        *now = None;
    }
    let users = locked.iter().zip(&now).map(|(locked, now)| locked.or(*now)).collect();
    for part in &redemption.parts {
        let Some(coupon) = book.coupons.get_mut(&part.coupon) else { continue };
        coupon.lock = None;
        coupon.touched = true;
        coupon.used += part.uses;
        coupon.last_use = Some(scene.at.time);
        coupon.valid.get_or_insert((part.valid_from, part.valid_until));
        must(coupon.used <= coupon.uses, "I1", wrong, || {
            format!("coupon {} was used {} of {} times", part.coupon, coupon.used, coupon.uses)
        });
        must(coupon.uses - coupon.used.min(coupon.uses) == part.uses_left, "I1", wrong, || {
            format!(
                "coupon {} has {} uses left, the record says {}",
                part.coupon,
                coupon.uses - coupon.used,
                part.uses_left
            )
        });
    }
    let parts = redemption.parts.iter().map(|part| (part.clone(), part.uses, part.discount)).collect();
    let row = RedemptionBook { at: scene.at.time, order: redemption.order.id.clone(), parts, users };
    book.redemptions.insert(scene.at.sequence, row);
    company(book, &redemption.order.id, wrong);
    within_the_day(book, &redemption.parts, &now, wrong);
}

type Users = Vec<Option<(Pseudonym, Millis)>>;

fn users(book: &Book, parts: &[Part], actor: Option<Pseudonym>, scene: Scene<'_>) -> Users {
    let owner = |part: &Part| book.coupons.get(&part.coupon).and_then(|coupon| coupon.user).or(actor);
    parts.iter().map(|part| owner(part).map(|user| (user, day(scene.at.time)))).collect()
}

/// I5: nobody whose use is counted now used more of a stock in that day than is allowed.
fn within_the_day(book: &Book, parts: &[Part], counted: &Users, wrong: &mut Vec<Violation>) {
    for (part, user) in parts.iter().zip(counted) {
        let limit = book.stocks.get(&part.stock).and_then(|stock| stock.profile.limits.user_day_redemptions);
        if let (Some(limit), Some((user, day))) = (limit, user) {
            let uses = book.uses_of(part.stock, *user, *day);
            must(uses <= limit, "I5", wrong, || {
                format!("stock {}: {uses} uses by a user that day, {limit} are allowed", part.stock)
            });
        }
    }
}

/// Under a lock exactly what was quoted is redeemed.
fn as_quoted(book: &Book, number: u64, redemption: &Redemption, wrong: &mut Vec<Violation>) {
    let Some(row) = book.locks.get(&number) else { return };
    let of = |parts: &[Part]| parts.iter().map(|p| (p.coupon, p.uses, p.discount)).collect::<Vec<_>>();
    let same = row.lock.order == redemption.order && of(&row.lock.parts) == of(&redemption.parts);
    must(same, "lock", wrong, || format!("lock {number} was not redeemed as it was quoted"));
    for part in &row.lock.parts {
        if let Some(stock) = book.stocks.get(&part.stock) {
            open(stock.state, stock.stopped, part.stock, wrong);
        }
        let held = book.coupons.get(&part.coupon).is_some_and(|coupon| coupon.lock == Some(number));
        must(held, "I1", wrong, || format!("lock {number} does not hold coupon {}", part.coupon));
    }
}

pub(super) fn reversed(book: &mut Book, reversal: &Reversal, scene: Scene<'_>, wrong: &mut Vec<Violation>) {
    let Some(row) = book.redemptions.get_mut(&reversal.redemption) else {
        return must(false, "I1", wrong, || format!("there is no redemption {}", reversal.redemption));
    };
    for back in &reversal.parts {
        let Some((_, uses, discount)) = row.parts.iter_mut().find(|(part, ..)| part.coupon == back.coupon) else {
            must(false, "I1", wrong, || format!("coupon {} was not in that redemption", back.coupon));
            continue;
        };
        let left = back.uses <= *uses && back.discount_returned <= *discount;
        must(left, "I1", wrong, || format!("more of coupon {} was reversed than stood", back.coupon));
        *uses = uses.saturating_sub(back.uses);
        *discount -= back.discount_returned;
        must(*uses > 0 || *discount == 0, "I1", wrong, || "a whole reversal kept a discount".to_owned());
        if let Some(stock) = book.stocks.get(&back.stock) {
            let days = Millis::from(stock.profile.terms.reversal_window_days);
            let in_time = scene.at.time < row.at + days * DAY_MS;
            must(in_time, "validity", wrong, || "a reversal came too late".to_owned());
        }
        if let Some(coupon) = book.coupons.get_mut(&back.coupon) {
            coupon.used = coupon.used.saturating_sub(back.uses);
            must(coupon.uses - coupon.used == back.uses_left, "I1", wrong, || {
                format!("coupon {} has other uses left than the reversal says", back.coupon)
            });
        }
    }
}
