//! What a run came to: numbers that another run under the same name comes to as well.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::dataset::Dataset;

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rows of the file.
    pub rows: u64,
    /// Rows that are no claims, by reason.
    pub excluded: BTreeMap<String, u64>,
    /// Claims whose distance is unknown; they are sent all the same.
    pub distance_unknown: u64,
    /// The dataset's stocks, each a stock of the server.
    pub stocks: u64,
    /// Claims sent.
    pub claims_sent: u64,
    /// Claims answered 201.
    pub claims_created: u64,
    /// Claims refused, by code.
    pub claims_refused: BTreeMap<String, u64>,
    /// What became of the coupons that two checkouts wanted.
    pub redemptions: Redemptions,
    /// Over all stocks.
    pub conservation: Conservation,
}

/// What became of the coupons that two checkouts wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Redemptions {
    /// Coupons that were wanted.
    pub coupons: u64,
    /// Requests: two for each.
    pub attempted: u64,
    /// Requests that were answered 201.
    pub won: u64,
    /// Requests that were refused, by code; `already_redeemed` is what the loser should hear.
    pub refused: BTreeMap<String, u64>,
    /// `already_redeemed` that named another redemption than the winner's, or came without a winner.
    pub misnamed: u64,
    /// The winner's request sent once more.
    pub repeated: u64,
    /// Repetitions answered byte for byte as the first time, and marked as such.
    pub repeated_equal: u64,
    /// Coupons that both checkouts were given, and redemptions and coupons that were named twice.
    pub double: u64,
    /// 201s of which the server knows nothing afterwards, or something else.
    pub lost: u64,
}

/// Sums over all stocks, as the server counts them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Conservation {
    /// Stocks that were asked about.
    pub stocks: u64,
    /// Of which the server says that it holds.
    pub holds: u64,
    /// Of which the six add up to the total, the total is what was made, and claims and redemptions are what was
    /// answered 201.
    pub as_answered: u64,
    /// Coupons.
    pub total: u64,
    /// Not claimed.
    pub available: u64,
    /// Claimed, not redeemed.
    pub claimed: u64,
    /// Locked.
    pub locked: u64,
    /// Redeemed.
    pub redeemed: u64,
    /// Voided.
    pub voided: u64,
    /// Expired.
    pub expired: u64,
}

impl Counts {
    /// The part that is known from the file.
    pub(super) fn of(dataset: &Dataset) -> Self {
        Self {
            rows: dataset.rows,
            excluded: dataset.excluded.clone(),
            distance_unknown: dataset.distance_unknown,
            stocks: dataset.stocks.len() as u64,
            ..Self::default()
        }
    }

    /// The invariants that do not hold, each as a sentence. Refusals for risk are none: the rules on velocity see
    /// a month of claims within minutes.
    pub(super) fn broken(&self, dataset: &Dataset) -> Vec<String> {
        let mut broken = Vec::new();
        let mut must_equal = |what: &str, is: u64, must: u64| {
            if is != must {
                broken.push(format!("{what}: {is}, must be {must}"));
            }
        };
        let (won, conservation) = (&self.redemptions, &self.conservation);
        let excluded: u64 = self.excluded.values().sum();
        must_equal("rows sent or excluded", self.claims_sent + excluded, self.rows);
        must_equal("claims answered", self.claims_created + sum(&self.claims_refused), self.claims_sent);
        // Each stock has as many coupons as there are claims of it: a refusal that is not about risk is a false one.
        must_equal("claims refused, not for risk", not_for_risk(&self.claims_refused, &[]), 0);
        must_equal("redemptions answered", won.won + sum(&won.refused), won.attempted);
        let unfounded = not_for_risk(&won.refused, &["already_redeemed"]);
        must_equal("redemptions refused, neither for risk nor as redeemed", unfounded, 0);
        must_equal("I1, double redemptions", won.double, 0);
        must_equal("I2, redemptions lost", won.lost, 0);
        must_equal("I3, refusals that name no winner of this run", won.misnamed, 0);
        must_equal("I3, repetitions equal to the first answer", won.repeated_equal, won.repeated);
        must_equal("I9, stocks whose conservation holds", conservation.holds, conservation.stocks);
        must_equal("I9, stocks that are as they were answered", conservation.as_answered, dataset.stocks.len() as u64);
        must_equal("I9, coupons redeemed", conservation.redeemed, won.won);
        broken
    }
}

