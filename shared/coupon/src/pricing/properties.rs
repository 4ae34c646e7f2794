//! What holds for all orders and coupons.

use proptest::prelude::*;

use super::*;
use crate::money::{CNY, MAX_AMOUNT};
use crate::order::OrderLine;

const SKUS: [&str; 4] = ["tea", "rice", "cake", "bow"];

fn sku() -> impl Strategy<Value = String> {
    prop::sample::select(&SKUS[..]).prop_map(str::to_owned)
}

/// Small amounts, where rounding shows, and the largest, where overflow would.
fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![0..20_i64, 0..20_000_i64, MAX_AMOUNT / 200..MAX_AMOUNT / 100]
}

prop_compose! {
    fn an_order()(
        lines in prop::collection::vec((sku(), prop::option::of(sku()), 1..5_u32, amount()), 0..8),
        plain in amount(),
        shipping_amount in 0..1000_i64,
    ) -> Order {
        let lines: Vec<OrderLine> = lines.into_iter().enumerate().map(|(i, (sku, category, quantity, unit_amount))| {
            let amount = unit_amount * i64::from(quantity);
            OrderLine { id: i.to_string(), sku, category, quantity, unit_amount, amount }
        }).collect();
        let goods = if lines.is_empty() { plain } else { lines.iter().map(|l| l.amount).sum() };
        Order { id: "o".to_owned(), amount: goods + shipping_amount, currency: CNY, shipping_amount, lines }
    }
}

fn a_value() -> impl Strategy<Value = Value> {
    let minimum = || prop_oneof![Just(0), 0..10_000_i64];
    prop_oneof![
        (amount(), minimum()).prop_map(|(amount_off, minimum_spend)| Value::Cash { amount_off, minimum_spend }),
        (amount(), minimum(), any::<bool>(), prop::option::of(1..9_u32)).prop_map(
            |(amount_off, minimum_spend, every, at_most_times)| Value::SpendAndSave {
                amount_off,
                minimum_spend,
                every,
                at_most_times
            }
        ),
        (1..=10_000_u32, minimum(), prop::option::of(amount())).prop_map(
            |(percent_off_bp, minimum_spend, maximum_off)| Value::Discount {
                percent_off_bp,
                minimum_spend,
                maximum_off
            }
        ),
        sku().prop_map(|sku| Value::GroupBuy { sku, deal_price: 1, list_price: 2 }),
        (sku(), 1..4_u32).prop_map(|(sku, quantity)| Value::Gift { sku, quantity }),
        (sku(), 1..4_u32).prop_map(|(sku, quantity)| Value::Experience { sku, quantity }),
        Just(Value::MultiUse { uses: 3, minimum_interval_seconds: 0 }),
    ]
}

fn an_applies_to() -> impl Strategy<Value = AppliesTo> {
    let some = || prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(sku(), 1..3)];
    (some(), some(), some()).prop_map(|(skus, categories, except_skus)| AppliesTo { skus, categories, except_skus })
}

fn coupons() -> impl Strategy<Value = Vec<(Value, AppliesTo, u32)>> {
    prop::collection::vec((a_value(), an_applies_to(), 1..3_u32), 0..6)
}

fn prior() -> impl Strategy<Value = Vec<(u64, i64)>> {
    let line = (0..10_usize, amount()).prop_map(|(line, amount)| (line_key(&line.to_string()), amount));
    prop_oneof![Just(Vec::new()), prop::collection::vec(line, 1..5)]
}

fn applied(coupons: &[(Value, AppliesTo, u32)]) -> Vec<Applied<'_>> {
    coupons.iter().map(|(value, applies_to, uses)| Applied { value, applies_to, uses: *uses }).collect()
}

/// The coupons that have no problem, with their quote: leaving one out may give another what it lacked, never less.
fn quote_of_the_good(
    order: &Order,
    prior: &[(u64, i64)],
    mut coupons: Vec<(Value, AppliesTo, u32)>,
) -> (Vec<(Value, AppliesTo, u32)>, Quote) {
    loop {
        match price(order, prior, &applied(&coupons)) {
            Ok(quote) => return (coupons, quote),
            Err(problems) => {
                let mut index = 0;
                coupons.retain(|_| {
                    index += 1;
                    problems.iter().all(|&(bad, _)| bad != index - 1)
                });
            }
        }
    }
}

/// What the quote leaves of each line, before any prior.
fn left(order: &Order, quote: &Quote) -> Vec<i64> {
    let mut left: Vec<i64> = order.lines.iter().map(|l| l.amount).collect();
    if left.is_empty() {
        left.push(order.amount - order.shipping_amount);
    }
    for share in quote.coupons.iter().flat_map(|c| &c.shares) {
        left[share.line] -= share.discount;
    }
    left
}

