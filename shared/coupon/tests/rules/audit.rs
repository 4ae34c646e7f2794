//! Deeds of people.

use coupon::audit::{AuditEnds, AuditRow};
use coupon::command::{ClaimCommand, Claimed, Command, Step};
use coupon::event::{Decision, Event, Note};
use coupon::id::StockId;
use coupon::state::Read;

use crate::shop::{ANN, DAY, MERCHANT, Shop, cash};

fn by(command: Command) -> Command {
    command.by("cfk_an")
}

fn row(shop: &Shop, sequence: u64) -> AuditRow {
    shop.rows.audit(MERCHANT, sequence).map(|row| AuditRow::clone(row)).expect("a deed")
}

#[test]
fn a_deed_is_found_by_who_did_what_to_what() {
    let mut shop = Shop::open();
    shop.does(&by(Command::CreateStock(Box::new(cash()), 0)));
    let stock = shop.sequence;
    shop.does(&by(Command::MoveStock(stock, Step::Activate { tested_above: None }, false)));
    let id = StockId::new(MERCHANT, stock).to_string();
    for (sequence, what) in [(stock, "stock.create"), (stock + 1, "stock.activate")] {
        let row = row(&shop, sequence);
        assert_eq!((row.by.as_str(), row.what.as_str(), &row.object), ("cfk_an", what, &id));
    }
}

#[test]
fn what_the_service_is_for_is_no_deed() {
    let (shop, stock) = Shop::with(cash());
    let claim = Command::Claim(Box::new(ClaimCommand {
        what: Claimed::Stock(stock),
        user: ANN,
        channel: None,
        decision: Decision::default(),
        sealed: Vec::new(),
        note: Note::default(),
    }));
    assert!(matches!(claim.clone().by("cfk_an"), Command::Claim(_)));
    let plain = shop.decides(&claim).expect("open");
    assert_eq!(shop.decides(&Command::By("cfk_an".to_owned(), Box::new(claim))), Ok(plain));
}

#[test]
fn deeds_are_forgotten_after_180_days_a_few_at_a_time() {
    let mut shop = Shop::open();
    let first = shop.sequence + 1;
    let deed = || by(Command::CreateStore("Bund".to_owned(), None));
    for _ in 0..10 {
        shop.does(&deed());
    }
    shop.now += 180 * DAY;
    shop.does(&deed());
    assert!(shop.rows.audit(MERCHANT, first).is_some(), "of just that age");
    shop.now += 1;
    let mut left = Vec::new();
    for _ in 0..3 {
        shop.does(&deed());
        left.push((first..=shop.sequence).filter(|n| shop.rows.audit(MERCHANT, *n).is_some()).count());
    }
    assert_eq!(left, [8, 5, 4], "four at a time, and what is younger stays");
    let ends = AuditEnds { oldest: first + 10, newest: shop.sequence };
    assert_eq!(shop.rows.audit_ends(MERCHANT), Some(&ends));
    assert_eq!(row(&shop, first + 10).next, first + 11);
}

#[test]
fn a_record_without_a_note_leaves_none() {
    let mut shop = Shop::open();
    let proposal = shop.decides(&Command::CreateStore("Bund".to_owned(), None)).expect("open");
    assert!(!proposal.events.iter().any(|event| matches!(event, Event::Audited(_))));
    shop.fold(proposal, None);
    assert_eq!(shop.rows.audit_ends(MERCHANT), None);
}
