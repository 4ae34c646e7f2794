use coupon::command::{Claimed, Command, CouponRef};
use coupon::event::{CouponState, ImportRow, Operation, OperationKind, SendRow, StockProfile};
use coupon::rejection::Rejection;
use coupon::state::{Read, RowResult};
use coupon::terms::{CodeMode, Limits};

use crate::shop::{ANN, BOB, MERCHANT, Shop, cash, claim, few, limited, order, pool, redeem, with_terms};

fn imported(total: u64) -> StockProfile {
    StockProfile { total, ..with_terms(|terms| terms.code_mode = CodeMode::Imported) }
}

fn begin(shop: &mut Shop, kind: OperationKind, stock: u64, total: u64) -> u64 {
    let (label, rows) = (String::new(), String::new());
    shop.does(&Command::StartOperation(Operation { kind, stock, total, label, rows }));
    shop.sequence
}

fn results(shop: &Shop, operation: u64) -> Vec<RowResult> {
    shop.rows.results(MERCHANT, operation, 0).expect("results").to_vec()
}

#[test]
fn codes_made_ahead_are_available_and_bounded_by_the_total() {
    let (mut shop, stock) = Shop::with(pool(1_000_000));
    let first = shop.does(&Command::MakeCodes(stock, 1_000_000, "printed".to_owned()));
    assert_eq!(shop.counts(stock).available(1_000_000), 1_000_000);
    assert_eq!(shop.refuses(&Command::MakeCodes(stock, 1, String::new())), Rejection::StockSoldOut);
    assert_eq!(shop.coupon(first + 999_999).state, CouponState::Available);
    shop.redeems(first + 999_999, "o");
}

#[test]
fn a_batch_is_voided_but_for_what_is_taken() {
    let (mut shop, stock) = Shop::with(pool(10));
    let first = shop.does(&Command::MakeCodes(stock, 10, String::new()));
    let batch = shop.sequence;
    shop.claims(stock, ANN);
    let held = shop.locks(&[first + 5], "o");
    shop.does(&Command::VoidBatch(batch, "misprint".to_owned()));
    assert_eq!((shop.counts(stock).voided, shop.counts(stock).on_shelf), (8, 0));
    assert_eq!(shop.refuses(&redeem(&[(first + 7, 1)], order("p", 10_000))), Rejection::CouponVoided);
    assert_eq!(shop.refuses(&claim(Claimed::Stock(stock), BOB)), Rejection::StockSoldOut);
    assert_eq!(shop.refuses(&Command::VoidBatch(batch, "again".to_owned())), Rejection::BatchVoided);
    shop.does(&crate::shop::release(held));
    assert_eq!((shop.coupon(first + 5).state, shop.counts(stock).voided), (CouponState::Voided, 9));
    shop.redeems(first, "q");
}

#[test]
fn own_codes_are_taken_in_row_by_row() {
    let (mut shop, stock) = Shop::with(imported(2));
    let operation = begin(&mut shop, OperationKind::ImportCodes, stock, 5);
    let rows = vec![
        ImportRow::Code("A".to_owned()),
        ImportRow::Duplicate("A".to_owned()),
        ImportRow::Malformed("坏".to_owned()),
        ImportRow::Code("B".to_owned()),
        ImportRow::Code("C".to_owned()),
    ];
    shop.does(&Command::ImportChunk(operation, 0, rows, true));
    let [a, duplicate, malformed, b, c] = results(&shop, operation)[..] else { panic!("five rows") };
    let (RowResult::Done(a), RowResult::Done(_)) = (a, b) else { panic!("two are taken") };
    assert_eq!((duplicate, malformed, c), (RowResult::Duplicate, RowResult::Malformed, RowResult::SoldOut));
    let code = CouponRef::Imported(coupon::hash::id_hash("A"));
    assert_eq!(shop.does(&claim(Claimed::Printed(code), ANN)), a);
    let nobody = CouponRef::Imported(coupon::hash::id_hash("nobody's"));
    assert_eq!(shop.refuses(&claim(Claimed::Printed(nobody), ANN)), Rejection::CouponNotFound);
    let again = begin(&mut shop, OperationKind::ImportCodes, stock, 1);
    shop.does(&Command::ImportChunk(again, 0, vec![ImportRow::Code("A".to_owned())], true));
    assert_eq!(results(&shop, again), [RowResult::Exists]);
}

#[test]
fn a_chunk_is_taken_once_whoever_offers_it() {
    let (mut shop, stock) = Shop::with(imported(10));
    let operation = begin(&mut shop, OperationKind::ImportCodes, stock, 2);
    let chunk = |n, code: &str, last| Command::ImportChunk(operation, n, vec![ImportRow::Code(code.to_owned())], last);
    let first = shop.decides(&chunk(0, "A", false)).expect("its turn");
    shop.does(&chunk(0, "A", false));
    let outcome = shop.fold(first, None);
    assert_eq!(outcome, coupon::fold::Outcome::Void(coupon::record::GuardKind::Version));
    assert!(shop.decides(&chunk(0, "A", false)).expect("over").events.is_empty());
    shop.does(&chunk(1, "B", true));
    assert_eq!(shop.counts(stock).issued, 2);
    assert!(shop.rows.operation(MERCHANT, operation).expect("an operation").finished);
}

