use super::*;
use crate::money::{CNY, MAX_AMOUNT};
use crate::order::OrderLine;
use PricingProblem::{BelowMinimum, NothingEligible};

/// A line of `quantity` units of `sku` in the category `food`; its id is `l-` and the sku.
fn line(sku: &str, quantity: u32, unit_amount: i64) -> OrderLine {
    let amount = i64::from(quantity) * unit_amount;
    let category = Some("food".to_owned());
    OrderLine { id: format!("l-{sku}"), sku: sku.to_owned(), category, quantity, unit_amount, amount }
}

fn order(shipping_amount: i64, lines: Vec<OrderLine>) -> Order {
    let amount = shipping_amount + lines.iter().map(|l| l.amount).sum::<i64>();
    Order { id: "o".to_owned(), amount, currency: CNY, shipping_amount, lines }
}

fn plain(amount: i64, shipping_amount: i64) -> Order {
    Order { amount, ..order(shipping_amount, Vec::new()) }
}

fn cash(amount_off: i64, minimum_spend: i64) -> Value {
    Value::Cash { amount_off, minimum_spend }
}

fn discount(percent_off_bp: u32, maximum_off: Option<i64>) -> Value {
    Value::Discount { percent_off_bp, minimum_spend: 0, maximum_off }
}

fn spend_and_save(amount_off: i64, minimum_spend: i64, every: bool, at_most_times: Option<u32>) -> Value {
    Value::SpendAndSave { amount_off, minimum_spend, every, at_most_times }
}

fn gift(sku: &str, quantity: u32) -> Value {
    Value::Gift { sku: sku.to_owned(), quantity }
}

fn group_buy(sku: &str) -> Value {
    Value::GroupBuy { sku: sku.to_owned(), deal_price: 1, list_price: 2 }
}

fn multi_use() -> Value {
    Value::MultiUse { uses: 10, minimum_interval_seconds: 0 }
}

fn only(skus: &[&str], categories: &[&str], except_skus: &[&str]) -> AppliesTo {
    let [skus, categories, except_skus] =
        [skus, categories, except_skus].map(|texts| texts.iter().map(|&t| t.to_owned()).collect());
    AppliesTo { skus, categories, except_skus }
}

/// What each coupon takes off, and what is payable.
type Discounts = (Vec<i64>, i64);

/// Prices coupons that apply to all lines, one use each.
fn priced(order: &Order, prior: &[(u64, i64)], values: &[Value]) -> Result<Discounts, Vec<(usize, PricingProblem)>> {
    let all = AppliesTo::default();
    let coupons: Vec<_> = values.iter().map(|value| Applied { value, applies_to: &all, uses: 1 }).collect();
    price(order, prior, &coupons).map(|q| (q.coupons.iter().map(|c| c.discount).collect(), q.payable))
}

/// What one coupon takes off each line.
fn one(order: &Order, value: &Value, applies_to: &AppliesTo, uses: u32) -> Result<Vec<(usize, i64)>, PricingProblem> {
    match price(order, &[], &[Applied { value, applies_to, uses }]) {
        Ok(quote) => Ok(quote.coupons[0].shares.iter().map(|s| (s.line, s.discount)).collect()),
        Err(problems) => Err(problems[0].1),
    }
}

#[test]
fn each_type_on_an_order_without_lines() {
    // 110.00 of which 10.00 are shipping.
    let order = plain(11_000, 1000);
    let below = |required| Err(BelowMinimum { required, eligible: 10_000 });
    let every = |times| spend_and_save(700, 3000, true, times);
    let table = [
        (cash(500, 0), Ok(500)),
        (cash(500, 10_000), Ok(500)),
        (cash(500, 10_001), below(10_001)),
        (cash(20_000, 0), Ok(10_000)),
        (discount(1500, None), Ok(1500)),
        (discount(1500, Some(800)), Ok(800)),
        (discount(10_000, None), Ok(10_000)),
        (Value::Discount { percent_off_bp: 1, minimum_spend: 10_001, maximum_off: None }, below(10_001)),
        (spend_and_save(700, 3000, false, None), Ok(700)),
        (spend_and_save(700, 10_001, false, None), below(10_001)),
        (every(None), Ok(2100)),
        (every(Some(2)), Ok(1400)),
        (every(Some(9)), Ok(2100)),
        (spend_and_save(700, 0, true, None), Ok(700)),
        (gift("tea", 1), Err(NothingEligible)),
        (Value::Experience { sku: "tea".to_owned(), quantity: 1 }, Err(NothingEligible)),
        (group_buy("tea"), Err(NothingEligible)),
        (multi_use(), Ok(0)),
    ];
    for (value, expected) in table {
        let expected = expected.map(|off| (vec![off], 11_000 - off)).map_err(|problem| vec![(0, problem)]);
        assert_eq!(priced(&order, &[], std::slice::from_ref(&value)), expected, "{value:?}");
    }
}

