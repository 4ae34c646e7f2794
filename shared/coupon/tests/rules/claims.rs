use coupon::command::{Claimed, Command, CouponRef, Step};
use coupon::event::{Action, CouponState, Decision, StockState};
use coupon::rejection::Rejection;
use coupon::terms::{Limits, Validity};

use crate::shop::{ANN, BOB, DAY, HOUR, NOON, Shop, cash, claim, few, limited, order, pool, redeem, with_terms};

#[test]
fn a_claim_gives_a_coupon_that_is_valid_for_its_days() {
    let (mut shop, stock) = Shop::with(cash());
    let number = shop.claims(stock, ANN);
    let coupon = shop.coupon(number);
    assert_eq!((coupon.state, coupon.user, coupon.uses_left), (CouponState::Claimed, Some(ANN), 1));
    // Thirty days, the first included, end at 24:00 of the last: noon and twenty-nine and a half days.
    assert_eq!((coupon.valid_from, coupon.valid_until), (NOON, NOON + 12 * HOUR + 29 * DAY));
    assert_eq!(shop.counts(stock).issued, 1);
}

#[test]
fn a_delay_begins_at_midnight() {
    let delayed = with_terms(|terms| terms.validity = Validity::AfterClaim { delay_days: 1, days: 1 });
    let (mut shop, stock) = Shop::with(delayed);
    let number = shop.claims(stock, ANN);
    let coupon = shop.coupon(number);
    assert_eq!((coupon.valid_from, coupon.valid_until), (NOON + 12 * HOUR, NOON + 36 * HOUR));
}

#[test]
fn the_last_one_is_the_last() {
    let (mut shop, stock) = Shop::with(few(2));
    shop.claims(stock, ANN);
    shop.claims(stock, BOB);
    assert_eq!(shop.refuses(&claim(Claimed::Stock(stock), ANN)), Rejection::StockSoldOut);
    shop.does(&Command::SetTotal(stock, 2, 3));
    shop.claims(stock, ANN);
}

#[test]
fn a_void_coupon_does_not_come_back() {
    let (mut shop, stock) = Shop::with(few(1));
    let number = shop.claims(stock, ANN);
    shop.does(&Command::VoidCoupon(number, "stolen".to_owned()));
    assert_eq!(shop.coupon(number).state, CouponState::Voided);
    assert_eq!(shop.refuses(&claim(Claimed::Stock(stock), ANN)), Rejection::StockSoldOut);
    assert_eq!(shop.refuses(&Command::VoidCoupon(number, "again".to_owned())), Rejection::CouponVoided);
}

#[test]
fn a_user_has_as_many_as_one_may() {
    let (mut shop, stock) = Shop::with(limited(Limits { per_user: Some(1), ..Limits::default() }));
    shop.claims(stock, ANN);
    assert_eq!(
        shop.refuses(&claim(Claimed::Stock(stock), ANN)),
        Rejection::UserLimitReached { limit: 1, today: false }
    );
    shop.claims(stock, BOB);
}

#[test]
fn a_users_day_ends_at_the_merchants_midnight() {
    let (mut shop, stock) = Shop::with(limited(Limits { per_user_day: Some(1), ..Limits::default() }));
    shop.claims(stock, ANN);
    let today = Rejection::UserLimitReached { limit: 1, today: true };
    shop.passes(12 * HOUR - 1);
    assert_eq!(shop.refuses(&claim(Claimed::Stock(stock), ANN)), today);
    shop.passes(1);
    shop.claims(stock, ANN);
}

#[test]
fn a_stocks_day_ends_at_the_merchants_midnight() {
    let (mut shop, stock) = Shop::with(limited(Limits { per_day: Some(1), ..Limits::default() }));
    shop.claims(stock, ANN);
    let until = NOON + 12 * HOUR;
    let full = Rejection::DayLimitReached { limit: "per_day", until };
    assert_eq!(shop.refuses(&claim(Claimed::Stock(stock), BOB)), full);
    shop.passes(12 * HOUR);
    shop.claims(stock, BOB);
}

