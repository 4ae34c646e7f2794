use coupon::command::{Command, CouponRef, Step};
use coupon::event::{Action, CouponState, Decision, StockState};
use coupon::id::StoreId;
use coupon::money::{CNY, Money};
use coupon::rejection::Rejection;
use coupon::terms::{AppliesTo, AvailableTime, Limits, Stacking, Validity, Value};

use crate::shop::{
    ANN, BOB, DAY, HOUR, MERCHANT, NOON, SECOND, Shop, cash, limited, lock, multi_use, order, pool, redeem, redeem_as,
    with_terms,
};

fn claimed(stock: coupon::event::StockProfile) -> (Shop, u64, u64) {
    let (mut shop, stock) = Shop::with(stock);
    let number = shop.claims(stock, ANN);
    (shop, stock, number)
}

#[test]
fn a_coupon_is_used_once_and_names_its_order_afterwards() {
    let (mut shop, stock, number) = claimed(cash());
    let redemption = shop.redeems(number, "first");
    assert_eq!((shop.coupon(number).state, shop.counts(stock).redeemed), (CouponState::Redeemed, 1));
    for (of, same_order) in [("first", true), ("second", false)] {
        let used = Rejection::AlreadyRedeemed { redemption, order_id: "first".into(), redeemed_at: NOON, same_order };
        assert_eq!(shop.refuses(&redeem(&[(number, 1)], order(of, 10_000))), used);
    }
}

#[test]
fn what_does_not_exist_is_said_before_anything_else() {
    let (mut shop, _, number) = claimed(cash());
    shop.redeems(number, "first");
    let command = redeem_as(number, |it| {
        it.coupons.push((CouponRef::Unknown, 1));
        it.decision = Decision { action: Action::Block, ..Decision::default() };
    });
    let refusal = shop.decides(&command).expect_err("refused");
    assert_eq!((refusal.rejection, refusal.coupon), (Rejection::CouponNotFound, Some(1)));
    let twice = redeem(&[(number, 1), (number, 1)], order("o", 10_000));
    assert_eq!(shop.refuses(&twice), Rejection::NamedTwice);
}

#[test]
fn a_coupon_has_its_time() {
    let fixed = Validity::Fixed { from: NOON + HOUR, until: NOON + 2 * HOUR };
    let (mut shop, _, number) = claimed(with_terms(|terms| terms.validity = fixed));
    let command = redeem(&[(number, 1)], order("o", 10_000));
    shop.passes(HOUR - 1);
    assert_eq!(shop.refuses(&command), Rejection::NotYetValid(NOON + HOUR));
    shop.passes(HOUR + 1);
    assert_eq!(shop.refuses(&command), Rejection::CouponExpired(NOON + 2 * HOUR));
    shop.passes(-1);
    shop.does(&command);
}

#[test]
fn a_record_that_stands_past_the_end_is_void() {
    let (mut shop, _, number) = claimed(cash());
    let proposal = shop.decides(&redeem(&[(number, 1)], order("o", 10_000))).expect("in time");
    shop.now = shop.coupon(number).valid_until;
    let outcome = shop.fold(proposal, None);
    assert_eq!(outcome, coupon::fold::Outcome::Void(coupon::record::GuardKind::Time));
}

#[test]
fn times_of_the_week_are_the_merchants() {
    let evenings = AvailableTime { weekdays: vec![2], from_minute: 18 * 60, until_minute: 2 * 60 };
    let (mut shop, _, number) = claimed(with_terms(|terms| terms.available_times = vec![evenings]));
    let command = redeem(&[(number, 1)], order("o", 10_000));
    assert_eq!(shop.refuses(&command), Rejection::OutsideAvailableTimes(NOON + 6 * HOUR));
    shop.passes(6 * HOUR);
    assert!(shop.decides(&command).is_ok());
    shop.passes(8 * HOUR - 1);
    assert!(shop.decides(&command).is_ok(), "past midnight it is still Tuesday's evening");
    shop.passes(1);
    assert!(matches!(shop.refuses(&command), Rejection::OutsideAvailableTimes(_)));
}

#[test]
fn it_is_its_owners() {
    let (shop, _, number) = claimed(cash());
    assert_eq!(shop.refuses(&redeem_as(number, |it| it.actor.user = Some(BOB))), Rejection::UserMismatch);
    assert!(shop.decides(&redeem_as(number, |it| it.actor.user = Some(ANN))).is_ok());
}

