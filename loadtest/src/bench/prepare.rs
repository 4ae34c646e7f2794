//! What a bench needs to be there: a merchant, codes made ahead, and a stock to claim from.

use std::sync::Arc;
use std::time::Duration;

use http_api::client::Credentials;
use serde_json::{Value, json};

use crate::Result;
use crate::caller::{Call, Caller, Kind};
use crate::codes::Codes;
use crate::failure::unexpected;

const QUOTA: u32 = 1_000_000;

/// A merchant with a stock to redeem from and one to claim from. Clones share the codes.
#[derive(Clone)]
pub(super) struct Shop {
    pub(super) credentials: Credentials,
    pub(super) claim_stock: Arc<str>,
    /// Part of every key, so that a server may be measured more than once.
    pub(super) run: Arc<str>,
    /// Of each stock, as many of each.
    codes: Arc<Vec<Codes>>,
    /// How redemptions name a coupon: `code`, or `coupon_id`.
    pub(super) named_by: &'static str,
    first: u64,
}

impl Shop {
    /// Makes them on a fresh server.
    pub(super) async fn make(target: &str, platform: Credentials, (stocks, codes): (u64, u64)) -> Result<Self> {
        let caller = Caller::new(target, Duration::from_mins(1))?;
        let run = new_run();
        let named = |name: &str| format!("bench-{run}-{name}");
        let credentials = merchant(&caller, &platform, &run).await?;
        let claim_stock = stock(&caller, &credentials, &named("claim"), "generated", 1_000_000_000).await?;
        let (count, mut all) = (codes.div_ceil(stocks.max(1)), Vec::new());
        for n in 0..stocks.max(1) {
            let pool = stock(&caller, &credentials, &named(&format!("redeem-{n}")), "pool", count).await?;
            let (path, key) = (format!("/v1/stocks/{pool}/codes"), named(&format!("codes-{n}")));
            let made = post(&caller, &credentials, &path, &key, json!({"count": count, "label": "bench"})).await?;
            let batch = made["batch_id"].as_str().ok_or_else(|| unexpected("codes", "there is no batch_id"))?;
            all.push(Codes::export(target, &credentials, batch).await?);
        }
        Ok(Self {
            credentials,
            claim_stock: claim_stock.into(),
            run: run.into(),
            codes: Arc::new(all),
            named_by: "code",
            first: 0,
        })
    }

    /// Codes that somebody else made.
    pub(super) fn of_codes(credentials: Credentials, run: &str, codes: Codes) -> Self {
        Self { named_by: "code", ..Self::of_coupons(credentials, run, codes) }
    }

    /// Coupons that are in users' hands already, by their ids.
    pub(super) fn of_coupons(credentials: Credentials, run: &str, ids: Codes) -> Self {
        let (claim_stock, run, codes) = ("".into(), run.into(), Arc::new(vec![ids]));
        Self { credentials, claim_stock, run, codes, named_by: "coupon_id", first: 0 }
    }

    /// The `n`-th code that has not been redeemed by an earlier load, of each stock in its turn; `None` when they are used
    /// up.
    pub(super) fn code(&self, n: u64) -> Option<&str> {
        let (n, stocks) = (self.first + n, self.codes.len() as u64);
        self.codes.get((n % stocks) as usize)?.get(n / stocks)
    }

    /// The next load begins after so many.
    pub(super) fn skip_codes(&mut self, used: u64) {
        self.first += used;
    }
}

/// A name that no other run has.
pub(super) fn new_run() -> String {
    format!("{:08x}", rand::random::<u32>())
}

/// A merchant of this run's own, with quotas that are in nobody's way; an admin's key.
pub(super) async fn merchant(caller: &Caller, platform: &Credentials, run: &str) -> Result<Credentials> {
    let named = |name: &str| format!("bench-{run}-{name}");
    let profile = json!({"name": "bench", "time_zone": "Asia/Shanghai", "mode": "test"});
    let merchant = id(&post(caller, platform, "/v1/merchants", &named("merchant"), profile).await?)?;
    let quotas = json!({"create_per_second": QUOTA, "redeem_per_second": QUOTA, "import_per_minute": QUOTA});
    put(caller, platform, &format!("/v1/merchants/{merchant}/quotas"), &named("quotas"), quotas).await?;
    let role = json!({"name": "bench", "role": "admin"});
    let key = post(caller, platform, &format!("/v1/merchants/{merchant}/keys"), &named("key"), role).await?;
    let (Some(key_id), Some(secret)) = (key["key_id"].as_str(), key["secret"].as_str()) else {
        return Err(unexpected("a key", "it has no key_id or no secret"));
    };
    Ok(Credentials::new(key_id, secret))
}

pub(super) async fn stock(
    caller: &Caller,
    key: &Credentials,
    name: &str,
    code_mode: &str,
    total: u64,
) -> Result<String> {
    let yuan = |amount: i64| json!({"amount": amount, "currency": "CNY"});
    let body = json!({
        "type": "spend_and_save",
        "name": name,
        "terms": "Spend 100, save 10.",
        "value": {"amount_off": yuan(1_000), "minimum_spend": yuan(10_000)},
        "total": total,
        "code_mode": code_mode,
        "valid_after_claim": {"days": 365},
    });
    let stock = id(&post(caller, key, "/v1/stocks", &format!("stock-{name}"), body).await?)?;
    let path = format!("/v1/stocks/{stock}/activate");
    post(caller, key, &path, &format!("activate-{name}"), json!({})).await?;
    Ok(stock)
}

pub(super) async fn post(
    caller: &Caller,
    credentials: &Credentials,
    path: &str,
    key: &str,
    body: Value,
) -> Result<Value> {
    let call = Call { kind: Kind::Setup, credentials, method: "POST", path, key: Some(key), body: Some(body) };
    caller.expect(&call).await
}

async fn put(caller: &Caller, credentials: &Credentials, path: &str, key: &str, body: Value) -> Result<Value> {
    let call = Call { kind: Kind::Setup, credentials, method: "PUT", path, key: Some(key), body: Some(body) };
    caller.expect(&call).await
}

pub(super) fn id(made: &Value) -> Result<String> {
    made["id"].as_str().map(str::to_owned).ok_or_else(|| unexpected("what was made", "it has no id"))
}
