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

#[test]
fn who_was_not_told_to_a_lock_is_counted_when_it_is_redeemed() {
    let limits = Limits { user_day_redemptions: Some(1), store_day_redemptions: Some(2), ..Limits::default() };
    let stock = coupon::event::StockProfile { limits, ..pool(4) };
    let (mut shop, stock) = Shop::with(stock);
    let first = shop.does(&Command::MakeCodes(stock, 4, String::new()));
    let with = |held, of: &str, user, store| {
        let mut command = usage(&[], order(of, 10_000));
        command.lock = Some((held, TOKEN));
        (command.actor.user, command.actor.store) = (user, store);
        Command::Redeem(Box::new(command))
    };
    let held: Vec<u64> = (0..4).map(|n| shop.locks(&[first + n], &n.to_string())).collect();
    shop.does(&with(held[0], "0", Some(ANN), Some(5)));
    let redemption = shop.sequence;
    let full = |limit| Rejection::DayLimitReached { limit, until: NOON + 12 * HOUR };
    assert_eq!(shop.refuses(&with(held[1], "1", Some(ANN), Some(5))), full("user_day_redemptions"));
    shop.does(&with(held[1], "1", Some(BOB), Some(5)));
    assert_eq!(shop.refuses(&with(held[2], "2", None, Some(5))), full("store_day_redemptions"));
    shop.does(&with(held[2], "2", None, Some(6)));
    shop.does(&crate::shop::reverse(redemption, None));
    shop.does(&with(held[3], "3", Some(ANN), Some(5)));
}

#[test]
fn a_lock_is_redeemed_by_who_made_it() {
    let (mut shop, stock) = Shop::with(cash());
    let number = shop.claims(stock, ANN);
    let mut at_five = usage(&[(number, 1)], order("o", 10_000));
    at_five.actor.store = Some(5);
    let terms = coupon::command::LockTerms { token: TOKEN, ttl_seconds: 60 };
    shop.does(&Command::Lock(Box::new(at_five), terms));
    let held = shop.sequence;
    let with = |user, store, uses| {
        let mut command = usage(&[(number, uses)], order("o", 10_000));
        command.lock = Some((held, TOKEN));
        (command.actor.user, command.actor.store) = (user, store);
        Command::Redeem(Box::new(command))
    };
    assert_eq!(shop.refuses(&with(Some(BOB), Some(5), 1)), Rejection::UserMismatch);
    assert_eq!(shop.refuses(&with(Some(ANN), Some(6), 1)), Rejection::StoreNotEligible);
    assert_eq!(shop.refuses(&with(Some(ANN), Some(5), 2)), Rejection::OrderMismatch, "not the uses that it holds");
    shop.does(&with(Some(ANN), None, 1));
    let stranger = Command::Redeem(Box::new(coupon::command::UseCommand {
        lock: Some((held, [0; 16])),
        ..usage(&[], order("o", 10_000))
    }));
    assert_eq!(shop.refuses(&stranger), Rejection::LockLost(Some(LockEnd::Redeemed)), "told to who has the token");
}
