//! Where a stock's coupons are counted, and the shelf of codes made ahead.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::event::CouponState;
use crate::fold::Scope;
use crate::id::MerchantId;
use crate::state::{Batch, Counts, Coupon, Key, Range, Read, Row, Rows, View};
use crate::terms::{Millis, Validity};

/// Where a coupon is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Not issued: only its total.
    Nowhere,
    /// Made ahead.
    Shelf,
    /// In somebody's hands until a time.
    Claimed(Millis),
    /// Held for an order.
    Locked,
    /// Used up.
    Redeemed,
    /// Taken out of use.
    Voided,
}

impl Place {
    /// Of a coupon's row.
    pub(crate) fn of(coupon: &Coupon) -> Self {
        match coupon.state {
            CouponState::Available => Self::Shelf,
            CouponState::Claimed | CouponState::Expired => Self::Claimed(coupon.valid_until),
            CouponState::Locked => Self::Locked,
            CouponState::Redeemed => Self::Redeemed,
            CouponState::Voided => Self::Voided,
        }
    }
}

impl Counts {
    /// Moves one coupon at `now`. A place whose time a tick has counted already is counted as expired.
    pub(crate) fn shift(&mut self, from: Place, to: Place, now: Millis) {
        match from {
            Place::Nowhere => self.issued += 1,
            Place::Shelf => self.on_shelf -= 1,
            Place::Claimed(until) => match self.claimed.iter_mut().find(|(end, _)| *end == until) {
                Some((_, n)) => *n -= 1,
                None => self.expired -= 1,
            },
            Place::Locked => self.locked -= 1,
            Place::Redeemed => self.redeemed -= 1,
            Place::Voided => self.voided -= 1,
        }
        match to {
            Place::Nowhere => {}
            Place::Shelf => self.on_shelf += 1,
            Place::Claimed(until) if until <= now => self.expired += 1,
            Place::Claimed(until) => match self.claimed.binary_search_by_key(&until, |(end, _)| *end) {
                Ok(i) => self.claimed[i].1 += 1,
                Err(i) => self.claimed.insert(i, (until, 1)),
            },
            Place::Locked => self.locked += 1,
            Place::Redeemed => self.redeemed += 1,
            Place::Voided => self.voided += 1,
        }
        self.claimed.retain(|(_, n)| *n > 0);
    }
}

/// The range in which a running number was made ahead.
pub(crate) fn range_of<V: View + ?Sized>(view: &V, merchant: MerchantId, number: u64) -> Option<Range> {
    let ranges = view.ranges(merchant)?;
    let i = ranges.partition_point(|range| range.start <= number).checked_sub(1)?;
    let range = ranges[i];
    (number < range.start + range.count).then_some(range)
}

/// A coupon as it is: its row, or what its row would be if it was made ahead and nobody has touched it. One that
/// went back on the shelf is void since its batch is.
pub fn find_coupon<V: View + ?Sized>(view: &V, merchant: MerchantId, number: u64) -> Option<Coupon> {
    let Some(row) = view.coupon_row(merchant, number) else { return untouched(view, merchant, number) };
    let mut coupon = Coupon::clone(row);
    if coupon.state != CouponState::Available {
        return Some(coupon);
    }
    if let Some(untouched) = untouched(view, merchant, number) {
        // A draft's terms may have changed since it was taken in.
        (coupon.valid_from, coupon.valid_until) = (untouched.valid_from, untouched.valid_until);
        (coupon.uses, coupon.uses_left) = (untouched.uses, untouched.uses_left);
    }
    if let Some(batch) = coupon.batch.and_then(|batch| view.batch(merchant, batch))
        && batch.voided_at.is_some()
    {
        coupon.state = CouponState::Voided;
        coupon.version = coupon.version.max(batch.version);
    }
    Some(coupon)
}

/// A coupon made ahead as if nobody had touched it; `None` for one that its claim made.
pub fn untouched<V: View + ?Sized>(view: &V, merchant: MerchantId, number: u64) -> Option<Coupon> {
    let range = range_of(view, merchant, number)?;
    let batch = view.batch(merchant, range.batch)?;
    let terms = &view.stock(merchant, range.stock)?.profile.terms;
    let (valid_from, valid_until) = match terms.validity {
        Validity::Fixed { from, until } => (from, until),
        // Its days begin with the claim; used unclaimed, it is claimed in that moment.
        Validity::AfterClaim { .. } => (Millis::MIN, Millis::MAX),
    };
    let uses = terms.value.uses();
    Some(Coupon {
        version: batch.version,
        stock: range.stock,
        batch: Some(range.batch),
        user: None,
        state: if batch.voided_at.is_some() { CouponState::Voided } else { CouponState::Available },
        valid_from,
        valid_until,
        uses,
        uses_left: uses,
        claimed_at: None,
        used_at: None,
        lock: None,
        redemption: None,
        claim: None,
        before_claim: 0,
        reversed_in_lock: Vec::new(),
    })
}

