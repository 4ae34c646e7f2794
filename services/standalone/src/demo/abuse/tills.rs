//! Cashiers who help themselves.

use super::super::catalogue::{LOOSE, MERCHANTS};
use super::super::stage::{At, Came, Stage, Till};
use super::{Kind, Patience, abuser, address, pause, stocks};

fn loose() -> usize {
    MERCHANTS.iter().position(|merchant| merchant.slug == LOOSE).unwrap_or_default()
}

fn is_noticed(came: &Came) -> bool {
    came.is_stopped() || came.of == "review"
}

/// A cashier rings up the coupons of nine friends until somebody looks.
pub(super) async fn collusion(stage: &Stage, number: u64) {
    let stocks: Vec<At> = stocks(loose());
    let store = number as usize % MERCHANTS[loose()].stores.len();
    let cashier = format!("{LOOSE}-{}-night-{}-{number}", store + 1, stage.run % 100_000_000);
    let mut patience = Patience::of(4);
    for n in 0..60 {
        let friend =
            abuser(stage, &format!("friend{number}"), n % 9, &address(stage, (Kind::Collusion, number), n % 9));
        let at = stocks[n as usize / 9 % stocks.len()];
        let claimed = stage.claim("collusion", &friend, at).await;
        let amount = Stage::stock(at).value.minimum() * (110 + n as i64 % 70) / 100;
        let till = Till { store, cashier: &cashier, amount };
        let came = stage.redeem("collusion", &friend, (at, &claimed.body), till).await;
        if !patience.goes_on(&came, is_noticed) {
            return;
        }
        pause(500, number * 100 + n).await;
    }
}

/// A cashier whose orders come to just what the coupon asks for: made up, to turn coupons into money.
pub(super) async fn threshold(stage: &Stage, number: u64) {
    let stocks: Vec<At> = stocks(loose());
    let at = *stocks.last().unwrap_or(&At { shop: loose(), stock: 0 });
    let store = number as usize % MERCHANTS[loose()].stores.len();
    let cashier = format!("{LOOSE}-{}-late-{}-{number}", store + 1, stage.run % 100_000_000);
    let mut patience = Patience::of(4);
    for n in 0..32 {
        let customer = abuser(stage, &format!("customer{number}"), n, &address(stage, (Kind::Threshold, number), n));
        let claimed = stage.claim("threshold", &customer, at).await;
        let till = Till { store, cashier: &cashier, amount: Stage::stock(at).value.minimum() + (n as i64 % 3) * 10 };
        let came = stage.redeem("threshold", &customer, (at, &claimed.body), till).await;
        if !patience.goes_on(&came, is_noticed) {
            return;
        }
        pause(700, number * 100 + n).await;
    }
}
