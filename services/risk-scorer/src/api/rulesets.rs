//! Rule sets: texts that are checked, kept version by version, and brought to life by two people. They are the platform's
//! and hold for all merchants.

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
use risk::rules;
use serde::{Deserialize, Serialize};
use similar::TextDiff;
use utoipa::{OpenApi, ToSchema};

use super::RiskApi;
use super::versions::{self, Comment, Kind, RollbackRequest, SubmitRequest, of_the_platform};

/// The longest text of a rule set, bytes.
const LONGEST_TEXT: usize = 256 * 1024;

#[derive(OpenApi)]
#[openapi(paths(check, push, list, version, diff, submit, approve, reject, rollback))]
pub(super) struct Document;

pub(super) fn router() -> Router<RiskApi> {
    let of_version = "/v1/risk/rulesets/{id}/versions/{version}";
    let step = |name: &str| format!("{of_version}/{name}");
    Router::new()
        .route("/v1/risk/rulesets/check", post(check))
        .route("/v1/risk/rulesets", post(push).get(list))
        .route(of_version, get(version))
        .route(&step("diff"), get(diff))
        .route(&step("submit"), post(submit))
        .route(&step("approve"), post(approve))
        .route(&step("reject"), post(reject))
        .route(&step("rollback"), post(rollback))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PushRequest {
    /// Of the set; a name that is known makes a further version of that set.
    name: String,
    /// Rules: `rule name { when ... then block score 300 reason "..." }`
    text: String,
    /// Why.
    #[serde(default)]
    comment: String,
}

/// Push a version of a rule set
///
/// It begins as a draft. What does not compile is refused with all problems, each with its place.
#[utoipa::path(post, path = "/v1/risk/rulesets", tag = "Risk", request_body = PushRequest,
    responses((status = 201, body = RulesPushedView)))]
pub(super) async fn push(State(state): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    of_the_platform(&call, &[Role::Analyst])?;
    let parsed = call.parse::<PushRequest>()?;
    let PushRequest { name, text, comment } = parsed.body;
    let name = name.trim().to_owned();
    Check::new()
        .length("/name", &name, 1..=100)
        .length("/comment", &comment, 0..=2_000)
        .field("/text", text.len() <= LONGEST_TEXT, &format!("may have at most {LONGEST_TEXT} bytes"))
        .done()?;
    let problems: Vec<_> = rules::check(&text).into_iter().map(ProblemView::from).collect();
    if let Some(first) = problems.first() {
        let detail = format!("Line {}, column {}: {}; {}.", first.line, first.column, first.message, first.hint);
        return Err(Problem::new(Code::RuleInvalid, detail).pointer("/text").with("problems", problems));
    }
    let ruleset = versions::named_so(&state, Kind::Rules, name.clone()).await?;
    let pushed = RulesPushed { ruleset, name, text, comment, by: call.caller.key_id.to_string() };
    state.backend.write(&call, PLATFORM, parsed.fingerprint, Command::PushRules(Box::new(pushed))).await
}

/// List rule sets, newest first
#[utoipa::path(get, path = "/v1/risk/rulesets", tag = "Risk",
    params(("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query), ("from" = Option<String>, Query),
        ("until" = Option<String>, Query)),
    responses((status = 200, body = List<RuleSetView>)))]
pub(super) async fn list(State(state): State<RiskApi>, call: Call) -> Result<List<RuleSetView>, Problem> {
    versions::list(&state, &call, Kind::Rules).await
}

/// Read a version of a rule set
#[utoipa::path(get, path = "/v1/risk/rulesets/{id}/versions/{version}", tag = "Risk",
    params(("id" = String, Path), ("version" = u32, Path)), responses((status = 200, body = RuleVersionView)))]
pub(super) async fn version(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    versions::read(&state, &call, &path, Kind::Rules).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DiffQuery {
    from: Option<u32>,
}

/// What changed between two versions.
#[derive(Serialize, ToSchema)]
pub(super) struct DiffView {
    from: u32,
    to: u32,
    /// As `diff -u` writes it; empty where the texts are equal.
    diff: String,
}

/// Compare two versions of a rule set
///
/// Against the version before, where `from` names no other.
#[utoipa::path(get, path = "/v1/risk/rulesets/{id}/versions/{version}/diff", tag = "Risk",
    params(("id" = String, Path), ("version" = u32, Path), ("from" = Option<u32>, Query)),
    responses((status = 200, body = DiffView)))]