impl<R: Rows> Scope<'_, R> {
    /// A coupon's row, made if it has none yet. Guards have shown that it exists.
    pub(super) fn coupon(&self, number: u64) -> Option<Coupon> {
        find_coupon(self.rows, self.merchant, number)
    }

    /// Puts a changed coupon, counts it where it is now, and keeps its batch's count.
    pub(super) fn put_coupon(&mut self, number: u64, before: Place, mut coupon: Coupon) {
        coupon.version = self.at.sequence;
        let after = Place::of(&coupon);
        if before != after {
            let stock = coupon.stock;
            self.with_counts(stock, |counts, at| counts.shift(before, after, at.time));
            if let Some(batch) = coupon.batch {
                self.keep_batch(batch, before, after);
                if after == Place::Shelf {
                    self.put_back(stock, number);
                } else if before == Place::Shelf {
                    self.take_off(stock, number);
                }
            }
        }
        self.rows.put(Key::Coupon(self.merchant, number), Row::Coupon(Arc::new(coupon)));
    }

    pub(super) fn with_counts(&mut self, stock: u64, change: impl FnOnce(&mut Counts, crate::fold::At)) {
        let mut counts = self.rows.counts(self.merchant, stock).cloned().unwrap_or_default();
        change(Arc::make_mut(&mut counts), self.at);
        self.rows.put(Key::Counts(self.merchant, stock), Row::Counts(counts));
    }

    fn keep_batch(&mut self, number: u64, before: Place, after: Place) {
        let Some(batch) = self.rows.batch(self.merchant, number) else { return };
        let taken = match (before, after) {
            (Place::Shelf, _) => batch.taken + 1,
            (_, Place::Shelf) => batch.taken - 1,
            _ => return,
        };
        let batch = Batch { taken, ..Batch::clone(batch) };
        self.rows.put(Key::Batch(self.merchant, number), Row::Batch(Arc::new(batch)));
    }

    fn put_back(&mut self, stock: u64, number: u64) {
        let behind = self.rows.counts(self.merchant, stock).is_some_and(|counts| counts.cursor > number);
        if behind {
            self.with_returned(stock, |returned| {
                returned.insert(number);
            });
        }
    }

    pub(super) fn take_off(&mut self, stock: u64, number: u64) {
        if self.rows.returned(self.merchant, stock).is_some_and(|returned| returned.contains(&number)) {
            self.with_returned(stock, |returned| {
                returned.remove(&number);
            });
        }
    }

    fn with_returned(&mut self, stock: u64, change: impl FnOnce(&mut BTreeSet<u64>)) {
        let mut returned = self.rows.returned(self.merchant, stock).cloned().unwrap_or_default();
        change(Arc::make_mut(&mut returned));
        if returned.is_empty() {
            self.rows.remove(&Key::Returned(self.merchant, stock));
        } else {
            self.rows.put(Key::Returned(self.merchant, stock), Row::Returned(returned));
        }
    }

    /// The next running numbers of the merchant.
    pub(super) fn take_numbers(&mut self, count: u64) -> u64 {
        let first = self.rows.next_number(self.merchant).copied().unwrap_or(1);
        self.rows.put(Key::NextNumber(self.merchant), Row::NextNumber(first + count));
        first
    }

    /// The next number on a stock's shelf, those that came back first. `None` when the shelf is empty.
    pub(super) fn next_on_shelf(&mut self, stock: u64) -> Option<u64> {
        if let Some(&number) = self.rows.returned(self.merchant, stock).and_then(|numbers| numbers.first()) {
            return Some(number);
        }
        let ranges = self.rows.ranges(self.merchant)?.clone();
        let cursor = self.rows.counts(self.merchant, stock)?.cursor;
        let start = ranges.partition_point(|range| range.start + range.count <= cursor);
        for range in ranges[start..].iter().filter(|range| range.stock == stock) {
            if self.rows.batch(self.merchant, range.batch).is_none_or(|batch| batch.voided_at.is_some()) {
                continue;
            }
            for number in range.start.max(cursor)..range.start + range.count {
                let free =
                    self.rows.coupon_row(self.merchant, number).is_none_or(|row| row.state == CouponState::Available);
                if free {
                    self.with_counts(stock, |counts, _| counts.cursor = number + 1);
                    return Some(number);
                }
            }
        }
        None
    }
}
