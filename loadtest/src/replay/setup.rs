//! The run's merchants, keys and stocks, each made under a key of its own: made once, found by every later run.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use http_api::client::Credentials;
use serde_json::{Value, json};

use super::state::{self, State};
use super::{Merchants, Options, state_file};
use crate::caller::{Call, Caller, Kind};
use crate::dataset::{Dataset, Stock, StockOf};
use crate::names::{self, Names};
use crate::parallel::in_parallel;
use crate::progress::Progress;
use crate::{Failure, Result};

/// What a merchant may call per second, and import per minute: the highest, since quotas are not what is tested.
const QUOTA: u32 = 1_000_000;

/// Merchants with their keys, and stocks.
pub(super) struct Shops {
    credentials: Vec<Credentials>,
    /// By stock of the dataset.
    stocks: Vec<Ready>,
}

/// A stock that is open for claims.
pub(super) struct Ready {
    pub(super) id: String,
    shop: usize,
}

impl Shops {
    pub(super) fn stock(&self, stock: usize) -> &Ready {
        &self.stocks[stock]
    }

    /// The key of the merchant whose stock it is.
    pub(super) fn credentials(&self, stock: usize) -> &Credentials {
        &self.credentials[self.stocks[stock].shop]
    }
}

/// Makes them.
pub(super) struct Setup<'a> {
    pub(super) options: &'a Options,
    pub(super) names: Names,
    pub(super) caller: Arc<Caller>,
    pub(super) platform: Credentials,
}

/// What the tasks share.
struct Shared {
    names: Names,
    caller: Arc<Caller>,
    platform: Credentials,
    state: Mutex<State>,
    progress: Progress,
}

impl Setup<'_> {
    pub(super) async fn run(self, dataset: &Arc<Dataset>) -> Result<Shops> {
        let shop_of = |stock: &Stock| match self.options.merchants {
            Merchants::PerRow => stock.of.merchant.to_string(),
            Merchants::One => "all".to_owned(),
        };
        let mut shop_names = Vec::new();
        let mut indexes = HashMap::new();
        let shops_of_stocks: Vec<usize> = dataset
            .stocks
            .iter()
            .map(|stock| {
                *indexes.entry(shop_of(stock)).or_insert_with_key(|name| {
                    shop_names.push(name.clone());
                    shop_names.len() - 1
                })
            })
            .collect();
        let file = self.options.state.as_deref().map(|folder| state_file(folder, self.names.run()));
        let kept = file.as_deref().map(|file| State::load(file, &self.platform.key_id)).unwrap_or_default();
        let steps = (shop_names.len() + dataset.stocks.len()) as u64;
        let shared = Arc::new(Shared {
            names: self.names,
            caller: self.caller,
            state: Mutex::new(State { platform_key_id: self.platform.key_id.clone(), ..kept }),
            platform: self.platform,
            progress: Progress::new("merchants, stocks", steps, self.options.silent),
        });
        let shop_names = Arc::new(shop_names);
        make_shops(&shared, &shop_names, self.options.concurrency).await?;
        let shops_of_stocks = Arc::new(shops_of_stocks);
        make_stocks(&shared, dataset, &shop_names, &shops_of_stocks, self.options.concurrency).await?;
        shared.progress.finish();
        let state = shared.state();
        if let Some(file) = file {
            state.save(&file)?;
        }
        let credentials = shop_names.iter().map(|name| credentials(&state.shops, name)).collect::<Result<_>>()?;
        let ready = dataset.stocks.iter().zip(shops_of_stocks.iter());
        let stocks =
            ready.map(|(stock, &shop)| Ready { id: state.stocks[&names::stock("stock", &stock.of)].clone(), shop });
        Ok(Shops { credentials, stocks: stocks.collect() })
    }
}

async fn make_shops(shared: &Arc<Shared>, names: &Arc<Vec<String>>, at_once: usize) -> Result<()> {
    let (shared, names) = (shared.clone(), names.clone());
    in_parallel(names.len(), at_once, move |index| {
        let (shared, names) = (shared.clone(), names.clone());
        async move {
            let name = &names[index];
            if !shared.state().shops.contains_key(name) {
                let shop = shared.make_shop(name).await?;
                shared.change(|state| state.shops.insert(name.clone(), shop));
            }
            shared.progress.advance();
            Ok(())
        }
    })
    .await
}

