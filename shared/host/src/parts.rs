//! Ledger and risk over a log: what all services are built from.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use coupon_api::backend::{Attempt, Backend};
use coupon_api::dto::list::item_text;
use coupon_api::secrets::Secrets;
use coupon_api::watch::Directory;
use event_log::{EventLog, Topic};
use http_api::call::Gate;
use http_api::session::Sessions;
use inline_risk::{InlineRisk, Part, Scorer, ScorerHandle, Signal, SignalKind, Signals};
use projection::handle::LedgerHandle;
use projection::owner::{self, Progress};
use projection::snapshot::{self, Snapshots};
use storage::Storage;

use crate::Failure;
use crate::config::{Config, Dashboard};

/// Where the ledger's projection lies in a data directory.
pub const LEDGER_FOLDER: &str = "ledger";
/// Where the counts of risk lie.
pub const RISK_FOLDER: &str = "risk.sled";

/// Batches of folded records that may wait for the counts.
const FEED_CAPACITY: usize = 4;

/// A start waits for so long at most until what rules look at is counted anew.
const RULES_WITHIN: Duration = Duration::from_mins(10);

/// Everything behind the HTTP of a process.
#[derive(Clone)]
pub struct Parts {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// The ledger and all around it.
    pub backend: Arc<Backend>,
    /// Lets callers in.
    pub gate: Arc<Gate>,
    /// Counts and verdicts.
    pub scorer: ScorerHandle,
    /// From which all secrets are derived.
    pub master: Arc<Vec<u8>>,
    /// What all instances share.
    pub storage: Arc<Storage>,
    /// Where this instance keeps what it can make anew.
    pub data_dir: PathBuf,
    /// A stock that expects more redemptions a day needs a load test that passed; nothing asks for none.
    pub tested_above: Option<u64>,
    /// The pages for people.
    pub dashboard: Dashboard,
}

/// What a process does beside serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duties {
    /// Does what is due by the clock.
    pub leads: bool,
    /// Publishes verdicts.
    pub judges: bool,
    /// Begins with the snapshots of other instances, and writes them.
    pub shares: bool,
}

/// Opens the projections and folds the log to its end.
pub fn start(
    log: &Arc<dyn EventLog>,
    config: &Config,
    master: &[u8],
    data_dir: &Path,
    duties: Duties,
    storage: Arc<Storage>,
    progress: Arc<Progress>,
) -> Result<Parts, Failure> {
    let secrets = Arc::new(Secrets::new(master.to_vec()));
    let directory = Arc::new(Directory::new(secrets.clone()));
    let risk = Arc::new(InlineRisk::new(&config.limits));
    let folder = data_dir.join(LEDGER_FOLDER);
    let every = config.storage.snapshot_every_seconds;
    // Written by a thread that gives way to all others.
    let snapshots = duties.shares.then(|| storage.another()).transpose()?;
    let snapshots =
        snapshots.map(|storage| Snapshots { storage: Arc::new(storage), every: Duration::from_secs(every) });
    let begun = if duties.shares { snapshot::fetch(&storage, &folder)? } else { None };
    let counts = begun.and_then(|(_, counts)| counts);
    let opened = Scorer::open(&data_dir.join(RISK_FOLDER), log.partitions(Topic::Signals), counts.as_deref())?;
    let (feed, followed) = crossbeam_channel::bounded(FEED_CAPACITY);
    let positions = opened.positions();
    let clock = http_api::time::system_clock_ms;
    let part = if duties.judges { Part::Publisher(config.risk.clone()) } else { Part::Follower };
    let scorer = opened.start(log.clone(), followed, risk.clone(), &part, clock)?;
    let (watched, judged, opener) = (directory.clone(), risk.clone(), secrets.clone());
    let ledger = owner::start(owner::Start {
        folder: Some(folder),
        snapshots,
        watcher: Some(Box::new(move |key, row| {
            watched.changed(key, row);
            judged.changed(key, row);
            let open = |owner, item, value: &_| item_text(&opener, owner, item, value);
            judged.lists().write().changed(key, row, &open);
        })),
        feed: Some((feed, positions)),
        leads: duties.leads,
        progress,
        ..owner::Start::new(log.clone(), clock)
    })?;
    // Whoever is served finds the rules that are live in use.
    risk.settle(RULES_WITHIN);
    let backend = Arc::new(backend(ledger, secrets, risk, directory, log));
    Ok(Parts {
        log: log.clone(),
        gate: Arc::new(Gate::new(backend.directory.clone()).with_sessions(sessions(config, &backend.secrets))),
        backend,
        scorer,
        master: Arc::new(master.to_vec()),
        storage,
        data_dir: data_dir.to_owned(),
        tested_above: Some(config.promotions.load_test_required_above).filter(|above| *above > 0),
        dashboard: config.dashboard.clone(),
    })
}

/// Sessions of people, where they are let in.
fn sessions(config: &Config, secrets: &Secrets) -> Option<Sessions> {
    let lifetime = Duration::from_hours(config.dashboard.session_hours);
    config.dashboard.enabled.then(|| Sessions::new(&secrets.session_key(), lifetime))
}

fn backend(
    ledger: LedgerHandle,
    secrets: Arc<Secrets>,
    risk: Arc<InlineRisk>,
    directory: Arc<Directory>,
    log: &Arc<dyn EventLog>,
) -> Backend {
    let signals = Signals::new(log.clone());
    let clock = ledger.clone();
    let attempts = Box::new(move |merchant: coupon::id::MerchantId, attempt, device, ip| {
        let kind = match attempt {
            Attempt::Limited => SignalKind::Limited,
            Attempt::WrongCode => SignalKind::WrongCode,
        };
        signals.send(Signal { merchant: merchant.0, kind, device, ip, user: None, time_ms: clock.now() });
    });
    Backend { ledger, secrets, risk, directory, attempts }
}

impl Parts {
    /// Answers what is under way, writes everything behind, and closes the log.
    pub async fn stop(&self) {
        self.backend.ledger.stop().await;
        self.scorer.stop();
        let log = self.log.clone();
        let _ = tokio::task::spawn_blocking(move || log.close()).await;
    }
}
