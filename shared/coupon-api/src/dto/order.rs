//! Orders, and what is asked of coupons in them.

use std::collections::{BTreeMap, HashSet};

use coupon::id::StoreId;
use coupon::money::{Currency, MAX_AMOUNT};
use coupon::order::{AmountMismatch, MAX_COUPONS_PER_ORDER, MAX_LINES};
use http_api::body::Check;
use http_api::problem::{Code, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::dto::context::{Context, is_phone_number, opaque};

/// An order. All amounts are minor units of `currency`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The caller's id, 1..=128 characters: all that is redeemed for one id is one order.
    #[schema(example = "8431")]
    pub id: String,
    /// All lines and the shipping.
    #[schema(example = 12800)]
    pub amount: i64,
    /// ISO 4217.
    #[schema(value_type = String, example = "CNY")]
    pub currency: Currency,
    /// Never discounted.
    #[serde(default)]
    pub shipping_amount: i64,
    /// What is bought; left out, the order is one line that only coupons for everything apply to.
    #[serde(default)]
    pub lines: Vec<Line>,
}

/// A line of an order.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Unique in the order, 1..=64 characters.
    pub id: String,
    /// Which goods, 1..=128 characters.
    pub sku: String,
    /// Of which category.
    pub category: Option<String>,
    /// 1..=1,000,000.
    pub quantity: u32,
    /// For one.
    pub unit_amount: i64,
    /// `quantity` × `unit_amount`.
    pub amount: i64,
}

/// A coupon of a request, by its code or its id.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CouponUse {
    /// As printed or shown.
    #[schema(example = "7K3M-9QRT-XV2B-4HNE")]
    pub code: Option<String>,
    /// Instead of the code.
    pub coupon_id: Option<String>,
    /// Of a multi-use coupon, 1..=10,000.
    #[serde(default = "one")]
    pub uses: u32,
}

fn one() -> u32 {
    1
}

/// Which lock is redeemed.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LockRef {
    /// `lck_...`
    pub id: String,
    /// As the lock's answer said.
    pub token: String,
}

/// A validation or a redemption.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UseRequest {
    /// 1..=30, all or nothing; may be left out under a lock.
    #[serde(default)]
    pub coupons: Vec<CouponUse>,
    /// What is paid.
    pub order: Order,
    /// Opaque, never a phone number.
    pub user_id: Option<String>,
    /// `str_...`
    pub store_id: Option<String>,
    /// The caller's id of the cashier.
    pub cashier_id: Option<String>,
    /// The caller's id of the till.
    pub terminal_id: Option<String>,
    /// Redeems what this lock holds, exactly as it was quoted.
    pub lock: Option<LockRef>,
    /// The end user.
    #[serde(default)]
    pub context: Context,
    /// The caller's.
    pub reference: Option<String>,
    /// The caller's.
    pub metadata: Option<BTreeMap<String, String>>,
}

/// A lock: a quote that holds for a time.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LockRequest {
    /// 1..=30, all or nothing.
    pub coupons: Vec<CouponUse>,
    /// What is going to be paid.
    pub order: Order,
    /// Opaque, never a phone number.
    pub user_id: Option<String>,
    /// `str_...`
    pub store_id: Option<String>,
    /// The caller's id of the cashier.
    pub cashier_id: Option<String>,
    /// The caller's id of the till.
    pub terminal_id: Option<String>,
    /// 1..=604800.
    pub ttl_seconds: u32,
    /// The end user.
    #[serde(default)]
    pub context: Context,
    /// The caller's.
    pub reference: Option<String>,
    /// The caller's.
    pub metadata: Option<BTreeMap<String, String>>,
}

