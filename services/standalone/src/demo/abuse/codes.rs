//! Those who use what is not theirs.

use serde_json::json;

use super::super::catalogue::{MERCHANTS, REVIEW_HOLDS};
use super::super::crowd::scattered;
use super::super::stage::{Came, Person, Stage, Till};
use super::{Kind, Patience, abuser, address, pause, place, stocks};

/// Codes tried one after the other, by hand or by a script that is as regular as a clock, until one is right: that of
/// somebody who claimed it just now. Wrong codes are refused whoever tries them; what risk control stops is the hit.
pub(super) async fn guessing(stage: &Stage, number: u64) {
    let at = place(number);
    let ip = address(stage, (Kind::Guessing, number), 3);
    let (person, victim) =
        (abuser(stage, &format!("guess{number}"), 0, &ip), abuser(stage, &format!("guessed{number}"), 0, &ip));
    let claimed = stage.claim("guessing", &victim, at).await;
    let (first, mut patience) = (scattered(number) % 1_000_000, Patience::of(3));
    for n in 0..20 {
        let running = first + n;
        let code = if n > 14 {
            json!({"code": claimed.body["code"]})
        } else {
            json!({"code": format!("7K{:02}-{:04}-0QXM-4TZR", running / 10_000 % 100, running % 10_000)})
        };
        let till = Till { store: 0, cashier: "self-service", amount: Stage::stock(at).value.minimum() * 2 };
        let body = stage.redemption(&person, (at, code), till);
        let came = stage.send("guessing", at.shop, "/v1/redemptions", body).await;
        if !patience.goes_on(&came, Came::is_stopped) {
            return;
        }
        if number.is_multiple_of(2) {
            pause(1_400, number * 100 + n).await;
        } else {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    }
}

/// Coupons that are sold within seconds: claimed by sellers, used by one buyer; at a merchant where what is to be reviewed
/// waits for somebody.
pub(super) async fn resale(stage: &Stage, number: u64) {
    let shop = MERCHANTS.iter().position(|merchant| merchant.slug == REVIEW_HOLDS).unwrap_or_default();
    let stocks = stocks(shop);
    let at = stocks[number as usize % stocks.len()];
    let buyer = abuser(stage, &format!("buyer{number}"), 0, &address(stage, (Kind::Resale, number), 5));
    for n in 0..3 {
        let seller = abuser(stage, &format!("seller{number}"), n, &address(stage, (Kind::Resale, number), 20 + n));
        let claimed = stage.claim("resale", &seller, at).await;
        pause(4_000, number * 10 + n).await;
        if !claimed.is_done() {
            continue;
        }
        let cashier = format!("{}-1-2", Stage::merchant(at).slug);
        let till = Till { store: 0, cashier: &cashier, amount: Stage::stock(at).value.minimum() * 2 };
        stage.redeem("resale", &buyer, (at, &claimed.body), till).await;
    }
}

/// One account that is here now, and a thousand kilometres away a moment later. Every other time it is the owner of both
/// phones, and proves it.
pub(super) async fn travel(stage: &Stage, number: u64) {
    let at = place(number + 1);
    let person = abuser(stage, &format!("travel{number}"), 0, &address(stage, (Kind::Travel, number), 6));
    let far = MERCHANTS[at.shop].stores.len() - 1;
    for (n, store) in [(0, 0), (1, far)] {
        let claimed = stage.claim("travel", &person, at).await;
        if !claimed.is_done() {
            return;
        }
        let person = Person { device: format!("{}-{n}", person.device), ..person.clone() };
        let cashier = format!("{}-{}-1", Stage::merchant(at).slug, store + 1);
        let till = Till { store, cashier: &cashier, amount: Stage::stock(at).value.minimum() * 2 };
        let came = stage.redeem("travel", &person, (at, &claimed.body), till).await;
        if let Some(challenge) = came.body["challenge"]["id"].as_str() {
            let path = format!("/v1/risk/challenges/{challenge}/result");
            let passed = number.is_multiple_of(2);
            stage.send("travel_proof", at.shop, &path, json!({"passed": passed, "method": "otp"})).await;
        }
        pause(6_000, number * 10 + n).await;
    }
}
