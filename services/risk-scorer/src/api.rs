//! What analysts see of it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::routing::get;
use coupon::event::Event;
use coupon::id::{DecisionId, MerchantId, RedemptionId};
use coupon::record::Entry;
use coupon_api::backend::Backend;
use http_api::auth::Role;
use http_api::call::{Call, Gate, Segment};
use http_api::idempotency::Answer;
use http_api::problem::{Code, Problem};
use http_api::time::format_ms;
use inline_risk::ScorerHandle;
use risk::feature::{Field, Happening, WINDOWS_HINT};
use risk::velocity::SLOTS;
use risk::{Subject, SubjectKind, rules};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::OpenApi;

mod rulesets;

#[derive(OpenApi)]
#[openapi(paths(subject, features, decision))]
struct Document;

/// The part of the `OpenAPI` document that is the risk-scorer's.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    document.merge(rulesets::Document::openapi());
    document
}

/// What the handlers share.
#[derive(Clone)]
pub struct RiskApi {
    /// Counts and verdicts.
    pub scorer: ScorerHandle,
    /// The ledger and all around it.
    pub backend: Arc<Backend>,
    /// Lets callers in.
    pub gate: Arc<Gate>,
}

impl FromRef<RiskApi> for Arc<Gate> {
    fn from_ref(state: &RiskApi) -> Self {
        state.gate.clone()
    }
}

/// The risk-scorer's routes.
pub fn router(state: RiskApi) -> Router {
    Router::new()
        .route("/v1/risk/subjects/{kind}/{value}", get(subject))
        .route("/v1/risk/features", get(features))
        .route("/v1/risk/decisions/{id}", get(decision))
        .merge(rulesets::router())
        .with_state(state)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    merchant_id: Option<String>,
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
    let value = path.text_at(1);
    let secrets = &state.backend.secrets;
    let (kind, pseudonym) = match path.text_at(0) {
        "device" => (SubjectKind::Device, secrets.device(merchant, value)),
        "user" => (SubjectKind::User, secrets.user(merchant, value)),
        "ip" => {
            let ip = value.parse().map_err(|_| {
                Problem::new(Code::InvalidField, "/path/value must be an address.").pointer("/path/value")
            })?;
            (SubjectKind::Ip, secrets.ip(merchant, ip))
        }
        _ => {
            return Err(Problem::new(Code::InvalidField, "The kinds are device, ip and user.").pointer("/path/kind"));
        }
    };
    let subject = Subject { kind, merchant: merchant.0, pseudonym };
    Answer::ok(&view(&state, merchant, path.text_at(0), value, &subject))
}

fn whose(call: &Call, named: Option<&str>) -> Result<MerchantId, Problem> {
    let missing = || Problem::of(Code::MerchantNotFound).pointer("/query/merchant_id");
    let named = named.map(|id| id.parse::<MerchantId>().map_err(|_| missing())).transpose()?;
    match (call.scope(), named) {
        (Some(own), Some(other)) if own != other => Err(missing()),
        (Some(own), _) => Ok(own),
        (None, Some(named)) => Ok(named),
        (None, None) => {
            let detail = "merchant_id is required: pseudonyms are a merchant's own.";
            Err(Problem::new(Code::MissingField, detail).pointer("/query/merchant_id"))
        }
    }
}

fn view(state: &RiskApi, merchant: MerchantId, kind: &str, value: &str, subject: &Subject) -> Value {
    let inline = &state.scorer.inline;
    let now = state.backend.ledger.now();
    let counts = inline.features().read().get(subject).cloned().unwrap_or_default();
    let features: Vec<_> = SLOTS
        .iter()
        .filter(|slot| slot.kind == subject.kind)
        .map(|slot| json!({"name": slot.name, "window_seconds": slot.window_seconds, "value": counts.value(slot, now)}))
        .collect();
    let verdicts: Vec<_> = inline
        .verdicts_of(subject)
        .into_iter()
        .map(|verdict| {
            json!({
                "rule": verdict.rule, "action": "block", "count": verdict.count, "threshold": verdict.threshold,
                "window_seconds": verdict.window_seconds, "watermark": format_ms(verdict.watermark_ms),
                "until": format_ms(verdict.until_ms), "active": verdict.until_ms > now,
            })
        })
        .collect();
    json!({
        "subject": {"kind": kind, "value": value},
        "merchant_id": merchant.to_string(),
        "features": features,
        "verdicts": verdicts,
        "watermark": format_ms(inline.watermark_ms()),
    })
}

