//! What analysts see of it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::routing::get;
use coupon_api::backend::Backend;
use http_api::auth::Role;
use http_api::call::{Call, Gate};
use http_api::idempotency::Answer;
use http_api::problem::Problem;
use inline_risk::ScorerHandle;
use risk::feature::{Field, Happening, Measure, WINDOWS_HINT};
use risk::rules;
use risk::velocity::SLOTS;
use serde_json::json;
use utoipa::OpenApi;

mod across;
mod appeals;
mod ask;
mod audit;
mod backtests;
mod books;
mod breakers;
mod case_steps;
mod cases;
mod challenges;
mod cluster;
mod decided;
mod decisions;
mod events;
mod known;
mod label_file;
mod labelled;
mod labels;
mod list_file;
mod lists;
mod live;
mod marks;
mod models;
mod penalised;
mod penalties;
mod rulesets;
mod settings;
mod snoozes;
mod stats;
mod subject;
mod subjects;
mod versions;

#[derive(OpenApi)]
#[openapi(paths(features))]
struct Document;

/// The part of the `OpenAPI` document that is the risk-scorer's.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    document.merge(decisions::Document::openapi());
    document.merge(subjects::Document::openapi());
    document.merge(rulesets::Document::openapi());
    document.merge(backtests::Document::openapi());
    document.merge(models::Document::openapi());
    document.merge(lists::Document::openapi());
    document.merge(labels::Document::openapi());
    document.merge(cases::Document::openapi());
    document.merge(case_steps::Document::openapi());
    document.merge(snoozes::Document::openapi());
    document.merge(audit::Document::openapi());
    document.merge(penalties::Document::openapi());
    document.merge(appeals::Document::openapi());
    document.merge(settings::Document::openapi());
    document.merge(breakers::Document::openapi());
    document.merge(challenges::Document::openapi());
    document.merge(stats::Document::openapi());
    document.merge(live::Document::openapi());
    document.merge(events::Document::openapi());
    document
}

use subjects::whose;

/// What the handlers share.
#[derive(Clone)]
pub struct RiskApi {
    /// Counts and verdicts.
    pub scorer: ScorerHandle,
    /// The ledger and all around it.
    pub backend: Arc<Backend>,
    /// Lets callers in.
    pub gate: Arc<Gate>,
    /// Back-tests of this instance.
    backtests: Arc<backtests::Backtests>,
    /// Those who watch this instance.
    live: Arc<live::Hub>,
    /// Who may look at the past.
    turns: events::Turns,
}

impl RiskApi {
    /// Over a process's parts. Starts the task that tells those who watch, for which it needs a runtime.
    pub fn new(scorer: ScorerHandle, backend: Arc<Backend>, gate: Arc<Gate>) -> Self {
        live::Hub::start(|live| Self { scorer, backend, gate, backtests: Arc::default(), live, turns: events::turns() })
    }

    /// Makes the same again around those who watch, without holding them.
    fn parts(&self) -> impl Fn(Arc<live::Hub>) -> Self + Send + Sync + use<> {
        let Self { scorer, backend, gate, backtests, live: _, turns } = self.clone();
        move |live| Self {
            scorer: scorer.clone(),
            backend: backend.clone(),
            gate: gate.clone(),
            backtests: backtests.clone(),
            live,
            turns: turns.clone(),
        }
    }
}

impl FromRef<RiskApi> for Arc<Gate> {
    fn from_ref(state: &RiskApi) -> Self {
        state.gate.clone()
    }
}

/// The risk-scorer's routes.
pub fn router(state: RiskApi) -> Router {
    Router::new()
        .route("/v1/risk/features", get(features))
        .merge(decisions::router())
        .merge(subjects::router())
        .merge(rulesets::router())
        .merge(backtests::router())
        .merge(models::router())
        .merge(lists::router())
        .merge(labels::router())
        .merge(cases::router())
        .merge(case_steps::router())
        .merge(snoozes::router())
        .merge(audit::router())
        .merge(penalties::router())
        .merge(appeals::router())
        .merge(settings::router())
        .merge(breakers::router())
        .merge(challenges::router())
        .merge(stats::router())
        .merge(live::router())
        .merge(events::router())
        .with_state(state)
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
        json!({"name": "burst", "type": "number", "of": happenings, "keys": fields, "windows": ["1h"],
            "example": "burst(claim by store, 1h)"}),
        json!({"name": "gap_variation", "type": "number", "of": happenings, "keys": fields, "windows": WINDOWS_HINT,
            "example": "gap_variation(claim by device, 1h)"}),
        json!({"name": "fraud_rate", "type": "number", "keys": fields, "windows": Measure::FraudRate.windows_hint(),
            "example": "fraud_rate(store, 28d)"}),
        json!({"name": "frauds", "type": "number", "keys": fields, "windows": Measure::Frauds.windows_hint(),
            "example": "frauds(store, 28d)"}),
        json!({"name": "settled", "type": "number", "keys": fields, "windows": Measure::Settled.windows_hint(),
            "example": "settled(store, 28d)"}),
        json!({"name": "travel_speed", "type": "kilometres_per_hour", "keys": fields, "example": "travel_speed(user)"}),
        json!({"name": "listed", "type": "yes_no", "example": "listed(\"vpn\")"}),
        json!({"name": "has", "type": "yes_no", "of": fields, "example": "has(device)"}),
    ];
    let attributes = rules::attributes().map(|(name, kind, about)| json!({"name": name, "type": kind, "about": about}));
    let data: Vec<_> = fixed.chain(counted).chain(attributes).collect();
    Answer::ok(&json!({"data": data, "next_cursor": null}))
}
