//! Somebody or something, by its kind and value: what is counted of it, and what it did.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use coupon::event::Pseudonym;
use coupon::id::{MerchantId, StoreId};
use coupon_api::secrets::Secrets;
use dashmap::DashMap;
use http_api::auth::Role;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::List;
use http_api::problem::{Code, Problem};
use http_api::time::format_ms;
use inline_risk::{Decided, Occasion};
use risk::velocity::SLOTS;
use risk::{Subject, SubjectKind};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::OpenApi;

use super::decisions::{Shown, caught_up, cursor, search, spot};
use super::{RiskApi, books, cluster, known, marks};

#[derive(OpenApi)]
#[openapi(paths(subject, timeline, super::cluster::cluster))]
pub(super) struct Document;

pub(super) fn router() -> Router<RiskApi> {
    Router::new()
        .route("/v1/risk/subjects/{kind}/{value}", get(subject))
        .route("/v1/risk/subjects/{kind}/{value}/timeline", get(timeline))
        .route("/v1/risk/subjects/{kind}/{value}/cluster", get(cluster::cluster))
}

/// Of what kind somebody or something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Device,
    User,
    Ip,
    Store,
    Cashier,
}

/// Somebody or something as a caller names it: at each merchant another pseudonym stands for it.
pub(super) struct Named {
    pub(super) kind: Kind,
    pub(super) value: String,
    secrets: Arc<Secrets>,
    /// What stands for it at each merchant.
    known: DashMap<MerchantId, Option<Pseudonym>>,
}

impl Kind {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "device" => Self::Device,
            "user" => Self::User,
            "ip" => Self::Ip,
            "store" => Self::Store,
            "cashier" => Self::Cashier,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::User => "user",
            Self::Ip => "ip",
            Self::Store => "store",
            Self::Cashier => "cashier",
        }
    }
}

impl Named {
    /// From its two parts.
    pub(super) fn new(state: &RiskApi, kind: &str, value: &str, pointer: &str) -> Result<Self, Problem> {
        let detail = "The kinds are device, user, ip, store and cashier.";
        let kind = Kind::parse(kind).ok_or_else(|| Problem::new(Code::InvalidField, detail).pointer(pointer))?;
        let is_sound = match kind {
            Kind::Ip => value.parse::<IpAddr>().is_ok(),
            Kind::Store => value.parse::<StoreId>().is_ok(),
            Kind::Device | Kind::User | Kind::Cashier => !value.is_empty(),
        };
        if !is_sound {
            let detail =
                format!("{pointer} must name a {}: an address, a store's id, or the caller's own id.", kind.name());
            return Err(Problem::new(Code::InvalidField, detail).pointer(pointer));
        }
        let secrets = state.backend.secrets.clone();
        Ok(Self { kind, value: value.to_owned(), secrets, known: DashMap::new() })
    }

    /// From `kind:value`.
    pub(super) fn parse(state: &RiskApi, text: &str) -> Result<Self, Problem> {
        let parts = text.split_once(':').ok_or_else(|| {
            let detail = "/query/subject must be a kind and a value, such as device:d-17.";
            Problem::new(Code::InvalidField, detail).pointer("/query/subject")
        })?;
        Self::new(state, parts.0, parts.1, "/query/subject")
    }

    /// What stands for it at a merchant; a store stands for itself.
    pub(super) fn pseudonym(&self, merchant: MerchantId) -> Option<Pseudonym> {
        *self.known.entry(merchant).or_insert_with(|| match self.kind {
            Kind::Device => Some(self.secrets.device(merchant, &self.value)),
            Kind::User => Some(self.secrets.user(merchant, &self.value)),
            Kind::Ip => self.value.parse().ok().map(|ip| self.secrets.ip(merchant, ip)),
            Kind::Cashier => Some(Occasion::cashier(&self.value)),
            Kind::Store => None,
        })
    }

    /// Whether a decision has to do with it.
    pub(super) fn is_of(&self, merchant: MerchantId, decided: &Decided) -> bool {
        if self.kind == Kind::Store {
            let store = self.value.parse::<StoreId>().ok();
            return store.is_some_and(|id| id.merchant == merchant.real() && decided.who.store == Some(id.number));
        }
        let Some(pseudonym) = self.pseudonym(merchant) else { return false };
        let told = match self.kind {
            Kind::Device => decided.decision.device,
            Kind::Ip => decided.decision.ip,
            Kind::User => decided.who.user,
            Kind::Cashier => decided.who.cashier,
            Kind::Store => None,
        };
        told == Some(pseudonym)
    }

