//! The demonstration: sample test merchants with all that analysts, merchants and engineers look at, a session to paste,
//! and traffic of honest shoppers and of abusers.
//!
//! Everything is made over HTTP, as anybody would make it, each step under the same key at every start: what was
//! interrupted goes on. Once all of it is there, `demo.json` says so.

mod abuse;
mod analysts;
mod caller;
mod catalogue;
mod crowd;
mod shops;
mod stage;
mod traffic;

use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http_api::client::Client;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::tools::print;
use analysts::Leads;
use caller::{Caller, Key};
use host::Failure;
use host::keys::platform_key_file;
use shops::Shop;
use stage::Stage;

/// Devices and addresses that are counted at once, at most: enough for an hour of the busiest traffic's, and little memory
/// on the machine of somebody who has a look.
pub(crate) const MOST_KEYS: usize = 50_000;

/// What to show.
pub(crate) struct Demo {
    /// How much goes on.
    pub(crate) traffic: Traffic,
}

/// How much goes on in the demonstration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Traffic {
    /// Nothing: the sample merchants stand still
    Off,
    /// About 25 requests a second, from 3,000 shoppers and an abuser or two
    #[default]
    Gentle,
    /// About 100 requests a second, from 12,000 shoppers
    Busy,
}

/// What was made on the first day of a data directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sample {
    shops: Vec<Shop>,
    leads: Leads,
}

impl Demo {
    /// Runs until it is stopped.
    pub(crate) async fn run(self, address: String, data_dir: PathBuf) {
        match self.show(&address, &data_dir).await {
            Ok(()) => {}
            Err(error) => tracing::error!(%error, "the demonstration could not be prepared"),
        }
    }

    async fn show(self, address: &str, data_dir: &Path) -> Result<(), Failure> {
        let client = Arc::new(Client::new(address)?);
        let sample = prepare(&client, data_dir).await?;
        print(&session(address, &sample.shops[0].key));
        let run = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        traffic::play(Stage::new(&client, &sample.shops, run), self.traffic).await;
        Ok(())
    }
}

/// The sample that is there, or a new one. Keys of requests are remembered for a day; the stamp of the day the directory
/// was first used makes them last.
async fn prepare(client: &Arc<Client>, data_dir: &Path) -> Result<Sample, Failure> {
    let stamp_file = data_dir.join("demo.json");
    if let Ok(known) = std::fs::read_to_string(&stamp_file) {
        return serde_json::from_str(&known)
            .map_err(|error| format!("{}: {error}; without the file all is made anew", stamp_file.display()).into());
    }
    let key: Value = serde_json::from_str(&std::fs::read_to_string(platform_key_file(data_dir))?)?;
    let platform = Caller::new(client, &Key::of(&key));
    let shops = shops::make_all(client, &platform).await?;
    let leads = analysts::set_up(client, &platform, &shops).await?;
    let sample = Sample { shops, leads };
    keep(&stamp_file, &serde_json::to_string(&sample)?)?;
    Ok(sample)
}

/// Written beside and then moved, so that it is there whole or not at all; it holds secrets of test keys.
fn keep(file: &Path, text: &str) -> std::io::Result<()> {
    let beside = file.with_extension("json.new");
    let mut options = std::fs::OpenOptions::new();
    let mut opened = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    std::io::Write::write_all(&mut opened, text.as_bytes())?;
    opened.sync_all()?;
    // Left over from an earlier start, it may be readable by others.
    opened.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&beside, file)
}

/// Printed once the sample is there; what else is printed at the start comes after it.
fn session(address: &str, Key { key_id, secret }: &Key) -> String {
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