#[test]
fn stores_and_currency_must_fit() {
    let mut shop = Shop::open();
    shop.does(&Command::CreateStore("朝阳".to_owned(), None));
    let store = shop.sequence;
    let stock = shop.stock(with_terms(|terms| terms.store_ids = vec![StoreId::new(MERCHANT, store)]));
    let number = shop.claims(stock, ANN);
    assert_eq!(shop.refuses(&redeem_as(number, |_| {})), Rejection::StoreNotEligible);
    assert_eq!(shop.refuses(&redeem_as(number, |it| it.actor.store = Some(store + 1))), Rejection::StoreNotEligible);
    let dollars = redeem_as(number, |it| {
        it.actor.store = Some(store);
        it.order.currency = "USD".parse().expect("a currency");
    });
    assert_eq!(shop.refuses(&dollars), Rejection::CurrencyMismatch);
    assert!(shop.decides(&redeem_as(number, |it| it.actor.store = Some(store))).is_ok());
}

#[test]
fn the_order_must_reach_the_minimum_with_lines_that_count() {
    let (shop, _, number) = claimed(cash());
    let below = redeem_as(number, |it| it.order = order("o", 999));
    assert_eq!(shop.refuses(&below), Rejection::OrderBelowMinimum { required: 1_000, eligible: 999 });
    let cups = AppliesTo { skus: vec!["cup".to_owned()], ..AppliesTo::default() };
    let (shop, _, number) = claimed(with_terms(|terms| terms.applies_to = cups));
    assert_eq!(shop.refuses(&redeem_as(number, |_| {})), Rejection::NothingEligible);
}

#[test]
fn a_stock_may_stop_its_coupons() {
    let (mut shop, stock, number) = claimed(cash());
    let command = redeem(&[(number, 1)], order("o", 10_000));
    shop.does(&Command::MoveStock(stock, Step::Pause, false));
    assert!(shop.decides(&command).is_ok(), "a pause stops claims alone");
    shop.does(&Command::MoveStock(stock, Step::Resume, false));
    shop.does(&Command::MoveStock(stock, Step::Pause, true));
    assert_eq!(shop.refuses(&command), Rejection::StockNotActive(StockState::Paused));
}

#[test]
fn uses_are_counted_and_kept_apart() {
    let (mut shop, _, number) = claimed(multi_use(3, 60));
    shop.does(&redeem(&[(number, 2)], order("a", 10_000)));
    assert_eq!((shop.coupon(number).state, shop.coupon(number).uses_left), (CouponState::Claimed, 1));
    let next = redeem(&[(number, 1)], order("b", 10_000));
    assert_eq!(shop.refuses(&next), Rejection::MinimumInterval(NOON + 60 * SECOND));
    shop.passes(60 * SECOND);
    assert_eq!(shop.refuses(&redeem(&[(number, 2)], order("b", 10_000))), Rejection::UsesExceeded { left: 1 });
    shop.does(&next);
    assert_eq!(shop.coupon(number).state, CouponState::Redeemed);
}

#[test]
fn a_budget_is_never_overspent_and_locks_hold_theirs() {
    let stock = coupon::event::StockProfile { budget: Some(1_200), ..cash() };
    let (mut shop, stock) = Shop::with(stock);
    let numbers: Vec<u64> = (0..3).map(|_| shop.claims(stock, ANN)).collect();
    shop.redeems(numbers[0], "a");
    let held = shop.locks(&[numbers[1]], "b");
    let third = redeem(&[(numbers[2], 1)], order("c", 10_000));
    assert_eq!(shop.refuses(&third), Rejection::BudgetExhausted { left: Money { amount: 200, currency: CNY } });
    shop.does(&crate::shop::release(held));
    shop.does(&third);
    assert_eq!(shop.counts(stock).budget_used(), 1_000);
}

