//! What each kind of guard is for: without it, histories go wrong, and the judge sees it.

use coupon::fold::Rules;
use coupon::record::GuardKind;
use simulator::judge::Violation;
use simulator::run::{Report, STEPS, general, keys};

fn violations(run: impl FnOnce(Rules) -> Report + std::panic::UnwindSafe, kind: GuardKind) -> Vec<Violation> {
    let rules = Rules { without: Some(kind), ..Rules::default() };
    // Without its guards a fold may count below zero, which ends it in a debug build. That proves less than a
    // violation, so it does not count as one.
    std::panic::catch_unwind(|| run(rules).violations).unwrap_or_default()
}

/// Looks for a seed that shows one of these violations.
fn must_show(kind: GuardKind, ids: &[&str], run: impl Fn(u64, Rules) -> Report + Copy + std::panic::UnwindSafe) {
    let shows = |seed: &u64| {
        let seed = *seed;
        violations(move |rules| run(seed, rules), kind).iter().any(|violation| ids.contains(&violation.id))
    };
    let found = (0..400).find(shows);
    assert!(found.is_some(), "without {} guards no seed shows a violation of {ids:?}", kind.name());
}

fn at_random(seed: u64, rules: Rules) -> Report {
    general(seed, rules, STEPS)
}

#[test]
fn without_the_requests_key_a_request_happens_twice() {
    must_show(GuardKind::Request, &["I3"], at_random);
    must_show(GuardKind::Request, &["I3"], keys);
}

#[test]
fn without_fences_what_was_refused_happens() {
    must_show(GuardKind::Fences, &["I3"], at_random);
    must_show(GuardKind::Fences, &["I3"], keys);
}

#[test]
fn without_versions_a_coupon_is_used_twice() {
    must_show(GuardKind::Version, &["I1"], at_random);
    must_show(GuardKind::Version, &["I1"], keys);
}

#[test]
fn without_absence_a_merchant_is_opened_twice() {
    must_show(GuardKind::Absent, &["I3"], at_random);
}

#[test]
fn without_counters_caps_are_exceeded() {
    must_show(GuardKind::Counter, &["I5"], at_random);
    must_show(GuardKind::Counter, &["I5"], keys);
}

#[test]
fn without_times_coupons_are_used_outside_theirs() {
    must_show(GuardKind::Time, &["validity"], at_random);
}

#[test]
fn without_tokens_a_lock_is_used_that_is_over() {
    must_show(GuardKind::LockToken, &["lock"], at_random);
}

#[test]
fn without_status_a_stock_that_is_not_open_issues_and_redeems() {
    must_show(GuardKind::Status, &["I5"], at_random);
    must_show(GuardKind::Status, &["status"], at_random);
}
