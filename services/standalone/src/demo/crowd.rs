//! Honest shoppers: households behind one address, phones of their own or shared, each with a favourite store.

use std::collections::VecDeque;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use super::catalogue::MERCHANTS;
use super::stage::{At, Came, Person, Stage, Till};

/// As the tally calls them.
pub(super) const HONEST: &str = "honest";
/// Users of a household.
const HOUSEHOLD: u64 = 3;
/// Visits after which a shopper has had enough for today: nobody comes often enough to look like a machine.
const MOST_VISITS: u32 = 5;

/// Who is about: each comes in turn, and makes room for a newcomer after some visits.
pub(super) struct Crowd {
    waiting: VecDeque<(u64, u32)>,
    next: u64,
    rng: SmallRng,
}

impl Crowd {
    /// So many shoppers. Those of a later run are others, so that nobody comes more often than people do.
    pub(super) fn new(size: u64, run: u64) -> Self {
        let first = run / 60 * 200;
        // In no order of households: members come at different times.
        let waiting = (0..size).map(|n| (first + n * 7 % size, 0)).collect();
        Self { waiting, next: first + size, rng: SmallRng::seed_from_u64(run) }
    }

    /// Whether somebody comes, with a probability of `share`.
    pub(super) fn comes(&mut self, share: f64) -> bool {
        self.rng.random_bool(share.clamp(0.0, 1.0))
    }

    /// The next to come.
    pub(super) fn next(&mut self) -> Visit {
        let (number, visits) = self.waiting.pop_front().unwrap_or((self.next, 0));
        let stays = visits + 1 < MOST_VISITS && self.rng.random_range(0..3) > 0;
        let again = if stays {
            (number, visits + 1)
        } else {
            self.next += 1;
            (self.next, 0)
        };
        self.waiting.push_back(again);
        Visit::of(number, &mut self.rng)
    }
}

