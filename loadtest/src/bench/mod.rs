//! What one machine does: redemptions, claims and validations per second over HTTP, signed and durable; what a
//! redemption takes of the log; how fast the log is folded again.
//!
//! Closed loop over kept connections on loopback, client and server on the same cores: the figures are what an
//! integrator can see on such a machine, and the latencies are those of a server that is kept busy.

mod growth;
mod load;
mod prepare;
mod report;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use growth::{Growth, GrowthOptions, run as grow, table as growth_table};
pub use report::{Log, Phase, Rebuild, Report};

use http_api::client::Credentials;

use crate::codes::Codes;
use crate::server::{Place, Server};
use crate::{Failure, Result};
use load::{Load, What};
use prepare::Shop;

/// What is measured, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `counterfoil` binary; the one beside this executable if left out.
    pub server_binary: Option<PathBuf>,
    /// A folder that must be empty or absent; a temporary one if left out.
    pub data_dir: Option<PathBuf>,
    /// Of each measurement.
    pub duration: Duration,
    /// Before each measurement, not counted.
    pub warm_up: Duration,
    /// Connections, each with one request in flight.
    pub connections: usize,
    /// Codes made ahead, at most 10,000,000.
    pub codes: u64,
    /// Of so many stocks, each in its turn.
    pub stocks: u64,
    /// Requests per second by a schedule, for [`run_on`]; as fast as answers come where it is left out.
    pub rate: Option<f64>,
    /// No words on the standard error.
    pub silent: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            server_binary: None,
            data_dir: None,
            duration: Duration::from_secs(10),
            warm_up: Duration::from_secs(2),
            connections: 64,
            codes: 2_000_000,
            stocks: 1,
            rate: None,
            silent: false,
        }
    }
}

/// Measures on a fresh server.
pub async fn run(options: Options) -> Result<Report> {
    if options.connections == 0 || options.duration.is_zero() || !(1..=10_000_000).contains(&options.codes) {
        let text = "--connections and --seconds must be at least 1, and --codes 1 to 10,000,000";
        return Err(Failure::Usage(text.to_owned()));
    }
    let temporary = tempfile::tempdir().map_err(Failure::io("a temporary folder"))?;
    let data_dir = options.data_dir.as_deref().unwrap_or(temporary.path());
    if data_dir.join("log.sqlite").exists() {
        return Err(Failure::Usage(format!("{} has a log; a bench needs a fresh folder", data_dir.display())));
    }
    let place = Place::new(options.server_binary.as_deref(), data_dir)?;
    let say = |what: &str| {
        if !options.silent {
            eprintln!("{what}");
        }
    };
    say("making codes ahead");
    let server = place.start("127.0.0.1:0").await?;
    let mut shop = Shop::make(&server.url, place.platform_key()?, (options.stocks, options.codes)).await?;
    stop(server).await?;
    // Between two orderly ends the log file is what redemptions have added, and nothing else.
    let before = log_bytes(data_dir)?;
    say("redeeming");
    let server = place.start("127.0.0.1:0").await?;
    let redeem = measure(&options, server.address(), &mut shop, What::Redeem).await?;
    stop(server).await?;
    let log = Log::between(before, log_bytes(data_dir)?, redeem.succeeded);
    say("claiming, validating");
    let server = place.start("127.0.0.1:0").await?;
    let claim = measure(&options, server.address(), &mut shop, What::Claim).await?;
    let validate = measure(&options, server.address(), &mut shop, What::Validate).await?;
    stop(server).await?;
    say("folding the log again");
    let rebuilt = place.tool(&["rebuild", "--verify"]).await?;
    let audit = place.tool(&["audit"]).await?;
    Ok(Report {
        connections: options.connections,
        seconds: options.duration.as_secs_f64(),
        phases: vec![redeem, claim, validate],
        log,
        rebuild: Rebuild::read(rebuilt.status.code(), &rebuilt.text),
        audit_code: audit.status.code(),
        audit: audit.text.trim().to_owned(),
    })
}

/// Measures redemptions on a server that runs, with a merchant of its own.
pub async fn run_on(target: &str, platform: Credentials, options: Options) -> Result<Phase> {
    if options.connections == 0 || options.duration.is_zero() || options.rate.is_some_and(|rate| rate <= 0.0) {
        return Err(Failure::Usage("--connections, --seconds and --rate must be above 0".to_owned()));
    }
    let mut shop = Shop::make(target, platform, (options.stocks, options.codes)).await?;
    measure(&options, target.trim_start_matches("http://"), &mut shop, What::Redeem).await
}

/// Measures redemptions of these codes on a server that knows nothing but the request's form.
pub(crate) async fn run_with(
    address: &str,
    key: Credentials,
    codes: Codes,
    (connections, warm_up, duration): (usize, Duration, Duration),
) -> Result<Phase> {
    let options = Options { duration, warm_up, connections, ..Options::default() };
    let mut shop = Shop::of_codes(key, &prepare::new_run(), codes);
    measure(&options, address, &mut shop, What::Redeem).await
}

pub(crate) async fn stop(server: Server) -> Result<()> {
    let status = server.stop().await?;
    if status.success() { Ok(()) } else { Err(Failure::Server(format!("it ended after SIGTERM with {status}"))) }
}

/// What the log takes on disk, with what has not been moved into its main file yet.
fn log_bytes(data_dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for name in ["log.sqlite", "log.sqlite-wal"] {
        let path = data_dir.join(name);
        match std::fs::metadata(&path) {
            Ok(found) => bytes += found.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::file(&path)(error)),
        }
    }
    Ok(bytes)
}

fn address(text: &str) -> Result<SocketAddr> {
    text.parse().map_err(|_| Failure::Usage(format!("{text} is no address and port")))
}

/// The load has a thread of its own with one event loop: what it does not use is the server's.
async fn measure(options: &Options, address: &str, shop: &mut Shop, what: What) -> Result<Phase> {
    let load = Load {
        address: self::address(address)?,
        what,
        shop: shop.clone(),
        connections: options.connections,
        warm_up: options.warm_up,
        duration: options.duration,
        rate: options.rate,
    };
    let thread = tokio::task::spawn_blocking(move || load.run());
    let (phase, used) = thread.await.map_err(|error| Failure::Server(format!("the load ended: {error}")))??;
    if what == What::Redeem {
        shop.skip_codes(used);
    }
    Ok(phase)
}
