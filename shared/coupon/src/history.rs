//! The story of a coupon or a stock: each record that changed it names the one before, so the whole of it can be
//! followed back through the log, and its state at any point told again.

use crate::event::{CouponState, Event, Pseudonym, ReversedPart, StockState};
use crate::fold::{At, find_coupon, untouched};
use crate::id::{MerchantId, Sequence};
use crate::record::{Entity, Guard, Record};
use crate::state::{Coupon, Read, Stock, View};

/// What is needed of the state to follow a coupon's story.
#[derive(Clone, Debug)]
pub struct Story {
    number: u64,
    now: Coupon,
    /// The last record that changed this coupon by itself, or made it with its batch.
    own: Sequence,
    /// The record that voided what was left of its batch.
    batch_voided: Option<Sequence>,
    /// As it was made ahead.
    shelf: Coupon,
    owner: Option<Pseudonym>,
}

impl Story {
    /// Of a coupon, if there is one with this number.
    pub fn of<V: View + ?Sized>(view: &V, merchant: MerchantId, number: u64) -> Option<Self> {
        let now = find_coupon(view, merchant, number)?;
        let batch = now.batch.and_then(|batch| view.batch(merchant, batch));
        let shelf = untouched(view, merchant, number).unwrap_or_else(|| Coupon {
            user: None,
            state: CouponState::Available,
            uses_left: now.uses,
            claimed_at: None,
            used_at: None,
            lock: None,
            redemption: None,
            claim: None,
            before_claim: 0,
            reversed_in_lock: Vec::new(),
            ..now.clone()
        });
        Some(Self {
            number,
            own: view.coupon_row(merchant, number).map_or(now.batch.unwrap_or(now.version), |row| row.version),
            batch_voided: batch.filter(|batch| batch.voided_at.is_some()).map(|batch| batch.version),
            shelf: Coupon { state: CouponState::Available, ..shelf },
            owner: now.user,
            now,
        })
    }

    /// The coupon as it is.
    pub fn now(&self) -> &Coupon {
        &self.now
    }

    /// The newest record of the story.
    pub fn last(&self) -> Sequence {
        self.now.version
    }

    /// The record that changed the coupon before `record` did; `None` where its story begins.
    pub fn previous(&self, record: &Record) -> Option<Sequence> {
        // A record may void several coupons: what it says of this one goes before what it says of others.
        let voided = record.events.iter().find_map(|event| match event {
            Event::CouponVoided(void) if void.coupon == self.number => Some(void.previous),
            _ => None,
        });
        let others = || {
            record.events.iter().find_map(|event| match event {
                Event::CouponClaimed(claim) if claim.printed.is_some() => Some(claim.previous),
                Event::CouponClaimed(_) | Event::CouponsSent(_) => Some(self.now.before_claim),
                Event::CouponsLocked(lock) => self.part(&lock.parts).map(|part| part.previous),
                Event::CouponsRedeemed(redemption) => self.part(&redemption.parts).map(|part| part.previous),
                Event::RedemptionReversed(reversal) => self.reversed(&reversal.parts).map(|part| part.previous),
                Event::LockReleased(lock, _) | Event::LockExpired(lock) => Some(self.last_in(*lock)),
                Event::CouponVoided(void) => void.lock.map(|lock| self.last_in(lock)),
                Event::BatchVoided(..) => Some(self.own),
                _ => None,
            })
        };
        voided.or_else(others).filter(|sequence| *sequence > 0)
    }

    /// The last record that changed the coupon while a lock held it.
    fn last_in(&self, lock: u64) -> Sequence {
        let reversals = self.now.reversed_in_lock.iter().rev();
        reversals.into_iter().find(|(in_lock, _)| *in_lock == lock).map_or(lock, |(_, sequence)| *sequence)
    }

