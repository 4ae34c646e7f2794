//! A shop with stores, and shoppers drawn at random: what each does follows from the seed and its number.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use http_api::client::Credentials;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};
use serde_json::{Value, json};

use super::{Options, credentials, id, post};
use crate::Result;
use crate::caller::{Call, Caller, Kind, problem_code};
use crate::parallel::in_parallel;
use crate::progress::Progress;

const QUOTA: u32 = 1_000_000;
const STORES: usize = 20;
const USERS: f64 = 20_000.0;
const DEVICES: f64 = 15_000.0;
const ADDRESSES: f64 = 10_000.0;

/// A merchant with all that its shoppers need.
pub(super) struct Shop {
    key: Credentials,
    stocks: Vec<String>,
    stores: Vec<String>,
    seed: u64,
    concurrency: usize,
    silent: bool,
    answers: Mutex<Answers>,
}

/// What the shoppers were told.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    /// Decisions' ids.
    pub(super) decisions: Vec<String>,
    /// Refusals by code.
    pub(super) refused: BTreeMap<String, u64>,
}

impl Shop {
    pub(super) async fn make(caller: &Caller, platform: &Credentials, options: &Options) -> Result<Self> {
        let profile = json!({"name": "proof 核验", "time_zone": "Asia/Shanghai", "mode": "test"});
        let merchant = id(&post(caller, platform, "/v1/merchants", "prove-merchant", profile).await?)?;
        let quotas = json!({"create_per_second": QUOTA, "redeem_per_second": QUOTA, "import_per_minute": QUOTA});
        let path = format!("/v1/merchants/{merchant}/quotas");
        let call = Call {
            kind: Kind::Setup,
            credentials: platform,
            method: "PUT",
            path: &path,
            key: Some("prove-quotas"),
            body: Some(quotas),
        };
        caller.expect(&call).await?;
        let wanted = json!({"name": "proof", "role": "admin"});
        let made = post(caller, platform, &format!("/v1/merchants/{merchant}/keys"), "prove-key", wanted).await?;
        let key = credentials(&made)?;
        let (mut stocks, mut stores) = (Vec::new(), Vec::new());
        for n in 0..STORES {
            let store = json!({"name": format!("Store 门店 {n}")});
            stores.push(id(&post(caller, &key, "/v1/stores", &format!("store-{n}"), store).await?)?);
        }
        for n in 0..4 {
            stocks.push(stock(caller, &key, n).await?);
        }
        let Options { seed, concurrency, silent, .. } = *options;
        Ok(Self { key, stocks, stores, seed, concurrency, silent, answers: Mutex::default() })
    }

    /// So many of them, from that number on.
    pub(super) async fn shoppers(self: Arc<Self>, caller: Arc<Caller>, (first, many): (u64, u64)) -> Result<()> {
        let progress = Arc::new(Progress::new("shoppers", many, self.silent));
        let (concurrency, shown) = (self.concurrency, progress.clone());
        let work = move |n: usize| {
            let (shop, caller, progress) = (self.clone(), caller.clone(), shown.clone());
            async move {
                shop.shopper(&caller, first + n as u64).await?;
                progress.advance();
                Ok(())
            }
        };
        in_parallel(usize::try_from(many).unwrap_or(usize::MAX), concurrency, work).await?;
        progress.finish();
        Ok(())
    }

