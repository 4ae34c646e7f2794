//! The call: what a handler is given of a request that has passed the gate, and what it may ask of it.

mod gate;
mod headers;
mod segment;
mod signed_in;

use std::sync::Arc;

use axum::extract::{FromRef, FromRequest, Request};
use bytes::Bytes;
use coupon::id::{MerchantId, StoreId};
use http::header::CONTENT_TYPE;
use http::{Method, Uri};
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;

use crate::auth::{Key, Role};
use crate::body::{self, Parsed};
use crate::idempotency::IdempotencyKey;
use crate::page::Page;
use crate::problem::{Code, Problem, Result};
use crate::quota::QuotaClass;
use crate::request_id::RequestId;
use crate::session::Session;
use gate::BodyKind;
pub use gate::{BodyLimits, COUNTERFOIL_TEST, ClockMs, Gate};
pub use segment::{Segment, path_id};

/// An authenticated call. As a handler's last argument it admits the request; the state must give an `Arc<Gate>`.
#[derive(Clone)]
pub struct Call {
    /// The key that signed, or the person who is signed in as one: with the user's id in place of a key's.
    pub caller: Arc<Key>,
    /// The session of a person.
    pub session: Option<Arc<Session>>,
    /// The id that the answer carries too.
    pub request_id: RequestId,
    /// The caller's name for this change.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The method.
    pub method: Method,
    /// The target as sent.
    pub uri: Uri,
    /// The whole body.
    pub body: Bytes,
    /// What a test merchant wants to see happen. The edge carries it out once the handler has answered.
    pub test_outcome: Option<TestOutcome>,
    /// When the head of the request had arrived, by the gate's clock.
    pub received_at_ms: i64,
    retained: Arc<Retained>,
}

/// What lives as long as a call does: the room that its body takes is given back with it.
struct Retained {
    gate: Arc<Gate>,
    _permit: Option<OwnedSemaphorePermit>,
}

/// An outcome forced by `Counterfoil-Test`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestOutcome {
    /// The work is done, and the answer is 503 `outcome_unknown` all the same.
    OutcomeUnknown,
    /// The work is done, and the connection is closed without an answer.
    DropResponse,
}

/// A call whose body is a file of rows.
pub struct Upload {
    /// The call; its `body` holds the rows.
    pub call: Call,
    /// How they are written.
    pub format: UploadFormat,
}

/// A format of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadFormat {
    /// `text/csv`.
    Csv,
    /// `application/x-ndjson`.
    Ndjson,
}

impl UploadFormat {
    fn of(essence: &str) -> Option<Self> {
        if essence.eq_ignore_ascii_case("text/csv") {
            Some(Self::Csv)
        } else if essence.eq_ignore_ascii_case("application/x-ndjson") {
            Some(Self::Ndjson)
        } else {
            None
        }
    }
}

impl<S> FromRequest<S> for Call
where
    Arc<Gate>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        Arc::<Gate>::from_ref(state).admit(request, BodyKind::Json).await
    }
}

impl<S> FromRequest<S> for Upload
where
    Arc<Gate>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let essence = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let format = UploadFormat::of(essence.split(';').next().unwrap_or_default().trim());
        let call = Arc::<Gate>::from_ref(state).admit(request, BodyKind::Upload).await?;
        // Only an empty body gets here without a type.
        Ok(Self { call, format: format.unwrap_or(UploadFormat::Csv) })
    }
}

impl Call {
    /// Refuses keys that have none of these roles, nor one that covers them.
    pub fn require(&self, roles: &[Role]) -> Result<()> {
        if roles.iter().any(|&role| self.caller.role.covers(role)) {
            return Ok(());
        }
        let names: Vec<&str> = Role::ALL
            .into_iter()
            .filter(|able| roles.iter().any(|&role| able.covers(role)))
            .map(Role::as_str)
            .collect();
        let detail = format!("The key's role is {}; this call is for {}.", self.caller.role.as_str(), names.join(", "));
        Err(Problem::new(Code::RoleForbidden, detail).with("roles", names))
    }

    /// Refuses people who belong to a merchant: what outlives a session is for those who keep keys.
    pub fn refuse_merchants_people(&self) -> Result<()> {
        if self.session.is_none() || self.caller.merchant.is_none() {
            return Ok(());
        }
        Err(Problem::new(
            Code::RoleForbidden,
            "Users of a merchant may not see or change keys; the merchant's keys may.",
        ))
    }

