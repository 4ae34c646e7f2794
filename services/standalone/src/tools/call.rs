//! `counterfoil call`: a signed request.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use http_api::client::{Client, Credentials};
use serde::Deserialize;

use super::print;
use host::ADDRESS_FILE;
use host::Failure;
use host::keys::platform_key_file;

/// What is asked for.
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) idempotency_key: Option<String>,
}

#[derive(Deserialize)]
struct KeyFile {
    key_id: String,
    secret: String,
}

pub(crate) fn run(data_dir: &Path, call: Call) -> Result<ExitCode, Failure> {
    let key_file = call.key_file.unwrap_or_else(|| platform_key_file(data_dir));
    let text = std::fs::read_to_string(&key_file)
        .map_err(|error| format!("{}: {error}; --key-file names another key", key_file.display()))?;
    let key: KeyFile = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", key_file.display()))?;
    let target = match call.target {
        Some(target) => target,
        None => std::fs::read_to_string(data_dir.join(ADDRESS_FILE))
            .map_err(|_| "no server runs on this data directory; --target names one elsewhere")?
            .trim()
            .to_owned(),
    };
    let method = call.method.to_uppercase();
    let body = call.body.as_deref().map(serde_json::from_str::<serde_json::Value>).transpose();
    let body = body.map_err(|error| format!("the body is no JSON: {error}"))?;
    let random = || format!("cli-{}", hex::encode(rand::random::<[u8; 12]>()));
    let idempotency_key = call.idempotency_key.or_else(|| (method != "GET").then(random));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let reply = runtime.block_on(async {
        let client = Client::new(&target)?;
        let credentials = Credentials::new(&key.key_id, &key.secret);
        client.signed(&credentials, &method, &call.path, idempotency_key.as_deref(), body.as_ref()).await
    })?;
    match serde_json::from_slice::<serde_json::Value>(&reply.body) {
        Ok(value) => print(&serde_json::to_string_pretty(&value)?),
        Err(_) => print(&String::from_utf8_lossy(&reply.body)),
    }
    tracing::info!(status = reply.status.as_u16(), idempotency_key, "answered");
    Ok(if reply.status.is_success() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
