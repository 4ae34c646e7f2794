//! `counterfoil call`: a signed request.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::caller::{Caller, random_key};
use super::print;
use host::Failure;

/// What is asked for.
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) idempotency_key: Option<String>,
}

pub(crate) fn run(data_dir: &Path, call: Call) -> Result<ExitCode, Failure> {
    let caller = Caller::new(data_dir, call.target, call.key_file)?;
    let method = call.method.to_uppercase();
    let body = call.body.as_deref().map(serde_json::from_str::<serde_json::Value>).transpose();
    let body = body.map_err(|error| format!("the body is no JSON: {error}"))?;
    let idempotency_key = call.idempotency_key.or_else(|| (method != "GET").then(random_key));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let reply = runtime.block_on(caller.send(&method, &call.path, idempotency_key.as_deref(), body.as_ref()))?;
    match serde_json::from_slice::<serde_json::Value>(&reply.body) {
        Ok(value) => print(&serde_json::to_string_pretty(&value)?),
        Err(_) => print(&String::from_utf8_lossy(&reply.body)),
    }
    tracing::info!(status = reply.status.as_u16(), idempotency_key, "answered");
    Ok(if reply.status.is_success() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
