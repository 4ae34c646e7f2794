//! How risk is handled at a merchant, as analysts set it; and what is set as a whole, with who set it.

use serde::{Deserialize, Serialize};

use crate::id::Sequence;
use crate::terms::Millis;

/// How risk is handled at a merchant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskSettings {
    /// The share of a day's attempts, in basis points, that may be blocked or reviewed before a person looks at what
    /// follows.
    pub abnormal_share_bp: u16,
    /// From how many attempts a day that share counts.
    pub minimum_volume: u32,
    /// The highest order, in minor units, that goes through while risk cannot be judged.
    pub degraded_value_limit: i64,
    /// Attempts of a device per second; as everywhere where left out.
    pub device_per_second: Option<u32>,
    /// Attempts of a device at once.
    pub device_burst: Option<u32>,
    /// Attempts of an address per second.
    pub ip_per_second: Option<u32>,
    /// Attempts of an address at once.
    pub ip_burst: Option<u32>,
    /// What is to be reviewed waits until somebody has.
    pub review_holds: bool,
}

impl Default for RiskSettings {
    /// The share is that of the product's description, section S5.
    fn default() -> Self {
        Self {
            abnormal_share_bp: 500,
            minimum_volume: 1_000,
            degraded_value_limit: 10_000,
            device_per_second: None,
            device_burst: None,
            ip_per_second: None,
            ip_burst: None,
            review_holds: false,
        }
    }
}

/// Something is set as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set<T> {
    /// What it is from here on.
    pub value: T,
    /// By which key.
    pub by: String,
}

/// What was set last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept<T> {
    /// By the record with this sequence.
    pub version: Sequence,
    /// When.
    pub at: Millis,
    /// What, and by whom.
    pub set: Set<T>,
}
