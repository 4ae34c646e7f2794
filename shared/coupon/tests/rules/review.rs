//! What is to be reviewed: its case, where it waits, and the breaker.

use coupon::breaker::{BreakerReset, BreakerRow, CLEARED_MS};
use coupon::case::{CaseOutcome, CaseRow, CaseStep, CaseStepped, Closing, MOST_DECISIONS, Priority};
use coupon::command::{ClaimCommand, Claimed, Command, UseCommand};
use coupon::decision::{Action, Asked, Basis, Decision, EnforcedBy, REFUSED, Reason, Who};
use coupon::event::{Event, Note, Pseudonym};
use coupon::id::MerchantId;
use coupon::record::{Entry, Fence, Fences, Origin, RequestKey};
use coupon::rejection::Rejection;
use coupon::risk_settings::{RiskSettings, Set};
use coupon::state::Read;
use coupon::subject::{Subject, SubjectKind};

use crate::shop::{ANN, BOB, DAY, HOUR, MERCHANT, Shop, cash, order, usage};

const DEVICE: Pseudonym = [7; 16];

fn of(who: Pseudonym) -> Subject {
    Subject { kind: SubjectKind::User, pseudonym: who }
}

fn decided(asked: Asked, action: Action, user: Option<Pseudonym>) -> Decision {
    let reason = |code: &str| Reason { code: code.to_owned(), value: 3, threshold: 2, window_seconds: 60 };
    let who = Who { user, ..Who::default() };
    let basis = Basis { number: REFUSED + 900, merchant: MERCHANT, asked, who, ..Basis::default() };
    let (device, basis) = (Some(DEVICE), Some(Box::new(basis)));
    Decision { action, reasons: vec![reason("farm"), reason("night")], device, basis, ..Decision::default() }
}

fn claim(stock: u64, user: Pseudonym, decision: Decision) -> Command {
    let (what, sealed, note) = (Claimed::Stock(stock), Vec::new(), Note::default());
    Command::Claim(Box::new(ClaimCommand { what, user, channel: None, decision, sealed, note }))
}

fn reviewed_claim(stock: u64, user: Pseudonym) -> Command {
    claim(stock, user, decided(Asked::Claim, Action::Review, Some(user)))
}

/// A redemption of one coupon, by a device only.
fn redeem(coupon: u64, action: Action) -> Command {
    let decision = decided(Asked::Redemption, action, None);
    let usage = usage(&[(coupon, 1)], order(&format!("o-{coupon}"), 10_000));
    Command::Redeem(Box::new(UseCommand { decision, ..usage }))
}

fn refusal(decision: Decision) -> Entry {
    let fence = Fence { key: RequestKey([5; 16]), refusal: 31, decision: Some(Box::new(decision)) };
    Entry::Fences(Fences { origin: Origin { instance: 1, number: 1 }, proposed_at: 0, fences: vec![fence] })
}

fn set(shop: &mut Shop, value: RiskSettings) {
    shop.does(&Command::SetRiskSettings(Set { value, by: "bo".to_owned() }, None));
}

fn holding(shop: &mut Shop) {
    set(shop, RiskSettings { review_holds: true, ..RiskSettings::default() });
}

fn case_of(shop: &Shop, subject: Subject) -> Option<(u64, CaseRow)> {
    let number = *shop.rows.open_case(MERCHANT, subject)?;
    Some((number, CaseRow::clone(shop.rows.case(MERCHANT, number)?)))
}

fn step(shop: &mut Shop, case: u64, step: CaseStep) {
    let stepped = CaseStepped { case, by: "an".to_owned(), step };
    shop.does(&Command::StepCase(Box::new(stepped), Vec::new()));
}

fn close(shop: &mut Shop, case: u64, outcome: CaseOutcome) {
    step(shop, case, CaseStep::Close(Closing { outcome, reason: "seen".to_owned(), voided: 0 }));
}

fn breaker(shop: &Shop) -> BreakerRow {
    shop.rows.breaker(MERCHANT).copied().expect("a breaker")
}

#[test]
fn what_is_reviewed_opens_its_users_case_or_adds_to_it() {
    let (mut shop, stock) = Shop::with(cash());
    shop.does(&reviewed_claim(stock, ANN));
    let first = shop.sequence;
    let (number, row) = case_of(&shop, of(ANN)).expect("a case");
    assert_eq!((number, &row.facts.decisions, row.facts.priority), (first, &vec![first], Priority::Normal));
    assert_eq!((row.facts.reasons, row.steps[0].by.as_str()), (vec!["farm".to_owned(), "night".to_owned()], ""));
    shop.does(&reviewed_claim(stock, ANN));
    let (again, row) = case_of(&shop, of(ANN)).expect("a case");
    assert_eq!((again, row.facts.decisions), (number, vec![first, shop.sequence]));
    assert!(case_of(&shop, of(BOB)).is_none());
}

