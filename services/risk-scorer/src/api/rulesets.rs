//! Rules as text.

use axum::extract::State;
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::Call;
use http_api::idempotency::Answer;
use http_api::problem::Problem;
use risk::rules;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::RiskApi;

/// The longest text of a rule set, bytes.
const LONGEST_TEXT: usize = 256 * 1024;

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
