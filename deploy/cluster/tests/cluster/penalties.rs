//! A penalty is a record of the ledger: it bites on the next request, whichever instance gets it.

use cluster::Service;
use serde_json::{Value, json};
use testkit::{Caller, claim, code, merchant, redemption, runtime, stock};

use crate::support::{addresses, up};

const ROUNDS: usize = 10;

/// Somebody who may approve and resolve.
async fn lead(platform: &Caller, address: &str) -> Caller {
    let key = platform.ok("/v1/keys", json!({"role": "analyst_lead"})).await;
    Caller::new(address, key["key_id"].as_str().expect("id"), key["secret"].as_str().expect("secret"))
}

fn path(of: &str, made: &Value, step: &str) -> String {
    format!("/v1/risk/{of}/{}/{step}", made["id"].as_str().expect("an id"))
}

#[test]
fn a_penalty_bites_on_the_next_request_at_every_instance_and_a_granted_appeal_lifts_it_there() {
    let (cluster, _folder) = up(|plan| {
        plan.issuers = 2;
        plan.redeemers = 2;
    });
    runtime().block_on(async {
        let (shop, caller) = merchant(cluster.address(), cluster.folder()).await;
        let at = |service| addresses(&cluster, service).iter().map(|it| caller.at(it)).collect::<Vec<_>>();
        let (issuers, redeemers) = (at(Service::Issuer), at(Service::Redeemer));
        let platform = Caller::platform(cluster.address(), cluster.folder());
        let (an, bo) = (lead(&platform, cluster.address()).await, lead(&platform, cluster.address()).await);
        let stock = stock(&issuers[0], json!({})).await;
        for round in 0..ROUNDS {
            let coupon = claim(&issuers[round % 2], &stock, &format!("u{round}")).await;
            let wanted =
                json!({"merchant_id": shop["id"], "violation": "cash_out", "evidence": [coupon["decision"]["id"]]});
            let made = an.ok("/v1/risk/penalties", wanted).await;
            assert_eq!(made["state"], "active", "{made}");
            // Right after the answer, and at both: nobody waits until the news has got round.
            let order = format!("o{round}");
            for redeemer in [&redeemers[round % 2], &redeemers[(round + 1) % 2]] {
                let reply = redeemer.post("/v1/redemptions", redemption(&coupon["code"], &order)).await;
                assert_eq!(code(&reply), "merchant_suspended", "round {round}");
            }
            for issuer in &issuers {
                let reply = issuer.post("/v1/claims", json!({"stock_id": stock, "user_id": "late"})).await;
                assert_eq!(code(&reply), "merchant_suspended", "round {round}");
            }
            let statement = json!({"penalty_id": made["id"], "statement": "It was our own test."});
            let appeal = caller.ok("/v1/risk/appeals", statement).await;
            let outcome = json!({"outcome": "granted", "reason": "a test it was"});
            bo.ok(&path("appeals", &appeal, "resolve"), outcome).await;
            let done = redeemers[round % 2].ok("/v1/redemptions", redemption(&coupon["code"], &order)).await;
            assert_eq!(done["state"], "redeemed", "round {round}: {done}");
        }
    });
    assert_eq!(cluster.panics(), Vec::<String>::new());
}
