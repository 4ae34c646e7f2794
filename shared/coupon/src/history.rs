//! The story of a coupon or a stock: each record that changed it names the one before, so the whole of it can be
//! followed back through the log, and its state at any point told again.

use crate::event::{CouponState, Event, ReversedPart};
use crate::fold::At;
use crate::id::Sequence;
use crate::record::{Entity, Guard, Record};
use crate::state::{Coupon, Stock};

/// The record that changed the coupon before `record` did; `None` where its story begins, and for records that did
/// not change it.
pub fn previous(record: &Record, coupon: u64) -> Option<Sequence> {
    let sequence = record.events.iter().find_map(|event| match event {
        Event::CouponClaimed(claim) => Some(claim.previous),
        Event::CouponsLocked(lock) => part(&lock.parts, coupon).map(|part| part.previous),
        Event::CouponsRedeemed(redemption) => part(&redemption.parts, coupon).map(|part| part.previous),
        Event::RedemptionReversed(reversal) => reversed(&reversal.parts, coupon).map(|part| part.previous),
        Event::LockReleased(lock, _) | Event::LockExpired(lock) => Some(*lock),
        Event::CouponVoided(void) if void.coupon == coupon => Some(void.previous),
        Event::CouponVoided(void) => void.lock,
        _ => None,
    });
    sequence.filter(|sequence| *sequence > 0)
}

fn part(parts: &[crate::event::Part], coupon: u64) -> Option<&crate::event::Part> {
    parts.iter().find(|part| part.coupon == coupon)
}

fn reversed(parts: &[ReversedPart], coupon: u64) -> Option<&ReversedPart> {
    parts.iter().find(|part| part.coupon == coupon)
}

/// The coupon after a record of its story. `shelf` is what it was when it was made ahead, if it was.
pub fn after(coupon: Option<Coupon>, shelf: &Coupon, record: &Record, at: At, number: u64) -> Option<Coupon> {
    record.events.iter().fold(coupon, |coupon, event| after_event(coupon, shelf, event, at, number))
}

fn after_event(coupon: Option<Coupon>, shelf: &Coupon, event: &Event, at: At, number: u64) -> Option<Coupon> {
    let mut row = coupon.clone().unwrap_or_else(|| shelf.clone());
    row.version = at.sequence;
    match event {
        Event::CouponClaimed(claim) => {
            row.state = CouponState::Claimed;
            row.user = Some(claim.user);
            (row.valid_from, row.valid_until) = (claim.valid_from, claim.valid_until);
            (row.uses, row.uses_left) = (claim.uses, claim.uses);
            row.claimed_at = Some(at.time);
            row.claim = Some(at.sequence);
        }
        Event::CouponsSent(chunk) => {
            row.state = CouponState::Claimed;
            (row.valid_from, row.valid_until) = chunk.validity;
            row.claimed_at = Some(at.time);
            row.claim = Some(at.sequence);
        }
        Event::CouponsLocked(lock) => {
            let part = part(&lock.parts, number)?;
            row.state = CouponState::Locked;
            (row.valid_from, row.valid_until) = (part.valid_from, part.valid_until);
            row.lock = Some(at.sequence);
        }
        Event::LockReleased(..) | Event::LockExpired(_) => unlock(&mut row, shelf),
        Event::CouponVoided(void) => {
            unlock(&mut row, shelf);
            if void.coupon == number {
                row.state = CouponState::Voided;
            }
        }
        Event::CouponsRedeemed(redemption) => {
            let part = part(&redemption.parts, number)?;
            row.uses_left = part.uses_left;
            row.state = if part.uses_left == 0 { CouponState::Redeemed } else { CouponState::Claimed };
            (row.valid_from, row.valid_until) = (part.valid_from, part.valid_until);
            row.lock = None;
            row.used_at = Some(at.time);
            row.redemption = Some(at.sequence);
        }
        Event::RedemptionReversed(reversal) => {
            let part = reversed(&reversal.parts, number)?;
            row.uses_left = part.uses_left;
            if row.state == CouponState::Redeemed {
                row.state = CouponState::Claimed;
            }
        }
        _ => return coupon,
    }
    Some(row)
}

fn unlock(row: &mut Coupon, shelf: &Coupon) {
    row.lock = None;
    if row.state == CouponState::Locked {
        let in_hands = row.claimed_at.is_some() || row.redemption.is_some();
        row.state = if in_hands { CouponState::Claimed } else { CouponState::Available };
        if !in_hands {
            (row.valid_from, row.valid_until) = (shelf.valid_from, shelf.valid_until);
        }
    }
}

/// The record that changed a stock before `record` did; each change guards the version that it changes.
pub fn previous_of_stock(record: &Record, stock: u64) -> Option<Sequence> {
    record.guards.iter().find_map(|guard| match guard {
        Guard::Version(Entity::Stock(number), version) if *number == stock => Some(*version),
        _ => None,
    })
}

/// A stock after a record of its story.
pub fn stock_after(stock: Option<Stock>, record: &Record, at: At) -> Option<Stock> {
    record.events.iter().fold(stock, |stock, event| stock_after_event(stock, event, at))
}

fn stock_after_event(stock: Option<Stock>, event: &Event, at: At) -> Option<Stock> {
    if let Event::StockCreated(profile) = event {
        return Some(Stock::draft((**profile).clone(), at.sequence, at.time));
    }
    let mut stock = stock?;
    match event {
        Event::StockChanged(_, profile) => stock.profile = (**profile).clone(),
        Event::StockMoved(_, state, stopped) => (stock.state, stock.redemptions_stopped) = (*state, *stopped),
        Event::TotalSet(_, total) => stock.profile.total = *total,
        Event::BudgetSet(_, budget) => stock.profile.budget = *budget,
        Event::LimitsSet(_, limits) => stock.profile.limits = *limits,
        _ => return Some(stock),
    }
    (stock.previous, stock.version) = (stock.version, at.sequence);
    Some(stock)
}
