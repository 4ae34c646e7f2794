//! Log lines and metrics: one way for all services.
//!
//! Log lines are lower case and structured, and go to the standard error; what is asked for on the command line goes
//! to the standard output. Neither ever has a secret or a personal datum.

use std::io::IsTerminal;
use std::sync::LazyLock;

use prometheus::{Counter, Encoder, TextEncoder, register_counter};
use tracing_subscriber::EnvFilter;

/// The content type of [`metrics`].
pub const METRICS_TYPE: &str = prometheus::TEXT_FORMAT;

/// Log lines to the standard error, at `info` unless `RUST_LOG` says otherwise; as JSON where `COUNTERFOIL_LOG=json`.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let lines = lines.with_ansi(std::io::stderr().is_terminal());
    // Whoever started logging before, such as a test, keeps it.
    let _ = if std::env::var("COUNTERFOIL_LOG").is_ok_and(|format| format == "json") {
        lines.json().try_init()
    } else {
        lines.try_init()
    };
}

/// What this process used. The one that is named `process_cpu_seconds_total` counts whole seconds only.
static CPU: LazyLock<Counter> = LazyLock::new(|| {
    register_counter!("counterfoil_cpu_seconds_total", "CPU time of this process, user and system")
        .expect("each metric is defined once")
});

/// All metrics in Prometheus' text format.
pub fn metrics() -> Vec<u8> {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let used = used.tv_sec as f64 + used.tv_nsec as f64 / 1e9;
    // Two that read at the same time may both add what is new; a counter takes nothing back.
    CPU.inc_by((used - CPU.get()).max(0.0));
    let mut text = Vec::new();
    let written = TextEncoder::new().encode(&prometheus::gather(), &mut text);
    debug_assert!(written.is_ok(), "metrics of this process are sound");
    text
}
