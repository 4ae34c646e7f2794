//! What the server says afterwards: of every redemption that was answered 201, and of every stock.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::Value;

use super::Options;
use super::counts::{Conservation, Counts};
use super::traffic::{Traffic, Winner};
use crate::Result;
use crate::caller::{Call, Kind};
use crate::parallel::in_parallel;
use crate::progress::Progress;

/// A stock's balance as the API answers it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Balance {
    total: u64,
    available: u64,
    claimed: u64,
    locked: u64,
    redeemed: u64,
    voided: u64,
    expired: u64,
    holds: bool,
}

/// What this run was answered about a stock.
#[derive(Clone, Copy, Debug, Default)]
struct Answered {
    total: u64,
    created: u64,
    won: u64,
}

/// Asks, and completes the counts.
pub(super) async fn run(traffic: &Arc<Traffic>, counts: &mut Counts, options: &Options) -> Result<()> {
    let winners = Arc::new(traffic.winners());
    counts.redemptions.double += named_twice(&winners);
    counts.redemptions.lost = lost(traffic, &winners, options).await?;
    counts.conservation = conservation(traffic, &winners, options).await?;
    Ok(())
}

/// Coupons and redemptions that stand in more than one winning answer.
fn named_twice(winners: &[Winner]) -> u64 {
    let (mut ids, mut coupons) = (HashSet::new(), HashSet::new());
    let mut twice = 0;
    for winner in winners {
        let (new_id, new_coupon) = (ids.insert(&winner.id), coupons.insert(&winner.coupon_id));
        twice += u64::from(!(new_id && new_coupon));
    }
    twice
}

async fn lost(traffic: &Arc<Traffic>, winners: &Arc<Vec<Winner>>, options: &Options) -> Result<u64> {
    let progress = Arc::new(Progress::new("redemptions read", winners.len() as u64, options.silent));
    let lost = Arc::new(Mutex::new(0_u64));
    let (shared, all, count, shown) = (traffic.clone(), winners.clone(), lost.clone(), progress.clone());
    let work = move |index: usize| {
        let (traffic, winners, lost, progress) = (shared.clone(), all.clone(), count.clone(), shown.clone());
        async move {
            let winner = &winners[index];
            let found = get(&traffic, winner.stock, &format!("/v1/redemptions/{}", winner.id)).await?;
            if !found.is_some_and(|found| is_as_answered(&found, winner)) {
                *lost.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            }
            progress.advance();
            Ok(())
        }
    };
    in_parallel(winners.len(), options.concurrency, work).await?;
    progress.finish();
    let lost = *lost.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(lost)
}

fn is_as_answered(found: &Value, winner: &Winner) -> bool {
    found["id"] == *winner.id
        && found["state"] == "redeemed"
        && found["order"]["id"] == *winner.order_id
        && found["coupons"][0]["coupon_id"] == *winner.coupon_id
}

async fn conservation(traffic: &Arc<Traffic>, winners: &Arc<Vec<Winner>>, options: &Options) -> Result<Conservation> {
    let stocks = &traffic.dataset.stocks;
    let mut answered: Vec<Answered> =
        stocks.iter().map(|stock| Answered { total: stock.claims, ..Answered::default() }).collect();
    for (answered, created) in answered.iter_mut().zip(traffic.created_by_stock()) {
        answered.created = created;
    }
    winners.iter().for_each(|winner| answered[winner.stock].won += 1);
    let progress = Arc::new(Progress::new("stocks read", stocks.len() as u64, options.silent));
    let sums = Arc::new(Mutex::new(Conservation::default()));
    let (shared, answered, sum, shown) = (traffic.clone(), Arc::new(answered), sums.clone(), progress.clone());
    let work = move |index: usize| {
        let (traffic, answered, sums, progress) = (shared.clone(), answered.clone(), sum.clone(), shown.clone());
        async move {
            let path = format!("/v1/stocks/{}/conservation", traffic.shops.stock(index).id);
            let found = get(&traffic, index, &path).await?;
            let balance = found.and_then(|found| serde_json::from_value::<Balance>(found).ok());
            let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
            sums.add(balance, answered[index]);
            progress.advance();
            Ok(())
        }
    };
    in_parallel(stocks.len(), options.concurrency, work).await?;
    progress.finish();
    let sums = sums.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(sums)
}

