//! Rule sets: texts that are checked, kept version by version, and brought to life by two people. They are the platform's
//! and hold for all merchants.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use coupon::command::Command;
use coupon::id::{PLATFORM, RuleSetId};
use coupon::ruleset::{RuleSetRow, RuleState, RuleStep, RulesMoved, RulesPushed};
use coupon::state::Read;
use coupon_api::dto::ruleset::{
    RuleSetView, RuleVersionView, RulesMovedView, RulesPushedView, ruleset_view, version_view,
};
use coupon_api::listing::{in_time, newest, page};
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::{List, NoFilter};
use http_api::problem::{Code, Problem};
use projection::index::List as Index;
use risk::rules;
use serde::{Deserialize, Serialize};
use similar::TextDiff;
use std::sync::Arc;
use utoipa::{OpenApi, ToSchema};

use super::RiskApi;

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

/// What holds for all merchants is changed by those who see all of them.
fn of_the_platform(call: &Call, roles: &[Role]) -> Result<(), Problem> {
    call.require(roles)?;
    if call.caller.merchant.is_none() {
        return Ok(());
    }
    let detail = "Rule sets hold for all merchants; a key that is bound to one may look at them only.";
    Err(Problem::new(Code::RoleForbidden, detail))
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
    let wanted = name.clone();
    let ruleset = state
        .backend
        .look(PLATFORM, move |shard, ledger, _| {
            let mut numbers = ledger.index.list(PLATFORM, Index::RuleSets).iter().copied();
            numbers.find(|number| shard.ruleset(PLATFORM, *number).is_some_and(|row| row.name == wanted))
        })
        .await?;
    let pushed = RulesPushed { ruleset, name, text, comment, by: call.caller.key_id.to_string() };
    state.backend.write(&call, PLATFORM, parsed.fingerprint, Command::PushRules(Box::new(pushed))).await
}

/// List rule sets, newest first
#[utoipa::path(get, path = "/v1/risk/rulesets", tag = "Risk",
    params(("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query), ("from" = Option<String>, Query),
        ("until" = Option<String>, Query)),
    responses((status = 200, body = List<RuleSetView>)))]
pub(super) async fn list(State(state): State<RiskApi>, call: Call) -> Result<List<RuleSetView>, Problem> {
    call.require(&[Role::Analyst])?;
    let (_, asked) = call.list::<NoFilter>()?;
    let (after, wanted) = (asked.after()?, asked.clone());
    let rows = state
        .backend
        .look(PLATFORM, move |shard, ledger, _| {
            newest(ledger.index.list(PLATFORM, Index::RuleSets), after)
                .filter_map(|(place, number)| Some((place, number, shard.ruleset(PLATFORM, number)?)))
                .filter(|(_, _, row)| in_time(&wanted, row.created_at))
                .take(wanted.limit + 1)
                .map(|(place, number, row)| (place, ruleset_view(number, row)))
                .collect()
        })
        .await?;
    Ok(page(rows, &asked))
}

async fn row(state: &RiskApi, number: u64) -> Result<Arc<RuleSetRow>, Problem> {
    let row = state.backend.look(PLATFORM, move |shard, _, _| shard.ruleset(PLATFORM, number).cloned()).await?;
    row.ok_or_else(|| Problem::of(Code::RulesetNotFound))
}

/// The set's number and the version's.
fn named(path: &Segment) -> Result<(u64, u32), Problem> {
    let id: RuleSetId = path.id(Code::RulesetNotFound)?;
    let version = path.id_at(1, Code::RulesetNotFound)?;
    if id.merchant == PLATFORM { Ok((id.number, version)) } else { Err(Problem::of(Code::RulesetNotFound)) }
}

/// Read a version of a rule set
#[utoipa::path(get, path = "/v1/risk/rulesets/{id}/versions/{version}", tag = "Risk",
    params(("id" = String, Path), ("version" = u32, Path)), responses((status = 200, body = RuleVersionView)))]
