//! Real claims, sent through HTTP day by day; every third coupon fought over by two checkouts; and a judgement.
//!
//! All keys follow from the run's name and the data, so a run that was killed, or whose server was, is run again and
//! comes to the same [`Counts`].

mod counts;
mod report;
mod setup;
mod state;
mod traffic;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_api::client::Credentials;
use tokio::sync::mpsc;

pub use crate::caller::{Effort, Latency};
pub use counts::{Conservation, Counts, Redemptions};
pub use report::{Report, Verdict};

use crate::caller::Caller;
use crate::dataset::Dataset;
use crate::names::Names;
use crate::server::{Place, Server, read_key};
use crate::{Failure, Result};
use setup::Setup;
use traffic::Traffic;

/// What is replayed, and against what.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file of claims, CSV, gzipped or not.
    pub data: PathBuf,
    /// The name that all keys begin with: the same name against the same server is the same run.
    pub run: String,
    /// Which server.
    pub server: ServerChoice,
    /// Where ids and keys of the run's merchants are kept, so that another run need not ask for them; with secrets,
    /// mode 0600.
    pub state: Option<PathBuf>,
    /// How the dataset's merchants are spread.
    pub merchants: Merchants,
    /// Claims in flight.
    pub concurrency: usize,
    /// How long one call is repeated until its outcome is known.
    pub patience: Duration,
    /// After so many claims the server is killed with SIGKILL and started again; only a server of the run's own.
    pub kill_after: Vec<u64>,
    /// No progress on the standard error.
    pub silent: bool,
}

/// Which server is called.
#[derive(Clone, Debug)]
pub enum ServerChoice {
    /// One that runs, on this machine.
    Running {
        /// `http://127.0.0.1:port`
        target: String,
        /// `platform-key.json` of its data directory.
        platform_key: PathBuf,
    },
    /// One of the run's own.
    Own {
        /// The `counterfoil` binary; the one beside this executable if left out.
        binary: Option<PathBuf>,
        /// Its data directory; a temporary one if left out.
        data_dir: Option<PathBuf>,
    },
}

/// How the dataset's merchants are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merchants {
    /// Each is a merchant, which spreads them over the shards.
    PerRow,
    /// All are one merchant, and so one shard.
    One,
}

impl Options {
    /// The usual options for a file and a server.
    pub fn new(data: impl Into<PathBuf>, server: ServerChoice) -> Self {
        Self {
            data: data.into(),
            run: "replay".to_owned(),
            server,
            state: None,
            merchants: Merchants::PerRow,
            concurrency: 64,
            patience: Duration::from_mins(2),
            kill_after: Vec::new(),
            silent: false,
        }
    }
}

/// Replays. What the server does wrong stands in the report; a failure is what kept the run from its end.
pub async fn run(options: Options) -> Result<Report> {
    let names = Names::new(&options.run)?;
    if options.concurrency == 0 {
        return Err(Failure::Usage("--concurrency must be at least 1".to_owned()));
    }
    let dataset = Arc::new(Dataset::open(&options.data)?);
    match &options.server {
        ServerChoice::Running { target, platform_key } => {
            if !options.kill_after.is_empty() {
                return Err(Failure::Usage("only a server of this run's own can be killed".to_owned()));
            }
            let platform = read_key(platform_key)?;
            drive(&options, names, dataset, target, platform, None).await
        }
        ServerChoice::Own { binary, data_dir } => {
            let temporary = tempfile::tempdir().map_err(Failure::io("a temporary folder"))?;
            let data_dir = data_dir.as_deref().unwrap_or(temporary.path());
            let place = Place::new(binary.as_deref(), data_dir)?;
            on_own_server(&options, names, dataset, &place).await
        }
    }
}

async fn on_own_server(options: &Options, names: Names, dataset: Arc<Dataset>, place: &Place) -> Result<Report> {
    let mut server = Some(place.start("127.0.0.1:0").await?);
    let target = server.as_ref().map(|server| server.url.clone()).unwrap_or_default();
    let platform = place.platform_key()?;
    let (kill, killed) = mpsc::unbounded_channel();
    let mut report = tokio::select! {
        report = drive(options, names, dataset, &target, platform, Some(kill)) => report?,
        failure = keep(place, &mut server, killed) => return Err(failure),
    };
    let server = server.ok_or_else(|| Failure::Server("it was killed and did not come back".to_owned()))?;
    let stopped = server.stop().await?;
    let audit = place.tool(&["audit"]).await?;
    report.judge_server(stopped, audit.status, &audit.text);
    Ok(report)
}

/// Kills the server whenever it is told to and starts it again where it was; ends only with a failure.
async fn keep(place: &Place, server: &mut Option<Server>, mut killed: mpsc::UnboundedReceiver<()>) -> Failure {
    while killed.recv().await.is_some() {
        let Some(running) = server.take() else { continue };
        let address = running.address().to_owned();
        let again = match running.kill().await {
            Ok(()) => place.start(&address).await,
            Err(failure) => Err(failure),
        };
        match again {
            Ok(again) => *server = Some(again),
            Err(failure) => return failure,
        }
    }
    std::future::pending().await
}

async fn drive(
    options: &Options,
    names: Names,
    dataset: Arc<Dataset>,
    target: &str,
    platform: Credentials,
    kill: Option<mpsc::UnboundedSender<()>>,
) -> Result<Report> {
    let begun = Instant::now();
    let caller = Arc::new(Caller::new(target, options.patience)?);
    let run = names.run().to_owned();
    let setup = Setup { options, names, caller: caller.clone(), platform };
    let shops = Arc::new(setup.run(&dataset).await?);
    let traffic = Arc::new(Traffic::new(dataset.clone(), shops, caller.clone(), options, kill));
    traffic.run(options).await?;
    let mut counts = traffic.counts();
    verify::run(&traffic, &mut counts, options).await?;
    Ok(Report {
        run,
        claims_found: traffic.claims_found(),
        kills: traffic.kills(),
        broken: counts.broken(&dataset),
        counts,
        effort: caller.effort(),
        latencies: caller.latencies(),
        server: None,
        seconds: begun.elapsed().as_secs_f64(),
    })
}

/// Where a run's state lies.
fn state_file(folder: &Path, run: &str) -> PathBuf {
    folder.join(format!("{run}.json"))
}
