//! Stocks.

use std::collections::BTreeMap;

use coupon::event::StockProfile;
use coupon::id::StoreId;
use coupon::money::{Currency, Money};
use coupon::terms::{self, CodeMode, Limits, Terms, Validity};
use http_api::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mod check;
mod view;

pub use check::{PatchRequest, patch};
pub use view::{Conservation, StockView, conservation, stock_view};

/// A type of coupon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StockType {
    /// 代金券
    Cash,
    /// 满减券
    SpendAndSave,
    /// 折扣券
    Discount,
    /// 团购券
    GroupBuy,
    /// 礼品券
    Gift,
    /// 体验券
    Experience,
    /// 次卡
    MultiUse,
}

/// A stock of coupons.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StockRequest {
    /// Which type; `value` has its fields.
    #[serde(rename = "type")]
    pub kind: StockType,
    /// 1..=128 characters.
    pub name: String,
    /// What a customer reads, at most 4,000 characters.
    #[serde(default)]
    pub terms: String,
    /// By type: cash `{amount_off, minimum_spend}`, `spend_and_save` `{amount_off, minimum_spend, every, at_most_times?}`,
    /// discount `{percent_off_bp, minimum_spend, maximum_off?}`, `group_buy` `{sku, deal_price, list_price}`, gift and
    /// experience `{sku, quantity}`, `multi_use` `{uses, minimum_interval_seconds}`. Money is `{amount, currency}`.
    #[schema(value_type = Object)]
    pub value: serde_json::Value,
    /// 1..=1,000,000,000 coupons.
    pub total: u64,
    /// Where codes come from.
    #[serde(default)]
    pub code_mode: CodeModeName,
    /// Claims are open from here on.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub claim_from: Option<Timestamp>,
    /// Claims are closed from here on.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub claim_until: Option<Timestamp>,
    /// With `valid_until`, instead of `valid_after_claim`.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub valid_from: Option<Timestamp>,
    /// Exclusive.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub valid_until: Option<Timestamp>,
    /// Counted in the merchant's days from the claim.
    pub valid_after_claim: Option<ValidAfterClaim>,
    /// Caps.
    #[serde(default)]
    pub limits: LimitsBody,
    /// Of discount given.
    #[schema(value_type = Option<MoneyBody>)]
    pub budget: Option<Money>,
    /// Only in these stores; at most 10,000.
    #[serde(default)]
    pub store_ids: Vec<String>,
    /// On which lines.
    #[serde(default)]
    pub applies_to: AppliesTo,
    /// With which other coupons.
    #[serde(default)]
    pub stacking: Stacking,
    /// 0..=3650, 90 by default.
    #[serde(default = "ninety")]
    pub reversal_window_days: u32,
    /// At which times of the week.
    #[serde(default)]
    pub available_times: Vec<AvailableTime>,
    /// The most redemptions in one day that its promotion expects, at most 1,000,000,000: above a limit that the operator
    /// sets, 100,000 by default, it is activated only once a load test has passed.
    pub expected_daily_redemptions: Option<u64>,
    /// The caller's.
    pub reference: Option<String>,
    /// The caller's.
    pub metadata: Option<BTreeMap<String, String>>,
}

fn ninety() -> u32 {
    90
}

/// An amount of money.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MoneyBody {
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
}

/// Where codes come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CodeModeName {
    /// Made as coupons are claimed.
    #[default]
    Generated,
    /// From batches made ahead.
    Pool,
    /// The merchant's own.
    Imported,
}

/// Counted in the merchant's days from the claim.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidAfterClaim {
    /// 0 begins at once; n at 0:00 of the n-th day after. At most 3650.
    #[serde(default)]
    pub delay_days: u32,
    /// Ends at 24:00 of the `days`-th day; 1..=3650.
    pub days: u32,
}

/// Caps; what is left out does not limit.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsBody {
    /// Claims of one user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_user: Option<u64>,
    /// Claims of one user in a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_user_day: Option<u64>,
    /// Claims in a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_day: Option<u64>,
    /// Redemptions of one user in a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_day_redemptions: Option<u64>,
    /// Redemptions in one store and day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_day_redemptions: Option<u64>,
}

/// On which lines; empty lists do not restrict.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AppliesTo {
    /// Only these, or `categories`.
    pub skus: Vec<String>,
    /// Only these, or `skus`.
    pub categories: Vec<String>,
    /// Never these.
    pub except_skus: Vec<String>,
}

/// With which other coupons in one order.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stacking {
    /// With none of another stock.
    pub exclusive: bool,
    /// With none of another stock of this group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Of this stock in one order, 1..=30.
    pub max_per_order: u32,
}

impl Default for Stacking {
    fn default() -> Self {
        Self { exclusive: false, group: None, max_per_order: 1 }
    }
}

/// A time of the week in the merchant's zone.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AvailableTime {
    /// ISO: 1 = Monday to 7 = Sunday.
    pub weekdays: Vec<u8>,
    /// `HH:MM`.
    #[schema(example = "11:00")]
    pub from: String,
    /// `HH:MM` up to `24:00`, exclusive; at or before `from` it is of the following day.
    #[schema(example = "14:00")]
    pub until: String,
}

impl StockRequest {
    /// Checks everything and takes it as the rules know it.
    pub fn into_profile(self) -> Result<StockProfile, http_api::Problem> {
        check::profile(self)
    }
}

impl From<CodeModeName> for CodeMode {
    fn from(mode: CodeModeName) -> Self {
        match mode {
            CodeModeName::Generated => Self::Generated,
            CodeModeName::Pool => Self::Pool,
            CodeModeName::Imported => Self::Imported,
        }
    }
}

impl From<CodeMode> for CodeModeName {
    fn from(mode: CodeMode) -> Self {
        match mode {
            CodeMode::Generated => Self::Generated,
            CodeMode::Pool => Self::Pool,
            CodeMode::Imported => Self::Imported,
        }
    }
}

impl From<LimitsBody> for Limits {
    fn from(limits: LimitsBody) -> Self {
        Self {
            per_user: limits.per_user,
            per_user_day: limits.per_user_day,
            per_day: limits.per_day,
            user_day_redemptions: limits.user_day_redemptions,
            store_day_redemptions: limits.store_day_redemptions,
        }
    }
}

impl From<Limits> for LimitsBody {
    fn from(limits: Limits) -> Self {
        Self {
            per_user: limits.per_user,
            per_user_day: limits.per_user_day,
            per_day: limits.per_day,
            user_day_redemptions: limits.user_day_redemptions,
            store_day_redemptions: limits.store_day_redemptions,
        }
    }
}

/// What `check` hands on.
struct Sound {
    value: terms::Value,
    currency: Currency,
    validity: Validity,
    stores: Vec<StoreId>,
    times: Vec<terms::AvailableTime>,
}

fn terms_of(request: &StockRequest, sound: Sound) -> Terms {
    Terms {
        value: sound.value,
        currency: sound.currency,
        code_mode: request.code_mode.into(),
        claim_from: request.claim_from.map(|Timestamp(ms)| ms),
        claim_until: request.claim_until.map(|Timestamp(ms)| ms),
        validity: sound.validity,
        store_ids: sound.stores,
        applies_to: terms::AppliesTo {
            skus: request.applies_to.skus.clone(),
            categories: request.applies_to.categories.clone(),
            except_skus: request.applies_to.except_skus.clone(),
        },
        stacking: terms::Stacking {
            exclusive: request.stacking.exclusive,
            group: request.stacking.group.clone(),
            max_per_order: request.stacking.max_per_order,
        },
        reversal_window_days: request.reversal_window_days,
        available_times: sound.times,
    }
}
