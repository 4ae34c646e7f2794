//! Risk decisions by the hundred thousand, made over HTTP by shoppers drawn at random, with the server killed in the
//! middle; then all of them are counted again from the history, before and after every projection was made anew, and a
//! sample is derived again under later rules and a later model.

mod check;
mod report;
mod shoppers;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_api::client::Credentials;
use rand::seq::IndexedRandom;
use rand::{SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};

pub use report::{Counted, Report};

use crate::caller::{Call, Caller, Kind};
use crate::failure::unexpected;
use crate::server::{Place, Server};
use crate::{Failure, Result};
use shoppers::Shop;

/// One address or device does not stand for one shopper here: limits would only slow the run down.
const SETTINGS: &str =
    "[limits]\ndevice_per_second = 1000000\ndevice_burst = 1000000\nip_per_second = 1000000\nip_burst = 1000000\n";

const EVERY_FEATURE: &str = include_str!("../../prove/every-feature.rules");
const LATER: &str = include_str!("../../prove/later.rules");
const MODEL: &str = include_str!("../../prove/model.json");

/// What the server makes of the log, and can make again.
const PROJECTIONS: [&str; 2] = ["ledger", "risk.sled"];

/// How much is proved.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `counterfoil` binary; the one beside this executable if left out.
    pub server_binary: Option<PathBuf>,
    /// Its data directory; a temporary one if left out.
    pub data_dir: Option<PathBuf>,
    /// So many shoppers come, each of whom makes one decision or two.
    pub shoppers: u64,
    /// So many of them are derived again.
    pub derived: usize,
    /// What the shoppers are drawn from.
    pub seed: u64,
    /// Calls in flight.
    pub concurrency: usize,
    /// No progress on the standard error.
    pub silent: bool,
}

/// The server, and who speaks with it.
struct Stage {
    place: Place,
    caller: Arc<Caller>,
    platform: Credentials,
    /// Who approves what the platform's key proposed.
    lead: Credentials,
    address: String,
}

/// Makes decisions, and looks at all of them again.
pub async fn run(options: &Options) -> Result<Report> {
    let temporary = tempfile::tempdir().map_err(Failure::io("a temporary folder"))?;
    let folder = options.data_dir.as_deref().unwrap_or(temporary.path());
    let settings = temporary.path().join("server.toml");
    std::fs::write(&settings, SETTINGS).map_err(Failure::file(&settings))?;
    let place = Place { config: Some(settings), ..Place::new(options.server_binary.as_deref(), folder)? };
    let begun = Instant::now();
    let (mut server, stage) = open(place).await?;
    let rules = stage.rules("every feature", EVERY_FEATURE).await?;
    stage.step(&rules, "submit", &json!({"to": "shadow"})).await?;
    stage.live_model().await?;
    let shop = Arc::new(Shop::make(&stage.caller, &stage.platform, options).await?);
    // Half of them, a death without a last word, and the other half.
    let half = options.shoppers / 2;
    shop.clone().shoppers(stage.caller.clone(), (0, half)).await?;
    server.kill().await?;
    server = stage.place.start(&stage.address).await?;
    shop.clone().shoppers(stage.caller.clone(), (half, options.shoppers - half)).await?;
    let answers = shop.answers();
    let online = check::count_again(&stage, options.silent).await?;
    // Nothing is left but the log.
    end(server).await?;
    PROJECTIONS.iter().try_for_each(|name| remove(&folder.join(name)))?;
    let server = stage.place.start(&stage.address).await?;
    let later = stage.rules("later", LATER).await?;
    stage.go_live(&later).await?;
    stage.live_model().await?;
    let rebuilt = check::count_again(&stage, options.silent).await?;
    let mut random = SmallRng::seed_from_u64(options.seed);
    let sample: Vec<String> = answers.decisions.sample(&mut random, options.derived).cloned().collect();
    let derived = check::derive(&stage, sample, options).await?;
    end(server).await?;
    let audit = stage.place.tool(&["audit"]).await?;
    let audit_holds = audit.status.success();
    let verified = stage.place.tool(&["rebuild", "--verify"]).await?;
    if !options.silent {
        eprintln!("{}", verified.text.trim());
    }
    let hashes_equal = verified.status.success();
    let seconds = begun.elapsed().as_secs_f64();
    let (seed, made, refused) = (options.seed, answers.decisions.len() as u64, answers.refused);
    Ok(Report { seed, made, refused, online, rebuilt, derived, audit_holds, hashes_equal, seconds })
}

