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
        Self(
            Hmac::new_from_slice(secret.as_bytes())
                .unwrap_or_else(|_| Hmac::new(&hmac::digest::Key::<Hmac<Sha256>>::default())),
        )
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
        SCHEME,
        " key_id=\"",
        key_id,
        "\",timestamp=\"",
        timestamp,
        "\",nonce=\"",
        nonce,
        "\",signature=\"",
        signature,
        "\"",
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
            nonce: is_nonce(nonce)
                .then_some(nonce)
                .ok_or_else(|| malformed("must have a nonce of 16 to 64 of A-Za-z0-9_-"))?,
            signature: parse_hex(signature)
                .ok_or_else(|| malformed("must have a signature of 64 lower-case hex digits"))?,
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
    let sound =
        (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if sound { Ok(()) } else { Err(malformed("must have a key_id of 1 to 64 of A-Za-z0-9_-")) }
}

fn malformed(what: &str) -> Problem {
    Problem::new(Code::SignatureInvalid, format!("The Authorization header {what}.")).pointer(POINTER)
}

#[cfg(test)]
mod tests;