async fn make_stocks(
    shared: &Arc<Shared>,
    dataset: &Arc<Dataset>,
    shop_names: &Arc<Vec<String>>,
    shops: &Arc<Vec<usize>>,
    at_once: usize,
) -> Result<()> {
    let (shared, dataset, shop_names, shops) = (shared.clone(), dataset.clone(), shop_names.clone(), shops.clone());
    let count = dataset.stocks.len();
    in_parallel(count, at_once, move |index| {
        let (shared, dataset, shop_names, shops) = (shared.clone(), dataset.clone(), shop_names.clone(), shops.clone());
        async move {
            let stock = &dataset.stocks[index];
            let name = names::stock("stock", &stock.of);
            let known = shared.lookup(|state| state.stocks.contains_key(&name));
            if !known {
                let key = shared.lookup(|state| credentials(&state.shops, &shop_names[shops[index]]))?;
                let id = shared.make_stock(&key, stock, &name).await?;
                shared.change(|state| state.stocks.insert(name, id));
            }
            shared.progress.advance();
            Ok(())
        }
    })
    .await
}

fn credentials(shops: &BTreeMap<String, state::Shop>, name: &str) -> Result<Credentials> {
    let shop = shops.get(name).ok_or_else(|| Failure::Usage(format!("no merchant was made for {name}")))?;
    Ok(Credentials::new(&*shop.key_id, &shop.secret))
}

impl Shared {
    fn state(&self) -> State {
        self.lookup(State::clone)
    }

    fn lookup<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    async fn call(&self, credentials: &Credentials, path: &str, key: &str, body: Value) -> Result<Value> {
        let method = if path.ends_with("/quotas") { "PUT" } else { "POST" };
        let body = Some(body);
        self.caller.expect(&Call { kind: Kind::Setup, credentials, method, path, key: Some(key), body }).await
    }

    async fn make_shop(&self, name: &str) -> Result<state::Shop> {
        let key = |what: &str| self.names.platform(what, name);
        let profile = json!({
            "name": format!("{} {name}", self.names.run()),
            "time_zone": "Asia/Shanghai",
            "mode": "test",
        });
        let merchant = self.call(&self.platform, "/v1/merchants", &key("merchant"), profile).await?;
        let merchant_id = text(&merchant, "id", "POST /v1/merchants")?;
        let at = |end: &str| format!("/v1/merchants/{merchant_id}/{end}");
        let quotas = json!({"create_per_second": QUOTA, "redeem_per_second": QUOTA, "import_per_minute": QUOTA});
        self.call(&self.platform, &at("quotas"), &key("quotas"), quotas).await?;
        let role = json!({"name": "replay", "role": "admin"});
        let made = self.call(&self.platform, &at("keys"), &key("key"), role).await?;
        let (key_id, secret) = (text(&made, "key_id", &at("keys"))?, text(&made, "secret", &at("keys"))?);
        Ok(state::Shop { merchant_id, key_id, secret })
    }

    async fn make_stock(&self, key: &Credentials, stock: &Stock, name: &str) -> Result<String> {
        let made = self.call(key, "/v1/stocks", name, profile(stock)).await?;
        let id = text(&made, "id", "POST /v1/stocks")?;
        let path = format!("/v1/stocks/{id}/activate");
        self.call(key, &path, &names::stock("activate", &stock.of), json!({})).await?;
        Ok(id)
    }
}

/// The stock as the API wants it: as many coupons as there are claims, so that each gets one and none is left.
fn profile(stock: &Stock) -> Value {
    let StockOf { merchant, coupon, rule } = stock.of;
    json!({
        "type": rule.stock_type(),
        "name": format!("coupon {coupon}"),
        "terms": format!("Coupon {coupon} of merchant {merchant}: {rule}"),
        "value": rule.value(),
        "total": stock.claims,
        "code_mode": "generated",
        "valid_after_claim": {"days": 365},
        "reference": format!("{merchant}/{coupon}"),
    })
}

fn text(answer: &Value, field: &str, what: &str) -> Result<String> {
    let missing = || Failure::Unexpected { what: what.to_owned(), detail: format!("there is no {field}") };
    answer[field].as_str().map(str::to_owned).ok_or_else(missing)
}
