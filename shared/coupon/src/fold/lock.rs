//! Locks: what is held for an order, and how it is let go.

use std::sync::Arc;

use crate::event::{CouponState, Lock, Part, Pseudonym};
use crate::fold::{Place, Scope};
use crate::state::{Key, LockEnd, LockRow, OrderPart, OrderRow, Read, Row, Rows};
use crate::terms::Millis;

impl<R: Rows> Scope<'_, R> {
    pub(super) fn locked(&mut self, lock: &Lock) {
        let number = self.at.sequence;
        let day = self.day();
        for part in &lock.parts {
            let Some(mut coupon) = self.coupon(part.coupon) else { continue };
            let before = Place::of(&coupon);
            let user = coupon.user.or(lock.actor.user);
            coupon.state = CouponState::Locked;
            coupon.lock = Some(number);
            if coupon.valid_until == Millis::MAX {
                (coupon.valid_from, coupon.valid_until) = (part.valid_from, part.valid_until);
            }
            self.put_coupon(part.coupon, before, coupon);
            self.count_user(part.stock, user.map(|user| (user, day)), i64::from(part.uses));
            self.count_store(part.stock, lock.actor.store.map(|store| (store, day)), i64::from(part.uses));
            self.with_counts(part.stock, |counts, _| counts.discount_held += part.discount);
        }
        self.join_order(&lock.order.id, number, true, &lock.parts);
        let row =
            LockRow { version: number, lock: lock.clone(), created_at: self.at.time, end: None, redemption: None, day };
        self.rows.put(Key::Lock(self.merchant, number), Row::Lock(Arc::new(row)));
    }

    pub(super) fn lock_extended(&mut self, number: u64, until: Millis) {
        let Some(row) = self.rows.lock(self.merchant, number) else { return };
        let mut row = LockRow::clone(row);
        row.version = self.at.sequence;
        row.lock.expires_at = until;
        self.rows.put(Key::Lock(self.merchant, number), Row::Lock(Arc::new(row)));
    }

    /// Everything that the lock held goes back; its coupons are what they were.
    pub(super) fn lock_ended(&mut self, number: u64, end: LockEnd) {
        let Some(row) = self.rows.lock(self.merchant, number).cloned() else { return };
        if row.end.is_some() {
            return;
        }
        for part in &row.lock.parts {
            let Some(mut coupon) = self.coupon(part.coupon) else { continue };
            let before = Place::of(&coupon);
            coupon.lock = None;
            coupon.state = self.unlocked_state(&coupon);
            if let (CouponState::Available, Some(untouched)) =
                (coupon.state, crate::fold::untouched(self.rows, self.merchant, part.coupon))
            {
                // Back on the shelf, its days have not begun.
                (coupon.valid_from, coupon.valid_until) = (untouched.valid_from, untouched.valid_until);
            }
            self.put_coupon(part.coupon, before, coupon);
            self.return_held(&row, part);
        }
        self.end_lock(number, end);
        self.leave_order_all(&row.lock.order.id, number);
    }

    fn unlocked_state(&self, coupon: &crate::state::Coupon) -> CouponState {
        if coupon.claimed_at.is_some() || coupon.redemption.is_some() {
            return CouponState::Claimed;
        }
        let batch = coupon.batch.and_then(|batch| self.rows.batch(self.merchant, batch));
        match batch {
            Some(batch) if batch.voided_at.is_some() => CouponState::Voided,
            _ => CouponState::Available,
        }
    }

    pub(super) fn end_lock(&mut self, number: u64, end: LockEnd) {
        let Some(row) = self.rows.lock(self.merchant, number) else { return };
        let mut row = LockRow::clone(row);
        row.version = self.at.sequence;
        row.end = Some(end);
        row.redemption = (end == LockEnd::Redeemed).then_some(self.at.sequence);
        self.rows.put(Key::Lock(self.merchant, number), Row::Lock(Arc::new(row)));
    }

    /// Gives back the budget and the limits that a coupon's part in a lock held.
    pub(super) fn return_held(&mut self, row: &LockRow, part: &Part) {
        let user = self.rows.coupon_row(self.merchant, part.coupon).and_then(|c| c.user).or(row.lock.actor.user);
        self.count_user(part.stock, user.map(|user| (user, row.day)), -i64::from(part.uses));
        self.count_store(part.stock, row.lock.actor.store.map(|store| (store, row.day)), -i64::from(part.uses));
        self.with_counts(part.stock, |counts, _| counts.discount_held -= part.discount);
    }

    /// Counts a user's uses on a day, or takes them back from it. Without a limit too: one may be set later in the day.
    pub(super) fn count_user(&mut self, stock: u64, user: Option<(Pseudonym, Millis)>, uses: i64) {
        let Some((user, day)) = user else { return };
        let mut counts = self.rows.user_counts(self.merchant, stock, user).copied().unwrap_or_default();
        counts.day_redemptions.change(day, uses);
        self.rows.put(Key::UserCounts(self.merchant, stock, user), Row::UserCounts(counts));
    }

    /// The same for a store.
    pub(super) fn count_store(&mut self, stock: u64, store: Option<(u64, Millis)>, uses: i64) {
        let Some((store, day)) = store else { return };
        let mut count = self.rows.store_counts(self.merchant, stock, store).copied().unwrap_or_default();
        count.change(day, uses);
        self.rows.put(Key::StoreCounts(self.merchant, stock, store), Row::StoreCounts(count));
    }

    pub(super) fn join_order(&mut self, order_id: &str, by: u64, locked: bool, parts: &[Part]) {
        self.with_order(order_id, |row| {
            row.parts.extend(parts.iter().map(|part| OrderPart {
                by,
                locked,
                coupon: part.coupon,
                stock: part.stock,
                shares: part.shares.iter().map(|s| (crate::pricing::line_key(&s.line), s.discount)).collect(),
            }));
            if !locked {
                row.redemptions.push(by);
            }
        });
    }

    pub(super) fn leave_order(&mut self, order_id: &str, by: u64, coupon: u64) {
        self.with_order(order_id, |row| row.parts.retain(|part| part.by != by || part.coupon != coupon));
    }

    pub(super) fn leave_order_all(&mut self, order_id: &str, by: u64) {
        self.with_order(order_id, |row| row.parts.retain(|part| part.by != by));
    }

    pub(super) fn with_order(&mut self, order_id: &str, change: impl FnOnce(&mut OrderRow)) {
        let hash = crate::hash::id_hash(order_id);
        let mut row = self.rows.order(self.merchant, hash).map(|row| OrderRow::clone(row)).unwrap_or_default();
        row.version = self.at.sequence;
        change(&mut row);
        self.rows.put(Key::Order(self.merchant, hash), Row::Order(Arc::new(row)));
    }
}
