//! Redemptions and reversals.

use std::sync::Arc;

use crate::event::{CouponState, Part, Pseudonym, Redemption, Reversal, ReversedPart};
use crate::fold::{Place, Scope};
use crate::state::{Key, LockEnd, Read, RedeemedPart, RedemptionRow, Row, Rows};
use crate::terms::Millis;

impl<R: Rows> Scope<'_, R> {
    pub(super) fn redeemed(&mut self, redemption: &Redemption) {
        let number = self.at.sequence;
        let lock = redemption.lock.and_then(|lock| self.rows.lock(self.merchant, lock).cloned());
        // Uses under a lock were counted when it was made: on its day, for its store and its user. Who was not told
        // then is counted now.
        let today = self.day();
        let lock_day = lock.as_ref().map_or(today, |row| row.day);
        let (lock_user, lock_store) =
            lock.as_ref().map_or((None, None), |row| (row.lock.actor.user, row.lock.actor.store));
        let store = lock_store.map(|store| (store, lock_day)).or(redemption.actor.store.map(|store| (store, today)));
        if let (Some(lock), Some(row)) = (redemption.lock, &lock) {
            for part in &row.lock.parts {
                self.with_counts(part.stock, |counts, _| counts.discount_held -= part.discount);
            }
            self.end_lock(lock, LockEnd::Redeemed);
            self.leave_order_all(&redemption.order.id, lock);
        }
        let mut parts = Vec::with_capacity(redemption.parts.len());
        for part in &redemption.parts {
            let (owner, earlier) = self.use_coupon(number, part);
            let before = owner.or(lock_user).map(|user| (user, lock_day));
            let user = before.or(redemption.actor.user.map(|user| (user, today)));
            let uses = i64::from(part.uses);
            if lock.is_none() || before.is_none() {
                self.count_user(part.stock, user, uses);
            }
            if lock_store.is_none() {
                self.count_store(part.stock, store, uses);
            }
            parts.push(RedeemedPart {
                coupon: part.coupon,
                stock: part.stock,
                uses: part.uses,
                uses_reversed: 0,
                discount: part.discount,
                discount_returned: 0,
                shares: part.shares.iter().map(|s| (crate::pricing::line_key(&s.line), s.discount)).collect(),
                counted_user: user,
                earlier,
            });
        }
        self.join_order(&redemption.order.id, number, false, &redemption.parts);
        let row = RedemptionRow {
            version: number,
            redeemed_at: self.at.time,
            order: crate::hash::id_hash(&redemption.order.id),
            order_id: redemption.order.id.as_str().into(),
            parts,
            user: redemption.actor.user,
            store: store.map(|(store, _)| store),
            counted_store: store,
            cashier: redemption.actor.cashier.as_deref().map(Into::into),
        };
        self.rows.put(Key::Redemption(self.merchant, number), Row::Redemption(Arc::new(row)));
    }

    /// Uses up a coupon's part; whose it is, and its redemption before this one.
    fn use_coupon(&mut self, number: u64, part: &Part) -> (Option<Pseudonym>, Option<u64>) {
        let Some(mut coupon) = self.coupon(part.coupon) else { return (None, None) };
        let earlier = coupon.redemption;
        let before = Place::of(&coupon);
        coupon.uses_left = coupon.uses_left.saturating_sub(part.uses);
        coupon.state = if coupon.uses_left == 0 { CouponState::Redeemed } else { CouponState::Claimed };
        if coupon.valid_until == Millis::MAX {
            (coupon.valid_from, coupon.valid_until) = (part.valid_from, part.valid_until);
        }
        coupon.lock = None;
        coupon.used_at = Some(self.at.time);
        coupon.redemption = Some(number);
        let owner = coupon.user;
        self.put_coupon(part.coupon, before, coupon);
        self.with_counts(part.stock, |counts, _| counts.discount_given += part.discount);
        (owner, earlier)
    }

    pub(super) fn reversed(&mut self, reversal: &Reversal) {
        let Some(row) = self.rows.redemption(self.merchant, reversal.redemption).cloned() else { return };
        let mut row = RedemptionRow::clone(&row);
        row.version = self.at.sequence;
        for part in &reversal.parts {
            self.give_back(part);
            let Some(redeemed) = row.parts.iter_mut().find(|p| p.coupon == part.coupon) else { continue };
            redeemed.uses_reversed += part.uses;
            redeemed.discount_returned += part.discount_returned;
            let (user, whole) = (redeemed.counted_user, redeemed.uses_reversed == redeemed.uses);
            self.count_user(part.stock, user, -i64::from(part.uses));
            self.count_store(part.stock, row.counted_store, -i64::from(part.uses));
            if whole {
                self.leave_order(&row.order_id, reversal.redemption, part.coupon);
            } else {
                self.scale_order(&row.order_id, reversal.redemption, part.coupon, redeemed);
            }
        }
        self.rows.put(Key::Redemption(self.merchant, reversal.redemption), Row::Redemption(Arc::new(row)));
    }

    fn give_back(&mut self, part: &ReversedPart) {
        let Some(mut coupon) = self.coupon(part.coupon) else { return };
        let before = Place::of(&coupon);
        coupon.uses_left += part.uses;
        coupon.reversed_in_lock.extend(coupon.lock.map(|lock| (lock, self.at.sequence)));
        if coupon.state == CouponState::Redeemed {
            coupon.state = CouponState::Claimed;
        }
        self.put_coupon(part.coupon, before, coupon);
        self.with_counts(part.stock, |counts, _| counts.discount_given -= part.discount_returned);
    }

    /// What a partly reversed coupon still takes off the order: its shares less what was given back, last lines
    /// first.
    fn scale_order(&mut self, order_id: &str, by: u64, coupon: u64, redeemed: &RedeemedPart) {
        let mut left = redeemed.discount - redeemed.discount_returned;
        let shares: Vec<(u64, i64)> = redeemed
            .shares
            .iter()
            .map(|&(line, discount)| {
                let kept = discount.min(left);
                left -= kept;
                (line, kept)
            })
            .collect();
        self.with_order(order_id, |row| {
            if let Some(part) = row.parts.iter_mut().find(|part| part.by == by && part.coupon == coupon) {
                part.shares = shares;
            }
        });
    }
}
