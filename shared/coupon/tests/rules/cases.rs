//! Cases: one for a subject, worked on by one at a time.

use coupon::case::{CaseOutcome, CaseRow, CaseState, CaseStep, CaseStepped, Closing, Opening, Priority, StepName};
use coupon::command::Command;
use coupon::event::{CouponState, Event};
use coupon::fold::Outcome;
use coupon::label::number;
use coupon::record::GuardKind;
use coupon::rejection::Rejection;
use coupon::state::Read;
use coupon::subject::{Subject, SubjectKind};

use crate::labels::label;
use crate::shop::{ANN, BOB, HOUR, MERCHANT, NOON, SECOND, Shop, cash, lock, order};

const MINUTE: i64 = 60 * SECOND;

fn of(who: [u8; 16]) -> Subject {
    Subject { kind: SubjectKind::User, pseudonym: who }
}

fn step(case: u64, by: &str, step: CaseStep) -> Command {
    Command::StepCase(Box::new(CaseStepped { case, by: by.to_owned(), step }), Vec::new())
}

fn opening(decisions: &[u64], priority: Priority) -> CaseStep {
    let (subject, decisions) = (Some(of(ANN)), decisions.to_vec());
    CaseStep::Open(Opening { subject, decisions, priority, note: "look".to_owned(), ..Opening::default() })
}

fn claim() -> CaseStep {
    CaseStep::Claim(Box::default())
}

fn close(outcome: CaseOutcome) -> CaseStep {
    CaseStep::Close(Closing { outcome, reason: "seen".to_owned(), voided: 0 })
}

/// A shop with a claim of Ann's and a case about it: shop, coupon, decision, case.
fn with_a_case() -> (Shop, u64, u64, u64) {
    let (mut shop, stock) = Shop::with(cash());
    let coupon = shop.claims(stock, ANN);
    let decision = shop.sequence;
    let case = shop.does(&step(0, "an", opening(&[decision], Priority::Normal)));
    assert_eq!(case, shop.sequence, "its number is its record's");
    (shop, coupon, decision, case)
}

fn row(shop: &Shop, case: u64) -> CaseRow {
    shop.rows.case(MERCHANT, case).map(|row| CaseRow::clone(row)).expect("a case")
}

fn state(shop: &Shop, case: u64) -> CaseState {
    row(shop, case).stage.at(shop.now)
}

fn stands(shop: &Shop, decision: u64) -> Option<bool> {
    shop.rows.label(MERCHANT, decision).and_then(|row| row.standing()).map(|label| label.set.fraud)
}

#[test]
fn a_subject_has_one_open_case_to_which_more_is_added() {
    let (mut shop, _, decision, case) = with_a_case();
    assert_eq!(shop.does(&step(0, "an", opening(&[decision, 900], Priority::Normal))), case);
    let many: Vec<u64> = (1_000..1_200).collect();
    shop.does(&step(0, "an", opening(&many, Priority::Normal)));
    let grown = row(&shop, case);
    assert_eq!((grown.facts.decisions.len(), grown.facts.decision_count), (100, 202), "the same decision counts once");
    assert_eq!(grown.facts.due_at, NOON + 24 * HOUR);
    shop.does(&step(case, "an", close(CaseOutcome::Unclear)));
    assert_eq!(shop.does(&step(0, "an", opening(&[901], Priority::High))), shop.sequence, "closed ones do not grow");
    assert_eq!(row(&shop, shop.sequence).facts.due_at, NOON + 4 * HOUR);
}

#[test]
fn what_is_added_may_make_a_case_more_urgent() {
    let (mut shop, _, _, case) = with_a_case();
    shop.now += HOUR;
    shop.does(&step(0, "an", opening(&[901], Priority::High)));
    assert_eq!((row(&shop, case).facts.priority, row(&shop, case).facts.due_at), (Priority::High, NOON + 5 * HOUR));
}

#[test]
fn without_a_subject_each_opening_is_a_case_and_nothing_is_none() {
    let (mut shop, _, decision, case) = with_a_case();
    let alone = CaseStep::Open(Opening { decisions: vec![decision], ..Opening::default() });
    let (first, second) = (shop.does(&step(0, "an", alone.clone())), shop.does(&step(0, "an", alone)));
    assert!(case < first && first < second);
    let nothing = CaseStep::Open(Opening::default());
    assert_eq!(shop.refuses(&step(0, "an", nothing)), Rejection::DecisionNotFound);
    assert_eq!(shop.refuses(&step(9_999, "an", claim())), Rejection::CaseNotFound);
}