    /// Whether the caller would still be let in, and as the same: an answer that goes on for long asks now and then.
    pub fn is_still_admitted(&self) -> bool {
        let gate = &self.retained.gate;
        let now_ms = (gate.clock)();
        let same = |key: &Key| (key.role, key.merchant) == (self.caller.role, self.caller.merchant);
        let known = match &self.session {
            Some(session) if session.expires_at_ms <= now_ms => None,
            Some(session) => {
                let user = gate.directory.user(&session.user_id);
                user.filter(|user| user.epoch <= session.epoch).map(|user| user.key.clone())
            }
            None => gate.directory.find(&self.caller.key_id),
        };
        known.is_some_and(|key| {
            let ended = key.expires_at_ms.is_some_and(|end| now_ms >= end);
            let barred = key.suspended.as_ref().is_some_and(|by| by.ends_at_ms.is_none_or(|end| now_ms < end));
            same(&key) && !ended && !barred
        })
    }

    /// The merchant of the key; keys without one may not make calls that belong to a merchant.
    pub fn merchant(&self) -> Result<MerchantId> {
        self.caller.merchant.ok_or_else(|| {
            Problem::new(Code::RoleForbidden, "The key belongs to no merchant, and this call is for a merchant's keys.")
        })
    }

    /// What the caller sees: one merchant, or all (`None`).
    pub fn scope(&self) -> Option<MerchantId> {
        self.caller.merchant
    }

    /// Whether the caller may know of this merchant's objects.
    pub fn sees(&self, merchant: MerchantId) -> bool {
        self.caller.merchant.is_none_or(|own| own == merchant.real())
    }

    /// Whether the key may see and change what happened in a store; one that is bound may not in others, nor in none.
    pub fn reaches_store(&self, store: Option<StoreId>) -> bool {
        self.caller.store_ids.as_deref().is_none_or(|bound| store.is_some_and(|store| bound.contains(&store)))
    }

    /// The store of the call: the given one if the key may act for it; the key's own if it is bound to just one.
    pub fn store(&self, given: Option<StoreId>) -> Result<Option<StoreId>> {
        let Some(bound) = self.caller.store_ids.as_deref() else {
            return Ok(given);
        };
        match (given, bound) {
            (Some(store), _) if bound.contains(&store) => Ok(Some(store)),
            (Some(_), _) => Err(Problem::of(Code::StoreForbidden).pointer("/store_id")),
            (None, [only]) => Ok(Some(*only)),
            (None, _) => {
                let detail = "The key is bound to several stores, so store_id is required.";
                Err(Problem::new(Code::MissingField, detail).pointer("/store_id"))
            }
        }
    }

    /// Refuses live keys.
    pub fn require_test_mode(&self) -> Result<()> {
        if self.caller.livemode { Err(Problem::of(Code::TestModeOnly)) } else { Ok(()) }
    }

    /// Refuses test keys.
    pub fn require_livemode(&self) -> Result<()> {
        if self.caller.livemode { Ok(()) } else { Err(Problem::of(Code::LivemodeRequired)) }
    }

    /// The idempotency key, for calls that change coupons.
    pub fn require_idempotency_key(&self) -> Result<&IdempotencyKey> {
        self.idempotency_key
            .as_ref()
            .ok_or_else(|| Problem::of(Code::IdempotencyKeyMissing).pointer("/headers/idempotency-key"))
    }

    /// Takes one call from the merchant's quota; keys without a merchant have none.
    pub fn limit(&self, class: QuotaClass) -> Result<()> {
        self.caller.merchant.map_or(Ok(()), |merchant| self.limit_at(merchant, class))
    }

    /// The same where it may be at the merchant's rehearsals: as much is let through there, beside what is real.
    pub fn limit_at(&self, merchant: MerchantId, class: QuotaClass) -> Result<()> {
        self.retained.gate.limiters.take(merchant, class, &self.caller.quotas)
    }

    /// The JSON body.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<Parsed<T>> {
        body::parse(&self.body, self.target())
    }

    /// The JSON body, where none at all means `{}`.
    pub fn parse_optional<T: DeserializeOwned>(&self) -> Result<Parsed<T>> {
        let json = if self.body.is_empty() { b"{}" } else { &self.body[..] };
        body::parse(json, self.target())
    }

    /// The fingerprint of a call whose body is not JSON.
    pub fn raw_fingerprint(&self) -> [u8; 16] {
        body::fingerprint(self.target(), &self.body)
    }

    /// The query as a struct that denies unknown fields.
    pub fn query_as<T: DeserializeOwned>(&self) -> Result<T> {
        body::parse_query(self.query())
    }

    /// The query of a list: its own filters and the page.
    pub fn list<F: DeserializeOwned>(&self) -> Result<(F, Page)> {
        Page::parse(self.query())
    }

    /// The path as sent.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The query as sent, without the question mark.
    pub fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    fn target(&self) -> (&str, &str) {
        (self.method.as_str(), gate::target(&self.uri))
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod session_tests;
