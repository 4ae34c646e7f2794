//! Issuer, redeemer and risk-scorer in one process, on the embedded log.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use coupon_api::secrets::Secrets;
use event_log::EventLog;
use event_log_sqlite::SqliteLog;
use host::config::Config;
use host::parts::{self, Duties};
use host::{Failure, Parts, keys};
use issuer::Issuer;
use redeemer::{Receipts, Redeemer};
use risk_scorer::RiskApi;
use storage::Storage;

/// Where the log lies in a data directory.
pub const LOG_FILE: &str = "log.sqlite";

/// Opens the log of a data directory, made if there is none, and folds it to its end.
pub fn open(config: &Config, data_dir: &Path) -> Result<Parts, Failure> {
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

/// Takes up what was interrupted, and gives all routes. The first time, a platform key is made.
pub async fn router(parts: &Parts, ready: &Arc<AtomicBool>) -> Result<Router, Failure> {
    host::platform_key(&parts.backend, &parts.master, &parts.data_dir).await?;
    issuer::open_all(&parts.backend).await;
    let issuer = Issuer {
        backend: parts.backend.clone(),
        gate: parts.gate.clone(),
        spool: parts.storage.clone(),
        working: Arc::default(),
        tested_above: parts.tested_above,
    };
    issuer::resume(&issuer).await;
    let (backend, gate) = (parts.backend.clone(), parts.gate.clone());
    let analyst = RiskApi::new(parts.scorer.clone(), backend.clone(), gate.clone());
    let receipts = Arc::new(Receipts::new(&parts.master));
    let redeemer = Redeemer { backend, gate: gate.clone(), receipts };
    Ok(Router::new()
        .route("/v1/signature-checks", post(http_api::signature_check::post).with_state(gate))
        .merge(issuer::router(issuer))
        .merge(redeemer::router(redeemer))
        .merge(risk_scorer::router(analyst))
        .merge(host::docs::router(&parts.dashboard)?)
        .merge(host::health(ready)))
}
