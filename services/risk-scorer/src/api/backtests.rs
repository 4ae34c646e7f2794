//! Back-tests: what a rule set or a model would have done in the past, with exactly the features that it would have seen.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use coupon::id::{MerchantId, ModelId, PLATFORM, RuleSetId};
use coupon::ruleset::RuleSetRow;
use coupon::state::Read;
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::{List, NoFilter};
use http_api::problem::{Code, Problem};
use http_api::time::Timestamp;
use inline_risk::{ModelVersion, tried};
use risk::model::Model;
use risk::rules;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{OpenApi, ToSchema};

use super::RiskApi;
use super::subjects::scope;

mod labels;
mod report;
mod run;
mod work;

pub(super) use work::Backtests;

#[derive(OpenApi)]
#[openapi(paths(start, list, read, cancel))]
pub(super) struct Document;

pub(super) fn router() -> Router<RiskApi> {
    Router::new()
        .route("/v1/risk/backtests", post(start).get(list))
        .route("/v1/risk/backtests/{id}", get(read))
        .route("/v1/risk/backtests/{id}/cancel", post(cancel))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BacktestRequest {
    /// A version that was pushed.
    ruleset: Option<Named>,
    /// Or rules as text.
    text: Option<String>,
    /// A version of a model, with its score for the rules; the live one where left out.
    model: Option<Named>,
    /// Not before.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// Before.
    #[schema(value_type = String, format = DateTime)]
    until: Timestamp,
    /// Of this merchant only.
    merchant_id: Option<String>,
    /// With the labels that were known by then; now where left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    labels_as_of: Option<Timestamp>,
    /// `live`, side by side with what was decided.
    compare_with: Option<Compared>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Named {
    id: String,
    version: u32,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Compared {
    Live,
}

/// What is to be tried.
pub(super) struct Tried {
    /// Which rule set and version, and the rules.
    sets: Vec<(u64, u32, String)>,
    model: Option<ModelVersion>,
    /// The same for people: which rule set and which model, by their names.
    what: Value,
    from_ms: i64,
    until_ms: i64,
    merchant: Option<MerchantId>,
    labels_as_of_ms: i64,
}

/// Try rules on the past
///
/// 202 with an operation; the result stands in `GET /v1/risk/backtests/{id}` and shows what would have been blocked beside
/// what was, for each rule and for money. It is kept in memory by the instance that was asked.
#[utoipa::path(post, path = "/v1/risk/backtests", tag = "Risk", request_body = BacktestRequest,
    responses((status = 202, body = serde_json::Value)))]
pub(super) async fn start(State(state): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let parsed = call.parse::<BacktestRequest>()?;
    let it = parsed.body;
    let (Timestamp(from_ms), Timestamp(until_ms)) = (it.from, it.until);
    Check::new()
        .field("/until", until_ms > from_ms, "must be after from")
        .field("/text", it.ruleset.is_none() || it.text.is_none(), "must not be given beside ruleset")
        .present("/ruleset", it.ruleset.is_some() || it.text.is_some() || it.model.is_some())
        .done()?;
    // To live is the only comparison that there is, and it is always made.
    let (Some(Compared::Live) | None) = it.compare_with;
    let merchant = scope(&call, it.merchant_id.as_deref())?;
    let mut what = json!({"ruleset": null, "model": null, "draft": false});
    let sets = match (it.ruleset, it.text) {
        (Some(named), _) => {
            let (name, pushed) = pushed(&state, &named).await?;
            what["ruleset"] = json!({"id": named.id, "version": named.version, "name": name});
            vec![pushed]
        }
        (None, Some(text)) => {
            check_rules(&text)?;
            what["draft"] = true.into();
            vec![(0, 0, text)]
        }
        (None, None) => Vec::new(),
    };
    let model = match it.model {
        Some(named) => {
            let (name, model) = model(&state, &named).await?;
            what["model"] = json!({"id": named.id, "version": named.version, "name": name});
            Some(model)
        }
        None => state.scorer.inline.counts().read().book().model().cloned(),
    };
    let labels_as_of_ms = it.labels_as_of.map_or(i64::MAX, |time| time.0);
    let tried = Tried { sets, model, what, from_ms, until_ms, merchant, labels_as_of_ms };
    let key = call.idempotency_key.as_ref().map(|key| (call.caller.key_id.to_string(), key.as_str().to_owned()));
    let started = run::start(&state, &call, tried, key).await?;
    Answer::json(StatusCode::ACCEPTED, &started)
}

fn check_rules(text: &str) -> Result<(), Problem> {
    let problems = rules::check(text);
    let Some(first) = problems.first() else { return Ok(()) };
    let detail =
        format!("Line {}, column {}: {}; {}.", first.place.line, first.place.column, first.message, first.hint);
    let problem = Problem::new(Code::RuleInvalid, detail).pointer("/text");
    Err(problem.with("problems", serde_json::to_value(&problems).unwrap_or_default()))
}

/// A rule set's name, with the version.
async fn pushed(state: &RiskApi, named: &Named) -> Result<(String, (u64, u32, String)), Problem> {
    let missing = || Problem::of(Code::RulesetNotFound).pointer("/ruleset");
    let (id, version): (RuleSetId, u32) = (named.id.parse().map_err(|_| missing())?, named.version);
    let look =
        state.backend.look(PLATFORM, move |shard, _, _| named_text(shard.ruleset(PLATFORM, id.number)?, version));
    let (name, text) = look.await?.filter(|_| id.merchant == PLATFORM).ok_or_else(missing)?;
    Ok((name, (id.number, version, text)))
}

/// The name of a model or a rule set, and a version's text.
fn named_text(row: &RuleSetRow, version: u32) -> Option<(String, String)> {
    Some((row.name.clone(), row.numbered(version)?.text.clone()))
}

/// A model's name, with the version.
async fn model(state: &RiskApi, named: &Named) -> Result<(String, ModelVersion), Problem> {
    let missing = || Problem::of(Code::ModelNotFound).pointer("/model");
    let (id, version): (ModelId, u32) = (named.id.parse().map_err(|_| missing())?, named.version);
    let look = state.backend.look(PLATFORM, move |shard, _, _| named_text(shard.model(PLATFORM, id.number)?, version));
    let (name, artifact) = look.await?.filter(|_| id.merchant == PLATFORM).ok_or_else(missing)?;
    Model::parse(artifact.as_bytes()).map_err(|problem| Problem::new(Code::ModelInvalid, problem.to_string()))?;
    Ok((name, ModelVersion { number: id.number, version, artifact }))
}

/// List back-tests, newest first
#[utoipa::path(get, path = "/v1/risk/backtests", tag = "Risk", responses((status = 200, body = serde_json::Value)))]
pub(super) async fn list(State(state): State<RiskApi>, call: Call) -> Result<List<Value>, Problem> {
    call.require(&[Role::Analyst])?;
    let (_, asked) = call.list::<NoFilter>()?;
    let data = state.backtests.list(call.scope()).into_iter().take(asked.limit).collect();
    Ok(List { data, next_cursor: None })
}

/// Read a back-test, with its result once it is done
#[utoipa::path(get, path = "/v1/risk/backtests/{id}", tag = "Risk", params(("id" = String, Path)),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn read(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let found = state.backtests.get(path.text(), call.scope());
    Answer::ok(&found.ok_or_else(|| Problem::of(Code::BacktestNotFound))?.view())
}

/// Stop a back-test
#[utoipa::path(post, path = "/v1/risk/backtests/{id}/cancel", tag = "Risk", params(("id" = String, Path)),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn cancel(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let found = state.backtests.get(path.text(), call.scope());
    let found = found.ok_or_else(|| Problem::of(Code::BacktestNotFound))?;
    if !found.cancel() {
        return Err(Problem::of(Code::BacktestFinished));
    }
    Answer::ok(&found.view())
}

impl Tried {
    fn book(&self) -> inline_risk::RuleBook {
        tried(&self.sets, self.model.as_ref())
    }
}