#[test]
fn whoever_is_not_told_is_known_by_the_device() {
    let (mut shop, stock) = Shop::with(cash());
    let coupon = shop.claims(stock, ANN);
    shop.does(&redeem(coupon, Action::Review));
    assert!(case_of(&shop, Subject { kind: SubjectKind::Device, pseudonym: DEVICE }).is_some());
}

#[test]
fn other_decisions_and_those_of_the_first_form_open_none() {
    let (mut shop, stock) = Shop::with(cash());
    shop.does(&claim(stock, ANN, decided(Asked::Claim, Action::Allow, Some(ANN))));
    let old = Decision { basis: None, ..decided(Asked::Claim, Action::Review, Some(ANN)) };
    shop.does(&claim(stock, ANN, old.clone()));
    shop.append(&refusal(old));
    shop.append(&refusal(decided(Asked::Claim, Action::Block, Some(ANN))));
    let elsewhere = |merchant| {
        let mut decision = decided(Asked::Redemption, Action::Review, Some(ANN));
        decision.basis.as_mut().expect("a basis").merchant = merchant;
        refusal(decision)
    };
    let stranger = (8..256).map(MerchantId).find(|id| id.shard() != MERCHANT.shard()).expect("another shard");
    for merchant in [stranger, MERCHANT.rehearsals()] {
        shop.append(&elsewhere(merchant));
        assert!(shop.rows.breaker(merchant).is_none() && shop.rows.open_case(merchant, of(ANN)).is_none());
    }
    assert!(case_of(&shop, of(ANN)).is_none() && shop.rows.breaker(MERCHANT).is_none());
}

#[test]
fn however_often_it_happens_a_case_stays_small_and_keeps_what_people_did() {
    let (mut shop, stock) = Shop::with(cash());
    shop.does(&reviewed_claim(stock, ANN));
    let (case, _) = case_of(&shop, of(ANN)).expect("a case");
    step(&mut shop, case, CaseStep::Note("I know her".to_owned()));
    for _ in 0..300 {
        shop.does(&reviewed_claim(stock, ANN));
    }
    let (_, row) = case_of(&shop, of(ANN)).expect("a case");
    assert_eq!((row.facts.decisions.len(), row.facts.decision_count), (MOST_DECISIONS, 301));
    assert_eq!(row.steps.iter().map(|step| step.by.as_str()).collect::<Vec<_>>(), ["", "an", ""]);
}

#[test]
fn where_reviews_hold_they_are_refused_and_their_case_is_urgent() {
    let (mut shop, stock) = Shop::with(cash());
    holding(&mut shop);
    let Rejection::Risk(decision) = shop.refuses(&reviewed_claim(stock, ANN)) else { panic!("held") };
    assert_eq!(decision.action, Action::Review);
    let old = Decision { basis: None, ..*decision.clone() };
    shop.does(&claim(stock, ANN, old));
    shop.does(&claim(stock, ANN, decided(Asked::Claim, Action::Allow, Some(ANN))));
    shop.append(&refusal(*decision));
    let (_, row) = case_of(&shop, of(ANN)).expect("a case");
    assert_eq!((row.facts.decisions, row.facts.priority), (vec![REFUSED + 900], Priority::High));
}

#[test]
fn a_refusal_of_nobody_in_particular_opens_no_case() {
    let mut shop = Shop::open();
    shop.append(&refusal(Decision { device: None, ..decided(Asked::Redemption, Action::Review, None) }));
    assert_eq!(breaker(&shop).abnormal, 1);
    assert!(shop.rows.case(MERCHANT, shop.sequence).is_none());
}

/// A shop that holds, with a case about Ann that is closed: shop, stock, case.
fn closed(outcome: CaseOutcome) -> (Shop, u64, u64) {
    let (mut shop, stock) = Shop::with(cash());
    holding(&mut shop);
    shop.append(&refusal(decided(Asked::Claim, Action::Review, Some(ANN))));
    let (case, _) = case_of(&shop, of(ANN)).expect("a case");
    close(&mut shop, case, outcome);
    (shop, stock, case)
}

#[test]
fn whoever_was_found_honest_is_let_through_for_a_day() {
    let (mut shop, stock, _) = closed(CaseOutcome::Honest);
    let proposal = shop.decides(&reviewed_claim(stock, ANN)).expect("let through");
    let Event::CouponClaimed(claimed) = &proposal.events[0] else { panic!("{proposal:?}") };
    let by = claimed.decision.basis.as_ref().map(|basis| basis.enforced_by);
    assert_eq!((claimed.decision.action, by), (Action::Allow, Some(EnforcedBy::Case)));
    shop.does(&reviewed_claim(stock, ANN));
    assert!(case_of(&shop, of(ANN)).is_none(), "somebody has looked at it");
    assert!(matches!(shop.refuses(&reviewed_claim(stock, BOB)), Rejection::Risk(_)));
    let blocked = claim(stock, ANN, decided(Asked::Claim, Action::Block, Some(ANN)));
    assert!(matches!(shop.refuses(&blocked), Rejection::Risk(_)), "only from review");
    shop.passes(CLEARED_MS - 1);
    shop.does(&reviewed_claim(stock, ANN));
    shop.passes(1);
    assert!(matches!(shop.refuses(&reviewed_claim(stock, ANN)), Rejection::Risk(_)));
}

