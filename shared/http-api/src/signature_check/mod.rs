//! `POST /v1/signature-checks`: tells integrators which part of a signature is wrong. Who cannot sign cannot
//! authenticate, so the call takes no key; it never shows a signature or a secret, and for live keys not even the
//! string that it expects.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use dashmap::DashMap;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::body;
use crate::call::Gate;
use crate::idempotency::Answer;
use crate::problem::{Code, Problem, Result};
use crate::signature::{SignedParts, TOLERANCE_SECONDS, is_nonce, parse_hex, parse_timestamp};
use crate::time::format_ms;

/// Checks per key id and window.
const CHECKS: u32 = 30;
const WINDOW_SECONDS: u64 = 60;

/// Key ids that are counted at once; they come from anybody, so they are bounded.
const MAX_KEYS: usize = 10_000;

/// What a client believes that it sent.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignatureCheck {
    /// The key.
    pub key_id: String,
    /// The method in capitals.
    pub method: String,
    /// Path and query as sent.
    pub path: String,
    /// Unix seconds as sent.
    pub timestamp: Text,
    /// The nonce.
    pub nonce: String,
    /// The idempotency key, if one was sent.
    #[serde(default)]
    pub idempotency_key: String,
    /// The body as text.
    #[serde(default)]
    pub body: String,
    /// The signature as sent.
    pub signature: String,
    /// The string that the client signed, if it is at hand.
    pub string_to_sign: Option<String>,
}

/// A text that may be written as a number.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(untagged, expecting = "must be Unix seconds")]
pub enum Text {
    /// `"1764000000"`.
    Text(String),
    /// `1764000000`.
    Number(u64),
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SignatureReport {
    /// Whether such a request would be let in now, but for its nonce having been used.
    pub valid: bool,
    /// What is wrong, the likeliest cause first.
    pub problems: Vec<PartProblem>,
    /// What should have been signed; for test keys only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub string_to_sign: Option<String>,
    /// The server's time.
    pub server_time: String,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PartProblem {
    /// Where.
    pub part: Part,
    /// What, as a sentence.
    pub detail: String,
}

/// A part of a signed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The method.
    Method,
    /// Path and query.
    Path,
    /// The timestamp.
    Time,
    /// The nonce.
    Nonce,
    /// The idempotency key.
    IdempotencyKey,
    /// The body.
    Body,
    /// The key or its secret.
    Key,
    /// The signature itself.
    Signature,
}

/// How often each key id has been checked lately.
#[derive(Default)]
pub struct CheckLimiter(DashMap<String, (Instant, u32)>);

impl CheckLimiter {
    fn take(&self, key_id: &str) -> Result<()> {
        let now = Instant::now();
        let fresh = |began: &Instant| now.duration_since(*began).as_secs() < WINDOW_SECONDS;
        let refused = || Problem::of(Code::QuotaExceeded).retry_after(WINDOW_SECONDS as u32);
        if self.0.len() >= MAX_KEYS && !self.0.contains_key(key_id) {
            self.0.retain(|_, (began, _)| fresh(began));
            if self.0.len() >= MAX_KEYS {
                return Err(refused());
            }
        }
        let mut entry = self.0.entry(key_id.to_owned()).or_insert((now, 0));
        if !fresh(&entry.0) {
            *entry = (now, 0);
        }
        entry.1 = entry.1.saturating_add(1);
        if entry.1 > CHECKS { Err(refused()) } else { Ok(()) }
    }
}

#[derive(OpenApi)]
#[openapi(paths(post))]
struct Document;

/// The part of the `OpenAPI` document that is this call's.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// Find out why a signature is refused
///
/// Send what you believe you sent. Needs no key.
#[utoipa::path(post, path = "/v1/signature-checks", tag = "Keys", request_body = SignatureCheck, security(()),
    responses((status = 200, body = SignatureReport)))]
pub async fn post(State(gate): State<Arc<Gate>>, request: Request) -> Result<Answer> {
    let json = gate.read_unsigned(request).await?;
    let check = body::parse::<SignatureCheck>(&json, ("POST", "/v1/signature-checks"))?.body;
    Answer::ok(&gate.check_signature(&check)?)
}

