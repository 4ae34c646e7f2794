//! The server: log, projection, risk, HTTP; and its orderly end.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use coupon_api::secrets::Secrets;
use event_log::EventLog;
use event_log_sqlite::SqliteLog;
use host::config::Config;
use host::parts::{self, Duties};
use host::{ADDRESS_FILE, Failure, Parts, StateFolder, keys};
use issuer::Issuer;
use redeemer::{Receipts, Redeemer};
use risk_scorer::RiskApi;
use storage::Storage;
use tokio::signal::unix::{SignalKind as UnixSignal, signal};
use tokio::sync::oneshot;

use crate::demo::Demo;

/// Where the log lies in a data directory.
pub(crate) const LOG_FILE: &str = "log.sqlite";
/// Serves until SIGTERM or SIGINT, or until the standard input is closed where that is asked for; then drains.
pub(crate) fn run(
    config: &Config,
    data_dir: &Path,
    demo: Option<Demo>,
    end_with_stdin: bool,
) -> Result<ExitCode, Failure> {
    let _folder = StateFolder::take(data_dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.server.worker_threads)
        .enable_all()
        .build()?;
    let parts = start(config, data_dir)?;
    let stdin = end_with_stdin.then(host::stdin_closed);
    let code = runtime.block_on(serve(config, data_dir, parts, demo, stdin))?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(code)
}

fn start(config: &Config, data_dir: &Path) -> Result<Parts, Failure> {
    let options = event_log_sqlite::Options {
        partitions: config.log.partitions,
        commit_interval: Duration::from_micros(config.log.commit_interval_microseconds),
        ..event_log_sqlite::Options::default()
    };
    let log_file = data_dir.join(LOG_FILE);
    let new_log = !log_file.exists();
    let master = keys::master_key(&config.security, data_dir, new_log)?;
    let secrets = Secrets::new(master.clone());
    if !keys::fits(data_dir, |key_id| secrets.api_secret(key_id)) {
        return Err("this is not the master key with which the data directory was made: its keys would not work".into());
    }
    if new_log {
        // Codes and pseudonyms are nobody's business but this user's.
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&log_file)?;
    }
    let log: Arc<dyn EventLog> = SqliteLog::open(&log_file, options)?;
    // The rows of operations lie beside the log.
    let storage = Storage::open(&format!("file://{}", std::path::absolute(data_dir)?.display()))?;
    let (duties, storage) = (Duties { leads: true, judges: true, shares: false }, Arc::new(storage));
    parts::start(&log, config, &master, data_dir, duties, storage, Arc::default())
}

async fn serve(
    config: &Config,
    data_dir: &Path,
    parts: Parts,
    demo: Option<Demo>,
    stdin: Option<oneshot::Receiver<()>>,
) -> Result<ExitCode, Failure> {
    // Before anybody is told that this process serves: from here on it ends in good order.
    let (mut terminate, mut interrupt) = (signal(UnixSignal::terminate())?, signal(UnixSignal::interrupt())?);
    let backend = parts.backend.clone();
    host::platform_key(&backend, &parts.master, data_dir).await?;
    issuer::open_all(&backend).await;
    let issuer = Issuer {
        backend: backend.clone(),
        gate: parts.gate.clone(),
        spool: parts.storage.clone(),
        working: Arc::default(),
    };
    issuer::resume(&issuer).await;
    let ready = Arc::new(AtomicBool::new(true));
    let router = router(&parts, &issuer, &ready);
    let listen = &config.server.listen;
    let listener = http_api::server::bind(listen.parse()?).await;
    let listener = listener.map_err(|error| format!("{listen}: {error}; --listen takes another, port 0 a free one"))?;
    let address = listener.local_addr()?;
    std::fs::write(data_dir.join(ADDRESS_FILE), format!("http://{address}\n"))?;
    let limits = host::limits(config);
    crate::tools::print(&format!("listening on http://{address}"));
    let show = demo.map(|demo| tokio::spawn(demo.run(format!("http://{address}"), data_dir.to_owned())));
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = host::closed(stdin) => {}
        }
        tracing::info!("stopping: answering what was accepted");
        ready.store(false, Ordering::Release);
    };
    let report = http_api::server::serve(listener, router, limits, stop).await;
    if let Some(show) = show {
        show.abort();
    }
    let _ = std::fs::remove_file(data_dir.join(ADDRESS_FILE));
    parts.stop().await;
    tracing::info!(requests = report.requests_in_flight, dropped = report.requests_dropped, "drained");
    Ok(if report.requests_dropped == 0 { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

fn router(parts: &Parts, issuer: &Issuer, ready: &Arc<AtomicBool>) -> Router {
    let (backend, gate) = (parts.backend.clone(), parts.gate.clone());
    let analyst = RiskApi { scorer: parts.scorer.clone(), backend: backend.clone(), gate: gate.clone() };
    let receipts = Arc::new(Receipts::new(&parts.master));
    let redeemer = Redeemer { backend, gate: gate.clone(), receipts };
    Router::new()
        .route("/v1/signature-checks", post(http_api::signature_check::post).with_state(gate))
        .merge(issuer::router(issuer.clone()))
        .merge(redeemer::router(redeemer))
        .merge(risk_scorer::router(analyst))
        .merge(host::docs::router())
        .merge(host::health(ready))
}