/// What rules can look at
///
/// Features that are counted, fixed ones first; then what rules may count by any key over any window, and what a request
/// itself says.
#[utoipa::path(get, path = "/v1/risk/features", tag = "Risk", responses((status = 200, body = serde_json::Value)))]
async fn features(State(_): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let fixed =
        SLOTS.iter().map(|slot| json!({"name": slot.name, "type": "count", "window_seconds": slot.window_seconds}));
    let fields = Field::ALL.map(Field::name);
    let happenings = Happening::ALL.map(Happening::name);
    let counted = [
        json!({"name": "count", "type": "number", "of": happenings, "keys": fields, "windows": WINDOWS_HINT,
            "example": "count(claim by device, 1h)"}),
        json!({"name": "sum", "type": "number", "of": happenings, "keys": fields, "windows": WINDOWS_HINT,
            "example": "sum(redemption by user, 24h)"}),
        json!({"name": "distinct", "type": "number", "of": fields, "keys": fields, "windows": WINDOWS_HINT,
            "example": "distinct(user by device, 24h)"}),
        json!({"name": "age", "type": "seconds", "keys": fields, "example": "age(user)"}),
        json!({"name": "idle", "type": "seconds", "keys": fields, "example": "idle(device)"}),
        json!({"name": "has", "type": "yes_no", "of": fields, "example": "has(device)"}),
    ];
    let attributes = rules::attributes().map(|(name, kind, about)| json!({"name": name, "type": kind, "about": about}));
    let data: Vec<_> = fixed.chain(counted).chain(attributes).collect();
    Answer::ok(&json!({"data": data, "next_cursor": null}))
}

/// A decision with the features that it saw
#[utoipa::path(get, path = "/v1/risk/decisions/{id}", tag = "Risk", params(("id" = String, Path)),
    responses((status = 200, body = serde_json::Value)))]
async fn decision(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let missing = || Problem::of(Code::DecisionNotFound);
    let id: DecisionId = path.id(Code::DecisionNotFound)?;
    if !call.sees(id.merchant) {
        return Err(missing());
    }
    let record = state.backend.ledger.record(id.merchant.shard(), id.number).await.map_err(Problem::internal)?;
    let Some((at, Entry::Guarded(record))) = record else { return Err(missing()) };
    let found = record.events.iter().find_map(|event| match event {
        Event::CouponClaimed(claim) => Some((&claim.decision, "claim", None)),
        Event::CouponsLocked(lock) => Some((&lock.decision, "lock", None)),
        Event::CouponsRedeemed(redemption) => {
            Some((&redemption.decision, "redemption", Some(RedemptionId::new(id.merchant, at.sequence).to_string())))
        }
        _ => None,
    });
    let (decision, event, redemption) = found.filter(|_| record.merchant == id.merchant).ok_or_else(missing)?;
    let name = |number: u16| SLOTS.iter().find(|slot| slot.number == number).map_or("unknown", |slot| slot.name);
    let features: Vec<_> =
        decision.slots.iter().map(|(number, value)| json!({"name": name(*number), "value": value})).collect();
    let reasons: Vec<_> = decision
        .reasons
        .iter()
        .map(
            |r| json!({"code": r.code, "value": r.value, "threshold": r.threshold, "window_seconds": r.window_seconds}),
        )
        .collect();
    Answer::ok(&json!({
        "id": id.to_string(),
        "event": event,
        "action": coupon_api::dto::answer::action_name(decision.action),
        "at": format_ms(at.time),
        "ledger_ref": coupon::id::LedgerRef(at.sequence).to_string(),
        "watermark": format_ms(decision.watermark),
        "features": features,
        "reasons": reasons,
        "missing": decision.missing,
        "degraded": decision.degraded,
        "evaluator_version": decision.evaluator,
        "redemption_id": redemption,
    }))
}
