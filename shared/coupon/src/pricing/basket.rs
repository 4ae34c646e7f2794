//! The lines of an order while coupons are taken off them.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use crate::money::MAX_AMOUNT;
use crate::order::{Order, OrderLine};
use crate::pricing::{LineShare, line_key};
use crate::terms::AppliesTo;

/// What the lines come to and what is left of them, minor units. An order without lines has one here, of all but the
/// shipping, of which no goods are known.
pub(super) struct Basket<'a> {
    /// Empty where the order has no lines.
    goods: &'a [OrderLine],
    undiscounted: Vec<i64>,
    left: Vec<i64>,
    shipping: i64,
}

impl<'a> Basket<'a> {
    /// The order before any coupon.
    pub(super) fn new(order: &'a Order) -> Self {
        // Larger amounts are refused at the edge; clamping them bounds every sum and product below.
        let bounded = |amount: i64| amount.clamp(0, MAX_AMOUNT);
        let undiscounted: Vec<i64> = if order.lines.is_empty() {
            vec![bounded(order.amount.saturating_sub(order.shipping_amount))]
        } else {
            order.lines.iter().map(|line| bounded(line.amount)).collect()
        };
        let shipping = bounded(order.shipping_amount);
        Self { goods: &order.lines, left: undiscounted.clone(), undiscounted, shipping }
    }

    /// Takes off what earlier coupons of the order took.
    pub(super) fn take_prior(&mut self, prior: &[(u64, i64)]) {
        if prior.is_empty() {
            return;
        }
        let lines: FxHashMap<u64, usize> =
            self.goods.iter().enumerate().map(|(line, goods)| (line_key(&goods.id), line)).collect();
        let mut elsewhere = 0_i128;
        for &(key, amount) in prior {
            let amount = amount.max(0);
            let taken = lines.get(&key).map_or(0, |&line| {
                let taken = amount.min(self.left[line]);
                self.left[line] -= taken;
                taken
            });
            elsewhere += i128::from(amount - taken);
        }
        let all: Vec<usize> = (0..self.left.len()).collect();
        self.take(&self.split(elsewhere, &all));
    }

    /// Takes off what a coupon takes.
    pub(super) fn take(&mut self, shares: &[LineShare]) {
        for share in shares {
            self.left[share.line] -= share.discount;
        }
    }

    /// The shipping and what is left of the lines: the order's amount without what was taken.
    pub(super) fn payable(&self) -> i64 {
        self.left.iter().fold(self.shipping, |sum, &left| sum.saturating_add(left))
    }

    /// The lines to which a coupon applies. One line of unknown goods is eligible where no goods are asked for; that
    /// some are excluded cannot be seen there and is the caller's affair.
    pub(super) fn eligible(&self, applies_to: &AppliesTo) -> Vec<usize> {
        let for_all = applies_to.skus.is_empty() && applies_to.categories.is_empty();
        if self.goods.is_empty() {
            return if for_all { vec![0] } else { Vec::new() };
        }
        let is_eligible = |goods: &OrderLine| {
            let included = for_all
                || applies_to.skus.contains(&goods.sku)
                || goods.category.as_ref().is_some_and(|category| applies_to.categories.contains(category));
            included && !applies_to.except_skus.contains(&goods.sku)
        };
        (0..self.goods.len()).filter(|&line| is_eligible(&self.goods[line])).collect()
    }

    /// What these lines came to before any coupon.
    pub(super) fn undiscounted(&self, lines: &[usize]) -> i64 {
        lines.iter().fold(0, |sum, &line| sum.saturating_add(self.undiscounted[line]))
    }

    /// What is left of these lines.
    pub(super) fn left(&self, lines: &[usize]) -> i64 {
        lines.iter().fold(0, |sum, &line| sum.saturating_add(self.left[line]))
    }

    /// Whether this is a line of `sku` for which the till asks nothing anyway.
    pub(super) fn is_free(&self, line: usize, sku: &str) -> bool {
        self.goods.get(line).is_some_and(|goods| goods.sku == sku) && self.undiscounted[line] == 0
    }

    /// The price of up to `units` units of `sku`, line after line, at most what is left of each. A line's unit counts
    /// as paid only when earlier coupons took its whole price, so that two gifts of the same goods pay two units.
    pub(super) fn units(&self, sku: &str, units: u64, lines: &[usize]) -> Vec<LineShare> {
        let mut open = units;
        let mut shares = Vec::new();
        for &line in lines {
            let Some(goods) = self.goods.get(line).filter(|goods| goods.sku == sku && goods.unit_amount > 0) else {
                continue;
            };
            let unpaid = self.left[line].unsigned_abs().div_ceil(goods.unit_amount.unsigned_abs());
            let taken = open.min(unpaid).min(u64::from(goods.quantity));
            open -= taken;
            let price = i128::from(goods.unit_amount) * i128::from(taken);
            let discount = price.min(i128::from(self.left[line])) as i64;
            if discount > 0 {
                shares.push(LineShare { line, discount });
            }
        }
        shares
    }

    /// Divides `amount`, at most what is left of `lines`, among them in proportion to what is left of each, exactly:
    /// rounded down, and one more for the largest remainders, ties in line order. This is Hamilton's method (Balinski
    /// and Young, *Fair Representation*, 1982, ch. 2); a line's share stays within one of its proportion, thus never
    /// above what is left of it.
    pub(super) fn split(&self, amount: i128, lines: &[usize]) -> Vec<LineShare> {
        let total: i128 = lines.iter().map(|&line| i128::from(self.left[line])).sum();
        let amount = amount.min(total);
        if amount <= 0 {
            return Vec::new();
        }
        let mut shares: Vec<LineShare> = Vec::with_capacity(lines.len());
        let mut remainders: Vec<(Reverse<i128>, usize)> = Vec::with_capacity(lines.len());
        let mut spare = amount;
        for (place, &line) in lines.iter().enumerate() {
            let product = amount * i128::from(self.left[line]);
            let discount = (product / total) as i64;
            spare -= i128::from(discount);
            shares.push(LineShare { line, discount });
            remainders.push((Reverse(product % total), place));
        }
        if spare > 0 {
            remainders.sort_unstable();
            for &(_, place) in remainders.iter().take(spare as usize) {
                shares[place].discount += 1;
            }
        }
        shares.retain(|share| share.discount > 0);
        shares
    }
}
