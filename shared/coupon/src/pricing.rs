//! What an order costs after its coupons.
//!
//! Coupons are applied gift, experience, group-buy, then discount, then spend-and-save, then cash, each on what the
//! ones before have left. Amounts are minor units and round down. All of it is a function of its arguments, so that
//! a validation, a lock and a redemption of the same order come to the same amounts.

mod basket;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use sha2::{Digest, Sha256};

use crate::order::Order;
use crate::pricing::basket::Basket;
use crate::terms::{AppliesTo, Value};

/// A coupon that wants to discount the order.
#[derive(Clone, Copy, Debug)]
pub struct Applied<'a> {
    /// What it is worth.
    pub value: &'a Value,
    /// On which lines.
    pub applies_to: &'a AppliesTo,
    /// How many uses of it, at least 1. It multiplies what gift, experience, group-buy and cash take off. A discount
    /// and a spend-and-save are shares of the order and count once, and a multi-use takes nothing off.
    pub uses: u32,
}

/// What a coupon takes off one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineShare {
    /// Index into the order's lines; 0 for an order without lines.
    pub line: usize,
    /// More than 0, minor units.
    pub discount: i64,
}

/// What a coupon takes off an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CouponDiscount {
    /// Sum of `shares`, minor units.
    pub discount: i64,
    /// In line order; lines from which nothing is taken are left out.
    pub shares: Vec<LineShare>,
}

/// An order's price after its coupons, minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// What these coupons take off.
    pub discount: i64,
    /// What is to be paid after these coupons and the earlier ones; at least the shipping.
    pub payable: i64,
    /// In the order in which the coupons were given.
    pub coupons: Vec<CouponDiscount>,
}

/// Why a coupon cannot discount the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PricingProblem {
    /// The eligible lines come to too little.
    BelowMinimum {
        /// The coupon's minimum spend.
        required: i64,
        /// What its eligible lines come to, undiscounted.
        eligible: i64,
    },
    /// No line is eligible, or the coupon would take nothing off, because the eligible ones are paid by other coupons
    /// or the discount rounds to 0: nobody is to spend a coupon on nothing. Two kinds may take nothing off: a
    /// multi-use, and a gift, experience or group-buy whose line the till has already rung up at 0.
    NothingEligible,
}

/// A stable 64-bit key of a line's id, so that state need not keep texts: the first 8 bytes of its SHA-256,
/// big-endian.
pub fn line_key(line_id: &str) -> u64 {
    let digest = Sha256::digest(line_id);
    digest.iter().take(8).fold(0, |key, &byte| (key << 8) | u64::from(byte))
}

/// Prices `order` with `coupons`, after `prior`: what earlier live redemptions and locks of the same order took, by
/// `line_key`. What they took from a line that the order no longer has, or has for less, is taken from all its lines
/// in proportion: describing an order anew frees no discount.
///
/// Returns the problems of all coupons, by their index, when any has one.
pub fn price(
    order: &Order,
    prior: &[(u64, i64)],
    coupons: &[Applied<'_>],
) -> Result<Quote, Vec<(usize, PricingProblem)>> {
    let mut basket = Basket::new(order);
    basket.take_prior(prior);
    let mut turns: Vec<usize> = (0..coupons.len()).collect();
    turns.sort_by_key(|&index| turn(coupons[index].value));

    let mut discounts = vec![CouponDiscount::default(); coupons.len()];
    let mut problems = Vec::new();
    for index in turns {
        match shares(&basket, &coupons[index]) {
            Ok(shares) => {
                basket.take(&shares);
                discounts[index] = CouponDiscount { discount: shares.iter().map(|s| s.discount).sum(), shares };
            }
            Err(problem) => problems.push((index, problem)),
        }
    }
    if !problems.is_empty() {
        problems.sort_unstable_by_key(|&(index, _)| index);
        return Err(problems);
    }
    Ok(Quote { discount: discounts.iter().map(|c| c.discount).sum(), payable: basket.payable(), coupons: discounts })
}

/// Whose turn it is: what pays for named goods comes before what takes a share of the rest, and a fixed amount last,
/// since it can be taken from anything that is left.
fn turn(value: &Value) -> u8 {
    match value {
        Value::Gift { .. } | Value::Experience { .. } | Value::GroupBuy { .. } => 0,
        Value::Discount { .. } => 1,
        Value::SpendAndSave { .. } => 2,
        Value::Cash { .. } => 3,
        Value::MultiUse { .. } => 4,
    }
}

/// What the coupon takes off each line, given what is left of them.
fn shares(basket: &Basket<'_>, coupon: &Applied<'_>) -> Result<Vec<LineShare>, PricingProblem> {
    let eligible = basket.eligible(coupon.applies_to);
    if eligible.is_empty() {
        return Err(PricingProblem::NothingEligible);
    }
    let uses = u64::from(coupon.uses);
    let amount = match coupon.value {
        Value::MultiUse { .. } => return Ok(Vec::new()),
        Value::Gift { sku, quantity } | Value::Experience { sku, quantity } => {
            return units(basket, sku, u64::from(*quantity) * uses, &eligible);
        }
        Value::GroupBuy { sku, .. } => return units(basket, sku, uses, &eligible),
        Value::Cash { amount_off, minimum_spend } => {
            check_minimum(*minimum_spend, basket.undiscounted(&eligible))?;
            i128::from(*amount_off) * i128::from(uses)
        }
        Value::SpendAndSave { amount_off, minimum_spend, every, at_most_times } => {
            let spent = basket.undiscounted(&eligible);
            check_minimum(*minimum_spend, spent)?;
            // Every nothing would be for ever: without a minimum it counts once.
            let times = if *every && *minimum_spend > 0 { spent / minimum_spend } else { 1 };
            let times = times.min(at_most_times.map_or(i64::MAX, i64::from));
            i128::from(*amount_off) * i128::from(times)
        }
        Value::Discount { percent_off_bp, minimum_spend, maximum_off } => {
            check_minimum(*minimum_spend, basket.undiscounted(&eligible))?;
            let off = i128::from(basket.left(&eligible)) * i128::from(*percent_off_bp) / 10_000;
            off.min(maximum_off.map_or(i128::MAX, i128::from))
        }
    };
    let shares = basket.split(amount, &eligible);
    if shares.is_empty() { Err(PricingProblem::NothingEligible) } else { Ok(shares) }
}

fn units(basket: &Basket<'_>, sku: &str, units: u64, eligible: &[usize]) -> Result<Vec<LineShare>, PricingProblem> {
    let shares = basket.units(sku, units, eligible);
    let is_free = || eligible.iter().any(|&line| basket.is_free(line, sku));
    if shares.is_empty() && !is_free() { Err(PricingProblem::NothingEligible) } else { Ok(shares) }
}

fn check_minimum(required: i64, eligible: i64) -> Result<(), PricingProblem> {
    if eligible < required { Err(PricingProblem::BelowMinimum { required, eligible }) } else { Ok(()) }
}
