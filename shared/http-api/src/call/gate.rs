//! Admission: from a raw request to a caller who is known, in one ladder. What costs least comes first, and nothing is
//! remembered of a request before its signature has been found right.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderName, Uri};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::headers::{check_content_type, idempotency_key, test_outcome, wrong_signature};
use super::signed_in::Who;
use super::{Call, Retained};
use crate::arrival;
use crate::auth::{Key, KeyDirectory};
use crate::idempotency::IDEMPOTENCY_KEY;
use crate::nonce::{NonceStore, Seen};
use crate::problem::{Code, Problem, Result};
use crate::quota::Limiters;
use crate::request_id::RequestId;
use crate::session::Sessions;
use crate::signature::{AuthorizationHeader, SCHEME, SignedParts};
use crate::signature_check::CheckLimiter;
use crate::time::system_clock_ms;

/// The header by which test merchants force outcomes.
pub const COUNTERFOIL_TEST: HeaderName = HeaderName::from_static("counterfoil-test");

/// Bodies up to this size are bounded by the number of requests in flight alone.
const SMALL_BODY_BYTES: usize = 64 * 1024;

/// How much of a refused request's body is read and thrown away, and for how long.
const DISCARDED_BYTES: usize = 16 * 1024 * 1024;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);

/// Milliseconds since 1970, by a clock that is passed in.
pub type ClockMs = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What all calls pass: one per process.
pub struct Gate {
    /// Where keys are found.
    pub directory: Arc<dyn KeyDirectory>,
    /// Nonces that were used.
    pub nonces: NonceStore,
    /// Buckets of the merchants' quotas.
    pub limiters: Limiters,
    /// Bounds on bodies.
    pub limits: BodyLimits,
    /// How often the public signature check answers.
    pub checks: CheckLimiter,
    /// The clock that timestamps are judged by.
    pub clock: ClockMs,
    /// Sessions of people; `None` where only keys are let in.
    pub sessions: Option<Sessions>,
    buffered: Arc<Semaphore>,
}

/// Bounds on request bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// The largest JSON body.
    pub json_bytes: usize,
    /// The largest CSV or NDJSON body.
    pub upload_bytes: usize,
    /// How much of bodies over 64 KiB may be in memory at once, over all requests.
    pub buffered_bytes: usize,
    /// How long a body may take to arrive.
    pub read_timeout: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            json_bytes: 1024 * 1024,
            upload_bytes: 32 * 1024 * 1024,
            buffered_bytes: 128 * 1024 * 1024,
            read_timeout: Duration::from_secs(15),
        }
    }
}

/// What kind of body a route reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyKind {
    Json,
    Upload,
}

impl Gate {
    /// A gate by the system's clock with the usual bounds.
    pub fn new(directory: Arc<dyn KeyDirectory>) -> Self {
        Self::with(directory, Arc::new(system_clock_ms), BodyLimits::default())
    }

    /// A gate by another clock and other bounds.
    pub fn with(directory: Arc<dyn KeyDirectory>, clock: ClockMs, limits: BodyLimits) -> Self {
        Self {
            directory,
            nonces: NonceStore::default(),
            limiters: Limiters::default(),
            limits,
            checks: CheckLimiter::default(),
            clock,
            sessions: None,
            buffered: Arc::new(Semaphore::new(limits.buffered_bytes.div_ceil(1024).min(Semaphore::MAX_PERMITS))),
        }
    }

    /// The same, which lets people in by their sessions too.
    #[must_use]
    pub fn with_sessions(self, sessions: Option<Sessions>) -> Self {
        Self { sessions, ..self }
    }

    pub(super) async fn admit(self: Arc<Self>, request: Request, kind: BodyKind) -> Result<Call> {
        let (parts, mut body) = request.into_parts();
        let admitted = self.ladder(parts, &mut body, kind).await;
        if admitted.is_err() {
            // A connection that is closed while its peer still writes is reset, and the peer never sees the answer.
            discard(&mut body).await;
        }
        admitted
    }

