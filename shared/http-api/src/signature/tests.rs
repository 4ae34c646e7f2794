use super::*;

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    secret: String,
    method: String,
    path_and_query: String,
    timestamp: i64,
    nonce: String,
    idempotency_key: String,
    body: String,
    string_to_sign: String,
    signature: String,
}

/// Two of the published vectors; the file itself is checked where it is at hand.
const VECTORS: &str = r#"{"cases": [
    {"name": "get without body", "secret": "cfs_3pN8vWb2Qk7mT1xZ", "method": "GET",
     "path_and_query": "/v1/stocks?limit=20&cursor=b2Zm", "timestamp": 1764000000, "nonce": "0123456789abcdefGHIJ",
     "idempotency_key": "", "body": "",
     "string_to_sign": "GET\n/v1/stocks?limit=20&cursor=b2Zm\n1764000000\n0123456789abcdefGHIJ\n\n\n",
     "signature": "5df4b7917d6c4f02cd3e479f8ff4961be5d5185e378de2b5bbcee6400e1e7269"},
    {"name": "post utf-8", "secret": "cfs_3pN8vWb2Qk7mT1xZ", "method": "POST", "path_and_query": "/v1/stocks",
     "timestamp": 1764000002, "nonce": "n0n0n0n0n0n0n0n0", "idempotency_key": "k.1:2_3-4",
     "body": "{\"name\":\"满100减20 · 双11\"}",
     "string_to_sign": "POST\n/v1/stocks\n1764000002\nn0n0n0n0n0n0n0n0\nk.1:2_3-4\n{\"name\":\"满100减20 · 双11\"}\n",
     "signature": "111738a3b217aa7a254f201478e449df3072a4c0b19d75544b31aa66f587c37e"}]}"#;

fn check(vectors: &str) {
    let mut vectors: serde_json::Value = serde_json::from_str(vectors).expect("json");
    let cases: Vec<Case> = serde_json::from_value(vectors["cases"].take()).expect("cases");
    assert!(!cases.is_empty());
    for case in cases {
        let secret = Secret::new(&case.secret);
        let timestamp = case.timestamp.to_string();
        let parts = SignedParts {
            method: &case.method,
            path_and_query: &case.path_and_query,
            timestamp: &timestamp,
            nonce: &case.nonce,
            idempotency_key: &case.idempotency_key,
            body: case.body.as_bytes(),
        };
        assert_eq!(parts.string_to_sign(), case.string_to_sign, "{}", case.name);
        assert_eq!(hex::encode(secret.sign(&parts)), case.signature, "{}", case.name);
        assert!(secret.verify(&parts, &parse_hex(&case.signature).expect("hex")), "{}", case.name);
        let header = authorization("cfk_test_1", &secret, &parts);
        let AuthorizationHeader::Signed { signature, nonce, timestamp_seconds, .. } =
            AuthorizationHeader::parse(&header).expect("our own header")
        else {
            panic!("{header}");
        };
        assert_eq!((nonce, timestamp_seconds), (case.nonce.as_str(), case.timestamp));
        assert!(secret.verify(&parts, &signature));
        assert!(!secret.verify(&SignedParts { idempotency_key: "other", ..parts }, &signature));
    }
}

#[test]
fn signatures_fit_the_vectors() {
    check(VECTORS);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors/request-signature.json");
    match std::fs::read_to_string(path) {
        Ok(vectors) => check(&vectors),
        Err(error) => eprintln!("skipped the published vectors: {error}"),
    }
}

#[test]
fn a_header_is_read_strictly_in_any_order() {
    let signature = "ab".repeat(32);
    let parts = [
        "key_id=\"cfk_live_1\"".to_owned(),
        "timestamp=\"1764000000\"".to_owned(),
        "nonce=\"0123456789abcdef\"".to_owned(),
        format!("signature=\"{signature}\""),
    ];
    let reversed: Vec<&str> = parts.iter().rev().map(String::as_str).collect();
    let header = format!("{SCHEME} {}", reversed.join(", "));
    let parsed = AuthorizationHeader::parse(&header).expect("any order");
    assert_eq!(parsed.key_id(), "cfk_live_1");
    assert!(!format!("{parsed:?}").contains("abab"), "a header prints its key id alone");

    let full = format!("{SCHEME} {}", parts.join(","));
    for (bad, says) in [
        (String::new(), "must begin"),
        ("Basic abc".to_owned(), "must begin"),
        (SCHEME.to_owned(), "not name="),
        (full.replace(",nonce=\"0123456789abcdef\"", ""), "lacks nonce"),
        (format!("{full},nonce=\"0123456789abcdef\""), "nonce twice"),
        (format!("{full},extra=\"1\""), "none of"),
        (full.replace("\"cfk_live_1\"", "cfk_live_1"), "double quotes"),
        (full.replace("cfk_live_1", "cfk live"), "a key_id of"),
        (full.replace("1764000000", "-1"), "Unix seconds"),
        (full.replace("1764000000", "9999999999999999999"), "Unix seconds"),
        (full.replace("0123456789abcdef", "short"), "nonce of 16"),
        (full.replace(&signature, &signature.to_uppercase()), "lower-case hex"),
        (full.replace(&signature, "abcd"), "lower-case hex"),
        ("Bearer nocolon".to_owned(), "<key_id>:<secret>"),
    ] {
        let problem = AuthorizationHeader::parse(&bad).expect_err(&bad);
        assert!(problem.detail.contains(says), "{bad}: {}", problem.detail);
        assert_eq!(problem.status(), 401);
    }
}

#[test]
fn a_secret_is_recognised_but_never_printed() {
    let secret = Secret::new("cfs_top");
    assert!(secret.matches("cfs_top") && !secret.matches("cfs_tox"));
    assert_eq!(format!("{secret:?}"), "Secret(..)");
}