proptest! {
    #[test]
    fn shares_add_up_and_leave_no_line_below_nothing(order in an_order(), prior in prior(), coupons in coupons()) {
        let (coupons, quote) = quote_of_the_good(&order, &prior, coupons);
        prop_assert_eq!(quote.coupons.len(), coupons.len());
        for coupon in &quote.coupons {
            prop_assert_eq!(coupon.shares.iter().map(|s| s.discount).sum::<i64>(), coupon.discount);
            prop_assert!(coupon.shares.iter().all(|s| s.discount > 0));
            prop_assert!(coupon.shares.is_sorted_by_key(|s| s.line));
        }
        prop_assert_eq!(quote.coupons.iter().map(|c| c.discount).sum::<i64>(), quote.discount);
        prop_assert!(left(&order, &quote).iter().all(|&left| left >= 0));
        // What is payable is the amount without all that was taken, as far as there was something to take.
        let goods = order.amount - order.shipping_amount;
        let taken = prior.iter().map(|&(_, amount)| amount).sum::<i64>().min(goods);
        prop_assert_eq!(quote.payable, order.amount - taken - quote.discount);
        prop_assert!(quote.payable >= order.shipping_amount);
    }

    /// Redeeming coupons one request after the other, in their turn, comes to the same as all at once.
    #[test]
    fn prior_discounts_are_respected(order in an_order(), coupons in coupons()) {
        let (mut coupons, _) = quote_of_the_good(&order, &[], coupons);
        coupons.sort_by_key(|(value, ..)| turn(value));
        let at_once = price(&order, &[], &applied(&coupons));
        let mut prior = Vec::new();
        let mut one_by_one = Vec::new();
        for coupon in &coupons {
            let quote = price(&order, &prior, &applied(std::slice::from_ref(coupon)));
            let Ok(mut quote) = quote else { return Err(TestCaseError::fail(format!("{quote:?} after {prior:?}"))) };
            one_by_one.append(&mut quote.coupons);
            prior = one_by_one.iter().flat_map(|c| &c.shares).map(|share| {
                (order.lines.get(share.line).map_or(0, |line| line_key(&line.id)), share.discount)
            }).collect();
        }
        prop_assert_eq!(at_once.map(|quote| quote.coupons), Ok(one_by_one));
    }

    /// The order of lines decides who gets a spare minor unit and which unit is paid first, never what a share of the
    /// order comes to. (With several coupons on different lines that minor unit may be the next coupon's.)
    #[test]
    fn totals_do_not_depend_on_the_order_of_lines(
        order in an_order(),
        values in prop::collection::vec(a_value(), 0..5),
        applies_to in an_applies_to(),
        by in 0..8_usize,
    ) {
        let by_unit = |v: &Value| matches!(v, Value::Gift { .. } | Value::Experience { .. } | Value::GroupBuy { .. });
        let coupons = values.into_iter().filter(|v| !by_unit(v)).map(|v| (v, applies_to.clone(), 1)).collect();
        let (coupons, quote) = quote_of_the_good(&order, &[], coupons);
        let mut turned = order.clone();
        turned.lines.rotate_left(by % order.lines.len().max(1));
        let again = price(&turned, &[], &applied(&coupons));
        let totals = |q: &Quote| q.coupons.iter().map(|c| c.discount).collect::<Vec<_>>();
        prop_assert_eq!(again.as_ref().map(totals), Ok(totals(&quote)));
        prop_assert_eq!(again.map(|q| q.payable), Ok(quote.payable));
    }

    /// A higher cap, amount or share never gives less, and none gives more than it says.
    #[test]
    fn caps_are_monotone(order in an_order(), bp in 1..10_000_u32, low in 1..5000_i64, more in 0..5000_i64) {
        let all = AppliesTo::default();
        let off = |value: &Value| {
            price(&order, &[], &[Applied { value, applies_to: &all, uses: 1 }]).map_or(0, |quote| quote.discount)
        };
        let discount =
            |percent_off_bp, cap| Value::Discount { percent_off_bp, minimum_spend: 0, maximum_off: cap };
        let cash = |amount_off| Value::Cash { amount_off, minimum_spend: 0 };
        let high = low + more;
        prop_assert!(off(&discount(bp, Some(low))) <= off(&discount(bp, Some(high))).min(low));
        prop_assert!(off(&discount(bp, Some(high))) <= off(&discount(bp, None)));
        prop_assert!(off(&discount(bp, None)) <= off(&discount(bp + 1, None)));
        prop_assert!(off(&cash(low)) <= off(&cash(high)).min(low));
        let every = |times| {
            Value::SpendAndSave { amount_off: low, minimum_spend: 100, every: true, at_most_times: Some(times) }
        };
        prop_assert!(off(&every(2)) <= off(&every(3)).min(2 * low));
    }

    #[test]
    fn a_share_is_within_one_of_its_proportion(order in an_order(), amount_off in amount()) {
        let value = Value::Cash { amount_off, minimum_spend: 0 };
        let all = AppliesTo::default();
        if let Ok(quote) = price(&order, &[], &[Applied { value: &value, applies_to: &all, uses: 1 }]) {
            let goods = i128::from(order.amount - order.shipping_amount);
            for (line, left) in left(&order, &quote).into_iter().enumerate() {
                let amount = order.lines.get(line).map_or(goods as i64, |l| l.amount);
                let apart = i128::from(amount - left) * goods - i128::from(amount) * i128::from(quote.discount);
                prop_assert!(apart.abs() < goods);
            }
        }
    }
}
