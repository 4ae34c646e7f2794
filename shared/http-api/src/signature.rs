//! COUNTERFOIL-HMAC-SHA256: requests signed over the raw bytes, as the API's contract describes it.
//!
//! The MAC is fed piece by piece from where the pieces lie, and a key's schedule is computed once, when the key is
//! loaded: verifying a request allocates nothing.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::problem::{Code, Problem, Result};

/// The name of the scheme in `Authorization` and `WWW-Authenticate`.
pub const SCHEME: &str = "COUNTERFOIL-HMAC-SHA256";

/// How far a signed timestamp may be from the server's clock, either way.
pub const TOLERANCE_SECONDS: i64 = 300;

const POINTER: &str = "/headers/authorization";

/// A key's secret, kept only as the prepared state of its MAC. It cannot be read back or printed, and the state is
/// wiped when it is dropped.
#[derive(Clone)]
pub struct Secret(Hmac<Sha256>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What a signature covers, each part as it was sent.
#[derive(Clone, Copy, Debug)]
pub struct SignedParts<'a> {
    /// The method in capitals.
    pub method: &'a str,
    /// The path with its query, not decoded.
    pub path_and_query: &'a str,
    /// Unix seconds in decimal digits.
    pub timestamp: &'a str,
    /// 16 to 64 of `A-Za-z0-9_-`.
    pub nonce: &'a str,
    /// The value of `Idempotency-Key`, or nothing.
    pub idempotency_key: &'a str,
    /// The body's bytes.
    pub body: &'a [u8],
}

impl SignedParts<'_> {
    /// The text that is signed; for people who look for a difference, since the MAC itself needs no copy of it.
    pub fn string_to_sign(&self) -> String {
        self.pieces().map(|piece| format!("{}\n", String::from_utf8_lossy(piece))).concat()
    }

    fn pieces(&self) -> [&[u8]; 6] {
        [
            self.method.as_bytes(),
            self.path_and_query.as_bytes(),
            self.timestamp.as_bytes(),
            self.nonce.as_bytes(),
            self.idempotency_key.as_bytes(),
            self.body,
        ]
    }
}

impl Secret {
    /// Prepares a secret. The text itself is not kept.
    pub fn new(secret: &str) -> Self {
        // HMAC takes keys of any length, so the fallback is never used; it is keyed all the same.
        Self(Hmac::new_from_slice(secret.as_bytes()).unwrap_or_else(|_| Hmac::new(&Default::default())))
    }

    /// The signature of a request.
    pub fn sign(&self, parts: &SignedParts<'_>) -> [u8; 32] {
        let mut mac = self.0.clone();
        for piece in parts.pieces() {
            mac.update(piece);
            mac.update(b"\n");
        }
        mac.finalize().into_bytes().into()
    }

    /// Whether the signature fits, in a time that says nothing about how nearly it does.
    pub fn verify(&self, parts: &SignedParts<'_>, signature: &[u8; 32]) -> bool {
        self.sign(parts).ct_eq(signature).into()
    }

    /// Whether the text is this secret, in constant time: both are compared by a MAC of one fixed text.
    pub fn matches(&self, text: &str) -> bool {
        self.fingerprint().ct_eq(&Self::new(text).fingerprint()).into()
    }

    fn fingerprint(&self) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(b"counterfoil bearer");
        mac.finalize().into_bytes().into()
    }
}

/// The value of `Authorization` for a request: what clients send.
pub fn authorization(key_id: &str, secret: &Secret, parts: &SignedParts<'_>) -> String {
    let mut digits = [0_u8; 64];
    // 32 bytes always make 64 digits.
    let _ = hex::encode_to_slice(secret.sign(parts), &mut digits);
    let signature = std::str::from_utf8(&digits).unwrap_or_default();
    let (timestamp, nonce) = (parts.timestamp, parts.nonce);
    let length = SCHEME.len() + 50 + key_id.len() + timestamp.len() + nonce.len() + signature.len();
    let mut text = String::with_capacity(length);
    for piece in [
        SCHEME, " key_id=\"", key_id, "\",timestamp=\"", timestamp, "\",nonce=\"", nonce, "\",signature=\"", signature, "\"",
    ] {
        text.push_str(piece);
    }
    text
}

