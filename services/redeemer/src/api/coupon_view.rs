//! A coupon as it is answered, now and as of then.

use coupon::event::CouponState;
use coupon::fold::At;
use coupon::history::Story;
use coupon::id::{BatchId, CouponId, LedgerRef, LockId, MerchantId, RedemptionId, StockId};
use coupon::record::{Entry, Record};
use coupon::state::{Coupon, Read};
use coupon::terms::Millis;
use coupon_api::dto::answer::coupon_state;
use http_api::problem::Problem;
use http_api::time::format_ms;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::Redeemer;

/// A coupon.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct CouponView {
    /// `cpn_...`
    pub id: String,
    /// The same, as other answers call it.
    pub coupon_id: String,
    /// What the user shows at the till.
    pub code: String,
    /// Of which stock.
    pub stock_id: String,
    /// In which batch it was made ahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<String>,
    /// Whose it is; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// `available`, `claimed`, `locked`, `redeemed`, `voided` or `expired`.
    pub state: &'static str,
    /// First moment of use; absent until its days begin with the claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// First moment after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// Uses it started with.
    pub uses: u32,
    /// Uses that are left.
    pub uses_left: u32,
    /// When it was claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_at: Option<String>,
    /// Its lock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock_id: Option<String>,
    /// Its last redemption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redemption_id: Option<String>,
    /// Of a live merchant.
    pub livemode: bool,
    /// Its last change's place in what happened to the merchant.
    pub ledger_ref: String,
}

/// What a view needs beside the coupon's row.
#[derive(Clone, Debug, Default)]
pub(super) struct Beside {
    pub(super) own_code: Option<String>,
    pub(super) user_id: Option<String>,
}

pub(super) fn view(
    state: &Redeemer,
    id: CouponId,
    coupon: &Coupon,
    beside: Beside,
    now: Millis,
    livemode: bool,
) -> CouponView {
    let code =
        beside.own_code.unwrap_or_else(|| state.backend.secrets.codes(id.merchant).encode(id.number).to_string());
    let begun = coupon.valid_until != Millis::MAX;
    CouponView {
        id: id.to_string(),
        coupon_id: id.to_string(),
        code,
        stock_id: StockId::new(id.merchant, coupon.stock).to_string(),
        batch_id: coupon.batch.map(|batch| BatchId::new(id.merchant, batch).to_string()),
        user_id: beside.user_id,
        state: coupon_state(state_at(coupon, now)),
        valid_from: begun.then(|| format_ms(coupon.valid_from)),
        valid_until: begun.then(|| format_ms(coupon.valid_until)),
        uses: coupon.uses,
        uses_left: coupon.uses_left,
        claimed_at: coupon.claimed_at.map(format_ms),
        lock_id: coupon.lock.map(|lock| LockId::new(id.merchant, lock).to_string()),
        redemption_id: coupon.redemption.map(|number| RedemptionId::new(id.merchant, number).to_string()),
        livemode,
        ledger_ref: LedgerRef(coupon.version).to_string(),
    }
}

/// What a coupon is at a time: that it expired is not written anywhere, it follows from the time.
pub(super) fn state_at(coupon: &Coupon, now: Millis) -> CouponState {
    match coupon.state {
        CouponState::Claimed | CouponState::Available if coupon.valid_until <= now => CouponState::Expired,
        state => state,
    }
}

/// What is needed to follow a coupon's story, and the merchant's time now; `None` if there is no such coupon.
pub(super) async fn story_of(state: &Redeemer, id: CouponId) -> Result<Option<(Story, Millis)>, Problem> {
    state.look(id.merchant, move |shard, _, now| Some((Story::of(shard, id.merchant, id.number)?, now))).await
}

/// The records of a coupon's story, oldest first.
pub(super) async fn records(
    state: &Redeemer,
    merchant: MerchantId,
    story: &Story,
) -> Result<Vec<(At, Record)>, Problem> {
    let mut records = state.backend.story(merchant, story.last(), |record| story.previous(record)).await?;
    records.reverse();
    Ok(records)
}

/// The user's id in clear, from the claim's sealed data.
pub(super) async fn user_id(
    state: &Redeemer,
    merchant: MerchantId,
    coupon: &Coupon,
) -> Result<Option<String>, Problem> {
    let (Some(claim), Some(user)) = (coupon.claim, coupon.user) else { return Ok(None) };
    let found = state.backend.ledger.record(merchant.shard(), claim).await.map_err(Problem::internal)?;
    let Some((_, Entry::Guarded(record))) = found else { return Ok(None) };
    let sealed = record.events.iter().find_map(|event| match event {
        coupon::event::Event::CouponClaimed(claim) => Some(claim.sealed.clone()),
        coupon::event::Event::CouponsSent(chunk) => {
            chunk.rows.iter().find(|row| row.user == user).map(|row| row.sealed.clone())
        }
        _ => None,
    });
    Ok(sealed.and_then(|sealed| state.backend.secrets.open(merchant, user, &sealed).user_id))
}

/// A merchant's own code.
pub(super) async fn own_code(state: &Redeemer, id: CouponId) -> Result<Option<String>, Problem> {
    state
        .look(id.merchant, move |shard, _, _| {
            shard.code_text(id.merchant, id.number).map(std::string::ToString::to_string)
        })
        .await
}
