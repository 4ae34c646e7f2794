//! Breakers: where too many of a merchant's redemptions are abnormal, what is to be reviewed waits for a person.

use serde::{Deserialize, Serialize};

use crate::risk_settings::RiskSettings;
use crate::terms::Millis;

/// How long a subject whose case was closed as honest is let through what is to be reviewed.
pub const CLEARED_MS: Millis = 24 * 3_600 * 1_000;

/// A merchant's breaker, and what it counted on the merchant's day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerRow {
    /// The day's first moment.
    pub day: Millis,
    /// Redemptions that were decided.
    pub attempts: u64,
    /// Of these: reviewed, challenged or blocked.
    pub abnormal: u64,
    /// Tripped since; until it is reset.
    pub tripped_at: Option<Millis>,
}

/// A breaker is reset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerReset {
    /// By which key.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl BreakerRow {
    /// As it is on the day that begins at `day`: another day's counts are gone, and a trip is not.
    #[must_use]
    pub fn on(self, day: Millis) -> Self {
        if self.day == day { self } else { Self { day, tripped_at: self.tripped_at, ..Self::default() } }
    }

    /// After one more attempt at a time of the day for which it counts.
    #[must_use]
    pub fn after(self, abnormal: bool, at: Millis, settings: &RiskSettings) -> Self {
        let (attempts, abnormal) = (self.attempts + 1, self.abnormal + u64::from(abnormal));
        let counted = Self { attempts, abnormal, ..self };
        let trips = counted.tripped_at.is_none() && counted.is_over(settings);
        Self { tripped_at: counted.tripped_at.or(trips.then_some(at)), ..counted }
    }

    /// The abnormal share, in basis points, rounded down.
    pub fn share_bp(&self) -> u64 {
        self.abnormal.saturating_mul(10_000) / self.attempts.max(1)
    }

    /// There are enough attempts, and too many are abnormal.
    fn is_over(&self, settings: &RiskSettings) -> bool {
        let allowed = self.attempts.saturating_mul(u64::from(settings.abnormal_share_bp));
        self.attempts >= u64::from(settings.minimum_volume) && self.abnormal.saturating_mul(10_000) > allowed
    }
}