    async fn ladder(self: Arc<Self>, parts: Parts, body: &mut Body, kind: BodyKind) -> Result<Call> {
        let received_at_ms = (self.clock)();
        let uri = arrival::sent_uri().unwrap_or_else(|| parts.uri.clone());
        let limit = self.body_limit(kind);
        if body.size_hint().lower() > limit as u64 {
            return Err(too_large(limit));
        }
        if !body.is_end_stream() {
            check_content_type(&parts.headers, kind)?;
        }
        let (who, caller) = self.who(&parts, &uri, received_at_ms)?;
        let (body, permit) = self.read(body, limit).await?;
        let session = match who {
            Who::Person(session) => Some(session),
            Who::Key(credentials) => {
                if !is_signed(&caller, &credentials, &parts, &uri, &body) {
                    return Err(wrong_signature(&credentials));
                }
                self.remember_nonce(&credentials, received_at_ms)?;
                None
            }
        };
        arrival::leave_merchant(caller.merchant);
        if let Some(suspension) = &caller.suspended
            && suspension.ends_at_ms.is_none_or(|end| received_at_ms < end)
            && !is_open_to_all(uri.path())
        {
            return Err(suspension.problem());
        }
        let idempotency_key = idempotency_key(&parts.headers)?;
        let test_outcome = test_outcome(&parts.headers, &caller)?;
        Ok(Call {
            caller,
            session,
            request_id: arrival::request_id().unwrap_or_else(|| RequestId::from_headers(&parts.headers)),
            idempotency_key,
            method: parts.method,
            uri,
            body,
            test_outcome,
            received_at_ms,
            retained: Arc::new(Retained { gate: self, _permit: permit }),
        })
    }

    /// The JSON body of a call that anybody may make.
    pub async fn read_unsigned(&self, request: Request) -> Result<Bytes> {
        let (parts, mut body) = request.into_parts();
        check_content_type(&parts.headers, BodyKind::Json)?;
        // Without the permit: nothing that waits for others happens between here and the answer.
        self.read(&mut body, self.limits.json_bytes).await.map(|(body, _)| body)
    }

    fn body_limit(&self, kind: BodyKind) -> usize {
        match kind {
            BodyKind::Json => self.limits.json_bytes,
            BodyKind::Upload => self.limits.upload_bytes,
        }
    }

    pub(super) fn live_key(&self, credentials: &AuthorizationHeader<'_>, now_ms: i64) -> Result<Arc<Key>> {
        let key = self.directory.find(credentials.key_id());
        let key = key.filter(|key| key.expires_at_ms.is_none_or(|end| now_ms < end));
        let key = key.ok_or_else(|| Problem::of(Code::KeyUnknown).pointer("/headers/authorization"))?;
        if key.livemode && matches!(credentials, AuthorizationHeader::Bearer { .. }) {
            let detail = format!("Bearer authorization is for test keys; sign with {SCHEME}.");
            return Err(Problem::new(Code::TestModeOnly, detail).pointer("/headers/authorization"));
        }
        Ok(key)
    }

