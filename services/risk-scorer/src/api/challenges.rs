//! Challenges: what came of the proof that a refused request was asked for.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use coupon::challenge::{ChallengeAnswered, Method};
use coupon::command::Command;
use coupon_api::challenge::{self, ChallengeView};
use http_api::auth::Role;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::problem::{Code, Problem};
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

use super::RiskApi;

#[derive(OpenApi)]
#[openapi(paths(result))]
pub(super) struct Document;

pub(super) fn router() -> Router<RiskApi> {
    Router::new().route("/v1/risk/challenges/{id}/result", post(result))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResultRequest {
    /// Whether the proof was good.
    passed: bool,
    /// How it was given.
    method: MethodName,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MethodName {
    Otp,
    Captcha,
    RealName,
}

impl From<MethodName> for Method {
    fn from(name: MethodName) -> Self {
        match name {
            MethodName::Otp => Self::Otp,
            MethodName::Captcha => Self::Captcha,
            MethodName::RealName => Self::RealName,
        }
    }
}

/// Post the result of a challenge
///
/// Once it has passed, the refused request is let through where it is repeated under the same idempotency key; under
/// another key it is asked again. A result that has not passed changes nothing.
#[utoipa::path(post, path = "/v1/risk/challenges/{id}/result", tag = "Risk", params(("id" = String, Path)),
    request_body = ResultRequest, responses((status = 201, body = ChallengeView)))]
pub(super) async fn result(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Operator])?;
    let known = challenge::read(&state.backend.secrets, path.text()).filter(|(merchant, _)| call.sees(*merchant));
    let (merchant, challenge) = known.ok_or_else(|| Problem::of(Code::ChallengeNotFound))?;
    let parsed = call.parse::<ResultRequest>()?;
    let ResultRequest { passed, method } = parsed.body;
    let by = call.caller.key_id.to_string();
    let answered = ChallengeAnswered { challenge, passed, method: method.into(), by };
    let command = Command::AnswerChallenge(Box::new(answered));
    state.backend.write(&call, merchant, parsed.fingerprint, command).await
}
