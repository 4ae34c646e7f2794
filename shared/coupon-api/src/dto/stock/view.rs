//! A stock as it is answered.

use coupon::event::StockProfile;
use coupon::id::{LedgerRef, StockId, StoreId};
use coupon::money::{Currency, Money};
use coupon::state::{Counts, Stock};
use coupon::terms::{Millis, Terms, Validity, Value};
use http_api::time::{Timestamp, format_ms};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{AppliesTo, AvailableTime, LimitsBody, PatchRequest, Stacking, StockRequest, StockType, ValidAfterClaim};
use crate::dto::answer::NoteView;
use crate::refusal::state_name;

/// A stock.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StockView {
    /// `stk_...`
    pub id: String,
    /// Which type.
    #[serde(rename = "type")]
    pub kind: StockType,
    /// As its maker calls it.
    pub name: String,
    /// What a customer reads.
    pub terms: String,
    /// By type.
    #[schema(value_type = Object)]
    pub value: serde_json::Value,
    /// `draft`, `active`, `paused` or `closed`.
    pub state: &'static str,
    /// Its coupons may not be used now.
    pub redemptions_stopped: bool,
    /// How many coupons.
    pub total: u64,
    /// Where codes come from.
    pub code_mode: super::CodeModeName,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[expect(missing_docs, reason = "as in StockRequest")]
    pub claim_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[expect(missing_docs, reason = "as in StockRequest")]
    pub claim_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[expect(missing_docs, reason = "as in StockRequest")]
    pub valid_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[expect(missing_docs, reason = "as in StockRequest")]
    pub valid_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[expect(missing_docs, reason = "as in StockRequest")]
    pub valid_after_claim: Option<ValidAfterClaim>,
    /// Caps.
    pub limits: LimitsBody,
    /// Of discount given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<super::MoneyBody>)]
    pub budget: Option<Money>,
    /// Only in these stores.
    pub store_ids: Vec<String>,
    /// On which lines.
    pub applies_to: AppliesTo,
    /// With which other coupons.
    pub stacking: Stacking,
    /// Days.
    pub reversal_window_days: u32,
    /// At which times of the week.
    pub available_times: Vec<AvailableTime>,
    /// The most redemptions in one day that its promotion expects; in answers to what makes, changes or reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_daily_redemptions: Option<u64>,
    /// The stock that this is a twin of, to rehearse on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rehearsal_of: Option<String>,
    /// When a twin is closed and forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// Of a live merchant.
    pub livemode: bool,
    /// Its last change's place in what happened to the merchant.
    pub ledger_ref: String,
    /// The caller's.
    #[serde(flatten)]
    pub note: NoteView,
}

impl StockView {
    /// With what its promotion expects, 0 for nothing.
    #[must_use]
    pub fn expecting(self, daily: Option<u64>) -> Self {
        Self { expected_daily_redemptions: daily.filter(|daily| *daily > 0), ..self }
    }

    /// As a twin of another stock until a date.
    #[must_use]
    pub fn twin_of(self, of: StockId, until: Millis) -> Self {
        Self { rehearsal_of: Some(of.to_string()), until: Some(format_ms(until)), ..self }
    }
}

/// A stock as it is answered.
pub fn stock_view(id: StockId, stock: &Stock, livemode: bool) -> StockView {
    let profile = &stock.profile;
    let terms = &profile.terms;
    let request = request_of(profile, PatchRequest::default());
    StockView {
        id: id.to_string(),
        kind: request.kind,
        name: request.name,
        terms: request.terms,
        value: request.value,
        state: state_name(stock.state),
        redemptions_stopped: stock.redemptions_stopped,
        total: profile.total,
        code_mode: request.code_mode,
        claim_from: terms.claim_from.map(format_ms),
        claim_until: terms.claim_until.map(format_ms),
        valid_from: request.valid_from.map(|Timestamp(ms)| format_ms(ms)),
        valid_until: request.valid_until.map(|Timestamp(ms)| format_ms(ms)),
        valid_after_claim: request.valid_after_claim,
        limits: request.limits,
        budget: request.budget,
        store_ids: terms.store_ids.iter().map(|id| StoreId::new(id.merchant.real(), id.number).to_string()).collect(),
        applies_to: request.applies_to,
        stacking: request.stacking,
        reversal_window_days: terms.reversal_window_days,
        available_times: request.available_times,
        expected_daily_redemptions: None,
        rehearsal_of: None,
        until: None,
        created_at: format_ms(stock.created_at),
        livemode,
        ledger_ref: LedgerRef(stock.version).to_string(),
        note: NoteView { reference: profile.note.reference.clone(), metadata: profile.note.metadata.clone() },
    }
}

