//! Races that hold whether one process serves or several.

use serde_json::json;

use crate::{Caller, at_once, claim, redemption, stock};

/// Thirty coupons redeemed together, and three of them alone at the same moment: all or nothing. Calls go round over the
/// callers of each kind, which are of one merchant.
pub async fn stack_against_its_members(issuers: &[Caller], redeemers: &[Caller]) {
    let stock = stock(&issuers[0], json!({"stacking": {"max_per_order": 30}})).await;
    for round in 0..5 {
        let mut codes = Vec::new();
        for n in 0..30 {
            let issuer = &issuers[n % issuers.len()];
            codes.push(claim(issuer, &stock, &format!("u{round}-{n}")).await["code"].clone());
        }
        let order = json!({"id": format!("stack-{round}"), "amount": 100_000, "currency": "CNY"});
        let coupons: Vec<_> = codes.iter().map(|code| json!({"code": code})).collect();
        let stack = json!({"coupons": coupons, "order": order});
        let replies = at_once(4, |i| {
            let (caller, code) = (redeemers[i % redeemers.len()].clone(), codes[i * 7].clone());
            let stacked = i == 1;
            let single = || redemption(&code, &format!("single-{round}-{i}"));
            let body = if stacked { stack.clone() } else { single() };
            async move { (stacked, caller.post("/v1/redemptions", body).await) }
        })
        .await;
        let won = |stacked: bool| replies.iter().filter(|(s, r)| *s == stacked && r.status.as_u16() == 201).count();
        assert!((won(true) == 1 && won(false) == 0) || (won(true) == 0 && won(false) == 3), "all or nothing");
    }
}