#[test]
fn whoever_was_not_stays_refused() {
    for outcome in [CaseOutcome::Fraud, CaseOutcome::Unclear] {
        let (shop, stock, _) = closed(outcome);
        assert!(matches!(shop.refuses(&reviewed_claim(stock, ANN)), Rejection::Risk(_)), "{outcome:?}");
    }
}

#[test]
fn a_close_that_does_not_stand_lets_nobody_through() {
    for back in [CaseStep::Undo, CaseStep::Reopen("new facts".to_owned())] {
        let (mut shop, stock, case) = closed(CaseOutcome::Honest);
        step(&mut shop, case, back);
        assert!(matches!(shop.refuses(&reviewed_claim(stock, ANN)), Rejection::Risk(_)));
        close(&mut shop, case, CaseOutcome::Honest);
        shop.does(&reviewed_claim(stock, ANN));
    }
}

/// A shop whose breaker trips when more than a tenth of ten or more redemptions is abnormal, with coupons.
fn with_breaker() -> (Shop, Vec<u64>) {
    let (mut shop, stock) = Shop::with(cash());
    set(&mut shop, RiskSettings { abnormal_share_bp: 1_000, minimum_volume: 10, ..RiskSettings::default() });
    let coupons = (0..20).map(|_| shop.claims(stock, ANN)).collect();
    (shop, coupons)
}

#[test]
fn a_breaker_trips_beyond_its_share_and_what_is_to_be_reviewed_waits() {
    let (mut shop, coupons) = with_breaker();
    for coupon in &coupons[..8] {
        shop.does(&redeem(*coupon, Action::Allow));
    }
    shop.does(&redeem(coupons[8], Action::Review));
    assert_eq!((breaker(&shop).attempts, breaker(&shop).abnormal, breaker(&shop).share_bp()), (9, 1, 1_111));
    assert_eq!(breaker(&shop).tripped_at, None, "too few to tell");
    shop.does(&redeem(coupons[9], Action::Allow));
    assert_eq!(breaker(&shop).tripped_at, None, "a tenth is not more than a tenth");
    shop.append(&refusal(decided(Asked::Redemption, Action::Challenge, Some(BOB))));
    let tripped_at = shop.now;
    assert_eq!((breaker(&shop).share_bp(), breaker(&shop).tripped_at), (1_818, Some(tripped_at)));
    assert!(matches!(shop.refuses(&redeem(coupons[10], Action::Review)), Rejection::Risk(_)));
    shop.does(&redeem(coupons[10], Action::Allow));
    shop.passes(DAY);
    shop.does(&redeem(coupons[11], Action::Allow));
    let next_day = breaker(&shop);
    assert_eq!((next_day.attempts, next_day.abnormal, next_day.tripped_at), (1, 0, Some(tripped_at)));
    assert!(matches!(shop.refuses(&redeem(coupons[12], Action::Review)), Rejection::Risk(_)), "until it is reset");
}

#[test]
fn a_breaker_that_is_reset_counts_anew() {
    let (mut shop, coupons) = with_breaker();
    for _ in 0..10 {
        shop.append(&refusal(decided(Asked::Redemption, Action::Block, Some(BOB))));
    }
    assert_eq!(breaker(&shop).tripped_at, Some(shop.now));
    let reset = BreakerReset { by: "bo".to_owned(), reason: "a test of ours".to_owned() };
    shop.does(&Command::ResetBreaker(reset.clone()).by("bo"));
    assert_eq!((breaker(&shop).attempts, breaker(&shop).tripped_at), (0, None));
    assert_eq!(shop.rows.audit(MERCHANT, shop.sequence).map(|row| row.what.as_str()), Some("breaker.reset"));
    shop.does(&redeem(coupons[0], Action::Review));
    assert_eq!((breaker(&shop).attempts, breaker(&shop).tripped_at), (1, None));
    shop.at = MerchantId(8);
    assert_eq!(shop.refuses(&Command::ResetBreaker(reset)), Rejection::MerchantNotFound);
}

#[test]
fn claims_and_decisions_of_the_first_form_count_for_no_breaker() {
    let (mut shop, coupons) = with_breaker();
    let stock = shop.coupon(coupons[0]).stock;
    shop.does(&reviewed_claim(stock, ANN));
    shop.passes(HOUR);
    shop.redeems(coupons[0], "o-1");
    assert!(shop.rows.breaker(MERCHANT).is_none());
}