/// An `Authorization` header taken apart, borrowed from it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationHeader<'a> {
    /// A signature.
    Signed {
        /// Whose.
        key_id: &'a str,
        /// Unix seconds as sent: the MAC covers the text.
        timestamp: &'a str,
        /// The same as a number.
        timestamp_seconds: i64,
        /// What makes a replay visible.
        nonce: &'a str,
        /// The MAC.
        signature: [u8; 32],
    },
    /// The secret itself; for test merchants only.
    Bearer {
        /// Whose.
        key_id: &'a str,
        /// The secret in clear.
        secret: &'a str,
    },
}

impl fmt::Debug for AuthorizationHeader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthorizationHeader({})", self.key_id())
    }
}

impl<'a> AuthorizationHeader<'a> {
    /// Reads a header value: fields in any order, each exactly once, none besides.
    pub fn parse(text: &'a str) -> Result<Self> {
        let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if scheme.eq_ignore_ascii_case(SCHEME) {
            Self::parse_signed(rest)
        } else if scheme.eq_ignore_ascii_case("Bearer") {
            Self::parse_bearer(rest.trim())
        } else {
            let detail = format!("Authorization must begin with {SCHEME}; test keys may also use Bearer.");
            Err(Problem::new(Code::SignatureMissing, detail).pointer(POINTER))
        }
    }

    /// The id of the key that it names.
    pub fn key_id(&self) -> &'a str {
        match self {
            Self::Signed { key_id, .. } | Self::Bearer { key_id, .. } => key_id,
        }
    }

    fn parse_signed(fields: &'a str) -> Result<Self> {
        const NAMES: [&str; 4] = ["key_id", "timestamp", "nonce", "signature"];
        let mut values = [None; 4];
        for field in fields.split(',') {
            let (name, value) =
                field.trim().split_once('=').ok_or_else(|| malformed("has a part that is not name=\"value\""))?;
            let place = NAMES
                .iter()
                .position(|&known| known == name)
                .ok_or_else(|| malformed("has a field that is none of key_id, timestamp, nonce, signature"))?;
            let value = value
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'))
                .ok_or_else(|| malformed(&format!("must have {name} in double quotes")))?;
            if values[place].replace(value).is_some() {
                return Err(malformed(&format!("has {name} twice")));
            }
        }
        let take = |i: usize| values[i].ok_or_else(|| malformed(&format!("lacks {}", NAMES[i])));
        let (key_id, timestamp, nonce, signature) = (take(0)?, take(1)?, take(2)?, take(3)?);
        check_key_id(key_id)?;
        Ok(Self::Signed {
            key_id,
            timestamp,
            timestamp_seconds: parse_timestamp(timestamp)
                .ok_or_else(|| malformed("must have timestamp as Unix seconds, 1 to 12 digits"))?,
            nonce: is_nonce(nonce).then_some(nonce).ok_or_else(|| malformed("must have a nonce of 16 to 64 of A-Za-z0-9_-"))?,
            signature: parse_hex(signature).ok_or_else(|| malformed("must have a signature of 64 lower-case hex digits"))?,
        })
    }

    fn parse_bearer(token: &'a str) -> Result<Self> {
        let (key_id, secret) = token.split_once(':').ok_or_else(|| malformed("must be Bearer <key_id>:<secret>"))?;
        check_key_id(key_id)?;
        Ok(Self::Bearer { key_id, secret })
    }
}

/// Unix seconds from 1 to 12 decimal digits.
pub(crate) fn parse_timestamp(text: &str) -> Option<i64> {
    let sound = (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    sound.then(|| text.parse().ok()).flatten()
}

/// Whether the text is 16 to 64 of `A-Za-z0-9_-`.
pub(crate) fn is_nonce(text: &str) -> bool {
    (16..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// 64 lower-case hex digits.
pub(crate) fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let lower = !text.bytes().any(|b| b.is_ascii_uppercase());
    (lower && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

fn check_key_id(text: &str) -> Result<()> {
    let sound = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if sound { Ok(()) } else { Err(malformed("must have a key_id of 1 to 64 of A-Za-z0-9_-")) }
}

fn malformed(what: &str) -> Problem {
    Problem::new(Code::SignatureInvalid, format!("The Authorization header {what}.")).pointer(POINTER)
}

#[cfg(test)]
mod tests {
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
}
