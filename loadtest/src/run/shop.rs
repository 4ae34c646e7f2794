//! What a run needs to be there: a test merchant of its own with a fitting quota, stores, stocks, codes made ahead.

use std::collections::HashMap;
use std::time::Duration;

use http_api::client::Credentials;
use serde_json::{Value, json};

use super::workload::Workload;
use crate::caller::{Call, Caller, Kind};
use crate::codes::Codes;
use crate::dataset::{self, Dataset, StockOf};
use crate::failure::unexpected;
use crate::progress::Progress;
use crate::{Failure, Result};

/// More than this no quota allows.
const HIGHEST_QUOTA: f64 = 1_000_000.0;
/// How long setting up repeats one call.
const PATIENCE: Duration = Duration::from_mins(1);
/// Codes per call that makes them.
const CODES_PER_CALL: u64 = 1_000_000;

/// Whose key the run has.
#[derive(Clone)]
pub enum Keys {
    /// The platform's, which makes a merchant for this run.
    Platform(Credentials),
    /// A merchant's of role admin.
    Merchant(Credentials),
}

/// A stock to redeem from and one to claim from.
#[derive(Default)]
pub(super) struct Stock {
    /// Codes made ahead lie here; empty where nothing is redeemed.
    pub(super) pool: Option<Pool>,
    /// Claims go here.
    pub(super) claims: Option<Claims>,
    /// An order's amount, minor units.
    pub(super) amount: u64,
    /// What is left of it to pay, where the run knows the terms.
    pub(super) payable: Option<u64>,
}

/// Codes made ahead.
pub(super) struct Pool {
    pub(super) id: String,
    pub(super) codes: Codes,
}

/// A stock to claim from.
pub(super) struct Claims {
    pub(super) id: String,
    /// As many can be claimed.
    pub(super) total: u64,
}

/// All of it.
pub(super) struct Shop {
    pub(super) credentials: Credentials,
    pub(super) stocks: Vec<Stock>,
    pub(super) stores: Vec<String>,
    /// Part of every key and order, so that a server may be tested more than once.
    pub(super) run: String,
    /// Whether the merchant has no other traffic.
    pub(super) own_merchant: bool,
    /// Real claims, which decide who claims what.
    pub(super) claims: Vec<Claimed>,
}

/// A real claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claimed {
    pub(super) stock: usize,
    pub(super) user: u64,
}

/// How much a run needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    /// The highest rate, requests per second.
    pub(super) peak: f64,
    /// Requests in all.
    pub(super) requests: f64,
}

/// Makes it.
pub(super) struct Maker<'a> {
    pub(super) caller: &'a Caller,
    pub(super) workload: &'a Workload,
    pub(super) need: Need,
    pub(super) target: &'a str,
    pub(super) run: String,
    /// The run goes on twins of this stock.
    pub(super) twin_of: Option<&'a str>,
    pub(super) silent: bool,
}

