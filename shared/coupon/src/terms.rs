//! What a stock promises: value, validity, limits, where and with what it may be used.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::id::StoreId;
use crate::money::Currency;

/// Milliseconds since the Unix epoch on the log's clock.
pub type Millis = i64;

/// What a coupon is worth. Amounts are minor units of the terms' currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// Cash voucher 代金券.
    Cash {
        /// Taken off what is left of the eligible lines.
        amount_off: i64,
        /// Of undiscounted eligible lines.
        minimum_spend: i64,
    },
    /// Spend-and-save 满减券.
    SpendAndSave {
        /// Taken off for each time that counts.
        amount_off: i64,
        /// Of undiscounted eligible lines.
        minimum_spend: i64,
        /// Again for every further `minimum_spend`.
        every: bool,
        /// At most so often, where `every`.
        at_most_times: Option<u32>,
    },
    /// Discount 折扣券.
    Discount {
        /// Basis points off, 1..=10,000: 1500 is 15 % off, 8.5 折.
        percent_off_bp: u32,
        /// Of undiscounted eligible lines.
        minimum_spend: i64,
        /// At most so much off.
        maximum_off: Option<i64>,
    },
    /// Group-buy 团购券: prepaid, so that at the till one unit of the line costs nothing.
    GroupBuy {
        /// Which goods.
        sku: String,
        /// What was paid for it.
        deal_price: i64,
        /// What it costs otherwise.
        list_price: i64,
    },
    /// Gift 礼品券: the matching line's price for up to `quantity` units.
    Gift {
        /// Which goods.
        sku: String,
        /// How many units a use pays.
        quantity: u32,
    },
    /// Experience 体验券: as a gift, for a service.
    Experience {
        /// Which service.
        sku: String,
        /// How many units a use pays.
        quantity: u32,
    },
    /// Multi-use 次卡: each use admits once and takes nothing off the order.
    MultiUse {
        /// How often in all, 1..=10,000.
        uses: u32,
        /// From one use to the next.
        minimum_interval_seconds: u32,
    },
}

impl Value {
    /// What the eligible lines must come to, minor units; 0 where they need not.
    pub fn minimum_spend(&self) -> i64 {
        match self {
            Self::Cash { minimum_spend, .. }
            | Self::SpendAndSave { minimum_spend, .. }
            | Self::Discount { minimum_spend, .. } => *minimum_spend,
            Self::GroupBuy { .. } | Self::Gift { .. } | Self::Experience { .. } | Self::MultiUse { .. } => 0,
        }
    }
}

/// Which lines a coupon may discount. Empty sets do not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliesTo {
    /// Only these goods, or those of `categories`.
    pub skus: Vec<String>,
    /// Only these categories, or the goods in `skus`.
    pub categories: Vec<String>,
    /// Never these goods.
    pub except_skus: Vec<String>,
}

/// With what else a coupon may be used in one order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stacking {
    /// With no coupon of another stock.
    pub exclusive: bool,
    /// With no coupon of another stock of this group.
    pub group: Option<String>,
    /// Coupons of this stock in one order.
    pub max_per_order: u32,
}

impl Default for Stacking {
    fn default() -> Self {
        Self { exclusive: false, group: None, max_per_order: 1 }
    }
}

/// Where the codes of a stock come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CodeMode {
    /// Made as coupons are claimed.
    Generated,
    /// Taken from batches made ahead.
    Pool,
    /// Taken from the merchant's own codes.
    Imported,
}

/// From when until when a claimed coupon may be used; the end is exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Validity {
    /// The same for all.
    Fixed {
        /// First moment.
        from: Millis,
        /// First moment after.
        until: Millis,
    },
    /// Counted in the merchant's days from the day of the claim.
    AfterClaim {
        /// 0: from the moment of the claim; n: from 0:00 of the n-th day after.
        delay_days: u32,
        /// Ends at 24:00 of the `days`-th day, the first one included.
        days: u32,
    },
}

/// Caps on events. `None` does not limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Claims of one user.
    pub per_user: Option<u64>,
    /// Claims of one user in one of the merchant's days.
    pub per_user_day: Option<u64>,
    /// Claims in one day.
    pub per_day: Option<u64>,
    /// Redemptions of one user in one day.
    pub user_day_redemptions: Option<u64>,
    /// Redemptions in one store and day.
    pub store_day_redemptions: Option<u64>,
}

/// A time of the week in the merchant's zone in which coupons may be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AvailableTime {
    /// ISO weekdays, 1 = Monday to 7 = Sunday.
    pub weekdays: Vec<u8>,
    /// Minutes after 0:00 of the day, 0..1440.
    pub from_minute: u16,
    /// Exclusive, 1..=1440; at or before `from_minute` it is of the following day.
    pub until_minute: u16,
}

/// All that a stock's coupons are decided by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Value, and with it the type of coupon.
    pub value: Value,
    /// The one currency of the value, the budget and the orders.
    pub currency: Currency,
    /// Where codes come from.
    pub code_mode: CodeMode,
    /// Claims are open from here on.
    pub claim_from: Option<Millis>,
    /// Claims are closed from here on.
    pub claim_until: Option<Millis>,
    /// When coupons may be used.
    pub validity: Validity,
    /// Only in these stores; empty: in all.
    pub store_ids: Vec<StoreId>,
    /// On which lines.
    pub applies_to: AppliesTo,
    /// With which other coupons.
    pub stacking: Stacking,
    /// How many days after a redemption it may be reversed.
    pub reversal_window_days: u32,
    /// Empty: at any time.
    pub available_times: Vec<AvailableTime>,
}

impl Terms {
    /// When coupons may be claimed, as `[from, until)`: never past a validity that is the same for all.
    pub fn claim_window(&self) -> (Millis, Millis) {
        let until = self.claim_until.unwrap_or(Millis::MAX);
        let until = match self.validity {
            Validity::Fixed { until: end, .. } => until.min(end),
            Validity::AfterClaim { .. } => until,
        };
        (self.claim_from.unwrap_or(Millis::MIN), until)
    }
}

impl Value {
    /// How many uses a coupon of this value starts with.
    pub fn uses(&self) -> u32 {
        match self {
            Self::MultiUse { uses, .. } => *uses,
            _ => 1,
        }
    }

    /// From one use of a coupon to its next, in milliseconds; 0 does not limit.
    pub fn minimum_interval_ms(&self) -> Millis {
        match self {
            Self::MultiUse { minimum_interval_seconds, .. } => Millis::from(*minimum_interval_seconds) * 1000,
            _ => 0,
        }
    }
}

/// A merchant's time zone as it stands in records: an IANA name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(pub Tz);

impl Serialize for Zone {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map(Zone).map_err(serde::de::Error::custom)
    }
}