/// The request that would make this stock, with a patch laid over it.
pub(super) fn request_of(profile: &StockProfile, patch: PatchRequest) -> StockRequest {
    let terms = &profile.terms;
    let (kind, value) = value_of(&terms.value, terms.currency);
    let validity_changes =
        patch.valid_from.is_some() || patch.valid_until.is_some() || patch.valid_after_claim.is_some();
    let fixed_changes = patch.valid_after_claim.is_none();
    let (from, until, after) = match terms.validity {
        Validity::Fixed { from, until } if fixed_changes => (Some(Timestamp(from)), Some(Timestamp(until)), None),
        Validity::AfterClaim { delay_days, days } if !validity_changes => {
            (None, None, Some(ValidAfterClaim { delay_days, days }))
        }
        _ => (None, None, None),
    };
    StockRequest {
        kind: patch.kind.unwrap_or(kind),
        name: patch.name.unwrap_or_else(|| profile.name.clone()),
        terms: patch.terms.unwrap_or_else(|| profile.text.clone()),
        value: patch.value.unwrap_or(value),
        total: patch.total.unwrap_or(profile.total),
        code_mode: patch.code_mode.unwrap_or(terms.code_mode.into()),
        claim_from: patch.claim_from.unwrap_or(terms.claim_from.map(Timestamp)),
        claim_until: patch.claim_until.unwrap_or(terms.claim_until.map(Timestamp)),
        valid_from: patch.valid_from.or(from),
        valid_until: patch.valid_until.or(until),
        valid_after_claim: patch.valid_after_claim.or(after),
        limits: patch.limits.map_or_else(|| profile.limits.into(), Option::unwrap_or_default),
        budget: patch.budget.unwrap_or(profile.budget.map(|amount| Money { amount, currency: terms.currency })),
        store_ids: patch
            .store_ids
            .map_or_else(|| terms.store_ids.iter().map(ToString::to_string).collect(), Option::unwrap_or_default),
        applies_to: patch.applies_to.map_or_else(|| applies_to_of(terms), Option::unwrap_or_default),
        stacking: patch.stacking.map_or_else(|| stacking_of(terms), Option::unwrap_or_default),
        reversal_window_days: patch.reversal_window_days.unwrap_or(terms.reversal_window_days),
        available_times: patch
            .available_times
            .map_or_else(|| terms.available_times.iter().map(time_of).collect(), Option::unwrap_or_default),
        expected_daily_redemptions: patch.expected_daily_redemptions.flatten(),
        reference: None,
        metadata: None,
    }
}

fn applies_to_of(terms: &Terms) -> AppliesTo {
    let coupon::terms::AppliesTo { skus, categories, except_skus } = terms.applies_to.clone();
    AppliesTo { skus, categories, except_skus }
}

fn stacking_of(terms: &Terms) -> Stacking {
    let coupon::terms::Stacking { exclusive, group, max_per_order } = terms.stacking.clone();
    Stacking { exclusive, group, max_per_order }
}

fn time_of(time: &coupon::terms::AvailableTime) -> AvailableTime {
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    AvailableTime { weekdays: time.weekdays.clone(), from: clock(time.from_minute), until: clock(time.until_minute) }
}

fn value_of(value: &Value, currency: Currency) -> (StockType, serde_json::Value) {
    let money = |amount: i64| json!({"amount": amount, "currency": currency});
    match value {
        Value::Cash { amount_off, minimum_spend } => {
            (StockType::Cash, json!({"amount_off": money(*amount_off), "minimum_spend": money(*minimum_spend)}))
        }
        Value::SpendAndSave { amount_off, minimum_spend, every, at_most_times } => (
            StockType::SpendAndSave,
            json!({"amount_off": money(*amount_off), "minimum_spend": money(*minimum_spend), "every": every,
                "at_most_times": at_most_times}),
        ),
        Value::Discount { percent_off_bp, minimum_spend, maximum_off } => (
            StockType::Discount,
            json!({"percent_off_bp": percent_off_bp, "minimum_spend": money(*minimum_spend),
                "maximum_off": maximum_off.map(money)}),
        ),
        Value::GroupBuy { sku, deal_price, list_price } => (
            StockType::GroupBuy,
            json!({"sku": sku, "deal_price": money(*deal_price), "list_price": money(*list_price)}),
        ),
        Value::Gift { sku, quantity } => {
            (StockType::Gift, json!({"sku": sku, "quantity": quantity, "currency": currency}))
        }
        Value::Experience { sku, quantity } => {
            (StockType::Experience, json!({"sku": sku, "quantity": quantity, "currency": currency}))
        }
        Value::MultiUse { uses, minimum_interval_seconds } => (
            StockType::MultiUse,
            json!({"uses": uses, "minimum_interval_seconds": minimum_interval_seconds, "currency": currency}),
        ),
    }
}

impl StockType {
    /// The type that a value is of.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Cash { .. } => Self::Cash,
            Value::SpendAndSave { .. } => Self::SpendAndSave,
            Value::Discount { .. } => Self::Discount,
            Value::GroupBuy { .. } => Self::GroupBuy,
            Value::Gift { .. } => Self::Gift,
            Value::Experience { .. } => Self::Experience,
            Value::MultiUse { .. } => Self::MultiUse,
        }
    }
}

/// Where a stock's coupons are: the total is the sum of the six.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Conservation {
    /// Of the stock.
    pub total: u64,
    /// In nobody's hands.
    pub available: u64,
    /// In users' hands.
    pub claimed: u64,
    /// Held for orders.
    pub locked: u64,
    /// Used up.
    pub redeemed: u64,
    /// Taken out of use.
    pub voided: u64,
    /// Over.
    pub expired: u64,
    /// The sum is the total.
    pub holds: bool,
    /// As of here.
    pub ledger_ref: String,
}

/// Where a stock's coupons are at `now`.
pub fn conservation(stock: &Stock, counts: &Counts, now: Millis, ledger_ref: LedgerRef) -> Conservation {
    let total = stock.profile.total;
    let (claimed, expired) = (counts.claimed_at(now), counts.expired_at(now));
    let available = counts.available(total);
    let sum = available + claimed + counts.locked + counts.redeemed + counts.voided + expired;
    Conservation {
        total,
        available,
        claimed,
        locked: counts.locked,
        redeemed: counts.redeemed,
        voided: counts.voided,
        expired,
        holds: sum == total && counts.issued <= total,
        ledger_ref: ledger_ref.to_string(),
    }
}
