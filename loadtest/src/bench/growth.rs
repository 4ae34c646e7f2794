//! What more coupons cost: memory and log for each, the latency of a redemption, and how long a start takes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use http_api::client::Client;
use serde::Serialize;
use serde_json::{Value, json};

use super::load::{Load, What};
use super::prepare::{self, Shop};
use super::report::{Phase, Rebuild};
use super::{log_bytes, stop};
use crate::caller::{Call, Caller, Kind};
use crate::codes::Codes;
use crate::failure::unexpected;
use crate::server::Place;
use crate::{Failure, Result};

/// Users of one send.
const SEND: u64 = 10_000;
/// Sends that are accepted before the first of them is waited for.
const AHEAD: usize = 8;
/// Redemptions per second, by a schedule, while their latency is measured.
const RATE: f64 = 1_000.0;
const CONNECTIONS: usize = 64;
/// Pauses between two looks at an operation.
const LOOK: Duration = Duration::from_millis(20);

/// What is measured, and how.
#[derive(Clone, Debug)]
pub struct GrowthOptions {
    /// The `counterfoil` binary; the one beside this executable if left out.
    pub server_binary: Option<PathBuf>,
    /// Claimed coupons, one fresh server for each number; 10,000 at least.
    pub coupons: Vec<u64>,
    /// How long redemptions are sent, seconds; 8 at most of 10,000 coupons.
    pub duration: Duration,
    /// No words on the standard error.
    pub silent: bool,
}

/// The figures at one number of coupons.
#[derive(Clone, Debug, Serialize)]
pub struct Growth {
    /// Claimed.
    pub coupons: u64,
    /// Claimed per second, by sends of 10,000.
    pub sent_per_second: f64,
    /// Resident memory that each added.
    pub memory_bytes_per_coupon: f64,
    /// What each added to the log.
    pub log_bytes_per_coupon: f64,
    /// Redemptions of them, at 1,000 per second by a schedule.
    pub redeem: Phase,
    /// From the start of the process to the line that says where it listens, after an orderly end.
    pub restart_seconds: f64,
    /// The projection folded anew; each of its records stands for a hundred coupons.
    pub rebuild: Rebuild,
    /// Coupons folded per second in it.
    pub rebuilt_per_second: f64,
}

/// Measures.
pub async fn run(options: &GrowthOptions) -> Result<Vec<Growth>> {
    if options.coupons.is_empty() || options.coupons.iter().any(|&n| !(SEND..=100_000_000).contains(&n)) {
        return Err(Failure::Usage("--coupons is 10,000 to 100,000,000".to_owned()));
    }
    let seconds = options.duration.as_secs();
    if !(1..=8).contains(&seconds) {
        return Err(Failure::Usage("--seconds is 1 to 8: there must be coupons to redeem".to_owned()));
    }
    let mut all = Vec::new();
    for &coupons in &options.coupons {
        all.push(at(options, coupons).await?);
    }
    Ok(all)
}

async fn at(options: &GrowthOptions, coupons: u64) -> Result<Growth> {
    let folder = tempfile::tempdir().map_err(Failure::io("a temporary folder"))?;
    let place = Place::new(options.server_binary.as_deref(), folder.path())?;
    let say = |what: String| {
        if !options.silent {
            eprintln!("{what}");
        }
    };
    let server = place.start("127.0.0.1:0").await?;
    let caller = Caller::new(&server.url, Duration::from_mins(5))?;
    let run = prepare::new_run();
    let credentials = prepare::merchant(&caller, &place.platform_key()?, &run).await?;
    let stock = prepare::stock(&caller, &credentials, &format!("bench-{run}-growth"), "generated", coupons).await?;
    let sender = Sender { caller: &caller, credentials: &credentials, stock: &stock, run: &run };
    let (memory, log) = (resident(&server.url).await?, log_bytes(folder.path())?);
    let begun = Instant::now();
    let first = sender.send_all(coupons, |done| say(format!("{done} of {coupons} coupons are claimed"))).await?;
    let sent_per_second = coupons as f64 / begun.elapsed().as_secs_f64();
    let grown = resident(&server.url).await? - memory;
    let log = log_bytes(folder.path())?.saturating_sub(log);
    say("redeeming".to_owned());
    let ids = Codes::sent(&server.url, &credentials, &first).await?;
    let load = Load {
        address: super::address(server.address())?,
        what: What::Redeem,
        shop: Shop::of_coupons(credentials.clone(), &run, ids),
        connections: CONNECTIONS,
        warm_up: Duration::from_secs(1),
        duration: options.duration,
        rate: Some(RATE),
    };
    let ran = tokio::task::spawn_blocking(move || load.run());
    let (redeem, _) = ran.await.map_err(|error| Failure::Server(format!("the load ended: {error}")))??;
    stop(server).await?;
    say("starting again".to_owned());
    let begun = Instant::now();
    let server = place.start("127.0.0.1:0").await?;
    let restart_seconds = begun.elapsed().as_secs_f64();
    stop(server).await?;
    say("folding the log again".to_owned());
    let rebuilt = place.tool(&["rebuild", "--verify"]).await?;
    let rebuild = Rebuild::read(rebuilt.status.code(), &rebuilt.text);
    Ok(Growth {
        coupons,
        sent_per_second,
        memory_bytes_per_coupon: grown / coupons as f64,
        log_bytes_per_coupon: log as f64 / coupons as f64,
        redeem,
        restart_seconds,
        rebuilt_per_second: if rebuild.seconds > 0.0 { coupons as f64 / rebuild.seconds } else { 0.0 },
        rebuild,
    })
}