#[test]
fn discounts_round_down() {
    assert_eq!(priced(&plain(999, 0), &[], &[discount(1500, None)]), Ok((vec![149], 850)));
    let tiny = priced(&plain(6, 0), &[], &[discount(1500, None)]);
    assert_eq!(tiny, Err(vec![(0, NothingEligible)]), "0.9 fen are nothing");
}

#[test]
fn goods_are_paid_by_the_unit_in_line_order() {
    let mut second = line("tea", 3, 900);
    second.id = "l-tea-2".to_owned();
    let order = order(0, vec![line("tea", 2, 1000), line("rice", 1, 500), second]);
    let all = AppliesTo::default();
    let table = [
        (gift("tea", 1), 1, Ok(vec![(0, 1000)])),
        (gift("tea", 3), 1, Ok(vec![(0, 2000), (2, 900)])),
        (gift("tea", 2), 2, Ok(vec![(0, 2000), (2, 1800)])),
        (gift("tea", 9), 1, Ok(vec![(0, 2000), (2, 2700)])),
        (gift("tea", u32::MAX), u32::MAX, Ok(vec![(0, 2000), (2, 2700)])),
        (Value::Experience { sku: "rice".to_owned(), quantity: 2 }, 1, Ok(vec![(1, 500)])),
        (group_buy("tea"), 1, Ok(vec![(0, 1000)])),
        (group_buy("tea"), 3, Ok(vec![(0, 2000), (2, 900)])),
        (group_buy("cake"), 1, Err(NothingEligible)),
    ];
    for (value, uses, expected) in table {
        assert_eq!(one(&order, &value, &all, uses), expected, "{uses} uses of {value:?}");
    }
    assert_eq!(one(&order, &gift("tea", 1), &only(&["rice"], &[], &[]), 1), Err(NothingEligible));
    // A unit that an earlier coupon paid is no longer there to be paid: the second two gifts go on to the next line.
    assert_eq!(priced(&order, &[], &[gift("tea", 2), gift("tea", 2)]), Ok((vec![2000, 1800], 1400)));
    assert_eq!(priced(&order, &[], &[gift("tea", 1), gift("tea", 2)]), Ok((vec![1000, 1900], 2300)));
}

#[test]
fn uses_multiply_cash_but_no_share_of_the_order() {
    let order = plain(10_000, 0);
    let all = AppliesTo::default();
    assert_eq!(one(&order, &cash(300, 0), &all, 3), Ok(vec![(0, 900)]));
    assert_eq!(one(&order, &discount(1000, Some(400)), &all, 3), Ok(vec![(0, 400)]));
    assert_eq!(one(&order, &spend_and_save(300, 0, false, None), &all, 3), Ok(vec![(0, 300)]));
    assert_eq!(one(&order, &multi_use(), &all, 3), Ok(vec![]));
}

