//! The ladder of penalties, which is the platform's, and merchants' risk settings.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use coupon::command::Command;
use coupon::id::{MerchantId, PLATFORM};
use coupon::penalty::{Ladder, Rung, Sanction};
use coupon::risk_settings::{RiskSettings, Set};
use coupon::state::Read;
use coupon_api::dto::penalty::{LadderView, RiskSettingsView, ladder_view, settings_view};
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::Call;
use http_api::idempotency::Answer;
use http_api::problem::{Code, Problem};
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

use super::{RiskApi, penalised, versions};

const MOST_RUNGS: usize = 200;
const MOST_PER_SECOND: u32 = 1_000_000;

#[derive(OpenApi)]
#[openapi(paths(penalty_ladder, set_penalty_ladder, risk_settings, set_risk_settings))]
pub(super) struct Document;

pub(super) fn router() -> Router<RiskApi> {
    Router::new()
        .route("/v1/risk/penalty-ladder", get(penalty_ladder).put(set_penalty_ladder))
        .route("/v1/risk/settings", get(risk_settings).put(set_risk_settings))
}

/// The ladder in force.
pub(super) async fn ladder(state: &RiskApi) -> Result<Ladder, Problem> {
    let look = |kept: &std::sync::Arc<coupon::risk_settings::Kept<Ladder>>| kept.set.value.clone();
    let set = state.backend.look(PLATFORM, move |shard, _, _| shard.penalty_ladder(PLATFORM).map(look)).await?;
    Ok(set.unwrap_or_default())
}

/// What violations bring
///
/// By violation and offence. What no rung names is brought by the last one below it.
#[utoipa::path(get, path = "/v1/risk/penalty-ladder", tag = "Risk", responses((status = 200, body = LadderView)))]
pub(super) async fn penalty_ladder(State(state): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let kept = state.backend.look(PLATFORM, |shard, _, _| shard.penalty_ladder(PLATFORM).cloned()).await?;
    Answer::ok(&ladder_view(kept.as_deref()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PenaltyLadderRequest {
    /// At least one; each violation begins with offence 1.
    rungs: Vec<PenaltyRungRequest>,
    /// Days in which an appeal is to be decided, 1 to 365.
    #[serde(default = "appeal_days")]
    appeal_days: u16,
    /// The version that it replaces; the last write is right where left out.
    version: Option<u64>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PenaltyRungRequest {
    /// 1 to 64 characters.
    violation: String,
    /// From this one on, counted from 1.
    offence: u32,
    /// `takedown`, `ban`, `freeze`, `permanent`, `api_off` or `blacklist`.
    sanction: String,
    /// For how long; until it is lifted where left out, as `permanent` and `blacklist` always are.
    duration_seconds: Option<u32>,
}

fn appeal_days() -> u16 {
    Ladder::default().appeal_days
}

/// Set what violations bring
///
/// For all merchants, by a lead who sees all of them. What was imposed stays as it is.
#[utoipa::path(put, path = "/v1/risk/penalty-ladder", tag = "Risk", request_body = PenaltyLadderRequest,
    responses((status = 200, body = LadderView)))]
pub(super) async fn set_penalty_ladder(State(state): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    versions::of_the_platform(&call, &[Role::AnalystLead])?;
    let parsed = call.parse::<PenaltyLadderRequest>()?;
    let PenaltyLadderRequest { rungs, appeal_days, version } = parsed.body;
    let value = Ladder { rungs: checked(rungs)?, appeal_days };
    Check::new().field("/appeal_days", (1..=365).contains(&appeal_days), "must be 1 to 365").done()?;
    let set = Set { value, by: call.caller.key_id.to_string() };
    state.backend.write(&call, PLATFORM, parsed.fingerprint, Command::SetPenaltyLadder(set, version)).await
}

/// A rung twice, or a violation without a first one, would leave open what happens.
fn checked(wanted: Vec<PenaltyRungRequest>) -> Result<Vec<Rung>, Problem> {
    let mut check =
        Check::new().field("/rungs", (1..=MOST_RUNGS).contains(&wanted.len()), &format!("must be 1 to {MOST_RUNGS}"));
    let mut rungs: Vec<Rung> = Vec::with_capacity(wanted.len());
    for (i, rung) in wanted.into_iter().enumerate() {
        let sanction = Sanction::named(&rung.sanction);
        let known = rungs.iter().any(|it| it.violation == rung.violation && it.offence == rung.offence);
        let endless = sanction.is_some_and(Sanction::is_for_good);
        let at = |field: &str| format!("/rungs/{i}/{field}");
        check = check
            .length(&at("violation"), &rung.violation, 1..=64)
            .field(&at("offence"), rung.offence > 0 && !known, "must be 1 or more, each once per violation")
            .field(
                &at("sanction"),
                sanction.is_some(),
                &format!("must be one of {}", Sanction::ALL.map(Sanction::name).join(", ")),
            )
            .field(&at("duration_seconds"), rung.duration_seconds != Some(0), "must be 1 or more")
            .field(&at("duration_seconds"), rung.duration_seconds.is_none() || !endless, "is not for what has no end");
        let PenaltyRungRequest { violation, offence, duration_seconds, .. } = rung;
        rungs.extend(sanction.map(|sanction| Rung { violation, offence, sanction, duration_seconds }));
    }
    let has_first = |rung: &Rung| rungs.iter().any(|it| it.violation == rung.violation && it.offence == 1);
    check.field("/rungs", rungs.iter().all(has_first), "must have offence 1 of each violation").done()?;
    Ok(rungs)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    merchant_id: Option<String>,
}

/// The merchant that a query names, or the caller's own, if there is such a one.
fn whose(state: &RiskApi, call: &Call) -> Result<MerchantId, Problem> {
    let Whose { merchant_id } = call.query_as()?;
    let merchant = penalised::whose(call, merchant_id.as_deref())?
        .ok_or_else(|| Problem::new(Code::MissingField, "merchant_id is required.").pointer("/query/merchant_id"))?;
    let known = state.backend.directory.merchant(merchant).is_some();
    let missing = || Problem::of(Code::MerchantNotFound).pointer("/query/merchant_id");
    known.then_some(merchant).ok_or_else(missing)
}

/// How risk is handled at a merchant
#[utoipa::path(get, path = "/v1/risk/settings", tag = "Risk", params(("merchant_id" = Option<String>, Query)),
    responses((status = 200, body = RiskSettingsView)))]