#[test]
fn one_works_on_a_case_at_a_time_until_the_claim_runs_out() {
    let (mut shop, _, _, case) = with_a_case();
    shop.does(&step(case, "an", claim()));
    let claimed = Rejection::CaseClaimed { by: "an".into(), until: NOON + 15 * MINUTE };
    for other in [
        claim(),
        CaseStep::Release,
        CaseStep::Snooze(NOON + HOUR, String::new()),
        CaseStep::Escalate(String::new()),
        close(CaseOutcome::Fraud),
    ] {
        assert_eq!(shop.refuses(&step(case, "bo", other)), claimed);
    }
    shop.does(&step(case, "bo", CaseStep::Note("I know him".to_owned())));
    shop.now += 15 * MINUTE - 1;
    assert_eq!(state(&shop, case), CaseState::Claimed);
    shop.now += 1;
    assert_eq!(state(&shop, case), CaseState::Open, "by itself");
    shop.does(&step(case, "bo", claim()));
    shop.does(&step(case, "bo", CaseStep::Release));
    assert_eq!(state(&shop, case), CaseState::Open);
    assert_eq!(shop.refuses(&step(case, "bo", CaseStep::Release)), Rejection::CaseNotClaimed);
}

#[test]
fn a_claim_that_had_not_run_out_on_the_logs_clock_is_kept() {
    let (mut shop, _, _, case) = with_a_case();
    shop.does(&step(case, "an", claim()));
    shop.now += 15 * MINUTE;
    let early = shop.decides(&step(case, "bo", claim())).expect("has run out");
    shop.now -= SECOND;
    assert_eq!(shop.fold(early, None), Outcome::Void(GuardKind::Time));
}

#[test]
fn of_two_who_claim_at_once_one_gets_it() {
    let (mut shop, _, _, case) = with_a_case();
    let (an, bo) = (shop.decides(&step(case, "an", claim())), shop.decides(&step(case, "bo", claim())));
    assert!(matches!(shop.fold(an.expect("open"), None), Outcome::Applied(_)));
    assert_eq!(shop.fold(bo.expect("open"), None), Outcome::Void(GuardKind::Version));
}

#[test]
fn whoever_claims_is_shown_the_case() {
    let (shop, _, decision, case) = with_a_case();
    let claimed = shop.decides(&step(case, "an", claim())).expect("open");
    let Event::CaseStepped(stepped) = &claimed.events[0] else { panic!("{claimed:?}") };
    let CaseStep::Claim(shown) = &stepped.step else { panic!("{stepped:?}") };
    assert_eq!((&shown.decisions, shown.subject), (&vec![decision], Some(of(ANN))));
}

#[test]
fn a_snoozed_case_comes_back() {
    let (mut shop, _, _, case) = with_a_case();
    shop.does(&step(case, "an", CaseStep::Snooze(NOON + 2 * HOUR, "asked the store".to_owned())));
    shop.now += 2 * HOUR - 1;
    assert_eq!(state(&shop, case), CaseState::Snoozed);
    shop.now += 1;
    assert_eq!(state(&shop, case), CaseState::Open);
}

#[test]
fn what_is_escalated_is_urgent_and_the_leads() {
    let (mut shop, _, _, case) = with_a_case();
    shop.does(&step(case, "an", claim()));
    shop.does(&step(case, "an", CaseStep::Escalate("a ring".to_owned())));
    let row = row(&shop, case);
    assert_eq!(
        (row.facts.queue.as_str(), row.facts.priority, row.facts.due_at),
        ("lead", Priority::High, NOON + 4 * HOUR)
    );
    assert_eq!(state(&shop, case), CaseState::Open, "for a lead to claim");
}

#[test]
fn a_close_labels_all_decisions_in_its_record() {
    for (outcome, label) in
        [(CaseOutcome::Fraud, Some(true)), (CaseOutcome::Honest, Some(false)), (CaseOutcome::Unclear, None)]
    {
        let (mut shop, _, decision, case) = with_a_case();
        shop.does(&step(0, "an", opening(&[900], Priority::Normal)));
        shop.does(&step(case, "an", close(outcome)));
        assert_eq!((stands(&shop, decision), stands(&shop, 900)), (label, label), "{outcome:?}");
        assert_eq!(shop.rows.label_id(MERCHANT, number(shop.sequence, 1)).is_some(), label.is_some());
        for late in [claim(), CaseStep::Note(String::new()), close(outcome)] {
            assert_eq!(shop.refuses(&step(case, "an", late)), Rejection::CaseClosed);
        }
    }
}

