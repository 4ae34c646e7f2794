//! A decision that somebody asks for by itself: nothing is claimed, locked or redeemed with it.

use axum::extract::State;
use coupon::command::Command;
use coupon::decision::{Asked, DecisionKept};
use coupon::id::{DecisionId, MerchantId, StockId, StoreId};
use coupon_api::backend::{Asking, Shopper};
use coupon_api::dto::answer::decision as operators_view;
use coupon_api::dto::context::Context;
use http_api::auth::Role;
use http_api::axum::http::StatusCode;
use http_api::body::Check;
use http_api::call::Call;
use http_api::idempotency::Answer;
use http_api::problem::{Code, Problem};
use http_api::quota::QuotaClass;
use inline_risk::Occasion;
use projection::engine::{Answer as Outcome, What};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::decisions::{Found, Shown, find};
use super::marks::Marks;
use super::{RiskApi, books, whose};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DecisionRequest {
    /// What would be done.
    event: EventName,
    /// By whom, where and with what.
    subject: SubjectOf,
    /// The order's amount, minor units.
    amount: Option<i64>,
    /// Only says what it would be: nothing is kept of it.
    #[serde(default)]
    dry_run: bool,
    /// At which merchant; may be left out by keys that belong to one.
    merchant_id: Option<String>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum EventName {
    Claim,
    Lock,
    Redemption,
}

impl From<EventName> for Asked {
    fn from(name: EventName) -> Self {
        match name {
            EventName::Claim => Self::Claim,
            EventName::Lock => Self::Lock,
            EventName::Redemption => Self::Redemption,
        }
    }
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SubjectOf {
    /// Your id of the user.
    user_id: Option<String>,
    /// The device's.
    device_id: Option<String>,
    /// IPv4 or IPv6.
    ip: Option<String>,
    /// `str_...`
    store_id: Option<String>,
    /// Your id of the cashier.
    cashier_id: Option<String>,
    /// `stk_...`, of a claim.
    stock_id: Option<String>,
}

impl SubjectOf {
    fn check(&self) -> Result<(), Problem> {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let ip_is_sound = self.ip.as_deref().is_none_or(|ip| ip.parse::<std::net::IpAddr>().is_ok());
        Check::new()
            .length("/subject/user_id", &text(&self.user_id), 1..=128)
            .length("/subject/device_id", &text(&self.device_id), 1..=128)
            .length("/subject/cashier_id", &text(&self.cashier_id), 1..=128)
            .field("/subject/ip", ip_is_sound, "must be an IPv4 or IPv6 address")
            .done()
    }

    fn store(&self, merchant: MerchantId) -> Result<Option<u64>, Problem> {
        let Some(id) = &self.store_id else { return Ok(None) };
        let id = id.parse::<StoreId>().ok().filter(|id| id.merchant == merchant.real());
        let id = id.ok_or_else(|| Problem::of(Code::StoreNotFound).pointer("/subject/store_id"))?;
        Ok(Some(id.number))
    }

    fn stock(&self, merchant: MerchantId) -> Result<Option<StockId>, Problem> {
        let Some(id) = &self.stock_id else { return Ok(None) };
        let id = id.parse::<StockId>().ok().filter(|id| id.merchant == merchant);
        id.map(Some).ok_or_else(|| Problem::of(Code::StockNotFound).pointer("/subject/stock_id"))
    }
}

/// Ask for a decision
///
/// From what is known now, as a claim, lock or redemption would be decided. It is kept, and can be found and labelled like
/// any other; nothing is counted by it. With `dry_run` nothing is kept, and the id is null. Operators see what they see of
/// other decisions.
#[utoipa::path(post, path = "/v1/risk/decisions", tag = "Risk", request_body = DecisionRequest,
    responses((status = 201, body = serde_json::Value)))]
pub(super) async fn ask(State(state): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst, Role::Operator])?;
    let parsed = call.parse::<DecisionRequest>()?;
    let DecisionRequest { event, subject, amount, dry_run, merchant_id } = parsed.body;
    subject.check()?;
    Check::new().field("/amount", amount.is_none_or(|amount| amount >= 0), "must not be negative").done()?;
    let merchant = whose(&call, merchant_id.as_deref())?;
    call.limit_at(merchant, QuotaClass::Redeem)?;
    let asked = Asked::from(event);
    let shopper = judge(&state, &call, merchant, &subject, (asked, amount))?;
    if dry_run {
        let found = Found {
            merchant,
            number: 0,
            time_ms: state.backend.ledger.now(),
            sequence: 0,
            asked,
            done: false,
            decision: shopper.decision,
            user: shopper.user,
            sealed: shopper.sealed,
            marks: Marks::default(),
        };
        let mut shown = show(&state, &call, &found).await?;
        shown["id"] = Value::Null;
        if let Some(reference) = shown.get_mut("ledger_ref") {
            *reference = Value::Null;
        }
        return Answer::json(StatusCode::CREATED, &shown);
    }
    let kept = DecisionKept { decision: shopper.decision, sealed: shopper.sealed, by: call.caller.key_id.to_string() };
    let command = Command::KeepDecision(Box::new(kept));
    let request = state.backend.request_key(&call, merchant).map(|key| (key, parsed.fingerprint));
    let (sequence, replayed) = match state.backend.submit(merchant, request, What::Command(command)).await {
        Outcome::Applied(applied) => (applied.at.sequence, false),
        Outcome::Replayed(done) => (done.sequence, true),
        other => return Err(state.backend.refused(merchant, other)),
    };
    let found = find(&state, &call, DecisionId::new(merchant, sequence)).await?;
    let shown = show(&state, &call, &found).await?;
    Ok(Answer::json(StatusCode::CREATED, &shown)?.replayed(replayed))
}

fn judge(
    state: &RiskApi,
    call: &Call,
    merchant: MerchantId,
    subject: &SubjectOf,
    (asked, amount): (Asked, Option<i64>),
) -> Result<Shopper, Problem> {
    let occasion = Occasion {
        store: subject.store(merchant)?,
        cashier: subject.cashier_id.as_deref().map(Occasion::cashier),
        stock: subject.stock(merchant)?.map(|id| id.number),
        amount,
        ..Occasion::of(asked)
    };
    let context =
        Context { device_id: subject.device_id.clone(), ip: subject.ip.clone(), user_agent: None, location: None };
    Ok(state.backend.judge(
        call,
        merchant,
        Asking {
            user_id: subject.user_id.as_deref(),
            context: &context,
            occasion,
            store_id: subject.store_id.as_deref(),
            cashier_id: subject.cashier_id.as_deref(),
        },
    ))
}

/// All of it for analysts, and what operators see of other decisions for those.
async fn show(state: &RiskApi, call: &Call, found: &Found) -> Result<Value, Problem> {
    if call.require(&[Role::Analyst]).is_err() {
        return Ok(json!(operators_view(found.id(), &found.decision)));
    }
    let book = books::of(state, &found.decision).await?;
    Ok(Shown { state, found, book: &book }.whole())
}