    async fn read(&self, body: &mut Body, limit: usize) -> Result<(Bytes, Option<OwnedSemaphorePermit>)> {
        let reading = async {
            let mut first: Option<Bytes> = None;
            let mut rest = BytesMut::new();
            let mut permit = None;
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|_| Problem::new(Code::RequestTimeout, "The body broke off."))?;
                let Ok(data) = frame.into_data() else {
                    continue;
                };
                let length = first.as_ref().map_or(0, Bytes::len) + rest.len() + data.len();
                if length > limit {
                    return Err(too_large(limit));
                }
                self.grow(&mut permit, length)?;
                // Nearly every body is one frame, which is taken without a copy.
                match &first {
                    None => first = Some(data),
                    Some(_) => rest.extend_from_slice(&data),
                }
            }
            let body = match first {
                Some(first) if !rest.is_empty() => [&first[..], &rest[..]].concat().into(),
                other => other.unwrap_or_default(),
            };
            Ok((body, permit))
        };
        let slow = |_| {
            let detail = format!("The body did not arrive within {} s.", self.limits.read_timeout.as_secs());
            Problem::new(Code::RequestTimeout, detail)
        };
        tokio::time::timeout(self.limits.read_timeout, reading).await.map_err(slow)?
    }

    fn grow(&self, permit: &mut Option<OwnedSemaphorePermit>, length: usize) -> Result<()> {
        if length <= SMALL_BODY_BYTES {
            return Ok(());
        }
        let held = permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = length.div_ceil(1024).saturating_sub(held);
        if missing == 0 {
            return Ok(());
        }
        let full = |_| Problem::new(Code::Overloaded, "Too many large bodies are being read at once.");
        let more = Arc::clone(&self.buffered).try_acquire_many_owned(missing as u32).map_err(full)?;
        match permit {
            Some(permit) => permit.merge(more),
            None => *permit = Some(more),
        }
        Ok(())
    }

    fn remember_nonce(&self, credentials: &AuthorizationHeader<'_>, now_ms: i64) -> Result<()> {
        let AuthorizationHeader::Signed { key_id, nonce, timestamp_seconds, .. } = credentials else {
            return Ok(());
        };
        if arrival::nonce_taken() {
            return Ok(());
        }
        match self.nonces.remember(key_id, nonce, *timestamp_seconds, now_ms.div_euclid(1000)) {
            Seen::First => {
                arrival::take_nonce();
                Ok(())
            }
            Seen::Again => Err(Problem::of(Code::NonceReused).pointer("/headers/authorization")),
            Seen::Full => Err(Problem::new(Code::Overloaded, "The memory of nonces is full.").retry_after(10)),
        }
    }
}

/// Path and query as sent.
pub(super) fn target(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str)
}

fn is_signed(caller: &Key, credentials: &AuthorizationHeader<'_>, parts: &Parts, uri: &Uri, body: &[u8]) -> bool {
    match credentials {
        AuthorizationHeader::Bearer { secret, .. } => caller.secret.matches(secret),
        AuthorizationHeader::Signed { timestamp, nonce, signature, .. } => {
            let key = parts.headers.get(IDEMPOTENCY_KEY).map_or(Ok(""), |value| value.to_str());
            let parts = SignedParts {
                method: parts.method.as_str(),
                path_and_query: target(uri),
                timestamp,
                nonce,
                idempotency_key: key.unwrap_or_default(),
                body,
            };
            caller.secret.verify(&parts, signature)
        }
    }
}

/// Reads on without keeping anything, up to a bound of bytes and of time.
/// Whoever is penalised may read why, and appeal.
fn is_open_to_all(path: &str) -> bool {
    let rest = |open| path.strip_prefix(open).is_some_and(|rest: &str| rest.is_empty() || rest.starts_with('/'));
    ["/v1/risk/penalties", "/v1/risk/appeals"].into_iter().any(rest)
}

async fn discard(body: &mut Body) {
    let reading = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > DISCARDED_BYTES {
                return;
            }
        }
    };
    // Whoever is slower than that loses the answer, not more.
    let _ = tokio::time::timeout(DISCARD_TIMEOUT, reading).await;
}

fn too_large(limit: usize) -> Problem {
    Problem::new(Code::BodyTooLarge, format!("The body may have at most {limit} bytes.")).with("limit_bytes", limit)
}

#[cfg(test)]
mod tests {
    use super::is_open_to_all;

    #[test]
    fn whoever_is_penalised_may_read_why_and_appeal_and_nothing_else() {
        for open in ["/v1/risk/penalties", "/v1/risk/penalties/pen_1", "/v1/risk/appeals"] {
            assert!(is_open_to_all(open), "{open}");
        }
        for shut in ["/v1/claims", "/v1/risk/penalty-ladder", "/v1/risk/penaltiesx", "/v1/claims/v1/risk/appeals"] {
            assert!(!is_open_to_all(shut), "{shut}");
        }
    }
}