struct Sender<'a> {
    caller: &'a Caller,
    credentials: &'a http_api::client::Credentials,
    stock: &'a str,
    run: &'a str,
}

impl Sender<'_> {
    /// Sends them all; the first operation's id.
    async fn send_all(&self, coupons: u64, said: impl Fn(u64)) -> Result<String> {
        let mut operations: Vec<String> = Vec::new();
        let mut finished = 0;
        for from in (0..coupons).step_by(SEND as usize) {
            let users: Vec<String> = (from..coupons.min(from + SEND)).map(|n| format!("user-{n}")).collect();
            let body = json!({"stock_id": self.stock, "user_ids": users});
            let key = format!("bench-{}-send-{from}", self.run);
            let made = prepare::post(self.caller, self.credentials, "/v1/sends", &key, body).await?;
            operations.push(prepare::id(&made)?);
            if operations.len() > finished + AHEAD {
                self.wait(&operations[finished]).await?;
                finished += 1;
                if (finished as u64 * SEND).is_multiple_of(1_000_000) {
                    said(finished as u64 * SEND);
                }
            }
        }
        for operation in &operations[finished..] {
            self.wait(operation).await?;
        }
        operations.into_iter().next().ok_or_else(|| unexpected("the sends", "there were none"))
    }

    async fn wait(&self, operation: &str) -> Result<()> {
        let path = format!("/v1/operations/{operation}");
        loop {
            let call = Call {
                kind: Kind::Read,
                credentials: self.credentials,
                method: "GET",
                path: &path,
                key: None,
                body: None::<Value>,
            };
            let is = self.caller.expect(&call).await?;
            if is["state"] == "done" && is["failed"] == 0 {
                return Ok(());
            }
            if is["state"] != "running" {
                return Err(unexpected(&path, &is.to_string()));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The server's resident memory, bytes.
async fn resident(target: &str) -> Result<f64> {
    let client = Client::new(target).map_err(|error| Failure::Usage(error.to_string()))?;
    let reply = client.get("/metrics").await.map_err(|source| Failure::Client { what: "/metrics".into(), source })?;
    let text = String::from_utf8_lossy(&reply.body);
    let line = text.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
    line.and_then(|bytes| bytes.parse().ok()).ok_or_else(|| unexpected("/metrics", "it says nothing of memory"))
}

/// The table for people.
pub fn table(all: &[Growth]) -> String {
    let mut lines = vec![format!(
        "{:>12}{:>14}{:>14}{:>12}{:>13}{:>13}{:>11}{:>15}",
        "coupons", "claimed/s", "memory B", "log B", "redeem p50", "redeem p99", "restart", "rebuild /s"
    )];
    for it in all {
        lines.push(format!(
            "{:>12}{:>14.0}{:>14.0}{:>12.0}{:>10.2} ms{:>10.2} ms{:>9.2} s{:>15.0}",
            it.coupons,
            it.sent_per_second,
            it.memory_bytes_per_coupon,
            it.log_bytes_per_coupon,
            it.redeem.p50_ms,
            it.redeem.p99_ms,
            it.restart_seconds,
            it.rebuilt_per_second,
        ));
    }
    lines.join("\n") + "\n"
}

impl Growth {
    /// Whether every redemption was answered as it should be and the rebuilt projection is the same.
    pub fn holds(&self) -> bool {
        self.redeem.other_statuses.is_empty() && self.rebuild.code == Some(0)
    }
}
