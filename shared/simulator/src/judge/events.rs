//! What each event changes in the books, and what must be true when it happens.

use coupon::event::{Claim, Event, StockProfile, StockState, Void};
use coupon::terms::{Millis, Validity};

use crate::judge::book::{Book, CouponBook, StockBook};
use crate::judge::{Scene, Violation, uses};

/// The books are kept for one zone, whose days are easy to count: Asia/Shanghai, which has no summer time.
const ZONE_AHEAD_MS: Millis = 8 * 3600 * 1000;
pub(super) const DAY_MS: Millis = 24 * 3600 * 1000;

/// Which of the merchant's days.
pub(super) fn day(at: Millis) -> Millis {
    (at + ZONE_AHEAD_MS).div_euclid(DAY_MS)
}

pub(super) fn must(holds: bool, id: &'static str, wrong: &mut Vec<Violation>, what: impl FnOnce() -> String) {
    if !holds {
        wrong.push(Violation { id, what: what() });
    }
}

pub(super) fn note(book: &mut Book, event: &Event, scene: Scene<'_>, wrong: &mut Vec<Violation>) {
    match event {
        Event::MerchantOpened(_) => {
            book.opened += 1;
            must(book.opened == 1, "I3", wrong, || "the merchant was opened twice".to_owned());
        }
        Event::StockCreated(profile) => {
            let stock = StockBook {
                profile: (**profile).clone(),
                state: StockState::Draft,
                stopped: false,
                claims: Vec::new(),
            };
            book.stocks.insert(scene.at.sequence, stock);
        }
        Event::StockMoved(stock, to, stop) => moved(book, *stock, *to, *stop, wrong),
        Event::StockChanged(stock, profile) => with_profile(book, *stock, |p| *p = (**profile).clone()),
        Event::TotalSet(stock, total) => with_profile(book, *stock, |p| p.total = *total),
        Event::BudgetSet(stock, budget) => with_profile(book, *stock, |p| p.budget = *budget),
        Event::LimitsSet(stock, limits) => with_profile(book, *stock, |p| p.limits = *limits),
        Event::CodesMade(made) => codes_made(book, made.stock, made.count, scene, wrong),
        Event::BatchVoided(batch, _) => {
            must(!book.void_batches.contains(batch), "I3", wrong, || format!("batch {batch} was voided twice"));
            book.void_batches.push(*batch);
            for coupon in book.coupons.values_mut().filter(|c| c.batch == Some(*batch) && c.is_on_shelf()) {
                coupon.voided = true;
            }
        }
        Event::CouponClaimed(claim) => claimed(book, claim, scene, wrong),
        Event::CouponsLocked(lock) => uses::locked(book, lock, scene, wrong),
        Event::LockExtended(lock, until) => uses::extended(book, *lock, *until, scene, wrong),
        Event::LockReleased(lock, _) => {
            uses::must_live(book, *lock, scene, wrong);
            uses::end_lock(book, *lock);
        }
        Event::LockExpired(lock) => {
            let over = book.locks.get(lock).is_some_and(|l| !l.ended && l.lock.expires_at <= scene.at.time);
            must(over, "I3", wrong, || format!("lock {lock} expired although it had ended or lives"));
            uses::end_lock(book, *lock);
        }
        Event::CouponsRedeemed(redemption) => uses::redeemed(book, redemption, scene, wrong),
        Event::RedemptionReversed(reversal) => uses::reversed(book, reversal, scene, wrong),
        Event::CouponVoided(void) => voided(book, void, scene, wrong),
        Event::CouponsExpired(stock, until) => {
            must(*until <= scene.at.time, "I9", wrong, || format!("stock {stock}: counted as expired too early"));
        }
        _ => {}
    }
}

fn with_profile(book: &mut Book, stock: u64, change: impl FnOnce(&mut StockProfile)) {
    if let Some(stock) = book.stocks.get_mut(&stock) {
        change(&mut stock.profile);
    }
}

fn moved(book: &mut Book, number: u64, to: StockState, stop: bool, wrong: &mut Vec<Violation>) {
    let Some(stock) = book.stocks.get_mut(&number) else { return };
    let allowed = match (stock.state, to) {
        // Nothing but whether redemptions are stopped.
        (StockState::Closed, StockState::Closed) => stop && !stock.stopped,
        (StockState::Paused, StockState::Paused) => stop != stock.stopped,
        (StockState::Draft | StockState::Paused, StockState::Active)
        | (StockState::Active, StockState::Paused)
        | (_, StockState::Closed) => true,
        _ => false,
    };
    must(allowed, "I5", wrong, || format!("stock {number} went from {:?} to {to:?}", stock.state));
    stock.state = to;
    stock.stopped = stop;
}

