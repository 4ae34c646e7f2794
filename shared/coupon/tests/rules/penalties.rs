use coupon::command::{Claimed, Command, Impose, Step};
use coupon::event::{Operation, OperationKind, SendRow};
use coupon::fold::Outcome;
use coupon::id::MerchantId;
use coupon::penalty::{Act, Ladder, PenaltyRow, PenaltyState, Rung, Sanction, Sanctioned};
use coupon::record::GuardKind;
use coupon::rejection::Rejection;
use coupon::state::{Read, RowResult};

use crate::shop::{
    ANN, BOB, DAY, MERCHANT, SECOND, Shop, TOKEN, cash, claim, lock, order, redeem, redeem_lock, release, reverse,
};

/// A ladder on which each sanction is what the first offence of its own name brings.
fn ladder(duration_seconds: Option<u32>) -> Ladder {
    let rung = |sanction: Sanction| Rung {
        violation: sanction.name().to_owned(),
        offence: 1,
        sanction,
        duration_seconds: duration_seconds.filter(|_| !sanction.is_for_good()),
    };
    Ladder { rungs: Sanction::ALL.map(rung).to_vec(), appeal_days: 7 }
}

fn by_ladder(ladder: Ladder, violation: &str, evidence: Vec<String>) -> Command {
    Command::Impose(Box::new(Impose { violation: violation.to_owned(), ladder, evidence, by: "an".to_owned() }))
}

pub(crate) fn impose_for(violation: &str, evidence: Vec<String>) -> Command {
    by_ladder(Ladder::default(), violation, evidence)
}

pub(crate) fn impose(violation: &str) -> Command {
    impose_for(violation, Vec::new())
}

fn lift(penalty: u64) -> Command {
    Command::MovePenalty(penalty, Act::Lift("a mistake".to_owned()), "bo".to_owned())
}

fn approve(penalty: u64, by: &str) -> Command {
    Command::MovePenalty(penalty, Act::Approve("seen".to_owned()), by.to_owned())
}

/// Imposed, and approved where that is needed; its number.
fn sanctioned(shop: &mut Shop, sanction: Sanction, duration_seconds: Option<u32>) -> u64 {
    shop.does(&by_ladder(ladder(duration_seconds), sanction.name(), Vec::new()));
    let penalty = shop.sequence;
    if sanction.is_for_good() {
        shop.does(&approve(penalty, "bo"));
    }
    penalty
}

fn row(shop: &Shop, penalty: u64) -> &PenaltyRow {
    shop.rows.penalty(MERCHANT, penalty).expect("a penalty")
}

fn state(shop: &Shop, penalty: u64) -> PenaltyState {
    row(shop, penalty).state_at(shop.now)
}