pub(super) async fn risk_settings(State(state): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let merchant = whose(&state, &call)?;
    let kept = state.backend.look(merchant, move |shard, _, _| shard.risk_settings(merchant).cloned()).await?;
    Answer::ok(&settings_view(merchant, kept.as_deref()))
}

/// What is left out is as it is by default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RiskSettingsRequest {
    /// 0 to 10,000 basis points of a day's attempts may be blocked or reviewed; 500 by default.
    abnormal_share_bp: u16,
    /// From how many attempts a day on; 1,000 by default.
    minimum_volume: u32,
    /// The highest order that goes through while risk cannot be judged, minor units; 10,000 by default.
    degraded_value_limit: i64,
    /// Attempts of a device per second, 1 to 1,000,000.
    device_per_second: Option<u32>,
    /// Attempts of a device at once, 1 to 1,000,000.
    device_burst: Option<u32>,
    /// Attempts of an address per second, 1 to 1,000,000.
    ip_per_second: Option<u32>,
    /// Attempts of an address at once, 1 to 1,000,000.
    ip_burst: Option<u32>,
    /// What is to be reviewed waits until somebody has.
    review_holds: bool,
    /// The version that it replaces; the last write is right where left out.
    version: Option<u64>,
}

impl Default for RiskSettingsRequest {
    fn default() -> Self {
        let settings = RiskSettings::default();
        Self {
            abnormal_share_bp: settings.abnormal_share_bp,
            minimum_volume: settings.minimum_volume,
            degraded_value_limit: settings.degraded_value_limit,
            device_per_second: None,
            device_burst: None,
            ip_per_second: None,
            ip_burst: None,
            review_holds: settings.review_holds,
            version: None,
        }
    }
}

/// Set how risk is handled at a merchant
///
/// As a whole: what is left out is as it is by default.
#[utoipa::path(put, path = "/v1/risk/settings", tag = "Risk", params(("merchant_id" = Option<String>, Query)),
    request_body = RiskSettingsRequest, responses((status = 200, body = RiskSettingsView)))]
pub(super) async fn set_risk_settings(State(state): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::AnalystLead])?;
    let parsed = call.parse::<RiskSettingsRequest>()?;
    let body = parsed.body;
    let fits = |limit: Option<u32>| limit.is_none_or(|limit| (1..=MOST_PER_SECOND).contains(&limit));
    let what = "must be 1 to 1,000,000";
    Check::new()
        .field("/abnormal_share_bp", body.abnormal_share_bp <= 10_000, "must be 0 to 10,000")
        .field("/degraded_value_limit", body.degraded_value_limit >= 0, "must be 0 or more")
        .field("/device_per_second", fits(body.device_per_second), what)
        .field("/device_burst", fits(body.device_burst), what)
        .field("/ip_per_second", fits(body.ip_per_second), what)
        .field("/ip_burst", fits(body.ip_burst), what)
        .done()?;
    let merchant = whose(&state, &call)?;
    let value = RiskSettings {
        abnormal_share_bp: body.abnormal_share_bp,
        minimum_volume: body.minimum_volume,
        degraded_value_limit: body.degraded_value_limit,
        device_per_second: body.device_per_second,
        device_burst: body.device_burst,
        ip_per_second: body.ip_per_second,
        ip_burst: body.ip_burst,
        review_holds: body.review_holds,
    };
    let set = Set { value, by: call.caller.key_id.to_string() };
    state.backend.write(&call, merchant, parsed.fingerprint, Command::SetRiskSettings(set, body.version)).await
}
