//! The server: log, projection, risk, HTTP; and its orderly end.

use std::fs::OpenOptions;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use coupon::command::Command;
use coupon::event::ApiKey;
use coupon::id::PLATFORM;
use coupon_api::backend::{Attempt, Backend};
use coupon_api::secrets::Secrets;
use coupon_api::watch::Directory;
use event_log::EventLog;
use event_log_sqlite::SqliteLog;
use http_api::call::Gate;
use http_api::server::ServerLimits;
use inline_risk::InlineRisk;
use issuer::Issuer;
use projection::engine::{Answer, What};
use projection::handle::LedgerHandle;
use projection::owner;
use redeemer::{Receipts, Redeemer};
use risk_scorer::{RiskApi, Scorer, ScorerHandle, Signal, SignalKind, Signals};
use tokio::signal::unix::{SignalKind as UnixSignal, signal};
use tokio::sync::oneshot;

use crate::Failure;
use crate::config::Config;
use crate::demo::Demo;
use crate::keys;

/// Where the log lies in a data directory.
pub(crate) const LOG_FILE: &str = "log.sqlite";
/// Where the ledger's projection lies.
pub(crate) const LEDGER_FOLDER: &str = "ledger.sled";
/// Where the risk-scorer's projection lies.
pub(crate) const RISK_FOLDER: &str = "risk.sled";
/// Where a running server says where it listens.
pub(crate) const ADDRESS_FILE: &str = "address";

/// Folded records that may wait for the risk-scorer.
const FEED_CAPACITY: usize = 65_536;

/// Everything that runs, without HTTP.
struct Running {
    log: Arc<SqliteLog>,
    backend: Arc<Backend>,
    scorer: ScorerHandle,
    receipts: Arc<Receipts>,
}

/// Serves until SIGTERM or SIGINT, or until the standard input is closed where that is asked for; then drains.
pub(crate) fn run(
    config: &Config,
    data_dir: &Path,
    demo: Option<Demo>,
    end_with_stdin: bool,
) -> Result<ExitCode, Failure> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.server.worker_threads)
        .enable_all()
        .build()?;
    let running = start(config, data_dir)?;
    let stdin = end_with_stdin.then(stdin_closed);
    let code = runtime.block_on(serve(config, data_dir, &running, demo, stdin))?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(code)
}

fn start(config: &Config, data_dir: &Path) -> Result<Running, Failure> {
    let options = event_log_sqlite::Options {
        partitions: config.log.partitions,
        commit_interval: Duration::from_micros(config.log.commit_interval_microseconds),
        ..event_log_sqlite::Options::default()
    };
    let log_file = data_dir.join(LOG_FILE);
    let new_log = !log_file.exists();
    let master = keys::master_key(&config.security, data_dir, new_log)?;
    let secrets = Arc::new(Secrets::new(master.clone()));
    if !keys::fits(data_dir, |key_id| secrets.api_secret(key_id)) {
        return Err("this is not the master key with which the data directory was made: its keys would not work".into());
    }
    if new_log {
        // Codes and pseudonyms are nobody's business but this user's.
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&log_file)?;
    }
    let log = SqliteLog::open(&log_file, options)?;
    let directory = Arc::new(Directory::new(secrets.clone()));
    let risk = Arc::new(InlineRisk::new(&config.limits));
    let shared: Arc<dyn EventLog> = log.clone();
    let opened = Scorer::open(&data_dir.join(RISK_FOLDER), config.log.partitions)?;
    let (feed, followed) = crossbeam_channel::bounded(FEED_CAPACITY);
    let positions = opened.positions();
    let clock = http_api::time::system_clock_ms;
    let scorer = opened.start(shared.clone(), followed, risk.clone(), &config.risk, clock)?;
    let watched = directory.clone();
    let ledger = owner::start(owner::Start {
        log: shared.clone(),
        folder: Some(data_dir.join(LEDGER_FOLDER)),
        instance: rand::random(),
        clock,
        watcher: Some(Box::new(move |key, row| watched.changed(key, row))),
        feed: Some((feed, positions)),
    })?;
    let backend = backend(ledger, secrets, risk, directory, &shared);
    Ok(Running { log, backend: Arc::new(backend), scorer, receipts: Arc::new(Receipts::new(&master)) })
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