    fn part<'a>(&self, parts: &'a [crate::event::Part]) -> Option<&'a crate::event::Part> {
        parts.iter().find(|part| part.coupon == self.number)
    }

    fn reversed<'a>(&self, parts: &'a [ReversedPart]) -> Option<&'a ReversedPart> {
        parts.iter().find(|part| part.coupon == self.number)
    }

    /// The coupon after the given records, oldest first; `None` before it was made.
    pub fn tell<'a>(&self, records: impl IntoIterator<Item = (At, &'a Record)>) -> Option<Coupon> {
        records.into_iter().fold(None, |coupon, (at, record)| {
            record.events.iter().fold(coupon, |coupon, event| self.after(coupon, event, at))
        })
    }

    fn after(&self, coupon: Option<Coupon>, event: &Event, at: At) -> Option<Coupon> {
        let mut row = coupon.clone().unwrap_or_else(|| self.shelf.clone());
        row.version = at.sequence;
        match event {
            Event::CodesMade(_) | Event::CodesImported(_) => {}
            Event::BatchVoided(..) => row.state = CouponState::Voided,
            Event::CouponClaimed(claim) => {
                row.user = Some(claim.user);
                (row.uses, row.uses_left) = (claim.uses, claim.uses);
                self.claimed(&mut row, (claim.valid_from, claim.valid_until), at);
            }
            Event::CouponsSent(chunk) => {
                row.user = self.owner;
                self.claimed(&mut row, chunk.validity, at);
            }
            Event::CouponsLocked(lock) => {
                let part = self.part(&lock.parts)?;
                row.state = CouponState::Locked;
                (row.valid_from, row.valid_until) = (part.valid_from, part.valid_until);
                row.lock = Some(at.sequence);
            }
            Event::LockReleased(..) | Event::LockExpired(_) => self.unlock(&mut row),
            Event::CouponVoided(void) => {
                self.unlock(&mut row);
                if void.coupon == self.number {
                    row.state = CouponState::Voided;
                }
            }
            Event::CouponsRedeemed(redemption) => {
                let part = self.part(&redemption.parts)?;
                row.uses_left = part.uses_left;
                row.state = if part.uses_left == 0 { CouponState::Redeemed } else { CouponState::Claimed };
                (row.valid_from, row.valid_until) = (part.valid_from, part.valid_until);
                row.lock = None;
                row.used_at = Some(at.time);
                row.redemption = Some(at.sequence);
            }
            Event::RedemptionReversed(reversal) => {
                let part = self.reversed(&reversal.parts)?;
                row.uses_left = part.uses_left;
                row.reversed_in_lock.extend(row.lock.map(|lock| (lock, at.sequence)));
                if row.state == CouponState::Redeemed {
                    row.state = CouponState::Claimed;
                }
            }
            _ => return coupon,
        }
        Some(row)
    }

    fn claimed(&self, row: &mut Coupon, validity: (i64, i64), at: At) {
        row.state = CouponState::Claimed;
        (row.valid_from, row.valid_until) = validity;
        row.claimed_at = Some(at.time);
        row.claim = Some(at.sequence);
        row.before_claim = self.now.before_claim;
    }

    fn unlock(&self, row: &mut Coupon) {
        row.lock = None;
        if row.state != CouponState::Locked {
            return;
        }
        if row.claimed_at.is_some() || row.redemption.is_some() {
            row.state = CouponState::Claimed;
            return;
        }
        let voided = self.batch_voided.is_some_and(|voided| voided < row.version);
        row.state = if voided { CouponState::Voided } else { CouponState::Available };
        if !voided {
            (row.valid_from, row.valid_until) = (self.shelf.valid_from, self.shelf.valid_until);
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
    if let Event::RehearsalOpened(rehearsal) = event {
        let draft = Stock::draft(rehearsal.stock.clone(), at.sequence, at.time);
        return Some(Stock { state: StockState::Active, ..draft });
    }
    let mut stock = stock?;
    match event {
        Event::StockChanged(_, profile) => stock.profile = (**profile).clone(),
        Event::StockMoved(_, state, stopped) => (stock.state, stock.redemptions_stopped) = (*state, *stopped),
        Event::TotalSet(_, total) => stock.profile.total = *total,
        Event::BudgetSet(_, budget) => stock.profile.budget = *budget,
        Event::LimitsSet(_, limits) => stock.profile.limits = *limits,
        Event::RehearsalForgotten(_) => (stock.state, stock.redemptions_stopped) = (StockState::Closed, true),
        _ => return Some(stock),
    }
    (stock.previous, stock.version) = (stock.version, at.sequence);
    Some(stock)
}