#[test]
fn a_close_is_taken_back_with_its_labels() {
    let (mut shop, _, decision, case) = with_a_case();
    shop.does(&Command::SetLabels(vec![label(decision, false)]));
    shop.does(&step(case, "an", claim()));
    shop.does(&step(case, "an", close(CaseOutcome::Fraud)));
    assert_eq!(stands(&shop, decision), Some(true));
    assert_eq!(shop.refuses(&step(case, "bo", CaseStep::Undo)), Rejection::NothingToUndo, "it was not Bo's");
    shop.now += 10 * MINUTE - 1;
    shop.does(&step(case, "an", CaseStep::Undo));
    assert_eq!((state(&shop, case), stands(&shop, decision)), (CaseState::Claimed, Some(false)), "as before");
    assert_eq!(shop.rows.open_case(MERCHANT, of(ANN)), Some(&case));
    assert_eq!(shop.refuses(&step(case, "an", CaseStep::Undo)), Rejection::NothingToUndo, "once only");
    let steps = row(&shop, case).steps;
    assert_eq!(steps.iter().filter(|step| step.undone).map(|step| step.what).collect::<Vec<_>>(), [StepName::Closed]);
}

#[test]
fn what_is_old_or_voided_coupons_is_not_taken_back() {
    let (mut shop, coupon, _, case) = with_a_case();
    shop.does(&step(case, "an", CaseStep::Escalate(String::new())));
    let undo = shop.decides(&step(case, "an", CaseStep::Undo)).expect("in time");
    shop.now += 10 * MINUTE;
    assert_eq!(shop.refuses(&step(case, "an", CaseStep::Undo)), Rejection::NothingToUndo);
    assert_eq!(shop.fold(undo, None), Outcome::Void(GuardKind::Time));
    let closing = CaseStepped { case, by: "an".to_owned(), step: close(CaseOutcome::Fraud) };
    shop.does(&Command::StepCase(Box::new(closing), vec![coupon, 77]));
    assert_eq!(shop.coupon(coupon).state, CouponState::Voided, "what is no coupon is passed over");
    assert_eq!(shop.refuses(&step(case, "an", CaseStep::Undo)), Rejection::NothingToUndo);
}

#[test]
fn a_closed_case_is_reopened() {
    let (mut shop, _, decision, case) = with_a_case();
    assert_eq!(shop.refuses(&step(case, "an", CaseStep::Reopen(String::new()))), Rejection::CaseNotClosed);
    shop.does(&step(case, "an", close(CaseOutcome::Fraud)));
    shop.does(&step(case, "bo", CaseStep::Reopen("new facts".to_owned())));
    assert_eq!((state(&shop, case), stands(&shop, decision)), (CaseState::Open, Some(true)), "the labels stay");
}

#[test]
fn a_case_that_comes_back_beside_a_newer_one_leaves_it_the_subject() {
    let (mut shop, _, _, case) = with_a_case();
    shop.does(&step(case, "an", close(CaseOutcome::Unclear)));
    let newer = shop.does(&step(0, "an", opening(&[900], Priority::Normal)));
    shop.does(&step(case, "an", CaseStep::Reopen(String::new())));
    assert_eq!(shop.rows.open_case(MERCHANT, of(ANN)), Some(&newer));
    shop.does(&step(case, "an", close(CaseOutcome::Unclear)));
    assert_eq!(shop.rows.open_case(MERCHANT, of(ANN)), Some(&newer), "and closes without it");
    assert_eq!(shop.rows.open_case(MERCHANT, of(BOB)), None);
}

#[test]
fn a_close_that_voids_ends_one_lock() {
    let (mut shop, stock) = Shop::with(cash());
    let coupons: Vec<u64> = (0..3).map(|_| shop.claims(stock, ANN)).collect();
    for (coupon, order_id) in coupons[..2].iter().zip(["o-1", "o-2"]) {
        shop.does(&lock(&[*coupon], order(order_id, 10_000), 600));
    }
    let case = shop.does(&step(0, "an", opening(&[2], Priority::Normal)));
    let closing = CaseStepped { case, by: "an".to_owned(), step: close(CaseOutcome::Unclear) };
    shop.does(&Command::StepCase(Box::new(closing), coupons.clone()));
    let states: Vec<CouponState> = coupons.iter().map(|coupon| shop.coupon(*coupon).state).collect();
    assert_eq!(states, [CouponState::Voided, CouponState::Locked, CouponState::Voided]);
}
