//! The server's life: it listens, and comes to an orderly end.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use host::config::Config;
use host::{ADDRESS_FILE, Failure, Parts, StateFolder};
use tokio::signal::unix::{SignalKind as UnixSignal, signal};
use tokio::sync::oneshot;

use crate::demo::Demo;
use crate::sign_in;

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
    let parts = standalone::open(config, data_dir)?;
    let stdin = end_with_stdin.then(host::stdin_closed);
    let code = runtime.block_on(serve(config, data_dir, parts, demo, stdin))?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(code)
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
    let ready = Arc::new(AtomicBool::new(true));
    let router = standalone::router(&parts, &ready).await?;
    let listen = &config.server.listen;
    let listener = http_api::server::bind(listen.parse()?).await;
    let listener = listener.map_err(|error| format!("{listen}: {error}; --listen takes another, port 0 a free one"))?;
    let address = listener.local_addr()?;
    std::fs::write(data_dir.join(ADDRESS_FILE), format!("http://{address}\n"))?;
    let (limits, admission) = (host::limits(config), host::admission(config));
    admission.also_waits(Box::new(move || backend.ledger.waited()));
    crate::tools::print(&format!("listening on http://{address}"));
    // Where there is nothing to see yet, only the demonstration says where that would be.
    let announces =
        config.dashboard.enabled && (config.dashboard.folder.is_some() || dashboard::is_embedded() || demo.is_some());
    let tell = announces.then(|| tokio::spawn(sign_in::announce(address, data_dir.to_owned())));
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
    let report = http_api::server::serve(listener, router, limits, admission, stop).await;
    for task in [tell, show].into_iter().flatten() {
        task.abort();
    }
    let _ = std::fs::remove_file(data_dir.join(ADDRESS_FILE));
    parts.stop().await;
    tracing::info!(requests = report.requests_in_flight, dropped = report.requests_dropped, "drained");
    Ok(if report.requests_dropped == 0 { ExitCode::SUCCESS } else { ExitCode::from(3) })
}
