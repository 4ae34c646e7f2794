//! Breakers, as analysts see them.

use coupon::breaker::{BreakerReset, BreakerRow};
use coupon::fold::At;
use coupon::id::MerchantId;
use coupon::risk_settings::RiskSettings;
use http_api::time::format_ms;
use serde::Serialize;
use utoipa::ToSchema;

/// A merchant's breaker today.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BreakerView {
    /// `mer_...`
    pub merchant_id: String,
    /// When the merchant's day began, for which it counts.
    pub day_starts_at: String,
    /// Redemptions that were decided.
    pub attempts: u64,
    /// Of these: reviewed, challenged or blocked.
    pub abnormal: u64,
    /// Their share, in basis points.
    pub share_bp: u64,
    /// More than this share trips it.
    pub abnormal_share_bp: u16,
    /// From so many attempts on.
    pub minimum_volume: u32,
    /// What is to be reviewed waits until somebody has.
    pub tripped: bool,
    /// Since when.
    pub tripped_at: Option<String>,
}

/// A breaker that was reset.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BreakerResetView {
    /// `mer_...`
    pub merchant_id: String,
    /// When.
    pub reset_at: String,
    /// By which key.
    pub reset_by: String,
    /// Why.
    pub reason: String,
}

/// A breaker on the day for which it counts.
pub fn breaker_view(merchant: MerchantId, row: &BreakerRow, settings: &RiskSettings) -> BreakerView {
    BreakerView {
        merchant_id: merchant.to_string(),
        day_starts_at: format_ms(row.day),
        attempts: row.attempts,
        abnormal: row.abnormal,
        share_bp: row.share_bp(),
        abnormal_share_bp: settings.abnormal_share_bp,
        minimum_volume: settings.minimum_volume,
        tripped: row.tripped_at.is_some(),
        tripped_at: row.tripped_at.map(format_ms),
    }
}

/// A reset as its record tells of it.
pub fn breaker_reset(merchant: MerchantId, reset: &BreakerReset, at: At) -> BreakerResetView {
    BreakerResetView {
        merchant_id: merchant.to_string(),
        reset_at: format_ms(at.time),
        reset_by: reset.by.clone(),
        reason: reset.reason.clone(),
    }
}
