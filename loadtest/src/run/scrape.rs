//! What the server says of itself meanwhile: its metrics, once a second.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use http_api::client::{Client, Credentials};
use serde::Serialize;
use tokio::sync::oneshot;

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Server {
    /// Whether its metrics could be read.
    pub scraped: bool,
    /// Why not, or what to know about them.
    pub note: String,
    /// Second by second.
    pub series: Vec<Sample>,
}

/// A second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Sample {
    /// From the beginning of the run.
    pub second: u64,
    /// 100 is one core.
    pub cpu_percent: Option<f64>,
    /// Resident.
    pub memory_mb: Option<f64>,
    /// Records that wait to be written.
    pub queue_records: Option<f64>,
    /// 99 of 100 batches were durable in no longer.
    pub log_append_p99_ms: Option<f64>,
}

/// A scrape, by the name of the metric with its labels.
type Metrics = HashMap<String, f64>;

const EVERY: Duration = Duration::from_secs(1);
const CPU: &str = "counterfoil_cpu_seconds_total";
const MEMORY: &str = "process_resident_memory_bytes";
const QUEUE: &str = "counterfoil_ledger_pending_records";
const APPEND: &str = "counterfoil_log_append_seconds_bucket";

/// Reads until `end` says so or is gone.
pub(super) async fn run(target: String, credentials: Credentials, mut end: oneshot::Receiver<()>) -> Server {
    let mut server = Server::default();
    let client = match Client::new(&target) {
        Ok(client) => client.timeout(Duration::from_secs(2)),
        Err(error) => return Server { note: error.to_string(), ..server },
    };
    let (begun, mut last): (Instant, Option<(Instant, Metrics)>) = (Instant::now(), None);
    let mut every = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = &mut end => return server,
        }
        let read = match client.signed(&credentials, "GET", "/metrics", None, None).await {
            Ok(reply) if reply.status.is_success() => parse(&String::from_utf8_lossy(&reply.body)),
            Ok(reply) => {
                server.note = format!("GET /metrics was answered with {}", reply.status);
                continue;
            }
            Err(error) => {
                server.note = format!("GET /metrics: {error}");
                continue;
            }
        };
        let now = Instant::now();
        if let Some((then, before)) = &last {
            server.series.push(sample(begun.elapsed().as_secs(), (now - *then).as_secs_f64(), before, &read));
            server.scraped = true;
        }
        last = Some((now, read));
    }
}

fn sample(second: u64, seconds: f64, before: &Metrics, now: &Metrics) -> Sample {
    let used = |name: &str| Some(now.get(name)? - before.get(name)?);
    Sample {
        second,
        cpu_percent: used(CPU).map(|cpu| cpu / seconds * 100.0),
        memory_mb: now.get(MEMORY).map(|bytes| bytes / 1e6),
        queue_records: now.get(QUEUE).copied(),
        log_append_p99_ms: quantile(0.99, before, now).map(|seconds| seconds * 1_000.0),
    }
}

/// The quantile between two scrapes of a histogram, in a straight line within its bucket as Prometheus does it.
fn quantile(quantile: f64, before: &Metrics, now: &Metrics) -> Option<f64> {
    let mut buckets: Vec<(f64, f64)> = now
        .iter()
        .filter_map(|(name, count)| {
            let rest = name.strip_prefix(APPEND)?;
            let limit = rest.split("le=\"").nth(1)?.split('"').next()?;
            let limit = if limit == "+Inf" { f64::INFINITY } else { limit.parse().ok()? };
            Some((limit, count - before.get(name).copied().unwrap_or_default()))
        })
        .collect();
    buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
    let all = buckets.last()?.1;
    if all <= 0.0 {
        return None;
    }
    let (mut from, mut below) = (0.0, 0.0);
    for (limit, count) in buckets {
        if count >= all * quantile {
            let part = (all * quantile - below) / (count - below);
            return Some(if limit.is_finite() { from + (limit - from) * part } else { from });
        }
        (from, below) = (limit, count);
    }
    None
}

/// Lines of `name{labels} value`.
fn parse(text: &str) -> Metrics {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_the_difference_of_two_scrapes() {
        let text = |cpu: f64, low: u32, all: u32| {
            parse(&format!(
                "# HELP x y\n{CPU} {cpu}\n{MEMORY} 5e6\n{QUEUE} 3\n{APPEND}{{le=\"0.001\"}} {low}\n{APPEND}{{le=\"0.002\"}} {all}\n{APPEND}{{le=\"+Inf\"}} {all}\n"
            ))
        };
        let sample = sample(4, 2.0, &text(1.0, 10, 10), &text(2.0, 60, 110));
        assert_eq!((sample.cpu_percent, sample.memory_mb, sample.queue_records), (Some(50.0), Some(5.0), Some(3.0)));
        assert!(sample.log_append_p99_ms.is_some_and(|p99| (p99 - 1.98).abs() < 1e-6), "{sample:?}");
    }

    #[test]
    fn what_a_server_does_not_say_is_left_out() {
        let nothing = sample(0, 1.0, &Metrics::new(), &Metrics::new());
        assert_eq!((nothing.cpu_percent, nothing.log_append_p99_ms), (None, None));
    }
}
