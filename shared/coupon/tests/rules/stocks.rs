use coupon::command::{Command, LimitName, Step, StockPatch};
use coupon::event::StockState;
use coupon::id::StoreId;
use coupon::rejection::Rejection;

use crate::shop::{ANN, MERCHANT, Shop, cash, few, order, redeem, with_terms};

#[test]
fn a_life_goes_one_way() {
    let mut shop = Shop::open();
    let stock = shop.draft(cash());
    let step = |step| Command::MoveStock(stock, step, false);
    assert_eq!(shop.refuses(&step(Step::Pause)), Rejection::StockNotActive(StockState::Draft));
    assert_eq!(shop.refuses(&step(Step::Resume)), Rejection::StockNotPaused(StockState::Draft));
    shop.does(&step(Step::Activate { tested_above: None }));
    assert_eq!(
        shop.refuses(&step(Step::Activate { tested_above: None })),
        Rejection::StockNotDraft(StockState::Active)
    );
    shop.does(&step(Step::Pause));
    shop.does(&step(Step::Resume));
    shop.does(&step(Step::Close));
    for over in [Step::Activate { tested_above: None }, Step::Pause, Step::Resume, Step::Close] {
        assert_eq!(shop.refuses(&step(over)), Rejection::StockClosed);
    }
    assert_eq!(shop.refuses(&Command::SetTotal(stock, 1_000, 2_000)), Rejection::StockClosed);
}

#[test]
fn a_draft_may_change_and_what_is_open_only_its_words() {
    let mut shop = Shop::open();
    let stock = shop.draft(cash());
    let words = StockPatch { name: Some("新名".to_owned()), ..StockPatch::default() };
    let deep = StockPatch { based_on: stock, total: Some(5), ..StockPatch::default() };
    let change = |patch: &StockPatch| Command::ChangeStock(stock, Box::new(patch.clone()));
    shop.does(&change(&deep));
    let late = Rejection::VersionConflict { current: None };
    assert_eq!(shop.refuses(&change(&deep)), late, "laid over what another has changed since");
    shop.does(&Command::MoveStock(stock, Step::Activate { tested_above: None }, false));
    assert_eq!(shop.refuses(&change(&deep)), Rejection::StockNotDraft(StockState::Active));
    shop.does(&change(&words));
}

#[test]
fn a_drafts_total_keeps_room_for_codes_made_already() {
    let mut shop = Shop::open();
    let stock = shop.draft(few(10));
    shop.does(&Command::MakeCodes(stock, 6, String::new()));
    let patch = |total| {
        let patch = StockPatch { based_on: stock, total: Some(total), ..StockPatch::default() };
        Command::ChangeStock(stock, Box::new(patch))
    };
    assert_eq!(shop.refuses(&patch(5)), Rejection::BelowUsed { used: 6 });
    shop.does(&patch(6));
}

#[test]
fn a_stocks_stores_must_be_there() {
    let shop = Shop::open();
    let elsewhere = with_terms(|terms| terms.store_ids = vec![StoreId::new(MERCHANT, 99)]);
    assert_eq!(shop.refuses(&Command::CreateStock(Box::new(elsewhere), 0)), Rejection::StoreNotFound);
}

#[test]
fn values_are_set_by_whoever_knows_them() {
    let (mut shop, stock) = Shop::with(few(10));
    let number = shop.claims(stock, ANN);
    shop.redeems(number, "o");
    let conflict = |current| Rejection::VersionConflict { current };
    assert_eq!(shop.refuses(&Command::SetTotal(stock, 9, 20)), conflict(Some(10)));
    assert_eq!(shop.refuses(&Command::SetTotal(stock, 10, 0)), Rejection::BelowUsed { used: 1 });
    shop.does(&Command::SetTotal(stock, 10, 1));
    assert_eq!(shop.refuses(&Command::SetBudget(stock, Some(1), None)), conflict(None));
    assert_eq!(shop.refuses(&Command::SetBudget(stock, None, Some(499))), Rejection::BelowUsed { used: 500 });
    shop.does(&Command::SetBudget(stock, None, Some(500)));
    let limit = |current, target| Command::SetLimit(stock, LimitName::PerUser, current, target);
    assert_eq!(shop.refuses(&limit(Some(3), Some(4))), conflict(None));
    shop.does(&limit(None, Some(1)));
    assert_eq!(shop.refuses(&limit(None, Some(2))), conflict(Some(1)));
}

#[test]
fn the_limit_in_force_is_the_one_where_the_record_stands() {
    let (mut shop, stock) = Shop::with(few(10));
    let proposal = shop
        .decides(&crate::shop::claim(coupon::command::Claimed::Stock(stock), ANN))
        .expect("ten are there when it is decided");
    shop.does(&Command::SetTotal(stock, 10, 1));
    shop.claims(stock, ANN);
    let outcome = shop.fold(proposal, None);
    assert_eq!(outcome, coupon::fold::Outcome::Void(coupon::record::GuardKind::Counter));
}

#[test]
fn what_is_paused_or_closed_may_still_come_to_stop_redemptions() {
    let (mut shop, stock) = Shop::with(cash());
    let number = shop.claims(stock, ANN);
    let redeem = redeem(&[(number, 1)], order("o", 10_000));
    let step = |step, stop| Command::MoveStock(stock, step, stop);
    shop.does(&step(Step::Pause, false));
    shop.does(&step(Step::Pause, true));
    assert_eq!(shop.refuses(&redeem), Rejection::StockNotActive(StockState::Paused));
    shop.does(&step(Step::Close, false));
    assert!(shop.decides(&redeem).is_ok(), "closed, and its coupons are good");
    shop.does(&step(Step::Close, true));
    assert_eq!(shop.refuses(&redeem), Rejection::StockNotActive(StockState::Closed));
    assert_eq!(shop.refuses(&step(Step::Close, true)), Rejection::StockClosed);
}

#[test]
fn a_draft_that_is_closed_was_never_open() {
    let mut shop = Shop::open();
    let stock = shop.draft(cash());
    let first = shop.does(&Command::MakeCodes(stock, 1, String::new()));
    shop.does(&Command::MoveStock(stock, Step::Close, false));
    let redeem = redeem(&[(first, 1)], order("o", 10_000));
    assert_eq!(shop.refuses(&redeem), Rejection::StockNotActive(StockState::Closed));
}

#[test]
fn a_days_limit_keeps_to_what_the_day_has_seen() {
    let (mut shop, stock) = Shop::with(cash());
    let (number, second) = (shop.claims(stock, ANN), shop.claims(stock, ANN));
    shop.redeems(number, "o");
    let set = |name, target| Command::SetLimit(stock, name, None, Some(target));
    assert_eq!(shop.refuses(&set(LimitName::PerDay, 1)), Rejection::BelowUsed { used: 2 });
    shop.does(&set(LimitName::PerDay, 2));
    shop.does(&set(LimitName::UserDayRedemptions, 1));
    let late = shop.refuses(&redeem(&[(second, 1)], order("p", 10_000)));
    assert!(matches!(late, Rejection::DayLimitReached { limit: "user_day_redemptions", .. }), "the first one counts");
}
