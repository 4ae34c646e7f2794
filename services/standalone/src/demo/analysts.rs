//! What analysts would have set up by now: rules that two people made live, lists, a ladder, a penalty and its appeal.

use std::sync::Arc;

use host::Failure;
use http_api::client::Client;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::caller::{Caller, Key, text};
use super::catalogue::{LOOSE, MERCHANTS, PENALISED, REVIEW_HOLDS};
use super::shops::Shop;

/// The domain of throw-away mail addresses that is watched.
pub(super) const WATCHED_DOMAIN: &str = "mailinator.com";
/// How ids of devices begin that are known to be rooted.
pub(super) const BLOCKED_DEVICES: &str = "rooted-";

/// The keys of two leads: what one asks for the other approves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Leads {
    pub(super) ann: Key,
    pub(super) bob: Key,
}

/// The leads at work.
struct Desk {
    ann: Caller,
    bob: Caller,
}

/// Sets up everything, each step under the same key at every start.
pub(super) async fn set_up(client: &Arc<Client>, platform: &Caller, shops: &[Shop]) -> Result<Leads, Failure> {
    let mut keys = Vec::new();
    for name in ["ann", "bob"] {
        let wanted = json!({"name": format!("demo lead {name}"), "role": "analyst_lead"});
        keys.push(Key::of(&platform.post("/v1/keys", &format!("demo-lead-{name}"), wanted).await?));
    }
    let [ann, bob] = [keys[0].clone(), keys[1].clone()];
    let desk = Desk { ann: Caller::new(client, &ann), bob: Caller::new(client, &bob) };
    let starter = desk.rules().await?;
    desk.lists().await?;
    desk.ladder().await?;
    desk.settings(shops).await?;
    desk.snooze(&shops[0], &starter).await?;
    desk.penalty(client, &shops[PENALISED]).await?;
    Ok(Leads { ann, bob })
}

impl Desk {
    /// The starter rules live, a stricter version of them in the shadow, and a draft of somebody's; the id of the set.
    async fn rules(&self) -> Result<String, Failure> {
        let starter = self.push("starter", "starter", risk::rules::STARTER, "The rules to begin with 起步规则").await?;
        self.submit(&starter, (1, "live"), "Nothing honest was hit in a week of shadow 影子期无误伤").await?;
        let path = format!("/v1/risk/rulesets/{starter}/versions/1/approve");
        self.bob.post(&path, "demo-starter-approve", json!({"comment": "Looked at both weeks 已复核"})).await?;
        self.push("starter", "starter-2", &stricter(), "Stricter with shared devices 收紧共用设备").await?;
        self.submit(&starter, (2, "shadow"), "").await?;
        let draft = "# Weekends at the tills: not finished 周末收银，未完成\n\
                     rule weekend_night { when event == \"redemption\" and (hour >= 23 or hour < 6) \
                     and count(redemption by cashier, 1h) > 30 then review score 200 \
                     reason \"{n} redemptions of one cashier in an hour of the night\" }\n";
        self.push("weekend", "weekend", draft, "For the weekend's tills 周末收银").await?;
        Ok(starter)
    }

    async fn push(&self, name: &str, key: &str, rules: &str, comment: &str) -> Result<String, Failure> {
        let wanted = json!({"name": name, "text": rules, "comment": comment});
        Ok(text(&self.ann.post("/v1/risk/rulesets", &format!("demo-rules-{key}"), wanted).await?["id"]))
    }

    async fn submit(&self, set: &str, (version, to): (u32, &str), comment: &str) -> Result<(), Failure> {
        let path = format!("/v1/risk/rulesets/{set}/versions/{version}/submit");
        let wanted = json!({"to": to, "comment": comment});
        self.ann.post(&path, &format!("demo-{set}-{version}-{to}"), wanted).await.map(drop)
    }

    async fn lists(&self) -> Result<(), Failure> {
        let lists = [
            (
                "rooted devices 改机设备",
                "block",
                "device",
                &[(BLOCKED_DEVICES, "Rooted phones of last month 上月改机")][..],
            ),
            (
                "known farms 已知农场网段",
                "block",
                "cidr",
                &[("192.0.2.0/25", "Farm of the spring sale 春促农场"), ("2001:db8:bad::/48", "The same, by IPv6")],
            ),
            (
                "our offices 办公网络",
                "allow",
                "cidr",
                &[("198.51.100.0/28", "Head office, tests 总部测试"), ("198.51.100.16/28", "Agency 代理商")],
            ),
            (
                "throw-away mail 一次性邮箱",
                "watch",
                "email_domain",
                &[(WATCHED_DOMAIN, "Throw-away mail"), ("guerrillamail.com", "Throw-away mail")],
            ),
        ];
        for (n, (name, mode, item_type, items)) in lists.into_iter().enumerate() {
            let wanted = json!({"name": name, "mode": mode, "item_type": item_type});
            let id = text(&self.ann.post("/v1/risk/lists", &format!("demo-list-{n}"), wanted).await?["id"]);
            for (i, (value, reason)) in items.iter().enumerate() {
                // A prefix of devices is written with a star.
                let value = if *value == BLOCKED_DEVICES { format!("{value}*") } else { (*value).to_owned() };
                let wanted = json!({"value": value, "reason": reason});
                self.ann.post(&format!("/v1/risk/lists/{id}/items"), &format!("demo-item-{n}-{i}"), wanted).await?;
            }
        }
        Ok(())
    }