    /// What they were told so far.
    pub(super) fn answers(&self) -> Answers {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Claims, and mostly redeems; some try a code that nobody was given.
    async fn shopper(&self, caller: &Caller, n: u64) -> Result<()> {
        let mut random = SmallRng::seed_from_u64(self.seed ^ n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let user = format!("user-{}", drawn(&mut random, USERS));
        let context = context(&mut random);
        let stock = &self.stocks[random.random_range(0..self.stocks.len())];
        let mut claim = json!({"stock_id": stock, "user_id": user, "context": context});
        if random.random_bool(0.5) {
            claim["channel"] = json!(format!("channel-{}", random.random_range(0..5)));
        }
        let coupon = self.call(caller, "/v1/claims", &format!("claim-{n}"), claim, Kind::Claim).await?;
        if random.random_bool(0.1) {
            let wrong = json!({"coupons": [{"code": format!("{:016}", random.random_range(0..10_000_000))}],
                "order": order(&mut random, n, "wrong"), "context": context});
            self.call(caller, "/v1/redemptions", &format!("wrong-{n}"), wrong, Kind::Redeem).await?;
        }
        if coupon["coupon_id"].is_string() && random.random_bool(0.6) {
            let mut redeem = json!({"coupons": [{"coupon_id": coupon["coupon_id"]}], "user_id": user,
                "order": order(&mut random, n, "order"), "context": context});
            if random.random_bool(0.8) {
                redeem["store_id"] = json!(self.stores[random.random_range(0..STORES)]);
                redeem["cashier_id"] = json!(format!("cashier-{}", random.random_range(0..60)));
            }
            self.call(caller, "/v1/redemptions", &format!("redeem-{n}"), redeem, Kind::Redeem).await?;
        }
        Ok(())
    }

    async fn call(&self, caller: &Caller, path: &str, key: &str, body: Value, kind: Kind) -> Result<Value> {
        let call = Call { kind, credentials: &self.key, method: "POST", path, key: Some(key), body: Some(body) };
        let reply = caller.settle(&call).await?;
        let answer = reply.json().unwrap_or_default();
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        match answer["decision"]["id"].as_str() {
            Some(id) => answers.decisions.push(id.to_owned()),
            None => *answers.refused.entry(problem_code(&reply)).or_default() += 1,
        }
        drop(answers);
        Ok(answer)
    }
}

async fn stock(caller: &Caller, key: &Credentials, n: usize) -> Result<String> {
    let yuan = |amount: i64| json!({"amount": amount, "currency": "CNY"});
    let body = json!({
        "type": "spend_and_save", "name": format!("满100减10 {n}"), "terms": "Spend 100, save 10.",
        "value": {"amount_off": yuan(1_000), "minimum_spend": yuan(10_000)},
        "total": 100_000_000, "code_mode": "generated", "valid_after_claim": {"days": 365},
    });
    let stock = id(&post(caller, key, "/v1/stocks", &format!("stock-{n}"), body).await?)?;
    post(caller, key, &format!("/v1/stocks/{stock}/activate"), &format!("activate-{n}"), json!({})).await?;
    Ok(stock)
}

/// Some are seen often, most seldom.
fn drawn(random: &mut SmallRng, of: f64) -> u64 {
    Zipf::new(of, 0.7).map_or(0, |zipf| zipf.sample(random) as u64)
}

/// Not every till tells of everything.
fn context(random: &mut SmallRng) -> Value {
    let mut context = json!({});
    if random.random_bool(0.9) {
        context["device_id"] = json!(format!("device-{}", drawn(random, DEVICES)));
    }
    if random.random_bool(0.7) {
        let address = drawn(random, ADDRESSES);
        context["ip"] = match address % 10 {
            0 => json!(format!("2001:db8::{address:x}")),
            _ => json!(format!("198.18.{}.{}", address / 250, address % 250)),
        };
    }
    if random.random_bool(0.3) {
        let (latitude, longitude) = (random.random_range(22.0..41.0_f64), random.random_range(103.0..122.0_f64));
        context["location"] = json!({"latitude": latitude, "longitude": longitude, "datum": "wgs84"});
    }
    context
}

/// One in ten just above what the coupon asks for.
fn order(random: &mut SmallRng, n: u64, what: &str) -> Value {
    let amount = if random.random_bool(0.1) { 10_050 } else { random.random_range(10_000..300_000) };
    json!({"id": format!("{what}-{n}"), "amount": amount, "currency": "CNY"})
}
