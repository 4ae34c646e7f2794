//! Claims: a coupon of a stock, or a printed code that is bound to a user.

use std::collections::BTreeMap;

use axum::extract::State;
use coupon::command::{ClaimCommand, Claimed, Command, CouponRef};
use coupon::decision::Asked;
use coupon::id::StockId;
use coupon_api::backend::{Asking, Attempt, Shopper};
use coupon_api::dto::answer::ClaimView;
use coupon_api::dto::context::{Context, is_phone_number, note};
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::Call;
use http_api::idempotency::Answer;
use http_api::problem::{Code, Problem};
use http_api::quota::QuotaClass;
use inline_risk::Occasion;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::state::Issuer;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ClaimRequest {
    /// `stk_...`; or `code`.
    stock_id: Option<String>,
    /// A printed code; or `stock_id`.
    code: Option<String>,
    /// Opaque, 1..=128 characters, never a phone number.
    user_id: String,
    /// At most 64 characters.
    channel: Option<String>,
    /// The end user.
    #[serde(default)]
    context: Context,
    /// The caller's.
    reference: Option<String>,
    /// The caller's.
    metadata: Option<BTreeMap<String, String>>,
}

/// Claim a coupon
#[utoipa::path(post, path = "/v1/claims", tag = "Claims", request_body = ClaimRequest,
    responses((status = 201, body = ClaimView)))]
pub(super) async fn create(State(state): State<Issuer>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Operator])?;
    let merchant = call.merchant()?;
    call.require_idempotency_key()?;
    let parsed = call.parse::<ClaimRequest>()?;
    let body = parsed.body;
    check(&body)?;
    let note = note(body.reference, body.metadata)?;
    let stock = match body.stock_id.as_deref() {
        None => None,
        Some(id) => {
            let id = id.parse::<StockId>().ok().filter(|id| id.merchant.real() == merchant);
            Some(id.ok_or_else(|| Problem::of(Code::StockNotFound).pointer("/stock_id"))?)
        }
    };
    let merchant = match stock {
        Some(id) => id.merchant,
        None => state.backend.place(merchant, body.code.as_deref(), None),
    };
    call.limit_at(merchant, QuotaClass::Redeem)?;
    let channel = body.channel.as_deref().map(Occasion::channel);
    let occasion = Occasion { stock: stock.map(|id| id.number), channel, ..Occasion::of(Asked::Claim) };
    let (user_id, context) = (Some(body.user_id.as_str()), &body.context);
    let asking = Asking { user_id, context, occasion, store_id: None, cashier_id: None };
    let Shopper { user, decision, sealed } = match state.backend.shopper(&call, merchant, asking) {
        Ok(shopper) => shopper,
        Err(limited) => return state.backend.first_or(&call, merchant, parsed.fingerprint, limited).await,
    };
    let what = match stock {
        Some(id) => Claimed::Stock(id.number),
        None => match state.backend.coupon_ref(merchant, body.code.as_deref(), None) {
            CouponRef::Unknown => {
                (state.backend.attempts)(merchant, Attempt::WrongCode, decision.device, decision.ip);
                return Err(Problem::of(Code::CouponNotFound).pointer("/code"));
            }
            known => Claimed::Printed(known),
        },
    };
    let user = user.unwrap_or_default();
    let command = ClaimCommand { what, user, channel: body.channel, decision, sealed, note };
    let command = Command::Claim(Box::new(command));
    state.backend.write_for(Some(body.user_id), &call, merchant, parsed.fingerprint, command).await
}

fn check(body: &ClaimRequest) -> Result<(), Problem> {
    Check::new()
        .present("/stock_id", body.stock_id.is_some() || body.code.is_some())
        .field("/code", body.stock_id.is_none() || body.code.is_none(), "must not be given beside stock_id")
        .length("/code", body.code.as_deref().unwrap_or("-"), 1..=128)
        .length("/user_id", &body.user_id, 1..=128)
        .field("/user_id", !is_phone_number(&body.user_id), "must be an opaque id, not a phone number")
        .length("/channel", body.channel.as_deref().unwrap_or("-"), 1..=64)
        .done()?;
    body.context.check()
}