    /// As the fixed features count it.
    fn counted(&self, merchant: MerchantId) -> Option<Subject> {
        let kind = match self.kind {
            Kind::Device => SubjectKind::Device,
            Kind::Ip => SubjectKind::Ip,
            Kind::User => SubjectKind::User,
            Kind::Store | Kind::Cashier => return None,
        };
        Some(Subject { kind, merchant: merchant.0, pseudonym: self.pseudonym(merchant)? })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Whose {
    pub(super) merchant_id: Option<String>,
}

/// The merchant that a caller looks at: its own, or the one that it names, or all.
pub(super) fn scope(call: &Call, named: Option<&str>) -> Result<Option<MerchantId>, Problem> {
    let missing = || Problem::of(Code::MerchantNotFound).pointer("/query/merchant_id");
    let named = named.map(|id| id.parse::<MerchantId>().map_err(|_| missing())).transpose()?;
    match (call.scope(), named) {
        (Some(own), Some(other)) if own != other => Err(missing()),
        (own, named) => Ok(own.or(named)),
    }
}

/// The merchant that a caller looks at, which it must name where it sees all.
pub(super) fn whose(call: &Call, named: Option<&str>) -> Result<MerchantId, Problem> {
    scope(call, named)?.ok_or_else(|| {
        let detail = "merchant_id is required: pseudonyms are a merchant's own.";
        Problem::new(Code::MissingField, detail).pointer("/query/merchant_id")
    })
}

/// What is counted of a subject, and what is said of it
///
/// Analysts without a merchant say which one: pseudonyms are a merchant's own.
#[utoipa::path(get, path = "/v1/risk/subjects/{kind}/{value}", tag = "Risk",
    params(("kind" = String, Path), ("value" = String, Path), ("merchant_id" = Option<String>, Query)),
    responses((status = 200, body = serde_json::Value)))]
async fn subject(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let Whose { merchant_id } = call.query_as()?;
    let merchant = whose(&call, merchant_id.as_deref())?;
    let named = Arc::new(Named::new(&state, path.text_at(0), path.text_at(1), "/path/value")?);
    let mut shown = view(&state, merchant, &named);
    let known = known::of(&state, merchant, named).await?;
    if let (Value::Object(shown), Value::Object(known)) = (&mut shown, known) {
        shown.extend(known);
    }
    Answer::ok(&shown)
}

fn view(state: &RiskApi, merchant: MerchantId, named: &Named) -> Value {
    let inline = &state.scorer.inline;
    let now = state.backend.ledger.now();
    let subject = named.counted(merchant);
    let of_subject = subject.map(|subject| {
        let counts = inline.counts().read().velocity.get(&subject).cloned().unwrap_or_default();
        let slots = SLOTS.iter().filter(|slot| slot.kind == subject.kind);
        slots
            .map(|slot| json!({"name": slot.name, "window_seconds": slot.window_seconds, "value": counts.value(slot, now)}))
            .collect::<Vec<_>>()
    });
    let verdicts = subject.map(|subject| inline.verdicts_of(&subject)).unwrap_or_default().into_iter();
    let verdicts: Vec<_> = verdicts
        .map(|verdict| {
            json!({
                "rule": verdict.rule, "action": "block", "count": verdict.count, "threshold": verdict.threshold,
                "window_seconds": verdict.window_seconds, "watermark": format_ms(verdict.watermark_ms),
                "until": format_ms(verdict.until_ms), "active": verdict.until_ms > now,
            })
        })
        .collect();
    json!({
        "subject": {"kind": named.kind.name(), "value": named.value},
        "merchant_id": merchant.to_string(),
        "features": of_subject.unwrap_or_default(),
        "verdicts": verdicts,
        "watermark": format_ms(inline.watermark_ms()),
    })
}

/// What a subject did, newest first
///
/// Its decisions, with what became of them.
#[utoipa::path(get, path = "/v1/risk/subjects/{kind}/{value}/timeline", tag = "Risk",
    params(("kind" = String, Path), ("value" = String, Path), ("merchant_id" = Option<String>, Query),
        ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query), ("from" = Option<String>, Query),
        ("until" = Option<String>, Query)),
    responses((status = 200, body = serde_json::Value)))]
async fn timeline(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let (Whose { merchant_id }, asked) = call.list()?;
    let merchant = whose(&call, merchant_id.as_deref())?;
    let named = Named::new(&state, path.text_at(0), path.text_at(1), "/path/value")?;
    let before = asked.cursor.as_ref().map(spot).transpose()?;
    caught_up(&state, Some(merchant)).await?;
    let (history, page) = (state.scorer.history.clone(), asked.clone());
    let look = move || {
        search(&history, before, &page, |past, decided| {
            past.merchant.real() == merchant && named.is_of(past.merchant, decided)
        })
    };
    let mut found = tokio::task::spawn_blocking(look).await.map_err(Problem::internal)?.map_err(Problem::internal)?;
    marks::mark(&state, &mut found.rows).await?;
    let mut books = books::Books::default();
    let mut data = Vec::with_capacity(found.rows.len());
    for found in &found.rows {
        let book = books.of(&state, &found.decision).await?;
        data.push(Shown { state: &state, found, book: &book }.whole());
    }
    Answer::ok(&List { data, next_cursor: found.next.map(|spot| cursor(spot).encode()) })
}