impl Maker<'_> {
    /// Stocks of the run's own; or twins of a real one, which go the whole way through production and are counted apart.
    pub(super) async fn make(&self, keys: &Keys) -> Result<Shop> {
        if self.twin_of.is_some() && matches!(keys, Keys::Platform(_)) {
            let text = "a rehearsal needs an admin's key of the stock's merchant: --key-file names its file";
            return Err(Failure::Usage(text.to_owned()));
        }
        let (credentials, own_merchant) = self.credentials(keys).await?;
        let shop = &self.workload.shop;
        if let Some(of) = self.twin_of {
            return self.twins(credentials, of).await;
        }
        let progress = Progress::new("stores, stocks", u64::from(shop.stores + shop.stocks), self.silent);
        let mut stores = Vec::new();
        for index in 0..shop.stores {
            let body = json!({"name": format!("Store {}", index + 1)});
            stores.push(id(&self.post(&credentials, "/v1/stores", &format!("store-{index}"), body).await?)?);
            progress.advance();
        }
        let mut stocks = Vec::new();
        for index in 0..shop.stocks {
            stocks.push(self.stock(&credentials, index).await?);
            progress.advance();
        }
        progress.finish();
        Ok(Shop { stocks, stores, ..self.shop(credentials, own_merchant) })
    }

    /// The stocks that as many of the real claims are of as the schedule has requests.
    pub(super) async fn replay(&self, keys: &Keys, dataset: &Dataset) -> Result<Shop> {
        let (credentials, own_merchant) = self.credentials(keys).await?;
        let needed = (self.need.requests * 1.1 + 100.0) as usize;
        let mut places = HashMap::new();
        let mut used: Vec<(&dataset::Stock, u64)> = Vec::new();
        let mut claims = Vec::new();
        for claim in dataset.claims.iter().take(needed) {
            let stock = *places.entry(claim.stock).or_insert_with(|| {
                used.push((&dataset.stocks[claim.stock], 0));
                used.len() - 1
            });
            used[stock].1 += 1;
            claims.push(Claimed { stock, user: claim.user });
        }
        if claims.is_empty() {
            return Err(Failure::Usage("the file has no claims".to_owned()));
        }
        let progress = Progress::new("stocks", used.len() as u64, self.silent);
        let mut stocks = Vec::new();
        for (index, (stock, total)) in used.into_iter().enumerate() {
            let StockOf { merchant, coupon, rule } = stock.of;
            let body = json!({
                "type": rule.stock_type(),
                "name": format!("coupon {coupon}"),
                "terms": format!("Coupon {coupon} of merchant {merchant}: {rule}"),
                "value": rule.value(),
                // The claims may go round: there are enough for that.
                "total": total * 2 + 10,
                "code_mode": "generated",
                "valid_after_claim": {"days": 365},
            });
            let id = self.activated(&credentials, &format!("real-{index}"), body).await?;
            let claims = Some(Claims { id, total: total * 2 + 10 });
            stocks.push(Stock { claims, amount: rule.order_amount() as u64, ..Stock::default() });
            progress.advance();
        }
        progress.finish();
        Ok(Shop { stocks, claims, ..self.shop(credentials, own_merchant) })
    }

    /// Twins are redeemed in the stores of the real stock, if it is bound to any.
    async fn twins(&self, credentials: Credentials, of: &str) -> Result<Shop> {
        let path = format!("/v1/stocks/{of}");
        let call =
            Call { kind: Kind::Setup, credentials: &credentials, method: "GET", path: &path, key: None, body: None };
        let real = self.caller.expect(&call).await?;
        let stores = real["store_ids"].as_array().into_iter().flatten();
        let stores = stores.filter_map(|store| store.as_str().map(str::to_owned)).collect();
        let progress = Progress::new("twins", u64::from(self.workload.shop.stocks), self.silent);
        let mut stocks = Vec::new();
        for index in 0..self.workload.shop.stocks {
            // What is left to pay follows from terms that this tool does not know.
            stocks.push(Stock { payable: None, ..self.stock(&credentials, index).await? });
            progress.advance();
        }
        progress.finish();
        Ok(Shop { stocks, stores, ..self.shop(credentials, false) })
    }

    /// Ends the twins of a rehearsal; what is theirs is forgotten within a day.
    pub(super) async fn close(&self, shop: &Shop) -> Result<()> {
        if self.twin_of.is_none() {
            return Ok(());
        }
        for (index, (stock, _)) in shop.stock_ids().enumerate() {
            let path = format!("/v1/stocks/{stock}/close");
            let body = json!({"stop_redemptions": true});
            self.post(&shop.credentials, &path, &format!("close-{index}"), body).await?;
        }
        Ok(())
    }

    fn shop(&self, credentials: Credentials, own_merchant: bool) -> Shop {
        let (stocks, stores, claims, run) = (Vec::new(), Vec::new(), Vec::new(), self.run.clone());
        Shop { credentials, stocks, stores, run, own_merchant, claims }
    }

    async fn credentials(&self, keys: &Keys) -> Result<(Credentials, bool)> {
        match keys {
            Keys::Platform(platform) => Ok((self.merchant(platform).await?, true)),
            Keys::Merchant(merchant) => {
                self.check_quota(merchant).await?;
                Ok((merchant.clone(), false))
            }
        }
    }

    /// The quota that the run needs, with room for what arrives by chance in a second.
    fn quota(&self) -> f64 {
        (self.need.peak * 3.0 + 1_000.0).ceil()
    }

    async fn merchant(&self, platform: &Credentials) -> Result<Credentials> {
        if self.need.peak > HIGHEST_QUOTA {
            return Err(Failure::Usage(format!(
                "the schedule's peak is {:.0}/s; the quota redeem_per_second is in the way, which allows {HIGHEST_QUOTA:.0} \
                 at most",
                self.need.peak
            )));
        }
        let profile = json!({"name": format!("load test {}", self.run), "time_zone": "Asia/Shanghai", "mode": "test"});
        let merchant = id(&self.post(platform, "/v1/merchants", "merchant", profile).await?)?;
        let quota = self.quota().min(HIGHEST_QUOTA) as u64;
        let quotas =
            json!({"create_per_second": quota, "redeem_per_second": quota, "import_per_minute": HIGHEST_QUOTA as u64});
        let path = format!("/v1/merchants/{merchant}/quotas");
        let key = format!("lt-{}-quotas", self.run);
        let call = Call {
            kind: Kind::Setup,
            credentials: platform,
            method: "PUT",
            path: &path,
            key: Some(&key),
            body: Some(quotas),
        };
        self.caller.expect(&call).await?;
        let role = json!({"name": "load test", "role": "admin"});
        let key = self.post(platform, &format!("/v1/merchants/{merchant}/keys"), "key", role).await?;
        match (key["key_id"].as_str(), key["secret"].as_str()) {
            (Some(key_id), Some(secret)) => Ok(Credentials::new(key_id, secret)),
            _ => Err(unexpected("a key", "it has no key_id or no secret")),
        }
    }

    /// A merchant's own quotas are told by the fields of an answer; the run fails at once where they are too low.
    async fn check_quota(&self, merchant: &Credentials) -> Result<()> {
        let body = json!({"coupons": [{"code": "0000-0000-0000-0000"}],
            "order": {"id": "quota-check", "amount": 10_000, "currency": "CNY"}, "context": {}});
        let call = Call {
            kind: Kind::Setup,
            credentials: merchant,
            method: "POST",
            path: "/v1/validations",
            key: None,
            body: Some(body),
        };
        let reply = self.caller.settle(&call).await?;
        let policy = reply.header("ratelimit-policy").to_owned();
        match allowed_per_second(&policy) {
            Some(allowed) if allowed < self.need.peak => Err(Failure::Usage(format!(
                "the quota redeem_per_second of this merchant is {allowed:.0}, the schedule's peak {:.0}/s: let the platform \
                 raise it (PUT /v1/merchants/{{id}}/quotas), or lower --rate",
                self.need.peak
            ))),
            _ => Ok(()),
        }
    }

    async fn stock(&self, credentials: &Credentials, index: u32) -> Result<Stock> {
        let mix = self.workload.mix;
        let parts = mix.redeem + mix.lock + mix.validate;
        let all = parts + mix.claim + mix.query + mix.bulk;
        let share = self.share(index);
        let requests = self.need.requests * share;
        let redeem = format!("redeem-{index}");
        let pool = if parts > 0.0 {
            // Enough for what arrives by chance, and one that stays for validations.
            let codes = (requests * parts / all * 1.1 + 5.0 * requests.sqrt() + 100.0) as u64;
            Some(self.pool(credentials, &redeem, codes).await?)
        } else {
            None
        };
        let abused = self.workload.abuse.one_device + self.workload.abuse.release_bots > 0.0;
        let claims = if mix.claim > 0.0 || abused {
            let enough = (requests * 1.1 + 5.0 * requests.sqrt() + 100.0) as u64;
            let total = self.workload.shop.claimable.unwrap_or(enough);
            Some(self.claims(credentials, &format!("claim-{index}"), total).await?)
        } else {
            None
        };
        let amount = self.workload.shop.order_amount;
        Ok(Stock { pool, claims, amount, payable: Some(amount - super::DISCOUNT) })
    }

    /// The share of requests that go to a stock.
    fn share(&self, index: u32) -> f64 {
        let shop = &self.workload.shop;
        let weight = |index: u32| f64::from(index + 1).powf(-shop.stock_popularity);
        weight(index) / (0..shop.stocks).map(weight).sum::<f64>()
    }

    async fn pool(&self, credentials: &Credentials, name: &str, codes: u64) -> Result<Pool> {
        let bulk = if self.workload.mix.bulk > 0.0 { self.need.requests as u64 * 1_000 } else { 0 };
        let id = self.active_stock(credentials, name, codes + bulk).await?;
        let mut text = Codes::default();
        for (part, count) in parts(codes).enumerate() {
            let batch = self.codes(credentials, &id, &format!("{name}-codes-{part}"), count).await?;
            text.append(Codes::export(self.target, credentials, &batch).await?)?;
        }
        Ok(Pool { id, codes: text })
    }

    async fn claims(&self, credentials: &Credentials, name: &str, total: u64) -> Result<Claims> {
        let id = self.active_stock(credentials, name, total).await?;
        for (part, count) in parts(total).enumerate() {
            self.codes(credentials, &id, &format!("{name}-codes-{part}"), count).await?;
        }
        Ok(Claims { id, total })
    }

    async fn active_stock(&self, credentials: &Credentials, name: &str, total: u64) -> Result<String> {
        if let Some(of) = self.twin_of {
            let body = json!({"total": total, "code_mode": "pool"});
            return id(&self.post(credentials, &format!("/v1/stocks/{of}/rehearsals"), name, body).await?);
        }
        let yuan = |amount: i64| json!({"amount": amount, "currency": "CNY"});
        let body = json!({
            "type": "spend_and_save",
            "name": format!("Load test 压测 {name}"),
            "terms": "Spend 100, save 10. 满100减10",
            "value": {"amount_off": yuan(super::DISCOUNT as i64), "minimum_spend": yuan(10_000)},
            "total": total,
            "code_mode": "pool",
            "valid_after_claim": {"days": 365},
        });
        self.activated(credentials, name, body).await
    }

    async fn activated(&self, credentials: &Credentials, name: &str, body: Value) -> Result<String> {
        let stock = id(&self.post(credentials, "/v1/stocks", name, body).await?)?;
        self.post(credentials, &format!("/v1/stocks/{stock}/activate"), &format!("{name}-on"), json!({})).await?;
        Ok(stock)
    }

    /// Makes codes ahead and waits until they are; gives back the batch.
    async fn codes(&self, credentials: &Credentials, stock: &str, name: &str, count: u64) -> Result<String> {
        let path = format!("/v1/stocks/{stock}/codes");
        let made = self.post(credentials, &path, name, json!({"count": count, "label": "load test"})).await?;
        let batch = made["batch_id"].as_str().ok_or_else(|| unexpected("codes", "there is no batch_id"))?.to_owned();
        let (mut state, operation) = (made.clone(), format!("/v1/operations/{}", text(&made, "operation_id")));
        while state["state"] == "running" {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let call = Call { kind: Kind::Setup, credentials, method: "GET", path: &operation, key: None, body: None };
            state = self.caller.expect(&call).await?;
        }
        if state["state"] == "failed" {
            return Err(unexpected("codes made ahead", &state.to_string()));
        }
        Ok(batch)
    }

    async fn post(&self, credentials: &Credentials, path: &str, name: &str, body: Value) -> Result<Value> {
        let key = format!("lt-{}-{name}", self.run);
        let call = Call { kind: Kind::Setup, credentials, method: "POST", path, key: Some(&key), body: Some(body) };
        self.caller.expect(&call).await
    }
}

