//! Coupons come into users' hands, and are taken out of use.

use crate::event::{Claim, CouponState, Pseudonym};
use crate::fold::{Place, Scope};
use crate::state::{Coupon, Key, LockEnd, Read, Row, Rows};
use crate::terms::Millis;

impl<R: Rows> Scope<'_, R> {
    pub(super) fn claimed(&mut self, claim: &Claim) -> u64 {
        let Some((number, from)) = self.number_for(claim) else { return 0 };
        let Claim { stock, user, uses, valid_from, valid_until, .. } = *claim;
        self.hand_over((number, from), stock, user, uses, (valid_from, valid_until));
        number
    }

    /// A coupon comes into a user's hands.
    pub(super) fn hand_over(
        &mut self,
        (number, from): (u64, Place),
        stock: u64,
        user: Pseudonym,
        uses: u32,
        (valid_from, valid_until): (Millis, Millis),
    ) {
        let shelf = self.coupon(number);
        let coupon = Coupon {
            version: self.at.sequence,
            stock,
            batch: shelf.as_ref().and_then(|shelf| shelf.batch),
            user: Some(user),
            state: CouponState::Claimed,
            valid_from,
            valid_until,
            uses,
            uses_left: uses,
            claimed_at: Some(self.at.time),
            used_at: None,
            lock: None,
            redemption: None,
            claim: Some(self.at.sequence),
            before_claim: shelf.map_or(0, |shelf| shelf.version),
            reversed_in_lock: Vec::new(),
        };
        self.put_coupon(number, from, coupon);
        self.count_claim(stock, user, self.day());
    }

    /// The printed number, or a new one, or the next on the shelf.
    fn number_for(&mut self, claim: &Claim) -> Option<(u64, Place)> {
        if let Some(number) = claim.printed {
            return Some((number, Place::Shelf));
        }
        self.hand_out(claim.stock)
    }

    /// A coupon that the stock can hand out: a new number while it has any, then the shelf.
    pub(super) fn hand_out(&mut self, stock: u64) -> Option<(u64, Place)> {
        let row = self.rows.stock(self.merchant, stock)?;
        let issued = self.rows.counts(self.merchant, stock)?.issued;
        let generated = row.profile.terms.code_mode == crate::terms::CodeMode::Generated;
        let shelf_is_empty = self.rows.counts(self.merchant, stock)?.on_shelf == 0;
        if generated && (issued < row.profile.total || shelf_is_empty) {
            return Some((self.take_numbers(1), Place::Nowhere));
        }
        self.next_on_shelf(stock).map(|number| (number, Place::Shelf))
    }

    fn count_claim(&mut self, stock: u64, user: Pseudonym, day: Millis) {
        let mut counts = self.rows.user_counts(self.merchant, stock, user).copied().unwrap_or_default();
        counts.claims += 1;
        counts.day_claims.add(day, 1);
        self.rows.put(Key::UserCounts(self.merchant, stock, user), Row::UserCounts(counts));
        self.with_counts(stock, |counts, _| counts.claims.add(day, 1));
    }

    /// A void beats a lock: what was quoted cannot be had any more, so the whole lock ends.
    pub(super) fn coupon_voided(&mut self, number: u64) {
        if let Some(lock) = self.coupon(number).and_then(|coupon| coupon.lock) {
            self.lock_ended(lock, LockEnd::Voided);
        }
        let Some(mut coupon) = self.coupon(number) else { return };
        let before = Place::of(&coupon);
        coupon.state = CouponState::Voided;
        self.put_coupon(number, before, coupon);
    }
}
