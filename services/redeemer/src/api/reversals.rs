//! Reversals: what was redeemed comes back, in part or whole.

use std::collections::BTreeMap;

use axum::extract::State;
use coupon::command::{Command, ReverseCommand};
use coupon::decide::{Scene, preview_reversal};
use coupon::id::{CouponId, RedemptionId, StoreId};
use coupon::state::Read;
use coupon_api::dto::answer::ReversalView;
use coupon_api::dto::context::{note, opaque};
use coupon_api::{refusal, render};
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::problem::{Code, Problem};
use http_api::quota::QuotaClass;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::state::Redeemer;

/// A reversal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReverseRequest {
    /// Left out, all that is left is reversed.
    coupons: Option<Vec<ReverseCoupon>>,
    /// The caller's refund.
    refund_id: Option<String>,
    /// 1..=200 characters.
    reason: String,
    /// Says what would come back, and changes nothing.
    #[serde(default)]
    dry_run: bool,
    /// The caller's.
    reference: Option<String>,
    /// The caller's.
    metadata: Option<BTreeMap<String, String>>,
}

/// A coupon of a reversal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReverseCoupon {
    /// `cpn_...`
    coupon_id: String,
    /// All that are left of this redemption, unless said.
    uses: Option<u32>,
}

/// Reverse a redemption
#[utoipa::path(post, path = "/v1/redemptions/{id}/reversals", tag = "Redemptions", request_body = ReverseRequest,
    params(("id" = String, Path)), responses((status = 201, body = ReversalView)))]
pub(super) async fn create(State(state): State<Redeemer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Operator])?;
    call.merchant()?;
    call.require_idempotency_key()?;
    let parsed = call.parse::<ReverseRequest>()?;
    let body = parsed.body;
    check(&body)?;
    let id: RedemptionId = path.id(Code::RedemptionNotFound)?;
    let merchant = Redeemer::owner(&call, id.merchant, Code::RedemptionNotFound)?;
    call.limit_at(merchant, QuotaClass::Redeem)?;
    let store = state.look(merchant, move |shard, _, _| shard.redemption(merchant, id.number).map(|row| row.store));
    if let Some(store) = store.await?
        && !call.reaches_store(store.map(|number| StoreId::new(merchant.real(), number)))
    {
        return Err(Problem::of(Code::StoreForbidden));
    }
    let dry_run = body.dry_run;
    let command = ReverseCommand {
        redemption: id.number,
        coupons: body.coupons.map(|coupons| named(merchant, &coupons)).transpose()?,
        refund_id: body.refund_id,
        reason: body.reason,
        note: note(body.reference, body.metadata)?,
    };
    if !dry_run {
        return state.backend.write(&call, merchant, parsed.fingerprint, Command::Reverse(Box::new(command))).await;
    }
    let outcome = state
        .look(merchant, move |shard, _, now| preview_reversal(Scene { view: shard, merchant, now }, &command))
        .await?;
    match outcome {
        Ok((_, reversal)) => Answer::ok(&render::reversal_preview(merchant, call.caller.livemode, &reversal)),
        Err(refused) => Err(refusal::problem(merchant, &refused)),
    }
}

fn check(body: &ReverseRequest) -> Result<(), Problem> {
    let coupons = body.coupons.as_deref();
    let count_fits = coupons.is_none_or(|coupons| (1..=30).contains(&coupons.len()));
    let mut check = Check::new().length("/reason", &body.reason, 1..=200).field(
        "/coupons",
        count_fits,
        "must name 1 to 30 coupons, or be left out",
    );
    check = opaque(check, "/refund_id", body.refund_id.as_deref());
    for (i, coupon) in coupons.unwrap_or_default().iter().enumerate() {
        let fits = coupon.uses.is_none_or(|uses| (1..=10_000).contains(&uses));
        check = check.field_at(|| format!("/coupons/{i}/uses"), fits, "must be 1 to 10,000");
    }
    check.done()
}

fn named(merchant: coupon::id::MerchantId, coupons: &[ReverseCoupon]) -> Result<Vec<(u64, Option<u32>)>, Problem> {
    let name = |(i, coupon): (usize, &ReverseCoupon)| {
        let id = coupon.coupon_id.parse::<CouponId>().ok().filter(|id| id.merchant == merchant);
        let missing = || Problem::of(Code::CouponNotFound).pointer(format!("/coupons/{i}/coupon_id"));
        id.map(|id| (id.number, coupon.uses)).ok_or_else(missing)
    };
    coupons.iter().enumerate().map(name).collect()
}
