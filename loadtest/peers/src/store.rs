//! What a database is asked for one redemption, and what it says. Both peers answer the same question.

use http_api::problem::Result;
use serde::{Deserialize, Serialize};

use crate::codes::code_hash;

/// The one stock of a run.
pub(crate) const STOCK: i32 = 1;

/// What each coupon takes off, minor units.
pub(crate) const DISCOUNT: i64 = 1_000;

/// The least that an order must come to, minor units.
pub(crate) const MINIMUM_SPEND: i64 = 10_000;

/// The stock's currency.
pub(crate) const CURRENCY: &str = "CNY";

/// A redemption as it is sent. As with the product, a misspelled field is refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedeemRequest {
    pub(crate) coupons: Vec<CouponUse>,
    pub(crate) order: Order,
    pub(crate) user_id: Option<String>,
    #[serde(default)]
    pub(crate) context: Context,
}

/// A coupon by its code.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CouponUse {
    pub(crate) code: String,
}

/// What is paid, minor units.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
}

/// The end user as the caller saw them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    pub(crate) device_id: Option<String>,
    pub(crate) ip: Option<String>,
}

/// One attempt, checked and ready for the database.
pub(crate) struct Attempt {
    pub(crate) idempotency_key: String,
    pub(crate) body_hash: [u8; 16],
    pub(crate) code_hash: [u8; 16],
    pub(crate) request: RedeemRequest,
    pub(crate) at_ms: i64,
}

impl Attempt {
    /// Codes may be typed with dashes, spaces and small letters.
    pub(crate) fn normalized_hash(code: &str) -> [u8; 16] {
        if code.len() == 16 && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
            return code_hash(code.as_bytes());
        }
        let bytes: Vec<u8> =
            code.bytes().filter(|b| !matches!(b, b'-' | b' ')).map(|b| b.to_ascii_uppercase()).collect();
        code_hash(&bytes)
    }
}

/// What the database decided, now or when the same request came first.
pub(crate) struct Decided {
    /// The key has been used for this very request before.
    pub(crate) replayed: bool,
    /// `redeemed`, or the name of the problem's code.
    pub(crate) outcome: String,
    /// The redemption: of this request, or, where the coupon had been redeemed, of the one that has it.
    pub(crate) redemption_id: i64,
    /// When that was, milliseconds since 1970.
    pub(crate) redeemed_at_ms: i64,
    /// The order that the coupon was redeemed for.
    pub(crate) redeemed_by_order: String,
    /// The coupon; 0 where there is none.
    pub(crate) coupon_id: i64,
    /// Its stock.
    pub(crate) stock_id: i32,
    /// Taken off, minor units.
    pub(crate) discount: i64,
}

/// Figures that must agree with each other.
#[derive(Debug, Serialize)]
pub(crate) struct Sums {
    /// Coupons in the state `redeemed`.
    pub(crate) redeemed: i64,
    /// Rows of the audit trail.
    pub(crate) audit_rows: i64,
    /// Spent of the stock's budget, minor units.
    pub(crate) budget_used: i64,
}

/// A database that redeems in one round trip.
pub(crate) trait Store: Send + Sync + 'static {
    /// Decides on an attempt; when it returns, the decision is durable.
    fn redeem(&self, attempt: &Attempt) -> impl Future<Output = Result<Decided>> + Send;

    /// Adds everything up.
    fn audit(&self) -> impl Future<Output = Result<Sums>> + Send;
}