impl Order {
    /// Checks ranges and sums.
    pub fn check(&self) -> Result<(), Problem> {
        let money = |amount: i64| (0..=MAX_AMOUNT).contains(&amount);
        let mut check = Check::new()
            .length("/order/id", &self.id, 1..=128)
            .field("/order/amount", money(self.amount), "must be 0 to 100,000,000,000,000 minor units")
            .field("/order/shipping_amount", money(self.shipping_amount), "must be 0 to 100,000,000,000,000")
            .field("/order/lines", self.lines.len() <= MAX_LINES, "must have at most 500 lines");
        let mut ids = HashSet::new();
        for (i, line) in self.lines.iter().enumerate() {
            let at = |field: &str| format!("/order/lines/{i}/{field}");
            check = check
                .length(&at("id"), &line.id, 1..=64)
                .field_at(|| at("id"), ids.insert(&line.id), "must be unique in the order")
                .length(&at("sku"), &line.sku, 1..=128)
                .length(&at("category"), line.category.as_deref().unwrap_or("-"), 1..=128)
                .field_at(|| at("quantity"), (1..=1_000_000).contains(&line.quantity), "must be 1 to 1,000,000")
                .field_at(|| at("unit_amount"), money(line.unit_amount), "must be 0 to 100,000,000,000,000")
                .field_at(|| at("amount"), money(line.amount), "must be 0 to 100,000,000,000,000");
        }
        check.done()
    }

    /// As the rules know it, once its amounts agree.
    pub fn into_order(self) -> Result<coupon::order::Order, Problem> {
        let order = coupon::order::Order {
            id: self.id,
            amount: self.amount,
            currency: self.currency,
            shipping_amount: self.shipping_amount,
            lines: self
                .lines
                .into_iter()
                .map(|line| coupon::order::OrderLine {
                    id: line.id,
                    sku: line.sku,
                    category: line.category,
                    quantity: line.quantity,
                    unit_amount: line.unit_amount,
                    amount: line.amount,
                })
                .collect(),
        };
        match order.check_amounts() {
            Ok(()) => Ok(order),
            Err(AmountMismatch::Line(i)) => {
                let detail = format!("Line {i}: quantity × unit_amount is not amount.");
                Err(Problem::new(Code::OrderAmountMismatch, detail).pointer(format!("/order/lines/{i}/amount")))
            }
            Err(AmountMismatch::Total { sum }) => {
                let detail = format!("Lines and shipping come to {sum}, amount says {}.", order.amount);
                Err(Problem::new(Code::OrderAmountMismatch, detail).pointer("/order/amount").with("sum", sum))
            }
        }
    }
}

/// Checks the coupons of a request; none at all only where a lock names them.
pub fn check_coupons(coupons: &[CouponUse], may_be_empty: bool) -> Result<(), Problem> {
    if coupons.is_empty() && !may_be_empty {
        return Err(Problem::new(Code::InvalidField, "/coupons must name 1 to 30 coupons.").pointer("/coupons"));
    }
    let mut check =
        Check::new().field("/coupons", coupons.len() <= MAX_COUPONS_PER_ORDER, "must name at most 30 coupons");
    for (i, coupon) in coupons.iter().enumerate() {
        let at = |field: &str| format!("/coupons/{i}{field}");
        let named_once = coupon.code.is_some() != coupon.coupon_id.is_some();
        check = check
            .field_at(|| at(""), named_once, "must have either code or coupon_id")
            .length(&at("/code"), coupon.code.as_deref().unwrap_or("-"), 1..=128)
            .length(&at("/coupon_id"), coupon.coupon_id.as_deref().unwrap_or("-"), 1..=64)
            .field_at(|| at("/uses"), (1..=10_000).contains(&coupon.uses), "must be 1 to 10,000");
    }
    check.done()
}

/// Checks who and where.
pub fn check_actor(
    user_id: Option<&str>,
    store_id: Option<&str>,
    cashier_id: Option<&str>,
    terminal_id: Option<&str>,
) -> Result<(), Problem> {
    let no_phone_number = user_id.is_none_or(|user| !is_phone_number(user));
    let check = opaque(Check::new(), "/user_id", user_id).field(
        "/user_id",
        no_phone_number,
        "must be an opaque id, not a phone number",
    );
    let check = opaque(check, "/store_id", store_id);
    let check = opaque(check, "/cashier_id", cashier_id);
    opaque(check, "/terminal_id", terminal_id).done()
}

/// A store as a caller names it.
pub fn store(text: Option<&str>) -> Result<Option<StoreId>, Problem> {
    let unknown = |_| Problem::of(Code::StoreNotFound).pointer("/store_id");
    text.map(|text| text.parse().map_err(unknown)).transpose()
}
