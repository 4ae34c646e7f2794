//! A load test that tells whether a promotion will hold: an open loop by a schedule, a workload as a file, thresholds
//! with a verdict, and an audit of what the server says afterwards.

mod action;
mod audit;
mod book;
mod client;
mod compare;
mod generator;
mod html;
mod live;
mod profiles;
mod record;
mod result;
mod schedule;
mod scrape;
mod shop;
mod threshold;
mod timer;
mod verdict;
mod workload;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

pub use audit::{Audit, AuditCheck, Balance};
pub use compare::{read as read_result, table as compare};
pub use html::page;
pub use profiles::{ALL as PROFILES, load as load_workload, text as profile_text};
pub use result::{LoadFigures, Machine, RunResult, Trial};
pub use shop::Keys;
pub use threshold::Threshold;
pub use verdict::{Outcome, Verdict};
pub use workload::Workload;

use crate::dataset::Dataset;
use crate::{Failure, Result};
use generator::{Done, Load};
use schedule::Schedule;
use shop::{Maker, Need, Shop};
use workload::Search;

/// Of results as JSON.
pub const FORMAT: &str = "counterfoil-loadtest/1";

/// What the run's own stocks take off, minor units.
const DISCOUNT: u64 = 1_000;

/// Seconds of a run that are stored at most.
const STORED_SECONDS: usize = 900;

/// A run to make.
pub struct Options {
    /// What is sent.
    pub workload: Workload,
    /// The file that it was read from, for the report.
    pub text: String,
    /// `http://127.0.0.1:8080`.
    pub target: String,
    /// Whose key the run has.
    pub keys: Keys,
    /// The peak is this instead, per second.
    pub rate: Option<f64>,
    /// What is measured takes so long instead, seconds.
    pub seconds: Option<f64>,
    /// Thresholds beside those of the workload.
    pub thresholds: Vec<Threshold>,
    /// The real stock whose twins the run goes on.
    pub rehearse: Option<String>,
    /// The file of real claims.
    pub data: Option<PathBuf>,
    /// No words on the standard error.
    pub silent: bool,
}

/// Makes the run: sets up, sends, audits, judges.
pub async fn run(options: Options) -> Result<RunResult> {
    let schedule = scheduled(&options)?;
    match options.workload.search {
        Some(search) => capacity(&options, search, schedule).await,
        None => once(&options, schedule).await.map(|(result, _)| result),
    }
}

/// Repeats short runs: the rate is doubled until one does not hold, then the gap is halved; the highest rate that held
/// is run at full length.
async fn capacity(options: &Options, search: Search, schedule: Schedule) -> Result<RunResult> {
    let Search { from, to, within_percent, trial_seconds } = search;
    let (mut trials, mut rate) = (Vec::new(), from);
    let (mut held, mut broken): (Option<f64>, Option<f64>) = (None, None);
    let last = loop {
        let at = |seconds: f64| schedule.clone().scaled(rate / schedule.peak()).stretched(seconds);
        let (result, trial) = once(options, at(trial_seconds)).await?;
        if !options.silent {
            eprintln!("{}: {rate:.0}/s {}", result.profile, if trial.held { "held" } else { "did not hold" });
        }
        if trial.held {
            held = Some(rate);
        } else {
            broken = Some(rate);
        }
        trials.push(trial);
        rate = match (held, broken) {
            (None, Some(_)) => break result,
            (Some(held), None) if held >= to => break result,
            (Some(held), None) => (held * 2.0).min(to),
            (Some(held), Some(broken)) if (broken - held) / held * 100.0 <= within_percent => break result,
            (Some(held), Some(broken)) => f64::midpoint(held, broken),
            (None, None) => from,
        };
    };
    // Nothing held, not even the lowest rate: its verdict is the run's.
    let Some(best) = held else { return Ok(RunResult { search: Some(trials), ..last }) };
    let (result, _) = once(options, schedule.clone().scaled(best / schedule.peak())).await?;
    Ok(RunResult { search: Some(trials), ..result })
}

fn scheduled(options: &Options) -> Result<Schedule> {
    let mut schedule = options.workload.schedule()?;
    if let Some(rate) = options.rate {
        if !(rate > 0.0 && rate <= 10_000_000.0) {
            return Err(Failure::Usage("--rate is above 0 and at most 10,000,000 per second".to_owned()));
        }
        schedule = schedule.clone().scaled(rate / schedule.peak());
    }
    if let Some(seconds) = options.seconds {
        if !(1.0..=1e7).contains(&seconds) {
            return Err(Failure::Usage("--duration is at least 1 second".to_owned()));
        }
        schedule = schedule.stretched(seconds);
    }
    let asked = verdict::thresholds(&options.workload.thresholds, &options.thresholds);
    for (threshold, phase) in asked.filter_map(|threshold| Some((threshold, threshold.phase.as_deref()?))) {
        if schedule.span(phase).is_none() {
            let text = format!("{threshold}: no phase of the schedule has the name {phase}");
            return Err(Failure::Usage(text));
        }
    }
    Ok(schedule)
}