/// A JSON answer; `None` for a refusal.
async fn get(traffic: &Traffic, stock: usize, path: &str) -> Result<Option<Value>> {
    let credentials = traffic.shops.credentials(stock);
    let call = Call { kind: Kind::Read, credentials, method: "GET", path, key: None, body: None };
    let reply = traffic.caller.settle(&call).await?;
    Ok(reply.status.is_success().then(|| reply.json().ok()).flatten())
}

impl Conservation {
    /// A stock that is not there counts as one that does not hold.
    fn add(&mut self, balance: Option<Balance>, answered: Answered) {
        self.stocks += 1;
        let Some(b) = balance else { return };
        self.holds += u64::from(b.holds);
        self.as_answered += u64::from(b.is(answered));
        self.total += b.total;
        self.available += b.available;
        self.claimed += b.claimed;
        self.locked += b.locked;
        self.redeemed += b.redeemed;
        self.voided += b.voided;
        self.expired += b.expired;
    }
}

impl Balance {
    fn is(self, answered: Answered) -> bool {
        let taken = self.claimed + self.locked + self.redeemed + self.voided + self.expired;
        self.available + taken == self.total
            && (self.total, taken, self.redeemed) == (answered.total, answered.created, answered.won)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn winner(id: &str, coupon: &str) -> Winner {
        let (id, coupon_id, order_id) = (id.to_owned(), coupon.to_owned(), "order-3-a".to_owned());
        Winner { stock: 0, id, coupon_id, order_id }
    }

    #[test]
    fn a_coupon_or_a_redemption_that_wins_twice_is_double() {
        let one = winner("rdm_1", "cpn_1");
        assert_eq!(named_twice(&[one.clone(), winner("rdm_2", "cpn_2")]), 0);
        assert_eq!(named_twice(&[one.clone(), winner("rdm_2", "cpn_1")]), 1);
        assert_eq!(named_twice(&[one, winner("rdm_1", "cpn_2")]), 1);
    }

    #[test]
    fn a_redemption_is_lost_if_it_is_not_as_it_was_answered() {
        let of = |id: &str, order: &str, coupon: &str, state: &str| serde_json::json!({"id": id, "state": state, "order": {"id": order}, "coupons": [{"coupon_id": coupon}]});
        let winner = winner("rdm_1", "cpn_1");
        assert!(is_as_answered(&of("rdm_1", "order-3-a", "cpn_1", "redeemed"), &winner));
        assert!(!is_as_answered(&of("rdm_1", "order-3-b", "cpn_1", "redeemed"), &winner));
        assert!(!is_as_answered(&of("rdm_1", "order-3-a", "cpn_2", "redeemed"), &winner));
        assert!(!is_as_answered(&of("rdm_1", "order-3-a", "cpn_1", "reversed"), &winner));
        assert!(!is_as_answered(&Value::Null, &winner));
    }

    #[test]
    fn a_balance_is_held_against_the_answers() {
        let answered = Answered { total: 3, created: 2, won: 1 };
        let sound = Balance { total: 3, available: 1, claimed: 1, redeemed: 1, holds: true, ..Balance::default() };
        let mut sums = Conservation::default();
        sums.add(Some(sound), answered);
        sums.add(Some(Balance { redeemed: 2, claimed: 0, ..sound }), answered);
        sums.add(Some(Balance { available: 2, ..sound }), answered);
        sums.add(None, answered);
        assert_eq!((sums.stocks, sums.holds, sums.as_answered, sums.redeemed), (4, 3, 1, 4));
    }
}