#[test]
fn only_eligible_lines_count_and_are_discounted() {
    let mut bare = line("bag", 1, 100);
    bare.category = None;
    let order = order(50, vec![line("tea", 1, 1000), line("rice", 1, 500), bare]);
    // Applies to, lines that a discount of everything empties.
    let table = [
        (only(&[], &[], &[]), vec![0, 1, 2]),
        (only(&["rice", "cake"], &[], &[]), vec![1]),
        (only(&[], &["food"], &[]), vec![0, 1]),
        (only(&["bag"], &["food"], &[]), vec![0, 1, 2]),
        (only(&[], &["food"], &["tea"]), vec![1]),
        (only(&["tea"], &[], &["tea"]), vec![]),
        (only(&[], &[], &["tea", "rice"]), vec![2]),
        (only(&[], &["toys"], &[]), vec![]),
    ];
    for (applies_to, lines) in table {
        let expected: Vec<_> = lines.iter().map(|&l| (l, order.lines[l].amount)).collect();
        let expected = if expected.is_empty() { Err(NothingEligible) } else { Ok(expected) };
        assert_eq!(one(&order, &discount(10_000, None), &applies_to, 1), expected, "{applies_to:?}");
        let admitted = if expected.is_ok() { Ok(vec![]) } else { Err(NothingEligible) };
        assert_eq!(one(&order, &multi_use(), &applies_to, 1), admitted, "multi-use on {applies_to:?}");
    }
    let low = one(&order, &cash(10, 501), &only(&["rice"], &[], &[]), 1);
    assert_eq!(low, Err(BelowMinimum { required: 501, eligible: 500 }), "other lines do not count");
}

#[test]
fn an_order_without_lines_is_of_unknown_goods() {
    let order = plain(1000, 0);
    for (applies_to, eligible) in [
        (only(&["tea"], &[], &[]), false),
        (only(&[], &["food"], &[]), false),
        (only(&[], &[], &["tea"]), true),
        (only(&["tea"], &[], &["rice"]), false),
    ] {
        assert_eq!(one(&order, &cash(10, 0), &applies_to, 1).is_ok(), eligible, "{applies_to:?}");
        assert_eq!(one(&order, &multi_use(), &applies_to, 1).is_ok(), eligible, "multi-use on {applies_to:?}");
    }
}

#[test]
fn coupons_take_turns_by_type_and_answer_in_their_order() {
    let order = order(300, vec![line("tea", 2, 1000), line("rice", 1, 8000)]);
    let values = [
        cash(500, 10_000),
        multi_use(),
        spend_and_save(1000, 10_000, false, None),
        discount(1000, None),
        gift("tea", 1),
    ];
    // Gift 1000 of 10,000; a tenth of 9000; 1000 of 8100; 500 of 7100. The minimum looks at 10,000 all the time.
    assert_eq!(priced(&order, &[], &values), Ok((vec![500, 0, 1000, 900, 1000], 6900)));
}

#[test]
fn coupons_of_one_type_take_turns_as_given() {
    let order = plain(1000, 0);
    assert_eq!(priced(&order, &[], &[cash(700, 0), cash(600, 0)]), Ok((vec![700, 300], 0)));
    assert_eq!(priced(&order, &[], &[cash(600, 0), cash(700, 0)]), Ok((vec![600, 400], 0)));
    let tenth_twice = [discount(1000, None), discount(1000, None)];
    assert_eq!(priced(&order, &[], &tenth_twice), Ok((vec![100, 90], 810)));
}

#[test]
fn the_rest_goes_to_the_largest_remainders_and_ties_go_in_line_order() {
    // 100 over lines of 1, 1 and 1: a third each, and one fen more for the first.
    let even = order(0, vec![line("a", 1, 100), line("b", 1, 100), line("c", 1, 100)]);
    let all = AppliesTo::default();
    assert_eq!(one(&even, &cash(100, 0), &all, 1), Ok(vec![(0, 34), (1, 33), (2, 33)]));
    assert_eq!(one(&even, &cash(101, 0), &all, 1), Ok(vec![(0, 34), (1, 34), (2, 33)]));
    // 10 over 50, 30 and 5 of 85: 5.88, 3.53, 0.59.
    let uneven = order(0, vec![line("a", 1, 50), line("b", 1, 30), line("c", 1, 5)]);
    assert_eq!(one(&uneven, &cash(10, 0), &all, 1), Ok(vec![(0, 6), (1, 3), (2, 1)]));
    assert_eq!(one(&uneven, &cash(1, 0), &all, 1), Ok(vec![(0, 1)]), "lines without a share are left out");
}

