use coupon::command::{Command, RehearsalTerms, Step};
use coupon::event::{LoadTest, Note, StockState};
use coupon::rejection::Rejection;
use coupon::state::Read;
use coupon::terms::{CodeMode, Validity};

use crate::shop::{ANN, BOB, DAY, HOUR, MERCHANT, NOON, Shop, cash, lock, order, redeem, with_terms};

fn twin_of(of: u64) -> Command {
    Command::OpenRehearsal(RehearsalTerms { of, total: None, code_mode: None, until: NOON + DAY })
}

/// A merchant with an active stock, then at its rehearsals, with a twin of it.
fn rehearsing() -> (Shop, u64, u64) {
    let (mut shop, stock) = Shop::with(cash());
    shop.at = MERCHANT.rehearsals();
    shop.does(&twin_of(stock));
    let twin = shop.sequence;
    (shop, stock, twin)
}

#[test]
fn a_twin_is_counted_with_nothing_that_is_real() {
    let (mut shop, stock, twin) = rehearsing();
    let coupon = shop.claims(twin, ANN);
    shop.redeems(coupon, "o-1");
    assert_eq!((shop.counts(twin).redeemed, shop.counts(twin).discount_given), (1, 500));
    shop.at = MERCHANT;
    assert_eq!(shop.counts(stock), coupon::state::Counts::default());
    // The same user, the same order: nobody has been here.
    let real = shop.claims(stock, ANN);
    shop.redeems(real, "o-1");
    assert_eq!((shop.counts(stock).redeemed, real), (1, 1), "numbers of coupons are counted apart too");
}

#[test]
fn a_twin_is_open_before_the_sale_and_at_any_time() {
    let later = with_terms(|terms| {
        terms.claim_from = Some(NOON + 10 * DAY);
        terms.validity = Validity::Fixed { from: NOON + 10 * DAY, until: NOON + 11 * DAY };
    });
    let (mut shop, stock) = Shop::with(later);
    shop.at = MERCHANT.rehearsals();
    shop.does(&twin_of(stock));
    let coupon = shop.claims(shop.sequence, ANN);
    shop.redeems(coupon, "o-1");
}

#[test]
fn a_twin_of_the_merchants_codes_has_codes_made_ahead() {
    let (mut shop, stock) = Shop::with(with_terms(|terms| terms.code_mode = CodeMode::Imported));
    shop.at = MERCHANT.rehearsals();
    shop.does(&twin_of(stock));
    let twin = shop.sequence;
    shop.does(&Command::MakeCodes(twin, 5, String::new()));
    let coupon = shop.claims(twin, ANN);
    shop.redeems(coupon, "o-1");
}

#[test]
fn twins_have_no_twins_and_closed_stocks_none() {
    let (mut shop, stock, twin) = rehearsing();
    assert_eq!(shop.refuses(&twin_of(99)), Rejection::StockNotFound);
    shop.at = MERCHANT;
    assert_eq!(shop.refuses(&twin_of(twin)), Rejection::RehearsalOfRehearsal);
    shop.does(&Command::MoveStock(stock, Step::Close, false));
    shop.at = MERCHANT.rehearsals();
    assert_eq!(shop.refuses(&twin_of(stock)), Rejection::StockClosed);
}

#[test]
fn on_its_date_a_twin_is_closed_and_all_of_it_is_forgotten() {
    let (mut shop, stock, twin) = rehearsing();
    let there = MERCHANT.rehearsals();
    let rows = |shop: &Shop| shop.rows.of(there);
    let before = rows(&shop);
    shop.does(&twin_of(stock));
    let other = shop.sequence;
    let kept = shop.claims(other, BOB);
    let expected = rows(&shop);
    for n in 0..5 {
        let coupon = shop.claims(twin, [n; 16]);
        shop.redeems(coupon, &format!("o-{n}"));
    }
    let held = shop.claims(twin, ANN);
    shop.does(&lock(&[held], order("o-held", 10_000), 7 * 24 * 3_600));
    assert_eq!(shop.refuses(&redeem(&[(held, 1)], order("o-9", 10_000))), {
        Rejection::CouponLocked { until: NOON + 7 * DAY }
    });
    // Until then the tick does nothing.
    let tick = Command::ForgetRehearsal(twin);
    let early = shop.decides(&tick).expect("a tick");
    shop.passes(DAY - HOUR);
    assert!(!matches!(shop.fold(early, None), coupon::fold::Outcome::Applied(_)), "its time has not come");
    shop.passes(HOUR);
    shop.does(&tick);
    assert_eq!(shop.refuses(&crate::shop::claim(coupon::command::Claimed::Stock(twin), BOB)), {
        Rejection::StockNotActive(StockState::Closed)
    });
    for _ in 0..3 {
        if shop.rows.rehearsal(there, twin).is_some() {
            shop.does(&tick);
        }
    }
    let left = rows(&shop);
    let gone: Vec<_> = left.iter().filter(|key| !expected.contains(key)).collect();
    assert!(gone.is_empty(), "still there: {gone:?}");
    assert_eq!(left.len(), expected.len() - (before.len() - 1), "all but the merchant's own row went");
    assert_eq!(shop.coupon(kept).stock, other, "what is another twin's stays");
    assert!(shop.decides(&tick).expect("a tick").events.is_empty(), "there is nothing left to do");
    shop.at = MERCHANT;
    shop.claims(stock, ANN);
}

fn test(stock: u64, passed: bool) -> Command {
    Command::StoreLoadTest(Box::new(LoadTest {
        stock: Some(stock),
        passed,
        profile: "saturday".to_owned(),
        verdict: String::new(),
        peak_per_second: 900,
        report: vec![1],
        note: Note::default(),
    }))
}

#[test]
fn a_large_promotion_needs_a_load_test_that_passed() {
    let mut shop = Shop::open();
    shop.does(&Command::CreateStock(Box::new(cash()), 100_001));
    let stock = shop.sequence;
    let activate = |tested_above| Command::MoveStock(stock, Step::Activate { tested_above }, false);
    let required = Rejection::LoadTestRequired { expected: 100_001, above: 100_000 };
    assert_eq!(shop.refuses(&activate(Some(100_000))), required);
    assert!(shop.decides(&activate(None)).is_ok() && shop.decides(&activate(Some(100_001))).is_ok());
    shop.does(&test(stock, false));
    assert_eq!(shop.refuses(&activate(Some(100_000))), required, "one that failed does not count");
    shop.does(&test(stock, true));
    shop.does(&test(stock, false));
    shop.does(&activate(Some(100_000)));
}

#[test]
fn a_load_test_is_of_a_stock_that_is_there() {
    let shop = Shop::open();
    assert_eq!(shop.refuses(&test(99, true)), Rejection::StockNotFound);
}
