use coupon::appeal::{About, Resolution};
use coupon::command::{Appeal, Claimed, Command, Resolve};
use coupon::fold::Outcome;
use coupon::id::{DecisionId, MerchantId};
use coupon::label::LabelSource;
use coupon::penalty::{Act, PenaltyState};
use coupon::record::GuardKind;
use coupon::rejection::Rejection;
use coupon::state::Read;

use crate::penalties::{impose, impose_for};
use crate::shop::{ANN, DAY, MERCHANT, Shop, cash, claim};

fn appeal(about: About) -> Command {
    let statement = "It was a typing error.".to_owned();
    Command::Appeal(Box::new(Appeal { about, statement, evidence: Vec::new(), due_days: 7, by: "admin".to_owned() }))
}

fn resolve(appeal: u64, granted: bool, by: &str) -> Command {
    let resolution = Resolution { granted, reason: "the page was corrected".to_owned(), by: by.to_owned() };
    Command::ResolveAppeal(Box::new(Resolve { appeal, resolution }))
}

/// A merchant with a stock, a penalty of `an`'s, and an appeal against it.
fn appealed() -> (Shop, u64, u64, u64) {
    let (mut shop, stock) = Shop::with(cash());
    shop.does(&impose("cash_out"));
    let penalty = shop.sequence;
    shop.does(&appeal(About::Penalty(penalty)));
    let appeal = shop.sequence;
    (shop, stock, penalty, appeal)
}

#[test]
fn a_granted_appeal_lifts_the_penalty_at_once() {
    let (mut shop, stock, penalty, appeal) = appealed();
    let row = shop.rows.appeal(MERCHANT, appeal).expect("an appeal");
    assert_eq!(
        (row.state(), row.due_at(), row.made.violation.as_deref()),
        ("open", shop.now + 7 * DAY, Some("cash_out"))
    );
    assert!(matches!(shop.refuses(&claim(Claimed::Stock(stock), ANN)), Rejection::MerchantSuspended(_)));
    shop.does(&resolve(appeal, true, "bo"));
    shop.claims(stock, ANN);
    let lifted = shop.rows.penalty(MERCHANT, penalty).expect("a penalty");
    assert_eq!(lifted.state_at(shop.now), PenaltyState::Lifted);
    assert_eq!(lifted.lifted.as_ref().map(|it| it.reason.as_str()), Some("the page was corrected"));
    assert_eq!(shop.rows.appeal(MERCHANT, appeal).expect("an appeal").state(), "granted");
    assert_eq!(shop.refuses(&resolve(appeal, false, "bo")), Rejection::AppealResolved);
}

#[test]
fn a_denied_appeal_changes_nothing_and_another_may_follow() {
    let (mut shop, stock, penalty, first) = appealed();
    assert_eq!(shop.refuses(&appeal(About::Penalty(penalty))), Rejection::AppealOpen(first));
    shop.does(&resolve(first, false, "bo"));
    assert!(matches!(shop.refuses(&claim(Claimed::Stock(stock), ANN)), Rejection::MerchantSuspended(_)));
    shop.does(&appeal(About::Penalty(penalty)));
    let second = shop.sequence;
    assert_eq!(shop.rows.appeal(MERCHANT, first).expect("an appeal").state(), "denied", "the first stays what it was");
    shop.does(&resolve(second, true, "bo"));
    shop.claims(stock, ANN);
}

#[test]
fn whoever_imposed_a_penalty_does_not_decide_its_appeal() {
    let (shop, _, _, appeal) = appealed();
    assert_eq!(shop.refuses(&resolve(appeal, false, "an")), Rejection::SelfApproval);
}

#[test]
fn of_two_appeals_at_once_one_is_void() {
    let mut shop = Shop::open();
    shop.does(&impose("cash_out"));
    let penalty = shop.sequence;
    let rival = shop.decides(&appeal(About::Penalty(penalty))).expect("possible");
    shop.does(&appeal(About::Penalty(penalty)));
    assert_eq!(shop.fold(rival, None), Outcome::Void(GuardKind::Version));
}

#[test]
fn an_appeal_may_be_about_a_decision() {
    let (mut shop, stock) = Shop::with(cash());
    shop.claims(stock, ANN);
    let decision = shop.sequence;
    shop.does(&appeal(About::Decision(decision)));
    let number = shop.sequence;
    assert_eq!(shop.refuses(&appeal(About::Decision(decision))), Rejection::AppealOpen(number));
    assert_eq!(shop.refuses(&resolve(decision, true, "an")), Rejection::AppealNotFound, "by its own number only");
    shop.does(&resolve(number, true, "an"));
    assert_eq!(shop.rows.appeal(MERCHANT, number).expect("an appeal").state(), "granted");
    let label = &shop.rows.label(MERCHANT, decision).expect("labels").labels[0].set;
    assert_eq!((label.fraud, label.source, label.by.as_str()), (false, LabelSource::Appeal, "an"));
}

#[test]
fn the_outcome_labels_the_decisions_that_showed_the_violation() {
    let (mut shop, stock) = Shop::with(cash());
    shop.claims(stock, ANN);
    let decision = shop.sequence;
    let seen = [DecisionId::new(MERCHANT, decision), DecisionId::new(MerchantId(8), decision)];
    let mut evidence: Vec<String> = seen.iter().chain(&seen).map(|id| format!("\"{id}\"")).collect();
    evidence.push("\"a screenshot\"".to_owned());
    for (granted, kind) in [(false, Some("cash_out")), (true, None)] {
        shop.does(&impose_for("cash_out", evidence.clone()));
        shop.does(&appeal(About::Penalty(shop.sequence)));
        shop.does(&resolve(shop.sequence, granted, "bo"));
        let label = shop.rows.label(MERCHANT, decision).and_then(|row| row.standing()).expect("a label");
        assert_eq!((label.set.fraud, label.set.kind.as_deref()), (!granted, kind));
    }
    assert_eq!(shop.rows.label(MERCHANT, decision).expect("labels").labels.len(), 2, "one for each outcome");
}

#[test]
fn what_is_lifted_or_not_there_takes_no_appeal() {
    let (mut shop, _) = Shop::with(cash());
    assert_eq!(shop.refuses(&appeal(About::Penalty(99))), Rejection::PenaltyNotFound);
    assert_eq!(shop.refuses(&resolve(99, true, "bo")), Rejection::AppealNotFound);
    shop.does(&impose("cash_out"));
    let penalty = shop.sequence;
    shop.does(&Command::MovePenalty(penalty, Act::Lift("a mistake".to_owned()), "bo".to_owned()));
    let refused = shop.refuses(&appeal(About::Penalty(penalty)));
    assert_eq!(refused, Rejection::PenaltyNotActive(PenaltyState::Lifted));
}