#[test]
fn earlier_coupons_of_the_order_leave_less() {
    let order = order(100, vec![line("tea", 1, 1000), line("rice", 1, 1000)]);
    let (tea, rice, cake) = (line_key("l-tea"), line_key("l-rice"), line_key("l-cake"));
    // Prior, what a coupon of all the rest takes, per line.
    let table = [
        (vec![], [1000, 1000]),
        (vec![(tea, 300)], [700, 1000]),
        (vec![(tea, 300), (rice, 50), (tea, 200)], [500, 950]),
        // A line that the order has no more, or for less: all lines bear it.
        (vec![(cake, 300)], [850, 850]),
        (vec![(tea, 1300)], [0, 700]),
        (vec![(tea, -5)], [1000, 1000]),
    ];
    for (prior, left) in table {
        let all = AppliesTo::default();
        let whole = discount(10_000, None);
        let coupons = [Applied { value: &whole, applies_to: &all, uses: 1 }];
        let Ok(quote) = price(&order, &prior, &coupons) else { panic!("something is left of {prior:?}") };
        let shares: Vec<i64> =
            (0..2).map(|l| quote.coupons[0].shares.iter().filter(|s| s.line == l).map(|s| s.discount).sum()).collect();
        assert_eq!((shares.as_slice(), quote.payable), (left.as_slice(), 100), "{prior:?}");
        assert_eq!(price(&order, &prior, &[]).map(|q| q.payable), Ok(100 + left[0] + left[1]));
    }
    assert_eq!(priced(&plain(1000, 100), &[(tea, 300)], &[cash(700, 0)]), Ok((vec![600], 100)));
}

#[test]
fn no_coupon_is_spent_on_nothing() {
    let order = order(100, vec![line("tea", 1, 1000), line("bow", 1, 0)]);
    let paid = [(line_key("l-tea"), 1000)];
    let nothing = Err(vec![(0, NothingEligible)]);
    assert_eq!(priced(&order, &paid, &[cash(1, 0)]), nothing);
    assert_eq!(priced(&order, &paid, &[discount(1000, None)]), nothing);
    assert_eq!(priced(&order, &paid, &[gift("tea", 1)]), nothing, "its unit is paid");
    assert_eq!(priced(&order, &paid, &[multi_use()]), Ok((vec![0], 100)), "it never takes anything");
    assert_eq!(priced(&order, &paid, &[gift("bow", 1)]), Ok((vec![0], 100)), "rung up at 0");
    assert_eq!(priced(&order, &[], &[group_buy("tea"), gift("tea", 1)]), Err(vec![(1, NothingEligible)]));
    assert_eq!(priced(&plain(100, 100), &[], &[cash(1, 0)]), nothing, "shipping is never discounted");
}

#[test]
fn all_problems_are_told_by_coupon() {
    let values = [cash(1, 2000), cash(5, 0), gift("tea", 1), discount(1, None), multi_use()];
    let expected = [(0, BelowMinimum { required: 2000, eligible: 1000 }), (2, NothingEligible), (3, NothingEligible)];
    assert_eq!(priced(&plain(1000, 0), &[], &values), Err(expected.to_vec()));
}

#[test]
fn the_largest_orders_do_not_overflow() {
    let lines: Vec<_> = (0..500).map(|i| line(&i.to_string(), 1, MAX_AMOUNT)).collect();
    let order = order(MAX_AMOUNT, lines);
    let every = spend_and_save(MAX_AMOUNT, 1, true, None);
    let values = [discount(3333, None), every, cash(i64::MAX, 0)];
    let total = 500 * MAX_AMOUNT;
    let third = total / 10_000 * 3333;
    assert_eq!(priced(&order, &[], &values[..2]), Ok((vec![third, total - third], MAX_AMOUNT)));
    assert_eq!(priced(&order, &[(1, i64::MAX), (2, i64::MAX)], &[]), Ok((vec![], MAX_AMOUNT)));
    // Amounts that no edge lets through do not panic either.
    let absurd = Order { amount: i64::MAX, shipping_amount: i64::MIN, ..plain(0, 0) };
    assert!(priced(&absurd, &[], &values[2..]).is_ok());
}

#[test]
fn line_keys_are_kept() {
    // The first 8 bytes of the SHA-256 of nothing and of "abc" (FIPS 180-4).
    assert_eq!((line_key(""), line_key("abc")), (0xe3b0_c442_98fc_1c14, 0xba78_16bf_8f01_cfea));
}
