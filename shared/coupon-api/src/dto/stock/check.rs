//! A stock's bounds, checked at the edge.

use std::collections::BTreeMap;

use coupon::command::StockPatch;
use coupon::event::{Note, StockProfile};
use coupon::id::StoreId;
use coupon::money::{Currency, MAX_AMOUNT, Money};
use coupon::state::Stock;
use coupon::terms::{self, Validity, Value};
use http_api::body::Check;
use http_api::problem::{Code, Problem};
use http_api::time::Timestamp;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::{AppliesTo, AvailableTime, CodeModeName, LimitsBody, Sound, Stacking, StockRequest, StockType};
use super::{ValidAfterClaim, terms_of};
use crate::dto::context::note;

/// The most coupons of one stock.
const MAX_TOTAL: u64 = 1_000_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cash {
    amount_off: Money,
    minimum_spend: Option<Money>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SpendAndSave {
    amount_off: Money,
    minimum_spend: Money,
    #[serde(default)]
    every: bool,
    at_most_times: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Discount {
    percent_off_bp: u32,
    minimum_spend: Option<Money>,
    maximum_off: Option<Money>,
    currency: Option<Currency>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupBuy {
    sku: String,
    deal_price: Money,
    list_price: Money,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Goods {
    sku: String,
    #[serde(default = "one")]
    quantity: u32,
    currency: Option<Currency>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MultiUse {
    uses: u32,
    #[serde(default)]
    minimum_interval_seconds: u32,
    currency: Option<Currency>,
}

fn one() -> u32 {
    1
}

/// The value's fields, with pointers below `/value`.
fn decode_value<T: serde::de::DeserializeOwned>(value: &serde_json::Value, prefix: &str) -> Result<T, Problem> {
    let bytes = serde_json::to_vec(value).map_err(Problem::internal)?;
    http_api::body::parse(&bytes, ("", "")).map(|parsed| parsed.body).map_err(|mut problem| {
        problem.pointer = Some(format!("{prefix}{}", problem.pointer.unwrap_or_default()));
        problem
    })
}

pub(super) fn profile(request: StockRequest) -> Result<StockProfile, Problem> {
    let own = Check::new()
        .length("/name", &request.name, 1..=128)
        .length("/terms", &request.terms, 0..=4000)
        .field("/total", (1..=MAX_TOTAL).contains(&request.total), "must be 1 to 1,000,000,000")
        .field("/reversal_window_days", request.reversal_window_days <= 3650, "must be 0 to 3650")
        .field(
            "/expected_daily_redemptions",
            request.expected_daily_redemptions.is_none_or(|expected| expected <= MAX_TOTAL),
            "must be 0 to 1,000,000,000",
        );
    own.done()?;
    let mut currencies = Vec::new();
    let value = value(&request, &mut currencies)?;
    if let Some(budget) = request.budget {
        positive("/budget/amount", budget.amount, 0)?;
        currencies.push(("/budget/currency", budget.currency));
    }
    let currency = one_currency(&currencies)?;
    let sound = Sound {
        value,
        currency,
        validity: validity(&request)?,
        stores: stores(&request.store_ids)?,
        times: times(&request.available_times)?,
    };
    limits(&request.limits)?;
    applies_to(&request.applies_to)?;
    stacking(&request.stacking)?;
    let terms = terms_of(&request, sound);
    Ok(StockProfile {
        terms,
        name: request.name,
        text: request.terms,
        total: request.total,
        limits: request.limits.into(),
        budget: request.budget.map(|budget| budget.amount),
        note: note(request.reference, request.metadata)?,
    })
}

const OFF: &str = "/value/amount_off/currency";
const MINIMUM: &str = "/value/minimum_spend/currency";

type Currencies = Vec<(&'static str, Currency)>;

fn value(request: &StockRequest, currencies: &mut Currencies) -> Result<Value, Problem> {
    let body = &request.value;
    let mut take = |pointer: &'static str, money: Money, least: i64| {
        currencies.push((pointer, money.currency));
        positive(&pointer.replace("/currency", "/amount"), money.amount, least).map(|()| money.amount)
    };
    Ok(match request.kind {
        StockType::Cash => {
            let Cash { amount_off, minimum_spend } = decode_value(body, "/value")?;
            Value::Cash {
                amount_off: take(OFF, amount_off, 1)?,
                minimum_spend: minimum_spend.map_or(Ok(0), |money| take(MINIMUM, money, 0))?,
            }
        }
        StockType::SpendAndSave => {
            let SpendAndSave { amount_off, minimum_spend, every, at_most_times } = decode_value(body, "/value")?;
            let times_fit = at_most_times.is_none_or(|times| (1..=1000).contains(&times));
            Check::new().field("/value/at_most_times", times_fit, "must be 1 to 1000").done()?;
            Value::SpendAndSave {
                amount_off: take(OFF, amount_off, 1)?,
                minimum_spend: take(MINIMUM, minimum_spend, 0)?,
                every,
                at_most_times,
            }
        }
        StockType::Discount => {
            let Discount { percent_off_bp, minimum_spend, maximum_off, currency } = decode_value(body, "/value")?;
            let in_range = (1..=10_000).contains(&percent_off_bp);
            Check::new().field("/value/percent_off_bp", in_range, "must be 1 to 10,000 basis points").done()?;
            let value = Value::Discount {
                percent_off_bp,
                minimum_spend: minimum_spend.map_or(Ok(0), |money| take(MINIMUM, money, 0))?,
                maximum_off: maximum_off.map(|money| take("/value/maximum_off/currency", money, 1)).transpose()?,
            };
            currencies.extend(currency.map(|currency| ("/value/currency", currency)));
            value
        }
        StockType::GroupBuy => {
            let GroupBuy { sku, deal_price, list_price } = decode_value(body, "/value")?;
            let value = Value::GroupBuy {
                deal_price: take("/value/deal_price/currency", deal_price, 0)?,
                list_price: take("/value/list_price/currency", list_price, 1)?,
                sku: sound_sku(sku)?,
            };
            let cheaper = deal_price.amount <= list_price.amount;
            Check::new().field("/value/deal_price/amount", cheaper, "must not be above list_price").done()?;
            value
        }
        StockType::Gift | StockType::Experience => {
            let Goods { sku, quantity, currency } = decode_value(body, "/value")?;
            Check::new().field("/value/quantity", (1..=1000).contains(&quantity), "must be 1 to 1000").done()?;
            currencies.extend(currency.map(|currency| ("/value/currency", currency)));
            let sku = sound_sku(sku)?;
            if request.kind == StockType::Gift {
                Value::Gift { sku, quantity }
            } else {
                Value::Experience { sku, quantity }
            }
        }
        StockType::MultiUse => {
            let MultiUse { uses, minimum_interval_seconds, currency } = decode_value(body, "/value")?;
            Check::new()
                .field("/value/uses", (1..=10_000).contains(&uses), "must be 1 to 10,000")
                .field(
                    "/value/minimum_interval_seconds",
                    minimum_interval_seconds <= 31_536_000,
                    "must be 0 to 31,536,000 seconds",
                )
                .done()?;
            currencies.extend(currency.map(|currency| ("/value/currency", currency)));
            Value::MultiUse { uses, minimum_interval_seconds }
        }
    })
}

fn sound_sku(sku: String) -> Result<String, Problem> {
    Check::new().length("/value/sku", &sku, 1..=128).done().map(|()| sku)
}

fn positive(pointer: &str, amount: i64, least: i64) -> Result<(), Problem> {
    let what = if least == 0 { "must be 0 to 100,000,000,000,000" } else { "must be 1 to 100,000,000,000,000" };
    Check::new().field(pointer, (least..=MAX_AMOUNT).contains(&amount), what).done()
}

/// A stock has one currency; yuan where nothing says which.
fn one_currency(currencies: &[(&'static str, Currency)]) -> Result<Currency, Problem> {
    let first = currencies.first().map_or(coupon::money::CNY, |(_, currency)| *currency);
    match currencies.iter().find(|(_, currency)| *currency != first) {
        None => Ok(first),
        Some((pointer, other)) => {
            let detail = format!("{pointer} is {other}, but the stock's other amounts are {first}.");
            Err(Problem::new(Code::InvalidField, detail).pointer(*pointer))
        }
    }
}

fn validity(request: &StockRequest) -> Result<Validity, Problem> {
    let (claim_from, claim_until) = (request.claim_from, request.claim_until);
    let window = claim_from.zip(claim_until).is_none_or(|(from, until)| from.0 < until.0);
    Check::new().field("/claim_until", window, "must be after claim_from").done()?;
    match (request.valid_from, request.valid_until, request.valid_after_claim) {
        (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
            let detail = "/valid_after_claim stands instead of valid_from and valid_until, not beside them.";
            Err(Problem::new(Code::InvalidField, detail).pointer("/valid_after_claim"))
        }
        (Some(Timestamp(from)), Some(Timestamp(until)), None) => {
            Check::new().field("/valid_until", from < until, "must be after valid_from").done()?;
            Ok(Validity::Fixed { from, until })
        }
        (None, None, Some(ValidAfterClaim { delay_days, days })) => {
            Check::new()
                .field("/valid_after_claim/delay_days", delay_days <= 3650, "must be 0 to 3650")
                .field("/valid_after_claim/days", (1..=3650).contains(&days), "must be 1 to 3650")
                .done()?;
            Ok(Validity::AfterClaim { delay_days, days })
        }
        (Some(_), None, None) => Check::new().present("/valid_until", false).done().map(|()| unreachable_validity()),
        (None, _, None) => Check::new().present("/valid_from", false).done().map(|()| unreachable_validity()),
    }
}

/// A check that cannot hold has no value behind it.
fn unreachable_validity() -> Validity {
    Validity::Fixed { from: 0, until: 0 }
}

fn stores(ids: &[String]) -> Result<Vec<StoreId>, Problem> {
    Check::new().field("/store_ids", ids.len() <= 10_000, "must have at most 10,000 stores").done()?;
    let parse = |(i, id): (usize, &String)| {
        id.parse().map_err(|_| Problem::of(Code::StoreNotFound).pointer(format!("/store_ids/{i}")))
    };
    ids.iter().enumerate().map(parse).collect()
}

fn times(times: &[AvailableTime]) -> Result<Vec<terms::AvailableTime>, Problem> {
    Check::new().field("/available_times", times.len() <= 50, "must have at most 50 entries").done()?;
    let mut sound = Vec::with_capacity(times.len());
    for (i, time) in times.iter().enumerate() {
        let at = |field: &str| format!("/available_times/{i}/{field}");
        let days_fit = !time.weekdays.is_empty()
            && time.weekdays.len() <= 7
            && time.weekdays.iter().all(|day| (1..=7).contains(day));
        let (from, until) = (minute(&time.from), minute(&time.until));
        Check::new()
            .field_at(|| at("weekdays"), days_fit, "must be 1 (Monday) to 7 (Sunday)")
            .field_at(|| at("from"), from.is_some_and(|m| m < 1440), "must be HH:MM, 00:00 to 23:59")
            .field_at(|| at("until"), until.is_some_and(|m| m > 0), "must be HH:MM, 00:01 to 24:00")
            .done()?;
        sound.push(terms::AvailableTime {
            weekdays: time.weekdays.clone(),
            from_minute: from.unwrap_or(0),
            until_minute: until.unwrap_or(1440),
        });
    }
    Ok(sound)
}

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |part: &str| (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse().ok())?;
    let (hours, minutes): (u16, u16) = (two(hours)?, two(minutes)?);
    (minutes < 60 && hours * 60 + minutes <= 1440).then_some(hours * 60 + minutes)
}

fn limits(limits: &LimitsBody) -> Result<(), Problem> {
    let mut check = Check::new();
    for (name, limit) in [
        ("per_user", limits.per_user),
        ("per_user_day", limits.per_user_day),
        ("per_day", limits.per_day),
        ("user_day_redemptions", limits.user_day_redemptions),
        ("store_day_redemptions", limits.store_day_redemptions),
    ] {
        let fits = limit.is_none_or(|limit| (1..=MAX_TOTAL).contains(&limit));
        check = check.field_at(|| format!("/limits/{name}"), fits, "must be 1 to 1,000,000,000");
    }
    check.done()
}

fn applies_to(applies_to: &AppliesTo) -> Result<(), Problem> {
    let lists =
        [("skus", &applies_to.skus), ("categories", &applies_to.categories), ("except_skus", &applies_to.except_skus)];
    let mut check = Check::new();
    for (name, list) in lists {
        let pointer = format!("/applies_to/{name}");
        check = check.field(&pointer, list.len() <= 1000, "must have at most 1000 entries");
        for (i, text) in list.iter().enumerate().take(1000) {
            check = check.length(&format!("{pointer}/{i}"), text, 1..=128);
        }
    }
    check.done()
}

fn stacking(stacking: &Stacking) -> Result<(), Problem> {
    Check::new()
        .length("/stacking/group", stacking.group.as_deref().unwrap_or("-"), 1..=64)
        .field("/stacking/max_per_order", (1..=30).contains(&stacking.max_per_order), "must be 1 to 30")
        .done()
}

/// What is left out stays; null takes away what may be missing, and sets lists and limits back to none.
#[expect(clippy::option_option, reason = "left out, taken away, set")]
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Changes of a stock: everything in draft, name, terms, reference and metadata afterwards. What is left out stays;
/// null takes a field away where a stock may be without it.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as in StockRequest")]
pub struct PatchRequest {
    #[serde(rename = "type")]
    pub kind: Option<StockType>,
    pub name: Option<String>,
    pub terms: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub value: Option<serde_json::Value>,
    pub total: Option<u64>,
    pub code_mode: Option<CodeModeName>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub claim_from: Option<Option<Timestamp>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub claim_until: Option<Option<Timestamp>>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub valid_from: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub valid_until: Option<Timestamp>,
    pub valid_after_claim: Option<ValidAfterClaim>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<LimitsBody>)]
    pub limits: Option<Option<LimitsBody>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<super::MoneyBody>)]
    pub budget: Option<Option<Money>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Vec<String>>)]
    pub store_ids: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<AppliesTo>)]
    pub applies_to: Option<Option<AppliesTo>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Stacking>)]
    pub stacking: Option<Option<Stacking>>,
    pub reversal_window_days: Option<u32>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Vec<AvailableTime>>)]
    pub available_times: Option<Option<Vec<AvailableTime>>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u64>)]
    pub expected_daily_redemptions: Option<Option<u64>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub reference: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub metadata: Option<Option<BTreeMap<String, String>>>,
}