#[test]
fn a_users_and_a_stores_redemptions_of_a_day_are_limited() {
    let limits = Limits { user_day_redemptions: Some(1), store_day_redemptions: Some(2), ..Limits::default() };
    let (mut shop, stock) = Shop::with(limited(limits));
    let numbers: Vec<u64> = [ANN, ANN, BOB, [3; 16]].into_iter().map(|user| shop.claims(stock, user)).collect();
    let at = |number, of: &str| {
        let of = order(of, 10_000);
        redeem_as(number, move |it| {
            it.actor.store = Some(5);
            it.order = of;
        })
    };
    shop.does(&at(numbers[0], "a"));
    let until = NOON + 12 * HOUR;
    let full = |limit| Rejection::DayLimitReached { limit, until };
    assert_eq!(shop.refuses(&at(numbers[1], "b")), full("user_day_redemptions"));
    shop.does(&at(numbers[2], "b"));
    assert_eq!(shop.refuses(&at(numbers[3], "c")), full("store_day_redemptions"));
    shop.passes(12 * HOUR);
    shop.does(&at(numbers[1], "c"));
}

#[test]
fn a_stack_is_all_or_nothing_and_names_its_worst() {
    let (mut shop, stock) = Shop::with(cash());
    let numbers: Vec<u64> = (0..3).map(|_| shop.claims(stock, ANN)).collect();
    shop.redeems(numbers[1], "other");
    let stack = redeem(&[(numbers[0], 1), (numbers[1], 1), (numbers[2], 1)], order("o", 10_000));
    let refusal = shop.decides(&stack).expect_err("one is used");
    assert_eq!(refusal.coupon, Some(1));
    assert_eq!(shop.coupon(numbers[0]).state, CouponState::Claimed);
    shop.does(&redeem(&[(numbers[0], 1), (numbers[2], 1)], order("o", 10_000)));
    assert_eq!(shop.counts(stock).redeemed, 3);
}

#[test]
fn what_may_stand_together_in_an_order_counts_earlier_requests_too() {
    let mut shop = Shop::open();
    let stacking = |exclusive, group: Option<&str>| {
        let group = group.map(str::to_owned);
        with_terms(move |terms| terms.stacking = Stacking { exclusive, group, max_per_order: 1 })
    };
    let alone = shop.stock(stacking(true, None));
    let (left, right) = (shop.stock(stacking(false, Some("lunch"))), shop.stock(stacking(false, Some("lunch"))));
    let free = shop.stock(stacking(false, None));
    let claim_of = |shop: &mut Shop, stock| shop.claims(stock, ANN);
    let (first, second) = (claim_of(&mut shop, free), claim_of(&mut shop, free));
    shop.redeems(first, "o");
    let again = redeem(&[(second, 1)], order("o", 10_000));
    assert_eq!(shop.refuses(&again), Rejection::NotStackable, "one of a stock in an order");
    let only = claim_of(&mut shop, alone);
    assert_eq!(shop.refuses(&redeem(&[(only, 1)], order("o", 10_000))), Rejection::NotStackable);
    let (left, right) = (claim_of(&mut shop, left), claim_of(&mut shop, right));
    shop.does(&lock(&[left], order("o", 10_000), 60));
    let rival = redeem(&[(right, 1)], order("o", 10_000));
    assert_eq!(shop.refuses(&rival), Rejection::NotStackable, "a live lock of the order counts");
    let lock = shop.sequence;
    shop.does(&crate::shop::release(lock));
    shop.does(&rival);
}

#[test]
fn earlier_discounts_of_an_order_leave_less() {
    let (mut shop, stock) = Shop::with(with_terms(|terms| {
        terms.value = Value::Cash { amount_off: 700, minimum_spend: 1_000 };
    }));
    let (first, second) = (shop.claims(stock, ANN), shop.claims(stock, ANN));
    shop.does(&redeem(&[(first, 1)], order("o", 1_000)));
    shop.does(&redeem(&[(second, 1)], order("o", 1_000)));
    // 7 yuan and then what was left of ten.
    assert_eq!(shop.counts(stock).discount_given, 1_000);
}

#[test]
fn a_code_that_nobody_claimed_is_claimed_by_its_use() {
    let (mut shop, stock) = Shop::with(pool(2));
    let first = shop.does(&Command::MakeCodes(stock, 2, String::new()));
    shop.passes(3 * DAY);
    shop.redeems(first, "o");
    let coupon = shop.coupon(first);
    assert_eq!((coupon.state, coupon.valid_from), (CouponState::Redeemed, NOON + 3 * DAY));
    assert_eq!(shop.counts(stock).on_shelf, 1);
}
