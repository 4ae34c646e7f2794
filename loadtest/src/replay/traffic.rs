//! The claims, day after day, and the two checkouts that want every third coupon.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_api::client::Reply;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Options;
use super::counts::{Counts, Redemptions};
use super::setup::Shops;
use crate::caller::{Call, Caller, Kind, problem_code};
use crate::dataset::{Claim, Dataset};
use crate::names::{self, Rival};
use crate::parallel::in_parallel;
use crate::progress::Progress;
use crate::{Failure, Result};

/// Coupons of every so-manieth row are redeemed.
const REDEEM_EVERY: u64 = 3;

/// The run while it runs.
pub(super) struct Traffic {
    pub(super) dataset: Arc<Dataset>,
    pub(super) shops: Arc<Shops>,
    pub(super) caller: Arc<Caller>,
    progress: Progress,
    /// Told whenever as many claims are done as `kill_after` says.
    kill: Option<mpsc::UnboundedSender<()>>,
    kill_after: Vec<u64>,
    kills: AtomicU64,
    done: AtomicU64,
    claims_found: AtomicU64,
    tally: Mutex<Tally>,
}

#[derive(Default)]
struct Tally {
    sent: u64,
    refused: BTreeMap<String, u64>,
    redemptions: Redemptions,
    created_by_stock: Vec<u64>,
    winners: Vec<Winner>,
}

/// A redemption that was answered 201.
#[derive(Clone, Debug)]
pub(super) struct Winner {
    pub(super) stock: usize,
    pub(super) id: String,
    pub(super) coupon_id: String,
    pub(super) order_id: String,
}

/// What a claim's answer must have.
#[derive(Deserialize)]
struct Claimed {
    coupon_id: String,
    code: String,
}

impl Traffic {
    pub(super) fn new(
        dataset: Arc<Dataset>,
        shops: Arc<Shops>,
        caller: Arc<Caller>,
        options: &Options,
        kill: Option<mpsc::UnboundedSender<()>>,
    ) -> Self {
        let created_by_stock = vec![0; dataset.stocks.len()];
        Self {
            progress: Progress::new("claims", dataset.claims.len() as u64, options.silent),
            kill_after: options.kill_after.clone(),
            tally: Mutex::new(Tally { created_by_stock, ..Tally::default() }),
            dataset,
            shops,
            caller,
            kill,
            kills: AtomicU64::new(0),
            done: AtomicU64::new(0),
            claims_found: AtomicU64::new(0),
        }
    }

    /// Sends every claim; a day begins when the one before has been answered in full.
    pub(super) async fn run(self: &Arc<Self>, options: &Options) -> Result<()> {
        for day in self.dataset.days() {
            let traffic = self.clone();
            let start = day.start;
            let work = move |index: usize| {
                let traffic = traffic.clone();
                async move {
                    traffic.claim(start + index).await?;
                    traffic.one_more();
                    Ok(())
                }
            };
            in_parallel(day.len(), options.concurrency, work).await?;
        }
        self.progress.finish();
        Ok(())
    }

    /// What is known before the server has been asked again.
    pub(super) fn counts(&self) -> Counts {
        let tally = self.tally();
        Counts {
            claims_sent: tally.sent,
            claims_created: tally.created_by_stock.iter().sum(),
            claims_refused: tally.refused.clone(),
            redemptions: tally.redemptions.clone(),
            ..Counts::of(&self.dataset)
        }
    }

    /// Claims that the server had answered in an earlier attempt or run.
    pub(super) fn claims_found(&self) -> u64 {
        self.claims_found.load(Ordering::Relaxed)
    }

    pub(super) fn kills(&self) -> u64 {
        self.kills.load(Ordering::Relaxed)
    }

    pub(super) fn winners(&self) -> Vec<Winner> {
        self.tally().winners.clone()
    }