/// Lays a patch over a stock as it is; the whole is checked like a new one, and good only while the stock stays so.
pub fn patch(current: &Stock, patch: PatchRequest) -> Result<StockPatch, Problem> {
    let Note { reference, metadata } = note(patch.reference.clone().flatten(), patch.metadata.clone().flatten())?;
    let mut result = StockPatch {
        based_on: current.version,
        name: patch.name.clone(),
        text: patch.terms.clone(),
        reference: patch.reference.as_ref().map(|_| reference),
        metadata: patch.metadata.as_ref().map(|_| metadata),
        expected_daily: patch.expected_daily_redemptions.map(Option::unwrap_or_default),
        ..StockPatch::default()
    };
    let deep = patch.touches_terms();
    let merged = profile(super::view::request_of(&current.profile, patch))?;
    if deep {
        result.terms = Some(merged.terms);
        result.total = Some(merged.total);
        result.limits = Some(merged.limits);
        result.budget = Some(merged.budget);
    }
    Ok(result)
}

impl PatchRequest {
    fn touches_terms(&self) -> bool {
        let value = self.kind.is_some() || self.value.is_some() || self.code_mode.is_some();
        let times = self.claim_from.is_some()
            || self.claim_until.is_some()
            || self.valid_from.is_some()
            || self.valid_until.is_some()
            || self.valid_after_claim.is_some()
            || self.available_times.is_some();
        let scope = self.store_ids.is_some() || self.applies_to.is_some() || self.stacking.is_some();
        let caps = self.total.is_some() || self.limits.is_some() || self.budget.is_some();
        value || times || scope || caps || self.reversal_window_days.is_some()
    }
}