async fn open(place: Place) -> Result<(Server, Stage)> {
    let server = place.start("127.0.0.1:0").await?;
    let caller = Arc::new(Caller::new(&server.url, Duration::from_mins(2))?);
    let platform = place.platform_key()?;
    let wanted = json!({"name": "lead", "role": "analyst_lead"});
    let made = post(&caller, &platform, "/v1/keys", "prove-lead", wanted).await?;
    let lead = credentials(&made)?;
    let address = server.address().to_owned();
    Ok((server, Stage { place, caller, platform, lead, address }))
}

async fn end(server: Server) -> Result<()> {
    let status = server.stop().await?;
    if status.success() { Ok(()) } else { Err(Failure::Server(format!("it ended with {status} after SIGTERM"))) }
}

fn remove(path: &Path) -> Result<()> {
    std::fs::remove_dir_all(path).map_err(Failure::file(path))
}

impl Stage {
    /// A version of a rule set; where its steps are.
    async fn rules(&self, name: &str, text: &str) -> Result<String> {
        let body = json!({"name": name, "text": text, "comment": "proved"});
        let made = post(&self.caller, &self.platform, "/v1/risk/rulesets", &format!("prove-{name}"), body).await?;
        Ok(format!("/v1/risk/rulesets/{}/versions/{}", id(&made)?, made["version"]))
    }

    /// A version of the model, in use at once: each is scored by the one that was live then.
    async fn live_model(&self) -> Result<()> {
        let artifact: Value = serde_json::from_str(MODEL).map_err(|error| Failure::Usage(error.to_string()))?;
        let key = format!("prove-model-{:08x}", rand::random::<u32>());
        let body = json!({"artifact": artifact, "metrics": {}});
        let made = post(&self.caller, &self.platform, "/v1/risk/models", &key, body).await?;
        self.go_live(&format!("/v1/risk/models/{}/versions/{}", id(&made)?, made["version"])).await
    }

    async fn go_live(&self, version: &str) -> Result<()> {
        self.step(version, "submit", &json!({"to": "live"})).await?;
        let (path, key) = (format!("{version}/approve"), format!("approve-{:08x}", rand::random::<u32>()));
        post(&self.caller, &self.lead, &path, &key, json!({})).await.map(|_| ())
    }

    async fn step(&self, version: &str, step: &str, body: &Value) -> Result<()> {
        let (path, key) = (format!("{version}/{step}"), format!("{step}-{:08x}", rand::random::<u32>()));
        post(&self.caller, &self.platform, &path, &key, body.clone()).await.map(|_| ())
    }
}

async fn post(caller: &Caller, credentials: &Credentials, path: &str, key: &str, body: Value) -> Result<Value> {
    // Keys carry no blanks.
    let key = key.replace(' ', "-");
    let call = Call { kind: Kind::Setup, credentials, method: "POST", path, key: Some(&key), body: Some(body) };
    caller.expect(&call).await
}

fn credentials(made: &Value) -> Result<Credentials> {
    match (made["key_id"].as_str(), made["secret"].as_str()) {
        (Some(key_id), Some(secret)) => Ok(Credentials::new(key_id, secret)),
        _ => Err(unexpected("a key", "it has no key_id or no secret")),
    }
}

fn id(made: &Value) -> Result<String> {
    made["id"].as_str().map(str::to_owned).ok_or_else(|| unexpected("what was made", "it has no id"))
}
