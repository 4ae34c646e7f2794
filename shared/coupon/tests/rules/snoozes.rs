//! Snoozes.

use coupon::command::Command;
use coupon::rejection::Rejection;
use coupon::snooze::{SnoozeStep, SnoozeStepped, Snoozed};
use coupon::state::Read;
use coupon::subject::{Subject, SubjectKind};

use crate::shop::{ANN, HOUR, MERCHANT, NOON, Shop};

fn step(step: SnoozeStep) -> Command {
    Command::StepSnooze(Box::new(SnoozeStepped { by: "an".to_owned(), step }))
}

/// A snooze of one hour, and its number.
fn snoozed() -> (Shop, u64) {
    let mut shop = Shop::open();
    let subject = Subject { kind: SubjectKind::Device, pseudonym: ANN };
    let (rule, reason) = ("night".to_owned(), "a tester".to_owned());
    shop.does(&step(SnoozeStep::Begin(Snoozed { rule, ruleset: None, subject, until: NOON + HOUR, reason })));
    let number = shop.sequence;
    (shop, number)
}

#[test]
fn a_snooze_ends_at_its_time() {
    let (mut shop, number) = snoozed();
    let row = shop.rows.snooze(MERCHANT, number).expect("a snooze");
    assert!(row.is_active(NOON + HOUR - 1) && !row.is_active(NOON + HOUR));
    shop.now += HOUR;
    assert_eq!(shop.refuses(&step(SnoozeStep::End(number))), Rejection::SnoozeNotFound, "nothing is left to end");
}

#[test]
fn a_snooze_is_ended_once() {
    let (mut shop, number) = snoozed();
    shop.does(&step(SnoozeStep::End(number)));
    assert!(!shop.rows.snooze(MERCHANT, number).expect("kept").is_active(shop.now));
    for gone in [number, number + 1] {
        assert_eq!(shop.refuses(&step(SnoozeStep::End(gone))), Rejection::SnoozeNotFound);
    }
}
