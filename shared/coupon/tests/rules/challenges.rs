//! Challenges.

use coupon::challenge::{Challenge, ChallengeAnswered, Method, PASSED_MS, PassedEnds, PassedRow};
use coupon::command::Command;
use coupon::record::RequestKey;
use coupon::rejection::Rejection;
use coupon::state::Read;

use crate::shop::{HOUR, MERCHANT, NOON, Shop};

fn key(n: u8) -> RequestKey {
    RequestKey([n; 16])
}

fn answer(n: u8, expires_at: i64, passed: bool) -> Command {
    let challenge = Challenge { request: key(n), expires_at };
    Command::AnswerChallenge(Box::new(ChallengeAnswered {
        challenge,
        passed,
        method: Method::Otp,
        by: "an".to_owned(),
    }))
}

#[test]
fn a_proof_that_is_good_lets_its_request_through_for_a_while() {
    let mut shop = Shop::open();
    shop.does(&answer(1, NOON + HOUR, true));
    assert_eq!(shop.rows.passed(MERCHANT, key(1)), Some(&PassedRow { until: shop.now + PASSED_MS, next: None }));
    assert_eq!(shop.rows.passed(MERCHANT, key(2)), None);
}

#[test]
fn a_proof_that_is_not_good_changes_nothing() {
    let mut shop = Shop::open();
    shop.does(&answer(1, NOON + HOUR, false));
    assert_eq!((shop.rows.passed(MERCHANT, key(1)), shop.rows.passed_ends(MERCHANT)), (None, None));
}

#[test]
fn a_challenge_is_answered_before_it_expires() {
    let mut shop = Shop::open();
    let expires_at = shop.now + 1;
    shop.does(&answer(1, expires_at, true));
    shop.now = expires_at;
    assert_eq!(shop.refuses(&answer(2, expires_at, true)), Rejection::ChallengeExpired(expires_at));
}

#[test]
fn old_proofs_go_as_new_ones_come() {
    let mut shop = Shop::open();
    for n in 1..=3 {
        shop.does(&answer(n, i64::MAX, true));
    }
    shop.now += PASSED_MS;
    shop.does(&answer(4, i64::MAX, true));
    assert_eq!((shop.rows.passed(MERCHANT, key(1)), shop.rows.passed(MERCHANT, key(2))), (None, None));
    let ends = PassedEnds { oldest: key(3), newest: key(4) };
    assert_eq!(shop.rows.passed_ends(MERCHANT), Some(&ends));
    shop.does(&answer(3, i64::MAX, true));
    let again = shop.rows.passed(MERCHANT, key(3)).expect("renewed");
    assert_eq!((again.until, again.next), (shop.now + PASSED_MS, Some(key(4))));
    shop.now += PASSED_MS;
    shop.does(&answer(5, i64::MAX, true));
    let ends = PassedEnds { oldest: key(5), newest: key(5) };
    assert_eq!(shop.rows.passed_ends(MERCHANT), Some(&ends), "only the new one is left");
    assert_eq!((shop.rows.passed(MERCHANT, key(3)), shop.rows.passed(MERCHANT, key(4))), (None, None));
}