impl Shop {
    /// A caller for setting up and for the audit.
    pub(super) fn caller(target: &str) -> Result<Caller> {
        Caller::new(target, PATIENCE)
    }

    /// All stocks, and whether codes made ahead lie there.
    pub(super) fn stock_ids(&self) -> impl Iterator<Item = (&str, bool)> {
        self.stocks.iter().flat_map(|stock| {
            let pool = stock.pool.iter().map(|pool| (&*pool.id, true));
            pool.chain(stock.claims.iter().map(|claims| (&*claims.id, false)))
        })
    }

    /// The order of a request's redemption.
    pub(super) fn order(&self, n: u64, rival: bool) -> String {
        format!("lt-{}-{n}{}", self.run, if rival { "-b" } else { "" })
    }

    /// The request that an order is of, if it is of this run.
    pub(super) fn request_of(&self, order: &str) -> Option<(u64, bool)> {
        let rest = order.strip_prefix("lt-")?.strip_prefix(&*self.run)?.strip_prefix('-')?;
        let (n, rival) = rest.strip_suffix("-b").map_or((rest, false), |n| (n, true));
        Some((n.parse().ok()?, rival))
    }
}

/// `count` in pieces that one call makes.
fn parts(count: u64) -> impl Iterator<Item = u64> {
    let whole = std::iter::repeat_n(CODES_PER_CALL, (count / CODES_PER_CALL) as usize);
    whole.chain(Some(count % CODES_PER_CALL).filter(|rest| *rest > 0))
}

/// Of `"redeem";q=200;w=1`.
fn allowed_per_second(policy: &str) -> Option<f64> {
    let of = |name: &str| policy.split(';').find_map(|part| part.trim().strip_prefix(name)?.parse::<f64>().ok());
    Some(of("q=")? / of("w=").unwrap_or(1.0))
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

fn id(made: &Value) -> Result<String> {
    made["id"].as_str().map(str::to_owned).ok_or_else(|| unexpected("what was made", "it has no id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read() {
        assert_eq!(allowed_per_second("\"redeem\";q=200;w=1"), Some(200.0));
        assert_eq!(allowed_per_second("\"import\";q=120;w=60"), Some(2.0));
        assert_eq!(allowed_per_second(""), None);
    }

    #[test]
    fn codes_are_made_in_pieces() {
        assert_eq!(parts(2_500_000).collect::<Vec<_>>(), [1_000_000, 1_000_000, 500_000]);
        assert_eq!((parts(0).count(), parts(1_000_000).count()), (0, 1));
    }
}
