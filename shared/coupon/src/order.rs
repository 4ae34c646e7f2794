//! An order as the till describes it.

use crate::money::Currency;

/// The most coupons in one order, over all requests.
pub const MAX_COUPONS_PER_ORDER: usize = 30;
/// The most lines of one order.
pub const MAX_LINES: usize = 500;

/// One line of an order. Amounts are minor units of the order's currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderLine {
    /// Unique in the order.
    pub id: String,
    /// Which goods.
    pub sku: String,
    /// Of which category.
    pub category: Option<String>,
    /// How many, at least 1.
    pub quantity: u32,
    /// For one.
    pub unit_amount: i64,
    /// `quantity` × `unit_amount`.
    pub amount: i64,
}

/// An order. Without lines, all of `amount` but the shipping is one line with the empty id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The caller's id.
    pub id: String,
    /// All lines and the shipping.
    pub amount: i64,
    /// Of which currency.
    pub currency: Currency,
    /// Never discounted.
    pub shipping_amount: i64,
    /// What is bought.
    pub lines: Vec<OrderLine>,
}

/// Why an order is no order: its amounts contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmountMismatch {
    /// The line's amount is not `quantity` × `unit_amount`.
    Line(usize),
    /// The sum of lines and shipping is not `amount`.
    Total {
        /// What they add up to.
        sum: i64,
    },
}

impl Order {
    /// Checks that the amounts agree.
    pub fn check_amounts(&self) -> Result<(), AmountMismatch> {
        let mut sum = i128::from(self.shipping_amount);
        for (i, line) in self.lines.iter().enumerate() {
            if i128::from(line.quantity) * i128::from(line.unit_amount) != i128::from(line.amount) {
                return Err(AmountMismatch::Line(i));
            }
            sum += i128::from(line.amount);
        }
        let wrong = if self.lines.is_empty() { sum > i128::from(self.amount) } else { sum != i128::from(self.amount) };
        if wrong {
            return Err(AmountMismatch::Total { sum: i64::try_from(sum).unwrap_or(i64::MAX) });
        }
        Ok(())
    }
}