#[test]
fn a_send_gives_each_user_what_the_limits_leave() {
    let limits = Limits { per_user: Some(1), ..Limits::default() };
    let (mut shop, stock) = Shop::with(StockProfile { total: 2, ..limited(limits) });
    let operation = begin(&mut shop, OperationKind::Send, stock, 4);
    let rows = [ANN, ANN, BOB, [3; 16]].map(|user| SendRow { user, sealed: Vec::new() });
    shop.does(&Command::SendChunk(operation, 0, rows.to_vec(), true));
    let [RowResult::Done(first), again, RowResult::Done(_), late] = results(&shop, operation)[..] else {
        panic!("two are sent")
    };
    assert_eq!((again, late), (RowResult::UserLimit, RowResult::SoldOut));
    assert_eq!(shop.coupon(first).user, Some(ANN));
}

#[test]
fn operations_need_a_stock_that_fits() {
    let (mut shop, stock) = Shop::with(cash());
    let operation = |kind| {
        let (label, rows) = (String::new(), String::new());
        Command::StartOperation(Operation { kind, stock, total: 1, label, rows })
    };
    assert_eq!(shop.refuses(&operation(OperationKind::ImportCodes)), Rejection::CodeModeMismatch);
    let own = shop.stock(imported(1));
    assert_eq!(shop.refuses(&Command::MakeCodes(own, 1, String::new())), Rejection::CodeModeMismatch);
    shop.does(&Command::MoveStock(stock, coupon::command::Step::Close, false));
    assert!(matches!(shop.refuses(&operation(OperationKind::Send)), Rejection::StockNotActive(_)));
    assert_eq!(shop.refuses(&Command::MakeCodes(stock, 1, String::new())), Rejection::StockClosed);
}

#[test]
fn a_generated_stock_hands_out_new_numbers_before_its_shelf() {
    let (mut shop, stock) = Shop::with(few(3));
    let first = shop.does(&Command::MakeCodes(stock, 2, String::new()));
    assert_eq!(shop.claims(stock, ANN), first + 2, "a new one");
    assert_eq!(shop.claims(stock, ANN), first, "then the shelf");
    assert_eq!(shop.claims(stock, ANN), first + 1);
    assert_eq!(shop.refuses(&claim(Claimed::Stock(stock), ANN)), Rejection::StockSoldOut);
}

#[test]
fn a_void_batch_takes_no_more_codes() {
    let (mut shop, stock) = Shop::with(imported(10));
    let operation = begin(&mut shop, OperationKind::ImportCodes, stock, 2);
    let chunk =
        |chunk, code: &str, last| Command::ImportChunk(operation, chunk, vec![ImportRow::Code(code.to_owned())], last);
    shop.does(&chunk(0, "A", false));
    shop.does(&Command::VoidBatch(operation, "misprint".to_owned()));
    shop.does(&chunk(1, "B", true));
    assert_eq!(**shop.rows.results(MERCHANT, operation, 1).expect("results"), [RowResult::NotActive]);
    assert_eq!((shop.counts(stock).issued, shop.counts(stock).voided), (1, 1));
}

#[test]
fn a_send_keeps_to_the_claim_window() {
    let closes = crate::shop::NOON + crate::shop::HOUR;
    let (mut shop, stock) = Shop::with(with_terms(|terms| terms.claim_until = Some(closes)));
    let operation = begin(&mut shop, OperationKind::Send, stock, 2);
    let chunk =
        |chunk, last| Command::SendChunk(operation, chunk, vec![SendRow { user: ANN, sealed: Vec::new() }], last);
    shop.does(&chunk(0, false));
    shop.passes(crate::shop::HOUR);
    shop.does(&chunk(1, true));
    assert_eq!(**shop.rows.results(MERCHANT, operation, 1).expect("results"), [RowResult::NotActive]);
    let (label, rows) = (String::new(), String::new());
    let late = Command::StartOperation(Operation { kind: OperationKind::Send, stock, total: 1, label, rows });
    assert!(matches!(shop.refuses(&late), Rejection::ClaimNotOpen { .. }));
}

#[test]
fn own_codes_follow_a_drafts_terms_until_they_are_taken() {
    let mut shop = Shop::open();
    let stock = shop.draft(imported(10));
    let operation = begin(&mut shop, OperationKind::ImportCodes, stock, 1);
    shop.does(&Command::ImportChunk(operation, 0, vec![ImportRow::Code("A".to_owned())], true));
    let RowResult::Done(number) = results(&shop, operation)[0] else { panic!("it is taken in") };
    let mut terms = imported(10).terms;
    terms.value = coupon::terms::Value::MultiUse { uses: 3, minimum_interval_seconds: 0 };
    let patch = coupon::command::StockPatch { based_on: stock, terms: Some(terms), ..Default::default() };
    shop.does(&Command::ChangeStock(stock, Box::new(patch)));
    assert_eq!(shop.coupon(number).uses_left, 3);
}
