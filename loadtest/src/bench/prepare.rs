//! What a bench needs to be there: a merchant, codes made ahead, and a stock to claim from.

use std::sync::Arc;
use std::time::Duration;

use http_api::client::{Client, Credentials};
use serde_json::{Value, json};

use crate::caller::{Call, Caller, Kind};
use crate::{Failure, Result};

const QUOTA: u32 = 1_000_000;
/// How long a million codes may take to arrive.
const EXPORT_LIMIT: Duration = Duration::from_mins(10);

/// A merchant with a stock to redeem from and one to claim from. Clones share the codes.
#[derive(Clone)]
pub(super) struct Shop {
    pub(super) credentials: Credentials,
    pub(super) claim_stock: Arc<str>,
    /// Part of every key, so that a server may be measured more than once.
    pub(super) run: Arc<str>,
    codes: Arc<Codes>,
    first: u64,
}

/// Codes, one after the other, all of one length.
struct Codes {
    text: String,
    width: usize,
}

impl Shop {
    /// Makes them on a fresh server.
    pub(super) async fn make(target: &str, platform: Credentials, codes: u64) -> Result<Self> {
        let caller = Caller::new(target, Duration::from_mins(1))?;
        let run = format!("{:08x}", rand::random::<u32>());
        let named = |name: &str| format!("bench-{run}-{name}");
        let profile = json!({"name": "bench", "time_zone": "Asia/Shanghai", "mode": "test"});
        let merchant = id(&post(&caller, &platform, "/v1/merchants", &named("merchant"), profile).await?)?;
        let quotas = json!({"create_per_second": QUOTA, "redeem_per_second": QUOTA, "import_per_minute": QUOTA});
        put(&caller, &platform, &format!("/v1/merchants/{merchant}/quotas"), &named("quotas"), quotas).await?;
        let role = json!({"name": "bench", "role": "admin"});
        let key = post(&caller, &platform, &format!("/v1/merchants/{merchant}/keys"), &named("key"), role).await?;
        let (Some(key_id), Some(secret)) = (key["key_id"].as_str(), key["secret"].as_str()) else {
            return Err(unexpected("a key", "it has no key_id or no secret"));
        };
        let credentials = Credentials::new(key_id, secret);
        let claim_stock = stock(&caller, &credentials, &named("claim"), "generated", 1_000_000_000).await?;
        let pool = stock(&caller, &credentials, &named("redeem"), "pool", codes).await?;
        let path = format!("/v1/stocks/{pool}/codes");
        let made =
            post(&caller, &credentials, &path, &named("codes"), json!({"count": codes, "label": "bench"})).await?;
        let batch = made["batch_id"].as_str().ok_or_else(|| unexpected("codes", "there is no batch_id"))?;
        let codes = Codes::export(target, &credentials, batch).await?;
        Ok(Self { credentials, claim_stock: claim_stock.into(), run: run.into(), codes: Arc::new(codes), first: 0 })
    }

    /// The `n`-th code that has not been redeemed by an earlier load; `None` when they are used up.
    pub(super) fn code(&self, n: u64) -> Option<&str> {
        self.codes.get(self.first + n)
    }

    /// The next load begins after so many.
    pub(super) fn skip_codes(&mut self, used: u64) {
        self.first += used;
    }
}

impl Codes {
    async fn export(target: &str, credentials: &Credentials, batch: &str) -> Result<Self> {
        let what = "the export of codes";
        let client = Client::new(target).map_err(|error| Failure::Usage(error.to_string()))?.timeout(EXPORT_LIMIT);
        let path = format!("/v1/code-batches/{batch}/codes?format=csv");
        let reply = client.signed(credentials, "GET", &path, None, None).await;
        let reply = reply.map_err(|source| Failure::Client { what: what.to_owned(), source })?;
        let text = std::str::from_utf8(&reply.body).map_err(|_| unexpected(what, "it is not UTF-8"))?;
        if !reply.status.is_success() {
            return Err(unexpected(what, text));
        }
        Self::parse(text)
    }

    /// The first column of the export.
    fn parse(csv: &str) -> Result<Self> {
        let mut codes = Self { text: String::new(), width: 0 };
        for line in csv.lines().skip(1).filter(|line| !line.is_empty()) {
            let code = line.split(',').next().unwrap_or_default();
            if codes.width == 0 {
                codes.width = code.len();
            }
            if code.len() != codes.width || code.is_empty() {
                return Err(unexpected("the export of codes", "the codes differ in length"));
            }
            codes.text.push_str(code);
        }
        Ok(codes)
    }

    fn get(&self, n: u64) -> Option<&str> {
        let start = usize::try_from(n).ok()?.checked_mul(self.width)?;
        self.text.get(start..start + self.width).filter(|code| !code.is_empty())
    }
}

async fn stock(caller: &Caller, key: &Credentials, name: &str, code_mode: &str, total: u64) -> Result<String> {
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

async fn post(caller: &Caller, credentials: &Credentials, path: &str, key: &str, body: Value) -> Result<Value> {
    let call = Call { kind: Kind::Setup, credentials, method: "POST", path, key: Some(key), body: Some(body) };
    caller.expect(&call).await
}

async fn put(caller: &Caller, credentials: &Credentials, path: &str, key: &str, body: Value) -> Result<Value> {
    let call = Call { kind: Kind::Setup, credentials, method: "PUT", path, key: Some(key), body: Some(body) };
    caller.expect(&call).await
}

fn id(made: &Value) -> Result<String> {
    made["id"].as_str().map(str::to_owned).ok_or_else(|| unexpected("what was made", "it has no id"))
}

fn unexpected(what: &str, detail: &str) -> Failure {
    Failure::Unexpected { what: what.to_owned(), detail: detail.chars().take(200).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_by_their_place() {
        let codes = Codes::parse("code,coupon_id\nAAAA-0001,cpn_1\nAAAA-0002,cpn_2\n").expect("an export");
        assert_eq!((codes.get(0), codes.get(1), codes.get(2)), (Some("AAAA-0001"), Some("AAAA-0002"), None));
        assert_eq!(Codes::parse("code,coupon_id\n").expect("empty").get(0), None);
        assert!(Codes::parse("code,coupon_id\nA,1\nBB,2\n").is_err());
    }
}