fn codes_made(book: &mut Book, number: u64, count: u64, scene: Scene<'_>, wrong: &mut Vec<Violation>) {
    let Some(stock) = book.stocks.get(&number) else { return };
    must(stock.state != StockState::Closed, "I5", wrong, || format!("the closed stock {number} issued codes"));
    let valid = match stock.profile.terms.validity {
        Validity::Fixed { from, until } => Some((from, until)),
        Validity::AfterClaim { .. } => None,
    };
    let uses = stock.profile.terms.value.uses();
    for coupon in scene.number..scene.number + count {
        let made = CouponBook {
            stock: number,
            batch: Some(scene.at.sequence),
            user: None,
            touched: false,
            voided: false,
            valid,
            uses,
            used: 0,
            last_use: None,
            lock: None,
        };
        let twice = book.coupons.insert(coupon, made).is_some();
        must(!twice, "I5", wrong, || format!("the number {coupon} was given twice"));
    }
}

fn claimed(book: &mut Book, claim: &Claim, scene: Scene<'_>, wrong: &mut Vec<Violation>) {
    let now = scene.at.time;
    let Some(stock) = book.stocks.get_mut(&claim.stock) else { return };
    let number = claim.stock;
    must(stock.state == StockState::Active, "I5", wrong, || {
        format!("stock {number} is {:?} and issued a coupon", stock.state)
    });
    let terms = &stock.profile.terms;
    let open = terms.claim_from.is_none_or(|from| from <= now) && terms.claim_until.is_none_or(|until| now < until);
    must(open, "I5", wrong, || format!("claims at stock {number} are not open"));
    if let Validity::Fixed { until, .. } = terms.validity {
        must(now < until, "I5", wrong, || format!("stock {number} issued a coupon that is over"));
    }
    stock.claims.push((claim.user, now));
    let limits = stock.profile.limits;
    let mine = |claims: &&(_, Millis)| claims.0 == claim.user;
    let today = |claims: &&(_, Millis)| day(claims.1) == day(now);
    let counts = [
        ("of a user", limits.per_user, stock.claims.iter().filter(mine).count()),
        ("of a user today", limits.per_user_day, stock.claims.iter().filter(mine).filter(today).count()),
        ("of today", limits.per_day, stock.claims.iter().filter(today).count()),
    ];
    for (what, limit, count) in counts {
        let within = limit.is_none_or(|limit| count as u64 <= limit);
        must(within, "I5", wrong, || format!("stock {number}: {count} claims {what}, {limit:?} are allowed"));
    }
    let before = book.coupons.get(&scene.number);
    let free = before.is_none_or(|coupon| coupon.is_on_shelf() && coupon.stock == number);
    must(free, "I1", wrong, || format!("coupon {} was claimed and is not free", scene.number));
    if let Some(printed) = claim.printed {
        must(printed == scene.number && before.is_some(), "I1", wrong, || format!("no printed code {printed}"));
    }
    let coupon = CouponBook {
        stock: number,
        batch: before.and_then(|coupon| coupon.batch),
        user: Some(claim.user),
        touched: true,
        voided: false,
        valid: Some((claim.valid_from, claim.valid_until)),
        uses: claim.uses,
        used: 0,
        last_use: None,
        lock: None,
    };
    book.coupons.insert(scene.number, coupon);
}

fn voided(book: &mut Book, void: &Void, scene: Scene<'_>, wrong: &mut Vec<Violation>) {
    let Some(coupon) = book.coupons.get(&void.coupon) else {
        return must(false, "I1", wrong, || format!("coupon {} was voided and never issued", void.coupon));
    };
    let over = coupon.lock.is_none() && coupon.valid.is_some_and(|(_, until)| until <= scene.at.time);
    let free = !coupon.voided && !coupon.is_used_up() && !over;
    must(free, "I1", wrong, || format!("coupon {} was voided and is {coupon:?}", void.coupon));
    if let Some(lock) = coupon.lock {
        uses::end_lock(book, lock);
    }
    if let Some(coupon) = book.coupons.get_mut(&void.coupon) {
        coupon.voided = true;
    }
}