#[test]
fn claims_have_a_window_with_an_open_end() {
    let window = with_terms(|terms| {
        (terms.claim_from, terms.claim_until) = (Some(NOON + HOUR), Some(NOON + 2 * HOUR));
    });
    let (mut shop, stock) = Shop::with(window);
    let closed = Rejection::ClaimNotOpen { from: Some(NOON + HOUR), until: Some(NOON + 2 * HOUR) };
    shop.passes(HOUR - 1);
    assert_eq!(shop.refuses(&claim(Claimed::Stock(stock), ANN)), closed);
    shop.passes(1);
    shop.claims(stock, ANN);
    shop.passes(HOUR);
    assert_eq!(shop.refuses(&claim(Claimed::Stock(stock), ANN)), closed);
}

#[test]
fn only_an_active_stock_is_claimed_from() {
    let mut shop = Shop::open();
    let stock = shop.draft(cash());
    let refused = |shop: &Shop| shop.refuses(&claim(Claimed::Stock(stock), ANN));
    assert_eq!(refused(&shop), Rejection::StockNotActive(StockState::Draft));
    shop.does(&Command::MoveStock(stock, Step::Activate { tested_above: None }, false));
    shop.does(&Command::MoveStock(stock, Step::Pause, false));
    assert_eq!(refused(&shop), Rejection::StockNotActive(StockState::Paused));
    shop.does(&Command::MoveStock(stock, Step::Close, false));
    assert_eq!(refused(&shop), Rejection::StockNotActive(StockState::Closed));
    assert_eq!(shop.refuses(&claim(Claimed::Stock(99), ANN)), Rejection::StockNotFound);
}

#[test]
fn risk_comes_before_what_is_limited() {
    let (mut shop, stock) = Shop::with(few(1));
    shop.claims(stock, ANN);
    let Command::Claim(mut command) = claim(Claimed::Stock(stock), BOB) else { unreachable!() };
    for action in [Action::Block, Action::Challenge] {
        command.decision = Decision { action, ..Decision::default() };
        assert!(matches!(shop.refuses(&Command::Claim(command.clone())), Rejection::Risk(_)));
    }
    command.decision = Decision { action: Action::Review, ..Decision::default() };
    assert_eq!(shop.refuses(&Command::Claim(command)), Rejection::StockSoldOut, "a review lets it through");
}

#[test]
fn a_printed_code_is_bound_once() {
    let (mut shop, stock) = Shop::with(pool(10));
    let first = shop.does(&Command::MakeCodes(stock, 3, String::new()));
    let printed = |number| claim(Claimed::Printed(CouponRef::Number(number)), ANN);
    assert_eq!(shop.does(&printed(first + 1)), first + 1);
    assert_eq!(shop.refuses(&printed(first + 1)), Rejection::AlreadyClaimed);
    assert_eq!(shop.refuses(&printed(first + 3)), Rejection::CouponNotFound, "more than were made");
    assert_eq!(shop.refuses(&claim(Claimed::Printed(CouponRef::Unknown), ANN)), Rejection::CouponNotFound);
    shop.does(&redeem(&[(first, 1)], order("o", 10_000)));
    assert!(matches!(shop.refuses(&printed(first)), Rejection::AlreadyRedeemed { .. }));
    assert_eq!(shop.claims(stock, BOB), first + 2, "the shelf leaves out what is taken");
    assert_eq!(shop.refuses(&claim(Claimed::Stock(stock), BOB)), Rejection::StockSoldOut);
}

#[test]
fn what_is_claimed_expires_by_itself_and_a_tick_counts_it() {
    let (mut shop, stock) = Shop::with(cash());
    let number = shop.claims(stock, ANN);
    let until = shop.coupon(number).valid_until;
    shop.now = until - 1;
    assert_eq!(shop.counts(stock).expired_at(shop.now), 0);
    shop.now = until;
    assert_eq!(shop.counts(stock).expired_at(shop.now), 1, "before any tick");
    shop.does(&Command::ExpireCoupons(stock, until));
    assert_eq!((shop.counts(stock).expired, shop.counts(stock).claimed.len()), (1, 0));
    let again = shop.decides(&Command::ExpireCoupons(stock, until)).expect("nothing to do");
    assert!(again.events.is_empty());
    assert_eq!(shop.refuses(&Command::VoidCoupon(number, "late".to_owned())), Rejection::CouponExpired(until));
}