    /// The ladder as it ships, and one rung more.
    async fn ladder(&self) -> Result<(), Failure> {
        let mut rungs = self.ann.get("/v1/risk/penalty-ladder").await?["rungs"].clone();
        if let Some(rungs) = rungs.as_array_mut().filter(|rungs| !rungs.iter().any(|it| it["violation"] == "spam")) {
            rungs.push(json!({"violation": "spam", "offence": 1, "sanction": "ban", "duration_seconds": 7 * 86_400}));
        }
        self.ann.put("/v1/risk/penalty-ladder", "demo-ladder", json!({"rungs": rungs})).await.map(drop)
    }

    /// One merchant has what is to be reviewed wait; of another the tills are known to be loose, so its breaker trips early.
    async fn settings(&self, shops: &[Shop]) -> Result<(), Failure> {
        let of = |slug: &str| MERCHANTS.iter().zip(shops).find(|(merchant, _)| merchant.slug == slug);
        let wanted = [
            (REVIEW_HOLDS, json!({"review_holds": true})),
            (LOOSE, json!({"minimum_volume": 200, "abnormal_share_bp": 250})),
        ];
        for (slug, settings) in wanted {
            let Some((_, shop)) = of(slug) else { continue };
            let path = format!("/v1/risk/settings?merchant_id={}", shop.id);
            self.ann.put(&path, &format!("demo-settings-{slug}"), settings).await?;
        }
        Ok(())
    }

    async fn snooze(&self, shop: &Shop, starter: &str) -> Result<(), Failure> {
        let wanted = json!({
            "rule_id": format!("{starter}/user_many_devices"), "subject": {"kind": "user", "value": "tester-1"},
            "until": "2099-12-31T00:00:00Z", "reason": "Our own tester has a drawer of phones 内部测试",
            "merchant_id": shop.id,
        });
        self.ann.post("/v1/risk/snoozes", "demo-snooze", wanted).await.map(drop)
    }

    /// A few uses at one merchant that turned out as they did, its penalty for them, and what it says to that.
    async fn penalty(&self, client: &Arc<Client>, shop: &Shop) -> Result<(), Failure> {
        let own = Caller::new(client, &shop.key);
        let mut evidence = Vec::new();
        for n in 0..6 {
            let decision = use_one(&own, shop, n).await?;
            let label = if n < 4 { "fraud" } else { "honest" };
            let reason = if n < 4 { "No meal was served 未实际消费" } else { "A receipt was shown 有小票" };
            let wanted = json!({"decision_id": decision, "label": label, "source": "analyst", "kind": "cash_out", "reason": reason});
            self.ann.post("/v1/risk/labels", &format!("demo-label-{n}"), wanted).await?;
            evidence.push(decision);
        }
        evidence.truncate(4);
        let wanted = json!({"merchant_id": shop.id, "violation": "cash_out", "evidence": evidence});
        let made = self.ann.post("/v1/risk/penalties", "demo-penalty", wanted).await?;
        let statement =
            "The till was new and rang up test orders. We have sent the receipts. 新收银机的测试订单，小票已提交。";
        let wanted = json!({"penalty_id": made["id"], "statement": statement});
        own.post("/v1/risk/appeals", "demo-appeal", wanted).await.map(drop)
    }
}

/// Claims and redeems a coupon; the id of the decision.
async fn use_one(own: &Caller, shop: &Shop, n: u32) -> Result<Value, Failure> {
    let (user, context) =
        (format!("regular-{n}"), json!({"device_id": format!("till-phone-{}", n % 3), "ip": "192.0.2.201"}));
    let wanted = json!({"stock_id": shop.stocks[0], "user_id": user, "context": context});
    let claimed = own.post("/v1/claims", &format!("demo-noodles-claim-{n}"), wanted).await?;
    let wanted = json!({
        "coupons": [{"coupon_id": claimed["coupon_id"]}], "user_id": user, "store_id": shop.stores[0],
        "cashier_id": "noodles-1-1", "context": context,
        "order": {"id": format!("noodles-{n}"), "amount": 2_000, "currency": "CNY"},
    });
    Ok(own.post("/v1/redemptions", &format!("demo-noodles-redeem-{n}"), wanted).await?["decision"]["id"].clone())
}

/// The starter rules with lower thresholds for devices that several users share.
fn stricter() -> String {
    risk::rules::STARTER
        .replace("distinct(user by device, 24h) > 3", "distinct(user by device, 24h) > 2")
        .replace("distinct(user by device, 7d) > 10", "distinct(user by device, 7d) > 6")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_rules_are_others() {
        let (starter, stricter) = (risk::rules::STARTER, stricter());
        let differ = starter.lines().zip(stricter.lines()).filter(|(one, other)| one != other).count();
        assert_eq!(differ, 2);
    }
}
