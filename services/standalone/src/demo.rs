//! The demonstration: a sample test merchant with a stock, a session to paste, and gentle traffic.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use http_api::client::{Client, Credentials};
use serde_json::{Value, json};

use crate::tools::print;
use host::Failure;
use host::keys::platform_key_file;

/// What to show.
pub(crate) struct Demo {
    /// A claim every second, two of three redeemed.
    pub(crate) traffic: bool,
}

struct Sample {
    key_id: String,
    secret: String,
    stock: String,
}

impl Demo {
    /// Runs until it is stopped.
    pub(crate) async fn run(self, address: String, data_dir: PathBuf) {
        match prepare(&address, &data_dir).await {
            Ok(sample) => {
                print(&session(&address, &sample));
                if self.traffic {
                    traffic(&address, &sample).await;
                }
            }
            Err(error) => tracing::error!(%error, "the demonstration could not be prepared"),
        }
    }
}

/// The same keys at every start, so that a restart finds the merchant that is there.
async fn prepare(address: &str, data_dir: &std::path::Path) -> Result<Sample, Failure> {
    let key: Value = serde_json::from_str(&std::fs::read_to_string(platform_key_file(data_dir))?)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let platform = Credentials::new(text(&key["key_id"]), &text(&key["secret"]));
    let client = Client::new(address)?;
    // Keys are remembered for a day; the stamp of the day the directory was first used makes them last.
    let stamp_file = data_dir.join("demo.json");
    if let Ok(known) = std::fs::read_to_string(&stamp_file) {
        let known: Value = serde_json::from_str(&known)?;
        let sample =
            Sample { key_id: text(&known["key_id"]), secret: text(&known["secret"]), stock: text(&known["stock"]) };
        return Ok(sample);
    }
    let merchant = json!({"name": "Sample Tea 示例茶铺", "time_zone": "Asia/Shanghai", "mode": "test"});
    let made =
        client.signed(&platform, "POST", "/v1/merchants", Some("demo-merchant"), Some(&merchant)).await?.json()?;
    let path = format!("/v1/merchants/{}/keys", text(&made["id"]));
    let wanted = json!({"name": "demo", "role": "admin"});
    let made = client.signed(&platform, "POST", &path, Some("demo-key"), Some(&wanted)).await?.json()?;
    let (key_id, secret) = (text(&made["key_id"]), text(&made["secret"]));
    let own = Credentials::new(&key_id, &secret);
    let stock = json!({
        "type": "spend_and_save", "name": "满30减5", "terms": "Spend 30, save 5. 满30元减5元。",
        "value": {"amount_off": {"amount": 500, "currency": "CNY"}, "minimum_spend": {"amount": 3000, "currency": "CNY"}},
        "total": 1_000_000, "code_mode": "generated", "valid_after_claim": {"days": 30},
    });
    let made = client.signed(&own, "POST", "/v1/stocks", Some("demo-stock"), Some(&stock)).await?.json()?;
    let stock = text(&made["id"]);
    let path = format!("/v1/stocks/{stock}/activate");
    client.signed(&own, "POST", &path, Some("demo-activate"), None).await?;
    let rules = json!({"name": "starter", "text": risk::rules::STARTER, "comment": "The rules to begin with 起步规则"});
    let made = client.signed(&platform, "POST", "/v1/risk/rulesets", Some("demo-rules"), Some(&rules)).await?.json()?;
    let path = format!("/v1/risk/rulesets/{}/versions/1/submit", text(&made["id"]));
    let shadow = json!({"to": "shadow"});
    client.signed(&platform, "POST", &path, Some("demo-shadow"), Some(&shadow)).await?;
    let known = json!({"key_id": key_id, "secret": secret, "stock": stock});
    std::fs::write(&stamp_file, known.to_string())?;
    std::fs::set_permissions(&stamp_file, std::fs::Permissions::from_mode(0o600))?;
    Ok(Sample { key_id, secret, stock })
}

fn session(address: &str, sample: &Sample) -> String {
    let Sample { key_id, secret, .. } = sample;
    format!(
        r#"
Counterfoil runs at {address}   (API: {address}/docs/   metrics: {address}/metrics)
test key: {key_id}:{secret}

Paste this into another terminal:

  BASE={address}; AUTH='Authorization: Bearer {key_id}:{secret}'; JSON='Content-Type: application/json'
  post() {{ curl -sS -D /dev/stderr "$BASE$1" -H "$AUTH" -H "$JSON" -H "Idempotency-Key: $2" -d "$3"; echo; }}
  field() {{ sed -n 's/.*"'$1'":"\([^"]*\)".*/\1/p'; }}
  N=$(date +%s)
  # a stock of 1,000 coupons, 5 off 30 满30减5, and open it
  STOCK=$(post /v1/stocks stock-$N '{{"type":"cash","name":"满30减5","terms":"Spend 30, save 5. 满30元减5元。","value":{{"amount_off":{{"amount":500,"currency":"CNY"}},"minimum_spend":{{"amount":3000,"currency":"CNY"}}}},"total":1000,"valid_after_claim":{{"days":30}}}}' | field id)
  post /v1/stocks/$STOCK/activate activate-$N ''
  # claim a coupon 领券
  CODE=$(post /v1/claims claim-$N '{{"stock_id":"'$STOCK'","user_id":"u-'$N'","context":{{"device_id":"d-'$N'"}}}}' | field code); echo "code $CODE"
  BODY='{{"coupons":[{{"code":"'$CODE'"}}],"order":{{"id":"order-'$N'","amount":4200,"currency":"CNY"}},"context":{{"device_id":"d-'$N'"}}}}'
  post /v1/redemptions redeem-$N "$BODY"     # 201: redeemed 核销
  post /v1/redemptions redeem-$N "$BODY"     # the same key again: the same answer, idempotency-replayed: true
  post /v1/redemptions again-$N "$BODY"      # another key: 409 already_redeemed, naming the order
"#
    )
}

async fn traffic(address: &str, sample: &Sample) {
    let Ok(client) = Client::new(address) else { return };
    let own = Credentials::new(&sample.key_id, &sample.secret);
    let run: u32 = rand::random();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    for n in 0_u64.. {
        second.tick().await;
        let (claim_key, redeem_key) = (format!("demo-{run}-c{n}"), format!("demo-{run}-r{n}"));
        let context = json!({"device_id": format!("demo-device-{}", n % 50), "ip": format!("203.0.113.{}", n % 200)});
        let claim = json!({"stock_id": sample.stock, "user_id": format!("demo-user-{}", n % 200), "context": context});
        let Ok(reply) = client.signed(&own, "POST", "/v1/claims", Some(&claim_key), Some(&claim)).await else {
            continue;
        };
        let Ok(coupon) = reply.json() else { continue };
        if n % 3 == 2 {
            continue;
        }
        let redeem = json!({
            "coupons": [{"coupon_id": coupon["coupon_id"]}],
            "order": {"id": format!("demo-{run}-{n}"), "amount": 3_000 + n % 50 * 100, "currency": "CNY"},
            "context": context,
        });
        // Refusals and broken connections are part of the show.
        let _ = client.signed(&own, "POST", "/v1/redemptions", Some(&redeem_key), Some(&redeem)).await;
    }
}
