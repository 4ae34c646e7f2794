//! A run's result, as JSON and as text.

use serde::Serialize;

use super::audit::Audit;
use super::record::{Answers, Lag, Latency, Percentile, Second};
use super::scrape::Server;
use super::threshold::Held;
use super::verdict::Verdict;

/// Everything that came of a run.
#[derive(Clone, Debug, Serialize)]
pub struct RunResult {
    /// `counterfoil-loadtest/1`.
    pub format: &'static str,
    /// The workload's name.
    pub profile: String,
    /// What it is for.
    pub about: String,
    /// Part of every key and order of this run.
    pub run: String,
    /// The server.
    pub target: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// Of the workload.
    pub seed: u64,
    /// Where the generator ran.
    pub machine: Machine,
    /// PASS, FAIL or INVALID.
    pub verdict: Verdict,
    /// What had to hold.
    pub thresholds: Vec<Held>,
    /// How much was sent.
    pub load: LoadFigures,
    /// By kind of request, all together first.
    pub latency: Vec<Latency>,
    /// The distribution of all latencies.
    pub percentiles: Vec<Percentile>,
    /// Second by second, the warm-up included.
    pub series: Vec<Second>,
    /// What was answered.
    pub answers: Vec<Answers>,
    /// Whether the generator did its part.
    pub generator: Lag,
    /// What the server said of itself.
    pub server: Server,
    /// What it said of its coupons.
    pub audit: Audit,
    /// The file that the run was made from.
    pub workload: String,
    /// A capacity run's trials.
    pub search: Option<Vec<Trial>>,
}

/// Where the generator ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// How many.
    pub cores: usize,
    /// Its name.
    pub cpu: String,
    /// Kernel.
    pub system: String,
}

/// How much was sent; the warm-up is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LoadFigures {
    /// Requests that were due.
    pub scheduled: u64,
    /// Requests that were sent, with those that follow from others.
    pub offered: u64,
    /// Answers.
    pub completed: u64,
    /// What was measured.
    pub duration_seconds: f64,
    /// Before it.
    pub warm_up_seconds: f64,
    /// Sent.
    pub offered_per_second: f64,
    /// Answered as they should be.
    pub achieved_per_second: f64,
    /// The schedule's highest rate.
    pub peak_per_second: f64,
    /// Opened.
    pub connections: usize,
    /// The threshold that ended the run before its time.
    pub aborted: Option<String>,
}

/// One rate that a capacity run tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trial {
    /// Per second.
    pub rate: f64,
    /// Whether everything held.
    pub held: bool,
    /// At the 99th percentile.
    pub p99_ms: f64,
    /// What did not hold.
    pub why: String,
}

impl Machine {
    /// This one.
    pub fn here() -> Self {
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let info = read("/proc/cpuinfo");
        let cpu = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
        let system = format!("Linux {}", read("/proc/sys/kernel/osrelease").trim());
        Self { cores, cpu: cpu.unwrap_or("unknown").to_owned(), system }
    }
}

impl RunResult {
    /// For people. The last line is the verdict.
    pub fn table(&self) -> String {
        let load = &self.load;
        let mut lines = vec![
            format!("{}: {}", self.profile, self.about),
            format!(
                "{} scheduled, {} sent and {} answered in {:.0} s after {:.0} s of warm-up; {:.0}/s offered, {:.0}/s achieved, \
                 {} connections",
                load.scheduled,
                load.offered,
                load.completed,
                load.duration_seconds,
                load.warm_up_seconds,
                load.offered_per_second,
                load.achieved_per_second,
                load.connections
            ),
            format!(
                "  {:<10}{:>10}{:>10}{:>10}{:>10}{:>11}{:>10}",
                "", "answers", "p50 ms", "p95 ms", "p99 ms", "p99.9 ms", "max ms"
            ),
        ];
        lines.extend(self.latency.iter().map(|latency| {
            let Latency { kind, count, p50_ms, p95_ms, p99_ms, p999_ms, max_ms, .. } = latency;
            format!("  {kind:<10}{count:>10}{p50_ms:>10.2}{p95_ms:>10.2}{p99_ms:>10.2}{p999_ms:>11.2}{max_ms:>10.2}")
        }));
        for Answers { kind, status, code, count, expected } in &self.answers {
            if !code.is_empty() || !expected {
                let mark = if *expected { "as it should be" } else { "should not be" };
                lines.push(format!("  {count} x {kind}: {status} {code} ({mark})"));
            }
        }
        for trial in self.search.iter().flatten() {
            let Trial { rate, held, p99_ms, why } = trial;
            let said = if *held { "held".to_owned() } else { format!("did not hold: {why}") };
            lines.push(format!("  {rate:>8.0}/s  p99 {p99_ms:.2} ms  {said}"));
        }
        lines.push(format!("generator: {} CPU {:.0} % of a core", self.generator.said, self.generator.cpu_percent));
        for check in &self.audit.checks {
            let mark = if check.held { "ok    " } else { "BROKEN" };
            lines.push(format!("audit: {mark} {} ({} looked at, {} broken)", check.what, check.checked, check.broken));
        }
        lines.push(self.verdict.line.clone());
        lines.join("\n") + "\n"
    }
}