/// A number that looks drawn, and is always the same for the same number (Steele, Lea, Flood: `SplitMix64`).
pub(super) fn scattered(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A shopper's visit, from the claim to the till.
pub(super) struct Visit {
    person: Person,
    at: At,
    store: usize,
    rng: SmallRng,
}

impl Visit {
    fn of(number: u64, rng: &mut SmallRng) -> Self {
        let household = number / HOUSEHOLD;
        let home = scattered(household);
        // In every fifth household two of the three share a phone.
        let shares = number % HOUSEHOLD == 2 && home.is_multiple_of(5);
        let phone = if shares { number - 1 } else { number };
        // 198.18.0.0/15 is for tests (RFC 2544): no one's.
        let ip = format!("198.{}.{}.{}", 18 + home % 2, (home >> 8) % 256, (home >> 16) % 254 + 1);
        let person = Person { user: format!("shopper-{number}"), device: format!("phone-{phone}"), ip };
        let shop = weighted(home >> 24, MERCHANTS.iter().map(|merchant| merchant.share));
        let merchant = &MERCHANTS[shop];
        let stock = weighted(rng.random(), merchant.stocks.iter().map(|stock| stock.weight));
        // Zipf: the second store has half of the first one's customers, the third a third.
        let store = weighted(scattered(home), (0..merchant.stores.len()).map(|rank| 60 / (rank as u32 + 1)));
        Self { person, at: At { shop, stock }, store, rng: SmallRng::seed_from_u64(rng.random()) }
    }

    /// Wants what everybody wants.
    pub(super) fn for_stock(mut self, at: At) -> Self {
        self.store %= MERCHANTS[at.shop].stores.len();
        Self { at, ..self }
    }

    /// Claims a coupon, and uses it some time later; most of the time.
    pub(super) async fn run(mut self, stage: &Stage) {
        let claimed = stage.claim(HONEST, &self.person, self.at).await;
        if !claimed.is_done() || self.rng.random_range(0..10) == 0 {
            return;
        }
        // From the sofa to the till: minutes, told in seconds.
        self.pause(4..70).await;
        let cashier = format!("{}-{}-{}", Stage::merchant(self.at).slug, self.store + 1, self.rng.random_range(1..5));
        let minimum = Stage::stock(self.at).value.minimum();
        let till =
            Till { store: self.store, cashier: &cashier, amount: minimum * self.rng.random_range(103..400) / 100 };
        self.blunder(stage, &claimed, till).await;
        let redeemed = self.pay(stage, &claimed, till).await;
        if redeemed.is_done() {
            self.afterwards(stage, &claimed, &redeemed, till).await;
        }
    }

    async fn pause(&mut self, seconds: std::ops::Range<u64>) {
        tokio::time::sleep(Duration::from_millis(self.rng.random_range(seconds.start * 1_000..seconds.end * 1_000)))
            .await;
    }

    /// What goes wrong before it goes right: a typing error, a basket that is too small, a question first.
    async fn blunder(&mut self, stage: &Stage, claimed: &Came, till: Till<'_>) {
        let coupon = json!({"coupon_id": claimed.body["coupon_id"]});
        let (path, body) = match self.rng.random_range(0..100) {
            0..2 => {
                let mistyped = json!({"code": format!("{:04}-ABCD-EFGH-JKMN", self.rng.random_range(0..10_000))});
                ("/v1/redemptions", stage.redemption(&self.person, (self.at, mistyped), till))
            }
            2..5 => {
                let small = Till { amount: till.amount / 5, ..till };
                ("/v1/redemptions", stage.redemption(&self.person, (self.at, coupon), small))
            }
            5..15 => {
                let mut asked = stage.redemption(&self.person, (self.at, coupon), till);
                // A question has no cashier and no terminal.
                for field in ["cashier_id", "terminal_id"] {
                    asked.as_object_mut().map(|asked| asked.remove(field));
                }
                ("/v1/validations", asked)
            }
            _ => return,
        };
        stage.send(HONEST, self.at.shop, path, body).await;
        self.pause(1..5).await;
    }

    /// Pays; one of ten by a lock first.
    async fn pay(&mut self, stage: &Stage, claimed: &Came, till: Till<'_>) -> Came {
        if self.rng.random_range(0..10) > 0 {
            return stage.redeem(HONEST, &self.person, (self.at, &claimed.body), till).await;
        }
        let coupon = json!({"coupon_id": claimed.body["coupon_id"]});
        let mut wanted = stage.redemption(&self.person, (self.at, coupon), till);
        let mut under_lock = wanted.clone();
        wanted["ttl_seconds"] = json!(300);
        for field in ["cashier_id", "terminal_id"] {
            wanted.as_object_mut().map(|wanted| wanted.remove(field));
        }
        let lock = stage.send(HONEST, self.at.shop, "/v1/locks", wanted).await;
        if !lock.is_done() {
            return lock;
        }
        self.pause(2..8).await;
        under_lock["lock"] = json!({"id": lock.body["id"], "token": lock.body["token"]});
        under_lock.as_object_mut().map(|body| body.remove("coupons"));
        stage.send(HONEST, self.at.shop, "/v1/redemptions", under_lock).await
    }

    /// One of thirty brings it back, one of fifty tries the coupon once more.
    async fn afterwards(&mut self, stage: &Stage, claimed: &Came, redeemed: &Came, till: Till<'_>) {
        match self.rng.random_range(0..150) {
            0..5 => {
                self.pause(5..30).await;
                let path = format!("/v1/redemptions/{}/reversals", redeemed.body["id"].as_str().unwrap_or_default());
                stage.send(HONEST, self.at.shop, &path, json!({"reason": "Returned by the customer 顾客退货"})).await;
            }
            5..8 => {
                self.pause(5..15).await;
                stage.redeem(HONEST, &self.person, (self.at, &claimed.body), till).await;
            }
            _ => {}
        }
    }
}

/// Which of several, by their weights.
fn weighted(drawn: u64, weights: impl Iterator<Item = u32> + Clone) -> usize {
    let sum: u64 = weights.clone().map(u64::from).sum();
    let mut left = drawn % sum.max(1);
    for (place, weight) in weights.map(u64::from).enumerate() {
        if left < weight {
            return place;
        }
        left -= weight;
    }
    0
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn nobody_comes_too_often_and_the_crowd_does_not_grow() {
        let mut crowd = Crowd::new(300, 1_764_000_000);
        let mut visits = BTreeMap::<String, u32>::new();
        let mut devices = BTreeMap::<String, BTreeSet<String>>::new();
        for _ in 0..30_000 {
            let visit = crowd.next();
            *visits.entry(visit.person.user.clone()).or_default() += 1;
            devices.entry(visit.person.device).or_default().insert(visit.person.user);
        }
        assert_eq!(crowd.waiting.len(), 300);
        assert!(visits.values().all(|visits| *visits <= MOST_VISITS), "{:?}", visits.values().max());
        assert!(devices.values().all(|users| users.len() <= 2));
        assert!(devices.values().any(|users| users.len() == 2), "some share a phone");
    }

    #[test]
    fn weights_are_kept() {
        let mut found = [0; 3];
        for n in 0..6_000 {
            found[weighted(scattered(n), [1, 0, 2].into_iter())] += 1;
        }
        assert!(found[1] == 0 && (1_800..2_200).contains(&found[0]), "{found:?}");
    }
}
