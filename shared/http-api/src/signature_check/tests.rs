use std::sync::Arc;

use super::*;
use crate::testing::{NOW_MS, gate, key, secret};

type Spoil = fn(&mut SignatureCheck);

fn sound(key_id: &str) -> SignatureCheck {
    let mut check = SignatureCheck {
        key_id: key_id.to_owned(),
        method: "POST".to_owned(),
        path: "/v1/claims?x=1".to_owned(),
        timestamp: Text::Number((NOW_MS / 1000) as u64),
        nonce: "0123456789abcdef".to_owned(),
        idempotency_key: "k1".to_owned(),
        body: "{\n}".to_owned(),
        signature: String::new(),
        string_to_sign: None,
    };
    let timestamp = (NOW_MS / 1000).to_string();
    let parts = SignedParts {
        method: "POST",
        path_and_query: "/v1/claims?x=1",
        timestamp: &timestamp,
        nonce: "0123456789abcdef",
        idempotency_key: "k1",
        body: b"{\n}",
    };
    check.signature = hex::encode(secret().sign(&parts));
    check.string_to_sign = Some(parts.string_to_sign());
    check
}

#[test]
fn it_says_which_part_differs() {
    let gate = gate(vec![key("cfk_test_1")]);
    let report = gate.check_signature(&sound("cfk_test_1")).expect("a report");
    assert!(report.valid && report.problems.is_empty(), "{report:?}");
    let table: [(Spoil, Part); 10] = [
        (|c| c.timestamp = Text::Number(1_000_000), Part::Time),
        (|c| c.timestamp = Text::Text("soon".to_owned()), Part::Time),
        (|c| c.method = "post".to_owned(), Part::Method),
        (|c| c.path = "/v1/claims".to_owned(), Part::Path),
        (|c| c.nonce = "short".to_owned(), Part::Nonce),
        (|c| c.idempotency_key = String::new(), Part::IdempotencyKey),
        (|c| c.body = "{}".to_owned(), Part::Body),
        (|c| c.key_id = "cfk_test_none".to_owned(), Part::Key),
        (|c| c.signature = c.signature.to_uppercase(), Part::Signature),
        (|c| c.signature = "abc=".to_owned(), Part::Signature),
    ];
    for (i, (change, part)) in table.into_iter().enumerate() {
        let mut check = sound("cfk_test_1");
        change(&mut check);
        let report = gate.check_signature(&check).expect("a report");
        assert!(!report.valid, "{i}");
        assert_eq!(report.problems[0].part, part, "{i}: {report:?}");
    }
    let mut check = sound("cfk_test_1");
    check.signature = "ab".repeat(32);
    let report = gate.check_signature(&check).expect("a report");
    assert_eq!(report.problems.len(), 1, "only the secret is left to be wrong");
    assert_eq!(report.problems[0].part, Part::Key);
}

#[test]
fn live_keys_learn_the_part_only() {
    let live = Arc::new(crate::auth::Key { livemode: true, ..(*key("cfk_live_1")).clone() });
    let gate = gate(vec![live]);
    let mut check = sound("cfk_live_1");
    check.body = "{}".to_owned();
    let report = gate.check_signature(&check).expect("a report");
    assert_eq!((report.valid, report.string_to_sign), (false, None));
    assert_eq!(report.problems[0].part, Part::Body);
}

#[test]
fn checks_are_limited_per_key() {
    let gate = gate(vec![key("cfk_test_1")]);
    for _ in 0..CHECKS {
        assert!(gate.check_signature(&sound("cfk_test_1")).is_ok());
    }
    let problem = gate.check_signature(&sound("cfk_test_1")).expect_err("limited");
    assert_eq!(problem.code, Code::QuotaExceeded);
    assert!(gate.check_signature(&sound("cfk_test_2")).is_ok());
}