/// What a merchant may want, each of which is possible while nothing bars it: what hands out first, then what issues.
fn wanted(stock: u64, draft: u64, coupon: u64, held: u64) -> [(&'static str, Command); 10] {
    let operation =
        |kind| Command::StartOperation(Operation { kind, stock, total: 1, label: String::new(), rows: String::new() });
    [
        ("claim", claim(Claimed::Stock(stock), BOB)),
        ("send", operation(OperationKind::Send)),
        ("activate", Command::MoveStock(draft, Step::Activate { tested_above: None }, false)),
        ("make codes", Command::MakeCodes(stock, 1, String::new())),
        ("make a stock", Command::CreateStock(Box::new(cash()), 0)),
        ("redeem", redeem(&[(coupon, 1)], order("o", 10_000))),
        ("lock", lock(&[coupon], order("o", 10_000), 60)),
        ("redeem a lock", redeem_lock(held, "held")),
        ("extend a lock", Command::ExtendLock(held, TOKEN, 60)),
        ("make a store", Command::CreateStore("Bund".to_owned(), None)),
    ]
}

struct Case {
    shop: Shop,
    wanted: [(&'static str, Command); 10],
}

fn shop_with_everything() -> Case {
    let (mut shop, stock) = Shop::with(cash());
    let draft = shop.draft(cash());
    let (coupon, other) = (shop.claims(stock, ANN), shop.claims(stock, ANN));
    let held = shop.locks(&[other], "held");
    Case { shop, wanted: wanted(stock, draft, coupon, held) }
}

#[test]
fn each_sanction_refuses_what_it_bars_and_nothing_else() {
    for sanction in Sanction::ALL {
        let Case { mut shop, wanted } = shop_with_everything();
        let barred = match sanction {
            Sanction::Takedown => &wanted[..3],
            Sanction::Ban => &wanted[..5],
            _ => &wanted[..],
        };
        let barred: Vec<_> = barred.iter().map(|(name, _)| *name).collect();
        let penalty = sanctioned(&mut shop, sanction, None);
        let by = Sanctioned { penalty, sanction, ends_at: None };
        for (name, command) in &wanted {
            if barred.contains(name) {
                assert_eq!(shop.refuses(command), Rejection::MerchantSuspended(by), "{name} under {}", sanction.name());
            } else {
                assert!(shop.decides(command).is_ok(), "{name} under {}", sanction.name());
            }
        }
    }
}

#[test]
fn what_was_decided_before_a_penalty_is_void_behind_it() {
    for sanction in Sanction::ALL {
        let Case { mut shop, wanted } = shop_with_everything();
        let proposals: Vec<_> =
            wanted.iter().map(|(name, command)| (name, shop.decides(command).expect("possible"))).collect();
        sanctioned(&mut shop, sanction, None);
        let barred: &[&str] = match sanction {
            Sanction::Takedown => &["claim", "activate"],
            Sanction::Ban => &["claim", "activate", "make codes", "make a stock"],
            _ => &["claim", "activate", "make codes", "redeem", "lock", "redeem a lock", "extend a lock"],
        };
        for (name, proposal) in proposals.into_iter().filter(|(name, _)| barred.contains(name)) {
            let outcome = shop.fold(proposal, None);
            let expected = [Outcome::Void(GuardKind::Status), Outcome::Void(GuardKind::Version)];
            assert!(expected.contains(&outcome), "{name} under {}: {outcome:?}", sanction.name());
        }
    }
}

#[test]
fn giving_back_and_stopping_are_never_barred() {
    let (mut shop, stock) = Shop::with(cash());
    let (used, held) = (shop.claims(stock, ANN), shop.claims(stock, ANN));
    let redemption = shop.redeems(used, "used");
    let lock = shop.locks(&[held], "held");
    sanctioned(&mut shop, Sanction::Permanent, None);
    shop.does(&release(lock));
    shop.does(&reverse(redemption, None));
    shop.does(&Command::VoidCoupon(held, "fraud".to_owned()));
    shop.does(&Command::MoveStock(stock, Step::Pause, false));
    let barred = shop.refuses(&Command::MoveStock(stock, Step::Resume, false));
    assert!(matches!(barred, Rejection::MerchantSuspended(_)), "{barred:?}");
    shop.does(&Command::MoveStock(stock, Step::Close, true));
}

#[test]
fn rows_of_an_operation_under_way_find_the_stock_closed() {
    let (mut shop, stock) = Shop::with(cash());
    let operation = Operation { kind: OperationKind::Send, stock, total: 2, label: String::new(), rows: String::new() };
    shop.does(&Command::StartOperation(operation));
    let number = shop.sequence;
    let chunk = |n, user| Command::SendChunk(number, n, vec![SendRow { user, sealed: Vec::new() }], n == 1);
    shop.does(&chunk(0, ANN));
    sanctioned(&mut shop, Sanction::Takedown, None);
    shop.does(&chunk(1, BOB));
    let result = |chunk| shop.rows.results(MERCHANT, number, chunk).expect("a chunk")[0];
    assert!(matches!(result(0), RowResult::Done(_)));
    assert_eq!(result(1), RowResult::NotActive);
}

#[test]
fn a_sanction_ends_by_the_logs_time_with_nobody_doing_anything() {
    let (mut shop, stock) = Shop::with(cash());
    let penalty = sanctioned(&mut shop, Sanction::Freeze, Some(60));
    let ends_at = shop.now + 60 * SECOND;
    let wanted = claim(Claimed::Stock(stock), ANN);
    shop.passes(59 * SECOND);
    let by = Sanctioned { penalty, sanction: Sanction::Freeze, ends_at: Some(ends_at) };
    assert_eq!(shop.refuses(&wanted), Rejection::MerchantSuspended(by));
    assert_eq!(state(&shop, penalty), PenaltyState::Active);
    shop.passes(SECOND);
    assert_eq!(state(&shop, penalty), PenaltyState::Expired);
    shop.does(&wanted);
}

#[test]
fn what_is_decided_on_a_clock_that_runs_ahead_waits_for_the_end() {
    let mut shop = Shop::open();
    sanctioned(&mut shop, Sanction::Ban, Some(60));
    shop.passes(60 * SECOND);
    let proposal = shop.decides(&Command::CreateStock(Box::new(cash()), 0)).expect("the ban is over");
    shop.passes(-SECOND);
    assert_eq!(shop.fold(proposal.clone(), None), Outcome::Void(GuardKind::Time));
    shop.passes(SECOND);
    assert!(matches!(shop.fold(proposal, None), Outcome::Applied(_)));
}

#[test]
fn offences_count_what_was_not_lifted_per_violation() {
    let mut shop = Shop::open();
    let impose_next = |shop: &mut Shop, violation: &str| {
        shop.does(&impose(violation));
        let penalty = shop.sequence;
        let imposed = &row(shop, penalty).imposed;
        (penalty, imposed.offence, imposed.sanction)
    };
    let (first, offence, sanction) = impose_next(&mut shop, "false_advertising");
    assert_eq!((offence, sanction), (1, Sanction::Takedown));
    assert_eq!(impose_next(&mut shop, "cash_out").1, 1, "each violation has its own count");
    shop.does(&lift(first));
    let (ban, offence, sanction) = impose_next(&mut shop, "false_advertising");
    assert_eq!((offence, sanction), (1, Sanction::Takedown), "what was lifted never counted");
    let (_, offence, sanction) = impose_next(&mut shop, "false_advertising");
    assert_eq!((offence, sanction), (2, Sanction::Ban));
    assert_eq!(row(&shop, shop.sequence).ends_at, Some(shop.now + 30 * DAY));
    shop.passes(31 * DAY);
    assert_eq!(impose_next(&mut shop, "false_advertising").1, 3, "what has expired counts");
    shop.does(&lift(ban));
    assert_eq!(impose_next(&mut shop, "false_advertising").1, 3);
}

#[test]
fn of_two_that_are_imposed_at_once_one_is_decided_again() {
    let mut shop = Shop::open();
    let rival = shop.decides(&impose("cash_out")).expect("possible");
    shop.does(&impose("cash_out"));
    assert_eq!(shop.fold(rival, None), Outcome::Void(GuardKind::Version));
}

#[test]
fn a_penalty_without_an_end_waits_for_a_second_person() {
    let (mut shop, stock) = Shop::with(cash());
    shop.does(&by_ladder(ladder(None), "permanent", Vec::new()));
    let penalty = shop.sequence;
    assert_eq!(state(&shop, penalty), PenaltyState::Proposed);
    shop.claims(stock, ANN);
    assert_eq!(shop.refuses(&approve(penalty, "an")), Rejection::SelfApproval);
    shop.does(&approve(penalty, "bo"));
    assert_eq!(state(&shop, penalty), PenaltyState::Active);
    assert!(matches!(shop.refuses(&claim(Claimed::Stock(stock), ANN)), Rejection::MerchantSuspended(_)));
    assert_eq!(shop.refuses(&approve(penalty, "cy")), Rejection::PenaltyNotActive(PenaltyState::Active));
}

#[test]
fn a_lifted_penalty_bites_no_more_and_is_lifted_once() {
    let (mut shop, stock) = Shop::with(cash());
    let freeze = sanctioned(&mut shop, Sanction::Freeze, None);
    let takedown = sanctioned(&mut shop, Sanction::Takedown, None);
    shop.does(&lift(freeze));
    assert_eq!(shop.refuses(&lift(freeze)), Rejection::PenaltyNotActive(PenaltyState::Lifted));
    let by = Sanctioned { penalty: takedown, sanction: Sanction::Takedown, ends_at: None };
    assert_eq!(shop.refuses(&claim(Claimed::Stock(stock), ANN)), Rejection::MerchantSuspended(by), "the other one");
    shop.does(&lift(takedown));
    shop.claims(stock, ANN);
}

#[test]
fn what_is_not_there_cannot_be_penalised_approved_or_lifted() {
    let mut shop = Shop::open();
    assert_eq!(shop.refuses(&impose("rudeness")), Rejection::ViolationUnknown);
    assert_eq!(shop.refuses(&approve(99, "bo")), Rejection::PenaltyNotFound);
    assert_eq!(shop.refuses(&lift(99)), Rejection::PenaltyNotFound);
    shop.at = MerchantId(8);
    assert_eq!(shop.refuses(&impose("cash_out")), Rejection::MerchantNotFound);
}
