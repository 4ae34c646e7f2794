//! Books kept the naive way: every coupon is written down, and everything is counted anew when it is asked for.

use std::collections::BTreeMap;

use coupon::event::{Lock, Part, Pseudonym, StockProfile, StockState};
use coupon::id::Sequence;
use coupon::terms::{CodeMode, Millis};

/// A merchant's books.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// How often the merchant was opened.
    pub opened: u32,
    /// By number.
    pub stocks: BTreeMap<u64, StockBook>,
    /// By running number.
    pub coupons: BTreeMap<u64, CouponBook>,
    /// By number.
    pub locks: BTreeMap<u64, LockBook>,
    /// By number.
    pub redemptions: BTreeMap<u64, RedemptionBook>,
    /// Batches that are void.
    pub void_batches: Vec<u64>,
    /// What stood at a stock from a sequence on.
    pub(super) past: BTreeMap<u64, Vec<(Sequence, Standing)>>,
    /// How many coupons a user had claimed at a stock from a sequence on.
    pub(super) past_claims: BTreeMap<(u64, Pseudonym), Vec<(Sequence, u64)>>,
}

/// A stock.
#[derive(Clone, Debug)]
pub struct StockBook {
    /// As it stands.
    pub profile: StockProfile,
    /// As it stands.
    pub state: StockState,
    /// Nothing of it may be redeemed.
    pub stopped: bool,
    /// All claims: who and when.
    pub claims: Vec<(Pseudonym, Millis)>,
}

/// A coupon.
#[derive(Clone, Debug)]
pub struct CouponBook {
    /// Of which stock.
    pub stock: u64,
    /// Of which batch.
    pub batch: Option<u64>,
    /// Whose.
    pub user: Option<Pseudonym>,
    /// It was claimed or used: it never goes back on the shelf.
    pub touched: bool,
    /// Out of use.
    pub voided: bool,
    /// When it may be used; `None` while its days have not begun.
    pub valid: Option<(Millis, Millis)>,
    /// How often it may be used.
    pub uses: u32,
    /// How often it was, less what was reversed.
    pub used: u32,
    /// The last use.
    pub last_use: Option<Millis>,
    /// A lock that has not ended.
    pub lock: Option<u64>,
}

/// A lock.
#[derive(Clone, Debug)]
pub struct LockBook {
    /// As it was made; `expires_at` as it stands.
    pub lock: Lock,
    /// It holds nothing any more.
    pub ended: bool,
    /// Whose use each part is, and of which day.
    pub users: Vec<Option<(Pseudonym, Millis)>>,
}

/// A redemption.
#[derive(Clone, Debug)]
pub struct RedemptionBook {
    /// When.
    pub at: Millis,
    /// For which order.
    pub order: String,
    /// What it was at first, and the uses and the discount of it that stand.
    pub parts: Vec<(Part, u32, i64)>,
    /// Whose use each part is, and of which day.
    pub users: Vec<Option<(Pseudonym, Millis)>>,
}

/// What can be had of a stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) claimable: u64,
    pub(super) unissued: i128,
    pub(super) budget_left: Option<i64>,
    pub(super) per_user: Option<u64>,
}

impl Book {
    /// Coupons of a stock.
    pub fn of_stock(&self, stock: u64) -> impl Iterator<Item = (u64, &CouponBook)> {
        self.coupons.iter().filter(move |(_, coupon)| coupon.stock == stock).map(|(number, coupon)| (*number, coupon))
    }

    /// Discount that was given, and that is held by locks.
    pub fn discounts(&self, stock: u64) -> (i64, i64) {
        let given = self.redemptions.values().flat_map(|redemption| &redemption.parts);
        let given = given.filter(|(part, ..)| part.stock == stock).map(|(.., discount)| discount).sum();
        let locks = self.locks.values().filter(|lock| !lock.ended).flat_map(|lock| &lock.lock.parts);
        (given, locks.filter(|part| part.stock == stock).map(|part| part.discount).sum())
    }

    /// Distinct coupons that stand for an order, with their stocks.
    pub fn standing_for(&self, order: &str) -> BTreeMap<u64, u64> {
        let locks = self.locks.values().filter(|lock| !lock.ended && lock.lock.order.id == order);
        let locked = locks.flat_map(|lock| &lock.lock.parts).map(|part| (part.coupon, part.stock));
        let redemptions = self.redemptions.values().filter(|redemption| redemption.order == order);
        let parts = redemptions.flat_map(|redemption| &redemption.parts).filter(|(_, uses, _)| *uses > 0);
        locked.chain(parts.map(|(part, ..)| (part.coupon, part.stock))).collect()
    }

    /// Uses of a stock that stand for a user on a day, locked or redeemed.
    pub fn uses_of(&self, stock: u64, user: Pseudonym, day: Millis) -> u64 {
        let locks = self.locks.values().filter(|lock| !lock.ended);
        let locked = locks.flat_map(|lock| lock.lock.parts.iter().map(|part| (part, part.uses)).zip(&lock.users));
        let redeemed = self
            .redemptions
            .values()
            .flat_map(|row| row.parts.iter().map(|(part, uses, _)| (part, *uses)).zip(&row.users));
        let mine = locked.chain(redeemed).filter(|((part, _), who)| part.stock == stock && **who == Some((user, day)));
        mine.map(|((_, uses), _)| u64::from(uses)).sum()
    }

    fn standing(&self, number: u64, stock: &StockBook) -> Standing {
        let (given, held) = self.discounts(number);
        let shelf = self.of_stock(number).filter(|(_, coupon)| coupon.is_on_shelf()).count() as u64;
        let issued = self.of_stock(number).count() as u64;
        let fresh = match stock.profile.terms.code_mode {
            CodeMode::Generated => stock.profile.total.saturating_sub(issued),
            CodeMode::Pool | CodeMode::Imported => 0,
        };
        Standing {
            claimable: fresh + shelf,
            unissued: i128::from(stock.profile.total) - i128::from(issued),
            budget_left: stock.profile.budget.map(|budget| budget - given - held),
            per_user: stock.profile.limits.per_user,
        }
    }

    /// Writes down what stands after a record, for those who ask whether an answer was true there.
    pub(super) fn remember(&mut self, sequence: Sequence) {
        for (&number, stock) in &self.stocks {
            let standing = self.standing(number, stock);
            let past = self.past.entry(number).or_default();
            if past.last().is_none_or(|(_, last)| *last != standing) {
                past.push((sequence, standing));
            }
            if let Some((user, _)) = stock.claims.last() {
                let count = stock.claims.iter().filter(|(who, _)| who == user).count() as u64;
                let past = self.past_claims.entry((number, *user)).or_default();
                if past.last().is_none_or(|(_, last)| *last != count) {
                    past.push((sequence, count));
                }
            }
        }
    }
}

impl CouponBook {
    /// Made ahead, and nobody's.
    pub fn is_on_shelf(&self) -> bool {
        !self.touched && !self.voided && self.lock.is_none()
    }

    /// All uses are used.
    pub fn is_used_up(&self) -> bool {
        self.used >= self.uses
    }
}
