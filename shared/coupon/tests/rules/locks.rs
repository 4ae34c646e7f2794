use coupon::command::{Command, Step};
use coupon::event::{CouponState, StockState};
use coupon::rejection::Rejection;
use coupon::state::{LockEnd, Read};
use coupon::terms::Limits;

use crate::shop::{
    ANN, BOB, HOUR, MERCHANT, NOON, SECOND, Shop, TOKEN, cash, limited, lock, order, pool, redeem, redeem_lock,
    release, usage,
};

#[test]
fn a_lock_holds_its_price_whatever_the_terms_become() {
    let (mut shop, stock) = Shop::with(cash());
    let number = shop.claims(stock, ANN);
    let held = shop.locks(&[number], "o");
    assert_eq!((shop.coupon(number).state, shop.counts(stock).locked), (CouponState::Locked, 1));
    shop.does(&Command::MoveStock(stock, Step::Pause, false));
    shop.does(&Command::SetBudget(stock, None, Some(500)));
    shop.does(&redeem_lock(held, "o"));
    assert_eq!(shop.coupon(number).state, CouponState::Redeemed);
    assert_eq!((shop.counts(stock).discount_given, shop.counts(stock).discount_held), (500, 0));
    assert!(matches!(shop.refuses(&redeem_lock(held, "o")), Rejection::AlreadyRedeemed { same_order: true, .. }));
}

#[test]
fn what_is_locked_is_nobody_elses() {
    let (mut shop, stock) = Shop::with(cash());
    let number = shop.claims(stock, ANN);
    let held = shop.locks(&[number], "o");
    let locked = Rejection::CouponLocked { until: NOON + HOUR };
    assert_eq!(shop.refuses(&redeem(&[(number, 1)], order("o", 10_000))), locked, "not even for the same order");
    assert_eq!(shop.refuses(&lock(&[number], order("p", 10_000), 60)), locked);
    let wrong = Command::ReleaseLock(held, [0; 16], coupon::event::ReleaseReason::Changed);
    assert_eq!(shop.refuses(&wrong), Rejection::LockLost(None), "another token");
    assert_eq!(shop.refuses(&release(99)), Rejection::LockNotFound);
}

#[test]
fn a_lock_is_for_its_order_and_its_coupons() {
    let (mut shop, stock) = Shop::with(cash());
    let (number, other) = (shop.claims(stock, ANN), shop.claims(stock, ANN));
    let held = shop.locks(&[number], "o");
    assert_eq!(shop.refuses(&redeem_lock(held, "p")), Rejection::OrderMismatch);
    let mut dearer = usage(&[], order("o", 10_001));
    dearer.lock = Some((held, TOKEN));
    assert_eq!(shop.refuses(&Command::Redeem(Box::new(dearer))), Rejection::OrderMismatch);
    let mut with_other = usage(&[(other, 1)], order("o", 10_000));
    with_other.lock = Some((held, TOKEN));
    assert_eq!(shop.refuses(&Command::Redeem(Box::new(with_other))), Rejection::OrderMismatch);
}

#[test]
fn a_lock_that_is_let_go_leaves_everything_as_it_was() {
    let limits = Limits { user_day_redemptions: Some(1), ..Limits::default() };
    let (mut shop, stock) = Shop::with(limited(limits));
    let (number, second) = (shop.claims(stock, ANN), shop.claims(stock, ANN));
    let held = shop.locks(&[number], "o");
    let other = redeem(&[(second, 1)], order("p", 10_000));
    assert!(matches!(shop.refuses(&other), Rejection::DayLimitReached { .. }), "the lock counts for the day");
    shop.does(&release(held));
    assert_eq!(shop.coupon(number).state, CouponState::Claimed);
    shop.does(&other);
    assert_eq!(shop.refuses(&redeem_lock(held, "o")), Rejection::LockLost(Some(LockEnd::Released)));
}

