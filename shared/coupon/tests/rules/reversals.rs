use coupon::command::Command;
use coupon::event::CouponState;
use coupon::rejection::Rejection;
use coupon::terms::{Limits, Value};

use crate::shop::{ANN, DAY, NOON, Shop, cash, limited, multi_use, order, redeem, reverse, with_terms};

#[test]
fn a_whole_reversal_gives_everything_back() {
    let limits = Limits { user_day_redemptions: Some(1), ..Limits::default() };
    let stock = coupon::event::StockProfile { budget: Some(500), ..limited(limits) };
    let (mut shop, stock) = Shop::with(stock);
    let number = shop.claims(stock, ANN);
    let redemption = shop.redeems(number, "o");
    shop.does(&reverse(redemption, None));
    assert_eq!((shop.coupon(number).state, shop.coupon(number).uses_left), (CouponState::Claimed, 1));
    assert_eq!((shop.counts(stock).redeemed, shop.counts(stock).budget_used()), (0, 0));
    assert_eq!(shop.refuses(&reverse(redemption, None)), Rejection::AlreadyReversed);
    shop.redeems(number, "p");
}

#[test]
fn a_reversal_has_its_window() {
    let (mut shop, stock) = Shop::with(cash());
    let number = shop.claims(stock, ANN);
    let redemption = shop.redeems(number, "o");
    shop.passes(2 * DAY);
    assert_eq!(shop.refuses(&reverse(redemption, None)), Rejection::ReversalTooLate(NOON + 2 * DAY));
    shop.passes(-1);
    shop.does(&reverse(redemption, None));
    assert_eq!(shop.refuses(&reverse(99, None)), Rejection::RedemptionNotFound);
}

#[test]
fn uses_come_back_one_by_one() {
    let (mut shop, stock) = Shop::with(multi_use(5, 0));
    let number = shop.claims(stock, ANN);
    shop.does(&redeem(&[(number, 3)], order("o", 10_000)));
    let redemption = shop.sequence;
    let some = |uses| reverse(redemption, Some(vec![(number, Some(uses))]));
    assert_eq!(shop.refuses(&some(4)), Rejection::UsesExceeded { left: 3 });
    shop.does(&some(2));
    assert_eq!(shop.coupon(number).uses_left, 4);
    assert_eq!(shop.refuses(&some(2)), Rejection::UsesExceeded { left: 1 });
    shop.does(&some(1));
    assert_eq!(shop.coupon(number).uses_left, 5);
    assert_eq!(shop.refuses(&some(1)), Rejection::AlreadyReversed);
}

#[test]
fn parts_of_a_discount_add_up_to_the_whole() {
    let gift = with_terms(|terms| terms.value = Value::Gift { sku: "tea".to_owned(), quantity: 1 });
    let (mut shop, stock) = Shop::with(gift);
    let numbers = [shop.claims(stock, ANN), shop.claims(stock, ANN)];
    let mut of = order("o", 2_002);
    (of.lines[0].quantity, of.lines[0].unit_amount) = (2, 1_001);
    shop.does(&redeem(&[(numbers[0], 1), (numbers[1], 1)], of));
    let redemption = shop.sequence;
    assert_eq!(shop.counts(stock).discount_given, 2_002);
    shop.does(&reverse(redemption, Some(vec![(numbers[0], None)])));
    assert_eq!((shop.counts(stock).discount_given, shop.counts(stock).redeemed), (1_001, 1));
    shop.does(&reverse(redemption, None));
    assert_eq!((shop.counts(stock).discount_given, shop.counts(stock).redeemed), (0, 0));
}

#[test]
fn only_what_the_redemption_used_is_given_back() {
    let (mut shop, stock) = Shop::with(cash());
    let (number, other) = (shop.claims(stock, ANN), shop.claims(stock, ANN));
    let redemption = shop.redeems(number, "o");
    assert_eq!(shop.refuses(&reverse(redemption, Some(vec![(other, None)]))), Rejection::CouponNotFound);
    let twice = reverse(redemption, Some(vec![(number, None), (number, None)]));
    assert_eq!(shop.refuses(&twice), Rejection::NamedTwice);
}

#[test]
fn what_is_over_meanwhile_comes_back_expired_or_void() {
    let short = with_terms(|terms| {
        terms.validity = coupon::terms::Validity::Fixed { from: NOON, until: NOON + 1_000 };
    });
    let (mut shop, stock) = Shop::with(short);
    let number = shop.claims(stock, ANN);
    let redemption = shop.redeems(number, "o");
    shop.passes(1_000);
    shop.does(&reverse(redemption, None));
    assert_eq!((shop.counts(stock).redeemed, shop.counts(stock).expired_at(shop.now)), (0, 1));

    let (mut shop, stock) = Shop::with(multi_use(2, 0));
    let number = shop.claims(stock, ANN);
    let redemption = shop.redeems(number, "o");
    shop.does(&Command::VoidCoupon(number, "stolen".to_owned()));
    shop.does(&reverse(redemption, None));
    assert_eq!((shop.coupon(number).state, shop.counts(stock).voided), (CouponState::Voided, 1));
}