    pub(super) fn created_by_stock(&self) -> Vec<u64> {
        self.tally().created_by_stock.clone()
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn one_more(&self) {
        self.progress.advance();
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(kill) = self.kill.as_ref().filter(|_| self.kill_after.contains(&done)) {
            self.kills.fetch_add(1, Ordering::Relaxed);
            let _ = kill.send(());
        }
    }

    async fn claim(&self, index: usize) -> Result<()> {
        let claim = &self.dataset.claims[index];
        let key = names::claim(claim);
        let body = json!({
            "stock_id": self.shops.stock(claim.stock).id,
            "user_id": names::user(claim),
            "channel": "replay",
            "context": {"device_id": names::device(claim)},
        });
        let reply = self.post(Kind::Claim, claim, "/v1/claims", &key, body).await?;
        let code = problem_code(&reply);
        {
            let mut tally = self.tally();
            tally.sent += 1;
            if reply.status.as_u16() == 201 {
                tally.created_by_stock[claim.stock] += 1;
            } else {
                *tally.refused.entry(code).or_default() += 1;
                return Ok(());
            }
        }
        self.claims_found.fetch_add(u64::from(is_replayed(&reply)), Ordering::Relaxed);
        if !claim.row.is_multiple_of(REDEEM_EVERY) {
            return Ok(());
        }
        let claimed: Claimed =
            reply.json_as().map_err(|source| Failure::Client { what: format!("claim {key}"), source })?;
        self.fight(claim, &claimed).await
    }

    /// Two checkouts redeem the coupon at once; then the winner asks again.
    async fn fight(&self, claim: &Claim, coupon: &Claimed) -> Result<()> {
        let redeem = |rival, kind| async move {
            let key = names::redeem(claim, rival);
            self.post(kind, claim, "/v1/redemptions", &key, self.redemption(claim, rival, coupon)).await
        };
        let (first, second) = tokio::join!(redeem(Rival::First, Kind::Redeem), redeem(Rival::Second, Kind::Redeem));
        let answers = [(Rival::First, first?), (Rival::Second, second?)];
        let outcome = Outcome::of(claim, coupon, &answers);
        let repeated = match &outcome.repeat {
            None => None,
            Some((rival, first)) => {
                let again = redeem(*rival, Kind::Repeat).await?;
                let equal = again.status == first.status && again.body == first.body && is_replayed(&again);
                Some(equal)
            }
        };
        let mut tally = self.tally();
        tally.winners.extend(outcome.winners.iter().cloned());
        outcome.add_to(&mut tally.redemptions);
        tally.redemptions.repeated += u64::from(repeated.is_some());
        tally.redemptions.repeated_equal += u64::from(repeated == Some(true));
        Ok(())
    }

    fn redemption(&self, claim: &Claim, rival: Rival, coupon: &Claimed) -> Value {
        let amount = self.dataset.stocks[claim.stock].of.rule.order_amount();
        json!({
            "coupons": [{"code": coupon.code}],
            "order": {"id": names::order(claim, rival), "amount": amount, "currency": "CNY"},
            "user_id": names::user(claim),
            "context": {"device_id": names::device(claim)},
        })
    }

    async fn post(&self, kind: Kind, claim: &Claim, path: &str, key: &str, body: Value) -> Result<Reply> {
        let credentials = self.shops.credentials(claim.stock);
        self.caller.settle(&Call { kind, credentials, method: "POST", path, key: Some(key), body: Some(body) }).await
    }
}

/// What two checkouts were told of one coupon.
struct Outcome<'a> {
    winners: Vec<Winner>,
    refused: Vec<String>,
    misnamed: u64,
    repeat: Option<(Rival, &'a Reply)>,
}

impl<'a> Outcome<'a> {
    fn of(claim: &Claim, coupon: &Claimed, answers: &'a [(Rival, Reply); 2]) -> Self {
        let mut outcome = Self { winners: Vec::new(), refused: Vec::new(), misnamed: 0, repeat: None };
        for (rival, reply) in answers {
            if reply.status.as_u16() != 201 {
                outcome.refused.push(problem_code(reply));
                continue;
            }
            outcome.repeat = Some((*rival, reply));
            outcome.winners.push(Winner {
                stock: claim.stock,
                id: reply.json().unwrap_or_default()["id"].as_str().unwrap_or_default().to_owned(),
                coupon_id: coupon.coupon_id.clone(),
                order_id: names::order(claim, *rival),
            });
        }
        let named = |reply: &Reply| {
            let problem = reply.json().unwrap_or_default();
            (
                problem["redemption_id"].as_str().map(str::to_owned),
                problem["redeemed_by_order"].as_str().map(str::to_owned),
            )
        };
        let right = |reply: &Reply| {
            let (id, order) = named(reply);
            let fits = |winner: &Winner| id.as_ref() == Some(&winner.id) && order.as_ref() == Some(&winner.order_id);
            outcome.winners.iter().any(fits)
        };
        let losers = answers.iter().filter(|(_, reply)| problem_code(reply) == "already_redeemed");
        outcome.misnamed = losers.filter(|(_, reply)| !right(reply)).count() as u64;
        outcome
    }