fn sum(by_code: &BTreeMap<String, u64>) -> u64 {
    by_code.values().sum()
}

fn not_for_risk(by_code: &BTreeMap<String, u64>, also: &[&str]) -> u64 {
    const RISK: [&str; 3] = ["risk_blocked", "challenge_required", "risk_review"];
    let counts = |code: &&String| !RISK.contains(&code.as_str()) && !also.contains(&code.as_str());
    by_code.iter().filter(|(code, _)| counts(code)).map(|(_, n)| n).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three rows, one of them null; two coupons, one of them wanted by two.
    fn sound() -> (Dataset, Counts) {
        let text = concat!(
            "User_id,Merchant_id,Coupon_id,Discount_rate,Distance,Date_received\n",
            "1,1,1,30:5,null,20160701\n2,1,1,30:5,1,20160701\n2,null,1,30:5,1,20160701\n",
        );
        let dataset = Dataset::read(text.as_bytes()).expect("readable");
        let mut counts = Counts::of(&dataset);
        counts.claims_sent = 2;
        counts.claims_created = 2;
        counts.redemptions = Redemptions {
            coupons: 1,
            attempted: 2,
            won: 1,
            refused: BTreeMap::from([("already_redeemed".to_owned(), 1)]),
            repeated: 1,
            repeated_equal: 1,
            ..Redemptions::default()
        };
        counts.conservation = Conservation {
            stocks: 1,
            holds: 1,
            as_answered: 1,
            total: 2,
            claimed: 1,
            redeemed: 1,
            ..Conservation::default()
        };
        (dataset, counts)
    }

    #[test]
    fn a_sound_run_breaks_nothing() {
        let (dataset, counts) = sound();
        assert_eq!(counts.broken(&dataset), [""; 0]);
    }

    #[test]
    fn each_broken_invariant_is_said() {
        type Change = fn(&mut Counts);
        let table: [(&str, Change); 10] = [
            ("rows sent", |counts| counts.rows += 1),
            ("claims answered", |counts| counts.claims_created -= 1),
            ("not for risk", |counts| {
                counts.claims_created -= 1;
                counts.claims_refused.insert("stock_sold_out".to_owned(), 1);
            }),
            ("neither for risk", |counts| {
                counts.redemptions.refused = BTreeMap::from([("order_below_minimum".to_owned(), 1)]);
            }),
            ("I1", |counts| counts.redemptions.double = 1),
            ("I2", |counts| counts.redemptions.lost = 1),
            ("I3, refusals", |counts| counts.redemptions.misnamed = 1),
            ("I3, repetitions", |counts| counts.redemptions.repeated_equal = 0),
            ("I9, stocks whose", |counts| counts.conservation.holds = 0),
            ("I9, coupons", |counts| counts.conservation.redeemed = 2),
        ];
        for (begins, change) in table {
            let (dataset, mut counts) = sound();
            change(&mut counts);
            let broken = counts.broken(&dataset);
            assert!(broken.iter().any(|text| text.contains(begins)), "{begins}: {broken:?}");
        }
    }

    #[test]
    fn a_refusal_for_risk_breaks_nothing() {
        let (dataset, mut counts) = sound();
        counts.redemptions.refused = BTreeMap::from([("risk_blocked".to_owned(), 1)]);
        assert_eq!(counts.broken(&dataset), [""; 0]);
    }
}