impl Gate {
    /// Says what is wrong with a signature.
    pub fn check_signature(&self, check: &SignatureCheck) -> Result<SignatureReport> {
        if check.key_id.is_empty() || check.key_id.len() > 64 {
            return Err(Problem::new(Code::InvalidField, "/key_id must have 1 to 64 characters.").pointer("/key_id"));
        }
        self.checks.take(&check.key_id)?;
        let now_ms = (self.clock)();
        let timestamp = match &check.timestamp {
            Text::Text(text) => text.clone(),
            Text::Number(number) => number.to_string(),
        };
        let parts = SignedParts {
            method: &check.method,
            path_and_query: &check.path,
            timestamp: &timestamp,
            nonce: &check.nonce,
            idempotency_key: &check.idempotency_key,
            body: check.body.as_bytes(),
        };
        let mut problems = Vec::new();
        let key = self.directory.find(&check.key_id);
        let key = key.filter(|key| key.expires_at_ms.is_none_or(|end| now_ms < end));
        check_form(&parts, now_ms, &mut problems);
        if let Some(signed) = &check.string_to_sign {
            compare(&parts, signed, &mut problems);
        }
        match &key {
            None => problems.push(PartProblem { part: Part::Key, detail: Code::KeyUnknown.cause().to_owned() }),
            Some(key) => {
                let given = check.signature.to_ascii_lowercase();
                let fits = parse_hex(&given).is_some_and(|signature| key.secret.verify(&parts, &signature));
                problems.extend(judge_signature(check, fits, &given));
            }
        }
        let shown = key.is_some_and(|key| !key.livemode);
        Ok(SignatureReport {
            valid: problems.is_empty(),
            problems,
            string_to_sign: shown.then(|| parts.string_to_sign()),
            server_time: format_ms(now_ms),
        })
    }
}

fn judge_signature(check: &SignatureCheck, fits: bool, lower: &str) -> Option<PartProblem> {
    let problem = |part, detail: &str| Some(PartProblem { part, detail: detail.to_owned() });
    if parse_hex(lower).is_none() {
        return problem(Part::Signature, "The signature must be 64 hex digits, lower case; it is not base64.");
    }
    if fits && lower != check.signature {
        return problem(Part::Signature, "The signature is right, but must be written in lower case.");
    }
    if fits {
        return None;
    }
    let secret_is_wrong = check.string_to_sign.is_some();
    if secret_is_wrong {
        let detail = "The signature was not made from these parts with the secret of this key. If the string that was \
                      signed is the expected one, the secret is another key's, or was decoded before use: take it as \
                      UTF-8 text.";
        return problem(Part::Key, detail);
    }
    let detail = "The signature does not fit these parts and the secret of this key. Send string_to_sign, the string \
                  that was signed, to see which part differs.";
    problem(Part::Signature, detail)
}

fn check_form(parts: &SignedParts<'_>, now_ms: i64, problems: &mut Vec<PartProblem>) {
    let mut add = |part, detail: String| problems.push(PartProblem { part, detail });
    let now_seconds = now_ms.div_euclid(1000);
    match parse_timestamp(parts.timestamp) {
        None => add(Part::Time, "The timestamp must be Unix seconds in decimal digits, not milliseconds.".to_owned()),
        Some(seconds) if (seconds - now_seconds).abs() > TOLERANCE_SECONDS => {
            let milliseconds = seconds / 1000 > now_seconds / 2 && seconds > now_seconds * 100;
            let hint = if milliseconds { " It seems to be in milliseconds." } else { "" };
            let difference = seconds - now_seconds;
            add(Part::Time, format!("The timestamp is {difference} s off; {TOLERANCE_SECONDS} are tolerated.{hint}"));
        }
        Some(_) => {}
    }
    if parts.method.is_empty() || parts.method.bytes().any(|b| !b.is_ascii_uppercase()) {
        add(Part::Method, "The method must be in capitals.".to_owned());
    }
    if !parts.path_and_query.starts_with('/') {
        add(
            Part::Path,
            "The path must begin with a slash, without scheme and host, with the query as sent.".to_owned(),
        );
    }
    if !is_nonce(parts.nonce) {
        add(Part::Nonce, "The nonce must be 16 to 64 of A-Za-z0-9_-".to_owned());
    }
    let key = parts.idempotency_key;
    if !key.is_empty() && crate::idempotency::IdempotencyKey::parse(key, "").is_err() {
        add(Part::IdempotencyKey, "The idempotency key must be 1 to 128 of A-Za-z0-9_.:-".to_owned());
    }
}

/// The lines of a string to sign.
const LINES: [(Part, &str); 6] = [
    (Part::Method, "method"),
    (Part::Path, "path with query"),
    (Part::Time, "timestamp"),
    (Part::Nonce, "nonce"),
    (Part::IdempotencyKey, "idempotency key (an empty line if there is none)"),
    (Part::Body, "body with one line feed after it"),
];

/// Compares line by line: the first five lines hold no line break, the body is what remains.
fn compare(parts: &SignedParts<'_>, signed: &str, problems: &mut Vec<PartProblem>) {
    let expected = parts.string_to_sign();
    if expected == signed {
        return;
    }
    let mut theirs = signed.splitn(6, '\n');
    for ((part, name), ours) in LINES.into_iter().zip(expected.splitn(6, '\n')) {
        if theirs.next() != Some(ours) {
            let detail = format!("The string that was signed differs in the {name}.");
            problems.push(PartProblem { part, detail });
        }
    }
}

#[cfg(test)]
mod tests;
