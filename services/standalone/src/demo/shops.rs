//! Makes the merchants of the catalogue, each step under the same key at every start.

use std::sync::Arc;

use host::Failure;
use http_api::client::Client;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::caller::{Caller, Key, text};
use super::catalogue::{MERCHANTS, Merchant, OWN, PRINTED, SCARCE, Stock};

/// Two load tests that were run when this was written, on a busy machine of two cores and with a build for debugging: one
/// that missed its threshold, and one that kept it.
const LOAD_TESTS: [&str; 2] =
    [include_str!("load_tests/redeem-200.json"), include_str!("load_tests/quiet-evening.json")];

/// A merchant that was made: places are those of the catalogue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Shop {
    pub(super) id: String,
    /// An admin's.
    pub(super) key: Key,
    pub(super) stores: Vec<String>,
    pub(super) stocks: Vec<String>,
}

/// All merchants of the catalogue.
pub(super) async fn make_all(client: &Arc<Client>, platform: &Caller) -> Result<Vec<Shop>, Failure> {
    let mut shops = Vec::new();
    for merchant in &MERCHANTS {
        shops.push(make(client, platform, merchant).await?);
    }
    if let Some(first) = shops.first() {
        load_tests(&Caller::new(client, &first.key)).await?;
    }
    Ok(shops)
}

async fn load_tests(own: &Caller) -> Result<(), Failure> {
    for (n, report) in LOAD_TESTS.into_iter().enumerate() {
        let report: Value = serde_json::from_str(report)?;
        let reference = "A sample: not of this machine 示例，非本机实测";
        let wanted = json!({"report": report, "reference": reference});
        own.post("/v1/load-tests", &format!("demo-load-test-{n}"), wanted).await?;
    }
    Ok(())
}

async fn make(client: &Arc<Client>, platform: &Caller, merchant: &Merchant) -> Result<Shop, Failure> {
    let slug = merchant.slug;
    let wanted = json!({"name": merchant.name, "time_zone": "Asia/Shanghai", "mode": "test"});
    let id = text(&platform.post("/v1/merchants", &format!("demo-{slug}"), wanted).await?["id"]);
    let first = slug == MERCHANTS[0].slug;
    let key = if first { "demo-key".to_owned() } else { format!("demo-{slug}-key") };
    let wanted = json!({"name": "demo", "role": "admin"});
    let key = Key::of(&platform.post(&format!("/v1/merchants/{id}/keys"), &key, wanted).await?);
    let own = Caller::new(client, &key);
    let mut shop = Shop { id, key, stores: Vec::new(), stocks: Vec::new() };
    for (n, store) in merchant.stores.iter().enumerate() {
        let location = json!({"latitude": store.latitude, "longitude": store.longitude, "datum": "wgs84"});
        let wanted = json!({"name": store.name, "location": location});
        shop.stores.push(text(&own.post("/v1/stores", &format!("demo-{slug}-store-{n}"), wanted).await?["id"]));
    }
    for stock in merchant.stocks {
        shop.stocks.push(open(&own, stock).await?);
    }
    Ok(shop)
}

async fn open(own: &Caller, stock: &Stock) -> Result<String, Failure> {
    let slug = stock.slug;
    let mut wanted = json!({
        "type": stock.value.kind(), "name": stock.name, "terms": stock.terms, "value": stock.value.value(),
        "total": stock.total, "code_mode": stock.codes, "valid_after_claim": {"days": 30},
    });
    if slug == super::catalogue::HOT {
        wanted["limits"] = json!({"per_user": 1});
    }
    let id = text(&own.post("/v1/stocks", &format!("demo-{slug}"), wanted).await?["id"]);
    own.post(&format!("/v1/stocks/{id}/activate"), &format!("demo-{slug}-activate"), json!({})).await?;
    fill(own, slug, &id).await?;
    Ok(id)
}

/// What is done with a stock in bulk: these are the operations on show.
async fn fill(own: &Caller, slug: &str, id: &str) -> Result<(), Failure> {
    match slug {
        SCARCE => {
            let users: Vec<String> = (0..291).map(|n| format!("member-{n:04}")).collect();
            let wanted = json!({"stock_id": id, "user_ids": users});
            own.post("/v1/sends", "demo-tasting-send", wanted).await?;
        }
        PRINTED => {
            let wanted = json!({"count": 1_500, "label": "Leaflets, spring 春季传单"});
            own.post(&format!("/v1/stocks/{id}/codes"), "demo-printed-batch", wanted).await?;
        }
        OWN => {
            own.upload(&format!("/v1/stocks/{id}/code-imports"), "demo-own-import", own_codes()).await?;
        }
        _ => {}
    }
    Ok(())
}

/// Sixty good rows, one twice, and two that are no codes.
fn own_codes() -> String {
    let mut rows: Vec<String> = (1..=60).map(|n| format!("HARBOUR-{n:04}")).collect();
    rows.extend(["HARBOUR-0007", "HARBOUR 0061", "会员-0062"].map(str::to_owned));
    format!("code\n{}\n", rows.join("\n"))
}