pub(super) async fn version(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let (ruleset, number) = named(&path)?;
    let row = row(&state, ruleset).await?;
    let version = row.numbered(number).ok_or_else(|| Problem::of(Code::RulesetNotFound))?;
    Answer::ok(&version_view(ruleset, u64::from(number), version, true))
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
    let (ruleset, to) = named(&path)?;
    let from = call.query_as::<DiffQuery>()?.from.unwrap_or_else(|| to.saturating_sub(1));
    let row = row(&state, ruleset).await?;
    let missing = || Problem::of(Code::RulesetNotFound);
    let new = &row.numbered(to).ok_or_else(missing)?.text;
    // Before the first version there was nothing.
    let old = if from == 0 { "" } else { &row.numbered(from).ok_or_else(missing)?.text };
    let diff = TextDiff::from_lines(old, new.as_str());
    let names = (format!("version {from}"), format!("version {to}"));
    let diff = diff.unified_diff().context_radius(3).header(&names.0, &names.1).to_string();
    Answer::ok(&DiffView { from, to, diff })
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubmitRequest {
    /// `shadow`, `live`, `paused` or `retired`.
    to: Target,
    /// Why.
    #[serde(default)]
    comment: String,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Target {
    Shadow,
    Live,
    Paused,
    Retired,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Comment {
    /// Why.
    comment: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RollbackRequest {
    /// The version that shall be live again.
    to_version: u32,
    /// Why.
    #[serde(default)]
    comment: String,
}

async fn step(
    state: &RiskApi,
    call: &Call,
    (ruleset, version): (u64, u32),
    step: RuleStep,
    comment: String,
    fingerprint: [u8; 16],
) -> Result<Answer, Problem> {
    Check::new().length("/comment", &comment, 0..=2_000).done()?;
    let moved = RulesMoved { ruleset, version, step, comment, by: call.caller.key_id.to_string() };
    state.backend.write(call, PLATFORM, fingerprint, Command::MoveRules(Box::new(moved))).await
}

/// Propose a step in a version's life
///
/// To the shadow it goes at once; everything else waits for another's approval.
#[utoipa::path(post, path = "/v1/risk/rulesets/{id}/versions/{version}/submit", tag = "Risk",
    params(("id" = String, Path), ("version" = u32, Path)), request_body = SubmitRequest,
    responses((status = 200, body = RulesMovedView)))]
pub(super) async fn submit(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    of_the_platform(&call, &[Role::Analyst])?;
    let parsed = call.parse::<SubmitRequest>()?;
    let to = match parsed.body.to {
        Target::Shadow => RuleState::Shadow,
        Target::Live => RuleState::Live,
        Target::Paused => RuleState::Paused,
        Target::Retired => RuleState::Retired,
    };
    step(&state, &call, named(&path)?, RuleStep::Submit(to), parsed.body.comment, parsed.fingerprint).await
}

async fn decide(state: RiskApi, path: Segment, call: Call, what: RuleStep) -> Result<Answer, Problem> {
    of_the_platform(&call, &[Role::AnalystLead])?;
    let parsed = call.parse_optional::<Comment>()?;
    step(&state, &call, named(&path)?, what, parsed.body.comment, parsed.fingerprint).await
}

/// Approve what another has proposed
#[utoipa::path(post, path = "/v1/risk/rulesets/{id}/versions/{version}/approve", tag = "Risk",
    params(("id" = String, Path), ("version" = u32, Path)), request_body = Comment,
    responses((status = 200, body = RulesMovedView)))]
pub(super) async fn approve(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    decide(state, path, call, RuleStep::Approve).await
}

/// Reject what was proposed
#[utoipa::path(post, path = "/v1/risk/rulesets/{id}/versions/{version}/reject", tag = "Risk",
    params(("id" = String, Path), ("version" = u32, Path)), request_body = Comment,
    responses((status = 200, body = RulesMovedView)))]
pub(super) async fn reject(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    decide(state, path, call, RuleStep::Reject).await
}

/// Go back to a version that was live
///
/// At once, by one lead: what is live now is retired.
#[utoipa::path(post, path = "/v1/risk/rulesets/{id}/versions/{version}/rollback", tag = "Risk",
    params(("id" = String, Path), ("version" = u32, Path)), request_body = RollbackRequest,
    responses((status = 200, body = RulesMovedView)))]
pub(super) async fn rollback(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    of_the_platform(&call, &[Role::AnalystLead])?;
    let parsed = call.parse::<RollbackRequest>()?;
    let (ruleset, from) = named(&path)?;
    let target = (ruleset, parsed.body.to_version);
    step(&state, &call, target, RuleStep::RollBack(from), parsed.body.comment, parsed.fingerprint).await
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