#[test]
fn a_lock_ends_with_its_time_and_a_tick_lets_go() {
    let (mut shop, stock) = Shop::with(cash());
    let number = shop.claims(stock, ANN);
    let held = shop.locks(&[number], "o");
    shop.passes(HOUR - 1);
    assert!(shop.decides(&Command::ExpireLock(held)).expect("a lock").events.is_empty(), "it still lives");
    shop.passes(1);
    assert_eq!(shop.refuses(&redeem_lock(held, "o")), Rejection::LockLost(Some(LockEnd::Expired)));
    shop.does(&Command::ExpireLock(held));
    assert_eq!(shop.coupon(number).state, CouponState::Claimed);
    shop.redeems(number, "p");
}

#[test]
fn an_extension_never_shortens() {
    let (mut shop, stock) = Shop::with(cash());
    let number = shop.claims(stock, ANN);
    let held = shop.locks(&[number], "o");
    let ends = |shop: &Shop| shop.rows.lock(MERCHANT, held).expect("a lock").lock.expires_at;
    shop.does(&Command::ExtendLock(held, TOKEN, 60));
    assert_eq!(ends(&shop), NOON + HOUR);
    shop.does(&Command::ExtendLock(held, TOKEN, 7_200));
    assert_eq!(ends(&shop), NOON + 2 * HOUR);
    shop.passes(2 * HOUR);
    let lost = Rejection::LockLost(Some(LockEnd::Expired));
    assert_eq!(shop.refuses(&Command::ExtendLock(held, TOKEN, 60)), lost);
}

#[test]
fn a_void_beats_a_lock_and_frees_the_others() {
    let (mut shop, stock) = Shop::with(cash());
    let (number, other) = (shop.claims(stock, ANN), shop.claims(stock, ANN));
    let held = shop.locks(&[number, other], "o");
    shop.does(&Command::VoidCoupon(number, "stolen".to_owned()));
    assert_eq!(shop.refuses(&redeem_lock(held, "o")), Rejection::LockLost(Some(LockEnd::Voided)));
    assert_eq!((shop.coupon(number).state, shop.coupon(other).state), (CouponState::Voided, CouponState::Claimed));
}

#[test]
fn stopped_redemptions_stop_a_lock_too() {
    let (mut shop, stock) = Shop::with(cash());
    let number = shop.claims(stock, ANN);
    let held = shop.locks(&[number], "o");
    shop.does(&Command::MoveStock(stock, Step::Close, true));
    assert_eq!(shop.refuses(&redeem_lock(held, "o")), Rejection::StockNotActive(StockState::Closed));
}

#[test]
fn a_code_from_the_shelf_goes_back_there() {
    let (mut shop, stock) = Shop::with(pool(2));
    let first = shop.does(&Command::MakeCodes(stock, 2, String::new()));
    let held = shop.locks(&[first], "o");
    assert_eq!(shop.counts(stock).on_shelf, 1);
    assert_eq!(shop.claims(stock, ANN), first + 1, "what is held is not handed out");
    shop.does(&release(held));
    assert_eq!((shop.coupon(first).state, shop.counts(stock).on_shelf), (CouponState::Available, 1));
    assert_eq!(shop.coupon(first).valid_until, i64::MAX, "its days have not begun");
    assert_eq!(shop.claims(stock, BOB), first, "and is the next that is handed out");
}

#[test]
fn a_lock_counts_for_the_day_on_which_it_was_made() {
    let limits = Limits { user_day_redemptions: Some(1), ..Limits::default() };
    let (mut shop, stock) = Shop::with(limited(limits));
    let (number, second, third) = (shop.claims(stock, ANN), shop.claims(stock, ANN), shop.claims(stock, ANN));
    shop.passes(12 * HOUR - SECOND);
    let held = shop.locks(&[number], "o");
    shop.passes(2 * SECOND);
    shop.redeems(second, "p");
    shop.does(&redeem_lock(held, "o"));
    assert!(matches!(
        shop.refuses(&redeem(&[(third, 1)], order("q", 10_000))),
        Rejection::DayLimitReached { limit: "user_day_redemptions", .. }
    ));
}
