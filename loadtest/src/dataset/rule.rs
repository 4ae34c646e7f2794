//! A coupon's rule as the data writes it.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

/// What a coupon is worth. Amounts are fen; they are written in yuan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// `30:5`: spend 30, save 5.
    SpendAndSave {
        /// From how much on, fen.
        minimum: i64,
        /// How much less, fen.
        off: i64,
    },
    /// `0.9`: nine tenths of the price.
    Rate {
        /// What is left of the price, basis points, 1..=9999.
        rate_bp: i64,
    },
}

/// A text that is no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a rule such as 30:5 or 0.9")]
pub struct RuleError;

/// The largest amount that a rule may name, in yuan: far above any real one, far below what overflows.
const MAX_YUAN: i64 = 1_000_000_000;

/// What is paid at the till for a coupon without a minimum, fen.
const USUAL_ORDER: i64 = 10_000;

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        if let Some((minimum, off)) = text.split_once(':') {
            let (minimum, off) = (decimal(minimum, 2)?, decimal(off, 2)?);
            return if off > 0 { Ok(Self::SpendAndSave { minimum, off }) } else { Err(RuleError) };
        }
        let rate_bp = decimal(text, 4)?;
        if (1..10_000).contains(&rate_bp) { Ok(Self::Rate { rate_bp }) } else { Err(RuleError) }
    }
}

/// A decimal number with at most `places` places, in units of the last of them.
fn decimal(text: &str, places: u32) -> Result<i64, RuleError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let dangling = text.contains('.') && fraction.is_empty();
    if whole.is_empty() || dangling || !digits(whole) || !digits(fraction) || fraction.len() > places as usize {
        return Err(RuleError);
    }
    let whole: i64 = whole.parse().map_err(|_| RuleError)?;
    let parts: i64 = if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| RuleError)? };
    if whole > MAX_YUAN {
        return Err(RuleError);
    }
    Ok(whole * 10_i64.pow(places) + parts * 10_i64.pow(places - fraction.len() as u32))
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yuan = |fen: i64| match fen % 100 {
            0 => (fen / 100).to_string(),
            rest => format!("{}.{rest:02}", fen / 100),
        };
        match self {
            Self::SpendAndSave { minimum, off } => write!(f, "{}:{}", yuan(*minimum), yuan(*off)),
            Self::Rate { rate_bp } => f.write_str(format!("0.{rate_bp:04}").trim_end_matches('0')),
        }
    }
}

impl Rule {
    /// The type of stock that the API has for it.
    pub fn stock_type(self) -> &'static str {
        match self {
            Self::SpendAndSave { .. } => "spend_and_save",
            Self::Rate { .. } => "discount",
        }
    }

    /// The stock's `value`.
    pub fn value(self) -> Value {
        let yuan = |amount: i64| json!({"amount": amount, "currency": "CNY"});
        match self {
            Self::SpendAndSave { minimum, off } => json!({"amount_off": yuan(off), "minimum_spend": yuan(minimum)}),
            Self::Rate { rate_bp } => json!({"percent_off_bp": 10_000 - rate_bp, "minimum_spend": yuan(0)}),
        }
    }

    /// An order, in fen, that fits the rule and from which something is taken off.
    pub fn order_amount(self) -> i64 {
        match self {
            Self::SpendAndSave { minimum, off } => minimum.max(off),
            Self::Rate { .. } => USUAL_ORDER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_as_they_are_written() {
        let save = |minimum, off| Ok(Rule::SpendAndSave { minimum, off });
        let table = [
            ("30:5", save(3_000, 500)),
            ("0:5", save(0, 500)),
            ("29.9:0.5", save(2_990, 50)),
            ("0.95", Ok(Rule::Rate { rate_bp: 9_500 })),
            ("0.9", Ok(Rule::Rate { rate_bp: 9_000 })),
            ("0.0001", Ok(Rule::Rate { rate_bp: 1 })),
            ("1.2", Err(RuleError)),
            ("1", Err(RuleError)),
            ("0", Err(RuleError)),
            ("null", Err(RuleError)),
            ("", Err(RuleError)),
            ("30:", Err(RuleError)),
            (":5", Err(RuleError)),
            ("30:0", Err(RuleError)),
            ("30:-5", Err(RuleError)),
            ("30:5:1", Err(RuleError)),
            ("0.", Err(RuleError)),
            (".9", Err(RuleError)),
            ("0.12345", Err(RuleError)),
            ("99999999999999999999:1", Err(RuleError)),
            ("9999999999:1", Err(RuleError)),
        ];
        for (text, rule) in table {
            assert_eq!(text.parse::<Rule>(), rule, "{text:?}");
            if let Ok(rule) = rule {
                assert_eq!(rule.to_string().parse(), Ok(rule), "{text:?} survives being written");
            }
        }
    }

    #[test]
    fn terms_and_orders_fit_the_rule() {
        let rule: Rule = "30:5".parse().expect("a rule");
        let yuan = |amount: i64| json!({"amount": amount, "currency": "CNY"});
        assert_eq!(rule.value(), json!({"amount_off": yuan(500), "minimum_spend": yuan(3_000)}));
        assert_eq!((rule.stock_type(), rule.order_amount()), ("spend_and_save", 3_000));
        let rate: Rule = "0.9".parse().expect("a rule");
        assert_eq!(rate.value()["percent_off_bp"], 1_000);
        assert_eq!((rate.stock_type(), rate.order_amount()), ("discount", 10_000));
        let gift: Rule = "0:5".parse().expect("a rule");
        assert_eq!(gift.to_string(), "0:5");
        assert_eq!(gift.order_amount(), 500, "enough for the discount to be a discount");
    }
}
