//! Answers.

use std::collections::BTreeMap;

use coupon::event::{Action, CouponState, Decision};
use coupon::id::DecisionId;
use http_api::time::format_ms;
use serde::Serialize;
use utoipa::ToSchema;

/// A risk decision as operators see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DecisionView {
    /// `dec_...`
    pub id: String,
    /// `allow`, `review`, `challenge` or `block`.
    pub action: &'static str,
    /// Decided without all that is needed.
    pub degraded: bool,
    /// What the caller did not tell, such as `ip`.
    pub missing: Vec<String>,
    /// Rules that hit.
    pub reasons: Vec<ReasonView>,
    /// The features were as of this time of the log.
    pub watermark: String,
}

/// A rule that hit.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReasonView {
    /// The rule.
    pub code: String,
    /// What it means.
    pub text: String,
}

/// The caller's own notes.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct NoteView {
    /// As given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// As given.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// A claim.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClaimView {
    /// `cpn_...`
    pub coupon_id: String,
    /// What the user shows at the till.
    pub code: String,
    /// Of which stock.
    pub stock_id: String,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// `claimed`.
    pub state: &'static str,
    /// First moment of use.
    pub valid_from: String,
    /// First moment after.
    pub valid_until: String,
    /// Uses.
    pub uses_left: u32,
    /// Where it was handed out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// When.
    pub claimed_at: String,
    /// Why it was let through.
    pub decision: DecisionView,
    /// Of a live merchant.
    pub livemode: bool,
    /// Its place in what happened to the merchant.
    pub ledger_ref: String,
    /// The caller's.
    #[serde(flatten)]
    pub note: NoteView,
}

/// An order with its discount, minor units.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OrderView {
    /// The caller's id.
    pub id: String,
    /// As sent.
    pub amount: i64,
    /// By this request.
    pub discount: i64,
    /// What is left to pay.
    pub payable: i64,
    /// Of what.
    pub currency: String,
}

/// A coupon's part.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PartView {
    /// `cpn_...`
    pub coupon_id: String,
    /// `stk_...`
    pub stock_id: String,
    /// How many uses.
    pub uses: u32,
    /// Taken off, minor units.
    pub discount: i64,
    /// Uses left after it.
    pub uses_left: u32,
    /// Of which lines; empty for an order without lines.
    pub lines: Vec<ShareView>,
    /// Of these uses, how many were given back since; absent where none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uses_reversed: Option<u32>,
    /// And how much of the discount, minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discount_returned: Option<i64>,
}

/// A line's share.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShareView {
    /// As in the order.
    pub line_id: String,
    /// Minor units.
    pub discount: i64,
}

/// A lock.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LockView {
    /// `lck_...`
    pub id: String,
    /// Only in the answer to its creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// `locked`, `redeemed`, `released`, `expired` or `voided`.
    pub state: &'static str,
    /// First moment after.
    pub expires_at: String,
    /// The order with its discount.
    pub order: OrderView,
    /// Each coupon's part.
    pub coupons: Vec<PartView>,
    /// Why it was let through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionView>,
    /// Of a live merchant.
    pub livemode: bool,
    /// Its place in what happened to the merchant.
    pub ledger_ref: String,
    /// The caller's.
    #[serde(flatten)]
    pub note: NoteView,
}

/// A redemption.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RedemptionView {
    /// `rdm_...`
    pub id: String,
    /// `redeemed`, later `partially_reversed` or `reversed`.
    pub state: &'static str,
    /// When.
    pub redeemed_at: String,
    /// The order with its discount.
    pub order: OrderView,
    /// Each coupon's part.
    pub coupons: Vec<PartView>,
    /// The lock that it used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock_id: Option<String>,
    /// The customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_id: Option<String>,
    /// The cashier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cashier_id: Option<String>,
    /// The till.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminal_id: Option<String>,
    /// Why it was let through.
    pub decision: DecisionView,
    /// Of a live merchant.
    pub livemode: bool,
    /// Its place in what happened to the merchant.
    pub ledger_ref: String,
    /// The caller's.
    #[serde(flatten)]
    pub note: NoteView,
}

/// A reversal.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReversalView {
    /// `rev_...`; absent in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Of which redemption.
    pub redemption_id: String,
    /// What the redemption is after it: `partially_reversed` or `reversed`.
    pub redemption_state: &'static str,
    /// Each coupon's part.
    pub coupons: Vec<ReversedView>,
    /// The caller's refund.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_id: Option<String>,
    /// Why.
    pub reason: String,
    /// When; absent in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reversed_at: Option<String>,
    /// Of a live merchant.
    pub livemode: bool,
    /// Its place in what happened to the merchant; absent in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger_ref: Option<String>,
    /// The caller's.
    #[serde(flatten)]
    pub note: NoteView,
}

/// A coupon's part in a reversal.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReversedView {
    /// `cpn_...`
    pub coupon_id: String,
    /// `stk_...`
    pub stock_id: String,
    /// What it is now: `claimed`, `expired` or `voided`.
    pub state: &'static str,
    /// Uses given back.
    pub uses: u32,
    /// Uses it has now.
    pub uses_left: u32,
    /// Minor units.
    pub discount_returned: i64,
}

/// As the API spells an action.
pub fn action_name(action: Action) -> &'static str {
    match action {
        Action::Allow => "allow",
        Action::Review => "review",
        Action::Challenge => "challenge",
        Action::Block => "block",
    }
}

/// As the API spells a coupon's state.
pub fn coupon_state(state: CouponState) -> &'static str {
    match state {
        CouponState::Available => "available",
        CouponState::Claimed => "claimed",
        CouponState::Locked => "locked",
        CouponState::Redeemed => "redeemed",
        CouponState::Voided => "voided",
        CouponState::Expired => "expired",
    }
}

/// What a rule's code means, for those who may not see its numbers.
pub fn reason_text(code: &str) -> String {
    let what = if code.contains("claims") { "claims" } else { "attempts" };
    let who = if code.starts_with("device") {
        "this device"
    } else if code.starts_with("ip") {
        "this address"
    } else if code.starts_with("user") {
        "this user"
    } else {
        return format!("Rule {code} hit.");
    };
    format!("Too many {what} from {who} in a short time.")
}

/// A decision as operators see it; its id is that of the record that carries it.
pub fn decision(id: DecisionId, decision: &Decision) -> DecisionView {
    DecisionView {
        id: id.to_string(),
        action: action_name(decision.action),
        degraded: decision.degraded,
        missing: decision.missing.clone(),
        reasons: decision
            .reasons
            .iter()
            .map(|reason| ReasonView { code: reason.code.clone(), text: reason_text(&reason.code) })
            .collect(),
        watermark: format_ms(decision.watermark),
    }
}
