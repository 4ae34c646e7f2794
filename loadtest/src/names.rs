//! Every key and id that a run sends, derived from its name and the data: a second run sends the same ones.

use std::fmt;

use crate::dataset::{Claim, StockOf};
use crate::{Failure, Result};

/// One of the two checkouts that want the same coupon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rival {
    First,
    Second,
}

impl fmt::Display for Rival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "a",
            Self::Second => "b",
        })
    }
}

/// The names of a run.
#[derive(Clone, Debug)]
pub(crate) struct Names(String);

impl Names {
    /// Checks the run's name: it stands in idempotency keys.
    pub(crate) fn new(run: &str) -> Result<Self> {
        let sound = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
        if (1..=40).contains(&run.len()) && run.bytes().all(sound) {
            return Ok(Self(run.to_owned()));
        }
        Err(Failure::Usage(format!("--run is {run:?}; it must be 1 to 40 of A-Za-z0-9_.-")))
    }

    pub(crate) fn run(&self) -> &str {
        &self.0
    }

    /// Keys of platform calls carry the run, since all runs share the platform.
    pub(crate) fn platform(&self, what: &str, shop: &str) -> String {
        format!("{}-{what}-{shop}", self.0)
    }
}

/// A stock's key. The merchant is the run's own, so the run need not stand in it.
pub(crate) fn stock(what: &str, stock: &StockOf) -> String {
    format!("{what}-{}-{}-{}", stock.merchant, stock.coupon, stock.rule)
}

pub(crate) fn claim(claim: &Claim) -> String {
    format!("claim-{}", claim.row)
}

pub(crate) fn redeem(claim: &Claim, rival: Rival) -> String {
    format!("redeem-{}-{rival}", claim.row)
}

pub(crate) fn order(claim: &Claim, rival: Rival) -> String {
    format!("order-{}-{rival}", claim.row)
}

pub(crate) fn user(claim: &Claim) -> String {
    format!("user-{}", claim.user)
}

/// A user's claims of a day are spread over several devices: the replay packs a month into minutes, the rules on
/// velocity count by the minute, and what they refuse would depend on how fast the machine is.
pub(crate) fn device(claim: &Claim) -> String {
    format!("dev-{}-{}-{}", claim.user, claim.day, claim.row % 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Rule;

    #[test]
    fn keys_follow_from_the_data_alone() {
        let row = Claim { row: 17, user: 42, stock: 0, day: 20_160_712 };
        assert_eq!(claim(&row), "claim-17");
        assert_eq!(
            (redeem(&row, Rival::First), redeem(&row, Rival::Second)),
            ("redeem-17-a".into(), "redeem-17-b".into())
        );
        assert_ne!(order(&row, Rival::First), order(&row, Rival::Second));
        assert_eq!((user(&row), device(&row)), ("user-42".into(), "dev-42-20160712-1".into()));
        let rule: Rule = "30:5".parse().expect("a rule");
        let of = StockOf { merchant: 450, coupon: 9983, rule };
        assert_eq!(stock("activate", &of), "activate-450-9983-30:5");
        assert_eq!(Names::new("replay").expect("sound").platform("merchant", "450"), "replay-merchant-450");
    }

    #[test]
    fn a_run_has_a_name_that_fits_into_keys() {
        for bad in ["", "a b", "a/b", "跑", &"x".repeat(41)] {
            assert!(matches!(Names::new(bad), Err(Failure::Usage(_))), "{bad}");
        }
    }
}
