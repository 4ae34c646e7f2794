//! What a request asks of risk.

use coupon::decision::{Action, Place};
use coupon::event::Pseudonym;
use coupon::id::MerchantId;
use coupon::record::RequestKey;
use serde::{Deserialize, Serialize};

use crate::rule_book::Occasion;

/// Limits per end user, and how old knowledge may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InlineConfig {
    /// Attempts per second that one device regains. Default 20.
    pub device_per_second: u32,
    /// Attempts that one device may make at once. Default 200.
    pub device_burst: u32,
    /// Attempts per second that one address regains. Default 200.
    pub ip_per_second: u32,
    /// Attempts that one address may make at once. Default 2000.
    pub ip_burst: u32,
    /// Devices and addresses that are followed at once, each. Default 1000000.
    pub max_keys: usize,
    /// A risk-scorer that was not heard of for so long makes decisions `degraded`, milliseconds. Default 30000.
    pub stale_after_ms: i64,
    /// Orders above this are refused with `risk_unavailable` while decisions are `degraded`, minor units. Default 10000.
    pub degraded_value_limit: i64,
    /// What happened is kept for so many days beside the counts: back-tests and new features reach back so far. Default 40.
    pub history_days: u32,
    /// Users, devices and addresses whose clusters are followed at once. Default 200000.
    pub graph_nodes: usize,
}

impl Default for InlineConfig {
    fn default() -> Self {
        Self {
            device_per_second: 20,
            device_burst: 200,
            ip_per_second: 200,
            ip_burst: 2_000,
            max_keys: 1_000_000,
            stale_after_ms: 30_000,
            degraded_value_limit: 10_000,
            history_days: 40,
            graph_nodes: 200_000,
        }
    }
}

/// What test merchants can force by their device ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forced {
    /// `test_block`
    Block,
    /// `test_challenge`
    Challenge,
    /// `test_review`
    Review,
    /// `test_degraded`
    Degraded,
}

impl Forced {
    /// What a device id forces.
    pub fn of(device_id: &str) -> Option<Self> {
        match device_id {
            "test_block" => Some(Self::Block),
            "test_challenge" => Some(Self::Challenge),
            "test_review" => Some(Self::Review),
            "test_degraded" => Some(Self::Degraded),
            _ => None,
        }
    }

    /// What is done then, whatever is known.
    pub(crate) fn action(self) -> Option<Action> {
        match self {
            Self::Block => Some(Action::Block),
            Self::Challenge => Some(Action::Challenge),
            Self::Review => Some(Action::Review),
            Self::Degraded => None,
        }
    }
}

/// Who asks to claim, lock or redeem.
#[derive(Clone, Debug)]
pub struct Question {
    /// At which merchant.
    pub merchant: MerchantId,
    /// The device, if told.
    pub device: Option<Pseudonym>,
    /// The address, if told.
    pub ip: Option<Pseudonym>,
    /// The address's /24, if told.
    pub ip24: Option<Pseudonym>,
    /// The user, if told.
    pub user: Option<Pseudonym>,
    /// Where the end user is, if told.
    pub place: Option<Place>,
    /// What was not told.
    pub missing: Vec<String>,
    /// What a test merchant forces.
    pub forced: Option<Forced>,
    /// For what, where and for how much.
    pub occasion: Occasion,
    /// The merchant's zone.
    pub zone: Option<chrono_tz::Tz>,
    /// The key under which the request is known, if it has one.
    pub request: Option<RequestKey>,
    /// Under which number a refusal is known.
    pub number: u64,
    /// The wall clock, milliseconds.
    pub now_ms: i64,
}