pub(super) async fn diff(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let (ruleset, to) = Kind::Rules.named(&path)?;
    let from = call.query_as::<DiffQuery>()?.from.unwrap_or_else(|| to.saturating_sub(1));
    let row = versions::row(&state, Kind::Rules, ruleset).await?;
    let missing = || Problem::of(Code::RulesetNotFound);
    let new = &row.numbered(to).ok_or_else(missing)?.text;
    // Before the first version there was nothing.
    let old = if from == 0 { "" } else { &row.numbered(from).ok_or_else(missing)?.text };
    let diff = TextDiff::from_lines(old, new.as_str());
    let names = (format!("version {from}"), format!("version {to}"));
    let diff = diff.unified_diff().context_radius(3).header(&names.0, &names.1).to_string();
    Answer::ok(&DiffView { from, to, diff })
}

/// Propose a step in a version's life
///
/// To the shadow it goes at once; everything else waits for another's approval.
#[utoipa::path(post, path = "/v1/risk/rulesets/{id}/versions/{version}/submit", tag = "Risk",
    params(("id" = String, Path), ("version" = u32, Path)), request_body = SubmitRequest,
    responses((status = 200, body = RulesMovedView)))]
pub(super) async fn submit(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    versions::submit(&state, &path, &call, Kind::Rules).await
}

/// Approve what another has proposed
#[utoipa::path(post, path = "/v1/risk/rulesets/{id}/versions/{version}/approve", tag = "Risk",
    params(("id" = String, Path), ("version" = u32, Path)), request_body = Comment,
    responses((status = 200, body = RulesMovedView)))]
pub(super) async fn approve(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    versions::decide(&state, &path, &call, (Kind::Rules, RuleStep::Approve)).await
}

/// Reject what was proposed
#[utoipa::path(post, path = "/v1/risk/rulesets/{id}/versions/{version}/reject", tag = "Risk",
    params(("id" = String, Path), ("version" = u32, Path)), request_body = Comment,
    responses((status = 200, body = RulesMovedView)))]
pub(super) async fn reject(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    versions::decide(&state, &path, &call, (Kind::Rules, RuleStep::Reject)).await
}

/// Go back to a version that was live
///
/// At once, by one lead: what is live now is retired.
#[utoipa::path(post, path = "/v1/risk/rulesets/{id}/versions/{version}/rollback", tag = "Risk",
    params(("id" = String, Path), ("version" = u32, Path)), request_body = RollbackRequest,
    responses((status = 200, body = RulesMovedView)))]
pub(super) async fn rollback(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    versions::roll_back(&state, &path, &call, Kind::Rules).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckRequest {
    /// Rules: `rule name { when ... then block score 300 reason "..." }`
    text: String,
}

/// What is wrong with a text; nothing where it may be pushed.
#[derive(Serialize, ToSchema)]
pub(super) struct CheckView {
    problems: Vec<ProblemView>,
}

#[derive(Serialize, ToSchema)]
struct ProblemView {
    /// Counted from 1.
    line: u32,
    /// Counted from 1, in characters.
    column: u32,
    /// Of which kind.
    code: &'static str,
    /// What is wrong.
    message: String,
    /// What to write instead.
    hint: String,
}

impl From<rules::Problem> for ProblemView {
    fn from(problem: rules::Problem) -> Self {
        let rules::Problem { place, code, message, hint } = problem;
        Self { line: place.line, column: place.column, code, message, hint }
    }
}

/// Check the text of a rule set
///
/// Everything that is wrong is told at once, in the order of the text, each with its place.
#[utoipa::path(post, path = "/v1/risk/rulesets/check", tag = "Risk", request_body = CheckRequest,
    responses((status = 200, body = CheckView)))]
pub(super) async fn check(State(_): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let text = call.parse::<CheckRequest>()?.body.text;
    Check::new()
        .field("/text", text.len() <= LONGEST_TEXT, &format!("may have at most {LONGEST_TEXT} bytes"))
        .done()?;
    let problems = rules::check(&text).into_iter().map(ProblemView::from).collect();
    Answer::ok(&CheckView { problems })
}