async fn serve(
    config: &Config,
    data_dir: &Path,
    running: &Running,
    demo: Option<Demo>,
    stdin: Option<oneshot::Receiver<()>>,
) -> Result<ExitCode, Failure> {
    // Before anybody is told that this process serves: from here on it ends in good order.
    let (mut terminate, mut interrupt) = (signal(UnixSignal::terminate())?, signal(UnixSignal::interrupt())?);
    let backend = running.backend.clone();
    platform_key(&backend, data_dir).await?;
    issuer::open_all(&backend).await;
    let gate = Arc::new(Gate::new(backend.directory.clone()));
    let issuer = Issuer { backend: backend.clone(), gate, spool: data_dir.join("operations") };
    issuer::resume(&issuer).await;
    let ready = Arc::new(AtomicBool::new(true));
    let router = router(running, &issuer, &ready);
    let listen = &config.server.listen;
    let listener = http_api::server::bind(listen.parse()?).await;
    let listener = listener.map_err(|error| format!("{listen}: {error}; --listen takes another, port 0 a free one"))?;
    let address = listener.local_addr()?;
    std::fs::write(data_dir.join(ADDRESS_FILE), format!("http://{address}\n"))?;
    let limits = ServerLimits {
        max_concurrent_requests: config.server.max_concurrent_requests,
        max_connections: config.server.max_connections,
        drain_deadline: Duration::from_secs(config.server.drain_seconds),
        ..ServerLimits::default()
    };
    crate::tools::print(&format!("listening on http://{address}"));
    let show = demo.map(|demo| tokio::spawn(demo.run(format!("http://{address}"), data_dir.to_owned())));
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = closed(stdin) => {}
        }
        tracing::info!("stopping: answering what was accepted");
        ready.store(false, Ordering::Release);
    };
    let report = http_api::server::serve(listener, router, limits, stop).await;
    if let Some(show) = show {
        show.abort();
    }
    let _ = std::fs::remove_file(data_dir.join(ADDRESS_FILE));
    backend.ledger.stop().await;
    running.scorer.stop();
    running.log.close();
    tracing::info!(requests = report.requests_in_flight, dropped = report.requests_dropped, "drained");
    Ok(if report.requests_dropped == 0 { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

fn router(running: &Running, issuer: &Issuer, ready: &Arc<AtomicBool>) -> Router {
    let (backend, gate) = (issuer.backend.clone(), issuer.gate.clone());
    let analyst = RiskApi { scorer: running.scorer.clone(), backend: backend.clone(), gate: gate.clone() };
    let redeemer = Redeemer { backend, gate: gate.clone(), receipts: running.receipts.clone() };
    let ready = ready.clone();
    let health = move || async move {
        if ready.load(Ordering::Acquire) {
            (StatusCode::OK, "ready\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
        }
    };
    let metrics =
        || async { ([(header::CONTENT_TYPE, telemetry::METRICS_TYPE)], telemetry::metrics()).into_response() };
    Router::new()
        .route("/v1/signature-checks", post(http_api::signature_check::post).with_state(gate))
        .merge(issuer::router(issuer.clone()))
        .merge(redeemer::router(redeemer))
        .merge(risk_scorer::router(analyst))
        .merge(crate::openapi::router())
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(health))
        .route("/metrics", get(metrics))
}

/// The first start makes a platform key; a later one writes its file again if it is gone.
async fn platform_key(backend: &Arc<Backend>, data_dir: &Path) -> Result<(), Failure> {
    if keys::platform_key_file(data_dir).exists() {
        return Ok(());
    }
    if let Some(key_id) = backend.directory.platform_key() {
        keys::write_platform_key(data_dir, &key_id, &backend.secrets.api_secret(&key_id))?;
        return Ok(());
    }
    let key_id = format!("cfk_live_{}", hex::encode(rand::random::<[u8; 12]>()));
    let key = ApiKey {
        key_id: key_id.clone(),
        merchant: None,
        role: "platform".to_owned(),
        name: "first key".to_owned(),
        stores: None,
        livemode: true,
    };
    let command = What::Command(Command::CreateKey(Box::new(key)));
    match backend.submit(PLATFORM, None, command).await {
        Answer::Applied(_) => {
            keys::write_platform_key(data_dir, &key_id, &backend.secrets.api_secret(&key_id))?;
            Ok(())
        }
        other => Err(format!("the platform key could not be made: {}", backend.refused(PLATFORM, other)).into()),
    }
}

/// Told when the standard input is closed; a thread of its own waits, since reading it cannot be given up.
fn stdin_closed() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        // What it says does not matter, nor why it ends.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = sender.send(());
    });
    receiver
}

async fn closed(stdin: Option<oneshot::Receiver<()>>) {
    match stdin {
        Some(closed) => drop(closed.await),
        None => std::future::pending().await,
    }
}