    fn add_to(&self, redemptions: &mut Redemptions) {
        redemptions.coupons += 1;
        redemptions.attempted += 2;
        redemptions.won += self.winners.len() as u64;
        redemptions.double += u64::from(self.winners.len() > 1);
        redemptions.misnamed += self.misnamed;
        for code in &self.refused {
            *redemptions.refused.entry(code.clone()).or_default() += 1;
        }
    }
}

fn is_replayed(reply: &Reply) -> bool {
    reply.header("idempotency-replayed") == "true"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &Value) -> Reply {
        let status = status.try_into().expect("a status");
        Reply { status, headers: http_api::axum::http::HeaderMap::new(), body: body.to_string().into() }
    }

    fn outcome(first: Reply, second: Reply) -> Redemptions {
        let claim = Claim { row: 3, user: 1, stock: 0, day: 20_160_701 };
        let coupon = Claimed { coupon_id: "cpn_1".to_owned(), code: "A".to_owned() };
        let mut redemptions = Redemptions::default();
        Outcome::of(&claim, &coupon, &[(Rival::First, first), (Rival::Second, second)]).add_to(&mut redemptions);
        redemptions
    }

    fn won(id: &str) -> Reply {
        answer(201, &json!({"id": id}))
    }

    fn lost_to(id: &str, order: &str) -> Reply {
        answer(409, &json!({"code": "already_redeemed", "redemption_id": id, "redeemed_by_order": order}))
    }

    #[test]
    fn one_wins_and_the_other_hears_of_whom() {
        let counted = outcome(lost_to("rdm_1", "order-3-b"), won("rdm_1"));
        let refused = BTreeMap::from([("already_redeemed".to_owned(), 1)]);
        let expected = Redemptions { coupons: 1, attempted: 2, won: 1, refused, ..Redemptions::default() };
        assert_eq!(counted, expected);
    }

    #[test]
    fn what_must_not_be_is_counted() {
        assert_eq!(outcome(won("rdm_1"), won("rdm_2")).double, 1);
        assert_eq!(outcome(won("rdm_1"), won("rdm_1")).double, 1, "two keys have two redemptions, or one of them none");
        assert_eq!(outcome(won("rdm_1"), lost_to("rdm_2", "order-3-a")).misnamed, 1, "another redemption");
        assert_eq!(outcome(won("rdm_1"), lost_to("rdm_1", "order-9-a")).misnamed, 1, "another order");
        let nobody = outcome(lost_to("rdm_1", "order-3-a"), lost_to("rdm_1", "order-3-a"));
        assert_eq!((nobody.won, nobody.misnamed), (0, 2), "redeemed, but by none of both");
        let blocked = || answer(403, &json!({"code": "risk_blocked"}));
        assert_eq!((outcome(blocked(), blocked()).misnamed, outcome(won("r"), blocked()).won), (0, 1));
    }
}
