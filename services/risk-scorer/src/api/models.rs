//! Models: artifacts that were trained from labels, kept version by version, and brought to life as rule sets are.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use coupon::command::Command;
use coupon::id::PLATFORM;
use coupon::ruleset::{RuleStep, RulesPushed};
use coupon_api::dto::ruleset::{RuleSetView, RuleVersionView, RulesMovedView, RulesPushedView};
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::List;
use http_api::problem::{Code, Problem};
use risk::model::Model;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use super::RiskApi;
use super::versions::{self, Comment, Kind, RollbackRequest, SubmitRequest, of_the_platform};

#[derive(OpenApi)]
#[openapi(paths(push, list, version, submit, approve, reject, rollback))]
pub(super) struct Document;

pub(super) fn router() -> Router<RiskApi> {
    let of_version = "/v1/risk/models/{id}/versions/{version}";
    let step = |name: &str| format!("{of_version}/{name}");
    Router::new()
        .route("/v1/risk/models", post(push).get(list))
        .route(of_version, get(version))
        .route(&step("submit"), post(submit))
        .route(&step("approve"), post(approve))
        .route(&step("reject"), post(reject))
        .route(&step("rollback"), post(rollback))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelRequest {
    /// As `counterfoil risk train` writes it.
    #[schema(value_type = Object)]
    artifact: Value,
    /// How good it is, as it was measured.
    #[serde(default)]
    #[schema(value_type = Object)]
    metrics: Value,
    /// Of the model; a name that is known makes a further version. `score` where left out.
    name: Option<String>,
    /// Why.
    #[serde(default)]
    comment: String,
}

/// Push a version of a model
///
/// It begins as a draft. An artifact that cannot be used is refused with why.
#[utoipa::path(post, path = "/v1/risk/models", tag = "Risk", request_body = ModelRequest,
    responses((status = 201, body = RulesPushedView)))]
pub(super) async fn push(State(state): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    of_the_platform(&call, &[Role::Analyst])?;
    let parsed = call.parse::<ModelRequest>()?;
    let ModelRequest { artifact, metrics, name, comment } = parsed.body;
    let name = name.as_deref().unwrap_or("score").trim().to_owned();
    Check::new().length("/name", &name, 1..=100).length("/comment", &comment, 0..=2_000).done()?;
    let text = match artifact {
        Value::String(text) => text,
        object => object.to_string(),
    };
    Model::parse(text.as_bytes()).map_err(|problem| {
        Problem::new(Code::ModelInvalid, format!("The artifact cannot be used: {problem}.")).pointer("/artifact")
    })?;
    let comment = if metrics.is_null() { comment } else { format!("{comment}\nmetrics: {metrics}").trim().to_owned() };
    let ruleset = versions::named_so(&state, Kind::Model, name.clone()).await?;
    let pushed = RulesPushed { ruleset, name, text, comment, by: call.caller.key_id.to_string() };
    state.backend.write(&call, PLATFORM, parsed.fingerprint, Command::PushModel(Box::new(pushed))).await
}

/// List models, newest first
#[utoipa::path(get, path = "/v1/risk/models", tag = "Risk",
    params(("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query), ("from" = Option<String>, Query),
        ("until" = Option<String>, Query)),
    responses((status = 200, body = List<RuleSetView>)))]
pub(super) async fn list(State(state): State<RiskApi>, call: Call) -> Result<List<RuleSetView>, Problem> {
    versions::list(&state, &call, Kind::Model).await
}

/// Read a version of a model
#[utoipa::path(get, path = "/v1/risk/models/{id}/versions/{version}", tag = "Risk",
    params(("id" = String, Path), ("version" = u32, Path)), responses((status = 200, body = RuleVersionView)))]
pub(super) async fn version(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    versions::read(&state, &call, &path, Kind::Model).await
}

/// Propose a step in a model's life
///
/// One model is live at most; its score can be looked at by rules: `score > 800`.
#[utoipa::path(post, path = "/v1/risk/models/{id}/versions/{version}/submit", tag = "Risk",
    params(("id" = String, Path), ("version" = u32, Path)), request_body = SubmitRequest,
    responses((status = 200, body = RulesMovedView)))]
pub(super) async fn submit(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    versions::submit(&state, &path, &call, Kind::Model).await
}

/// Approve what another has proposed for a model
#[utoipa::path(post, path = "/v1/risk/models/{id}/versions/{version}/approve", tag = "Risk",
    params(("id" = String, Path), ("version" = u32, Path)), request_body = Comment,
    responses((status = 200, body = RulesMovedView)))]
pub(super) async fn approve(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    versions::decide(&state, &path, &call, (Kind::Model, RuleStep::Approve)).await
}

/// Reject what was proposed for a model
#[utoipa::path(post, path = "/v1/risk/models/{id}/versions/{version}/reject", tag = "Risk",
    params(("id" = String, Path), ("version" = u32, Path)), request_body = Comment,
    responses((status = 200, body = RulesMovedView)))]
pub(super) async fn reject(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    versions::decide(&state, &path, &call, (Kind::Model, RuleStep::Reject)).await
}

/// Go back to a model that was live
#[utoipa::path(post, path = "/v1/risk/models/{id}/versions/{version}/rollback", tag = "Risk",
    params(("id" = String, Path), ("version" = u32, Path)), request_body = RollbackRequest,
    responses((status = 200, body = RulesMovedView)))]
pub(super) async fn rollback(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    versions::roll_back(&state, &path, &call, Kind::Model).await
}