async fn once(options: &Options, schedule: Schedule) -> Result<(RunResult, Trial)> {
    let workload = Arc::new(options.workload.clone());
    let (started, run) = (SystemTime::now(), format!("{:08x}", rand::random::<u32>()));
    let caller = Arc::new(Shop::caller(&options.target)?);
    let need = Need { peak: schedule.peak(), requests: schedule.requests() };
    let address = reach(&options.target).await?;
    let maker = Maker {
        caller: &caller,
        workload: &workload,
        need,
        target: &options.target,
        run: run.clone(),
        twin_of: options.rehearse.as_deref(),
        silent: options.silent,
    };
    if options.workload.replay && options.rehearse.is_some() {
        return Err(Failure::Usage("a rehearsal of the real claims has no one stock".to_owned()));
    }
    let shop = if options.workload.replay {
        maker.replay(&options.keys, &dataset(options)?).await?
    } else {
        maker.make(&options.keys).await?
    };
    let shop = Arc::new(shop);
    let (progress, ticks) = mpsc::unbounded_channel();
    let (end_scrape, end) = oneshot::channel();
    let scrape = tokio::spawn(scrape::run(options.target.clone(), shop.credentials.clone(), end));
    let live = tokio::spawn(live::show(workload.name.clone(), schedule.seconds(), options.silent, ticks));
    let load = Load { address, workload: workload.clone(), schedule: schedule.clone(), shop: shop.clone(), progress };
    // The load has a thread of its own with one event loop: what it does not use is the server's.
    let thread = tokio::task::spawn_blocking(move || load.run());
    let done = thread.await.map_err(|error| Failure::Server(format!("the load ended: {error}")))??;
    drop(end_scrape);
    let ended = |error| Failure::Server(format!("the scrape ended: {error}"));
    let server = scrape.await.map_err(ended)?;
    live.await.map_err(ended)?;
    let Done { record, book, lag, connections, aborted } = done;
    let audit = audit::run(&caller, &shop, book, options.silent).await?;
    maker.close(&shop).await?;
    let (seconds, _) = schedule.measured();
    let held: Vec<_> = verdict::thresholds(&workload.thresholds, &options.thresholds)
        .map(|threshold| {
            threshold.hold(match threshold.phase.as_deref() {
                None => verdict::measure(threshold, &record, seconds, Some(&audit)),
                Some(phase) => {
                    schedule.span(phase).and_then(|span| verdict::measure_between(threshold, record.seconds(), span))
                }
            })
        })
        .collect();
    let verdict = verdict::judge(&workload.name, &held, &lag, &audit, aborted.as_deref());
    let load = LoadFigures {
        scheduled: record.scheduled,
        offered: record.offered,
        completed: record.completed,
        duration_seconds: seconds,
        warm_up_seconds: schedule.warm_up_seconds(),
        offered_per_second: record.offered as f64 / seconds,
        achieved_per_second: record.achieved as f64 / seconds,
        peak_per_second: schedule.peak(),
        connections,
        aborted,
    };
    let latency = record.latencies();
    let trial = Trial {
        rate: schedule.peak(),
        held: verdict.outcome == Outcome::Pass,
        p99_ms: latency.first().map_or(0.0, |all| all.p99_ms),
        why: verdict.reasons.join("; "),
    };
    let result = RunResult {
        format: FORMAT,
        profile: workload.name.clone(),
        about: workload.about.clone(),
        run,
        target: options.target.clone(),
        started_at: rfc3339(started),
        seed: workload.seed,
        machine: Machine::here(),
        verdict,
        thresholds: held,
        load,
        latency,
        percentiles: record.percentiles(),
        answers: record.answers(),
        series: record.into_seconds(),
        generator: lag,
        server,
        audit,
        workload: options.text.clone(),
        search: None,
    };
    Ok((result, trial))
}

/// Where the server is, if it can be reached: a wrong address is told at once.
async fn reach(target: &str) -> Result<SocketAddr> {
    let authority = target.trim_start_matches("http://").trim_end_matches('/').replacen("localhost:", "127.0.0.1:", 1);
    let address = authority.parse().map_err(|_| Failure::Usage(format!("{target} is no http://ADDRESS:PORT")))?;
    let unreachable = |why: String| {
        Failure::Usage(format!(
            "{target} cannot be reached: {why}; --target names another server, and --start starts one"
        ))
    };
    match tokio::time::timeout(Duration::from_secs(5), TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(address),
        Ok(Err(error)) => Err(unreachable(error.to_string())),
        Err(_) => Err(unreachable("no answer in 5 s".to_owned())),
    }
}

/// Stores the report with a stock: its promotion may be opened if this has passed.
pub async fn store(target: &str, keys: &Keys, stock: &str, result: &RunResult) -> Result<()> {
    let (Keys::Merchant(credentials) | Keys::Platform(credentials)) = keys;
    let mut report = serde_json::to_value(result).map_err(|error| Failure::Usage(error.to_string()))?;
    // A long run is stored with every second, third, ... of its seconds.
    for series in ["/series", "/server/series"] {
        let Some(serde_json::Value::Array(seconds)) = report.pointer_mut(series) else { continue };
        let every = seconds.len().div_ceil(STORED_SECONDS).max(1);
        *seconds = std::mem::take(seconds).into_iter().step_by(every).collect();
    }
    let (key, body) = (format!("lt-{}-report", result.run), serde_json::json!({"stock_id": stock, "report": report}));
    let (kind, method, path) = (crate::caller::Kind::Setup, "POST", "/v1/load-tests");
    let call = crate::caller::Call { kind, credentials, method, path, key: Some(&key), body: Some(body) };
    Shop::caller(target)?.expect(&call).await.map(drop)
}

fn dataset(options: &Options) -> Result<Dataset> {
    let missing = || Failure::Usage("this workload replays a file of real claims: --data names it".to_owned());
    Dataset::open(options.data.as_deref().ok_or_else(missing)?)
}

fn rfc3339(time: SystemTime) -> String {
    let ms = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    http_api::time::Timestamp(ms).to_string()
}
