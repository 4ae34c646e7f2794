//! The figures.

use std::collections::BTreeMap;

use serde::Serialize;

/// What a bench came to.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Requests in flight.
    pub connections: usize,
    /// Of each measurement.
    pub seconds: f64,
    /// Redemptions, claims, validations.
    pub phases: Vec<Phase>,
    /// What redemptions take of the log.
    pub log: Log,
    /// The projection folded anew.
    pub rebuild: Rebuild,
    /// The exit code of `counterfoil audit`.
    pub audit_code: Option<i32>,
    /// What it said.
    pub audit: String,
}

/// One kind of call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Phase {
    /// Which.
    pub what: &'static str,
    /// Answers per second within the measurement.
    pub per_second: f64,
    /// Half of them were faster.
    pub p50_ms: f64,
    /// All but one in a hundred were faster.
    pub p99_ms: f64,
    /// All but one in a thousand were faster.
    pub p999_ms: f64,
    /// Answers within the measurement.
    pub measured: u64,
    /// Answers with the right status, the warm-up included.
    pub succeeded: u64,
    /// All other answers; there should be none.
    pub other_statuses: BTreeMap<u16, u64>,
}

/// The log file, between two orderly ends of the server with nothing but redemptions between.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Log {
    /// Before.
    pub before_bytes: u64,
    /// After.
    pub after_bytes: u64,
    /// Redemptions between.
    pub redemptions: u64,
    /// What each added.
    pub bytes_per_redemption: f64,
}

/// `counterfoil rebuild --verify`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rebuild {
    /// Its exit code: 0 if all hashes are equal.
    pub code: Option<i32>,
    /// Records of the log.
    pub records: u64,
    /// How long folding them took.
    pub seconds: f64,
    /// How many it folded in a second.
    pub records_per_second: f64,
    /// All that it said.
    pub said: String,
}

impl Log {
    pub(super) fn between(before_bytes: u64, after_bytes: u64, redemptions: u64) -> Self {
        let added = after_bytes.saturating_sub(before_bytes) as f64;
        Self { before_bytes, after_bytes, redemptions, bytes_per_redemption: added / redemptions.max(1) as f64 }
    }
}

impl Rebuild {
    /// Reads `folded N records in S s (R records/s)`; zeros where the line is missing.
    pub(super) fn read(code: Option<i32>, said: &str) -> Self {
        let mut rebuild = Self { code, said: said.trim().to_owned(), ..Self::default() };
        let Some(line) = said.lines().find_map(|line| line.strip_prefix("folded ")) else { return rebuild };
        let words: Vec<&str> = line.split(' ').collect();
        if let [records, "records", "in", seconds, "s", rate, ..] = words.as_slice() {
            rebuild.records = records.parse().unwrap_or_default();
            rebuild.seconds = seconds.parse().unwrap_or_default();
            rebuild.records_per_second = rate.trim_start_matches('(').parse().unwrap_or_default();
        }
        rebuild
    }
}

impl Phase {
    /// The figures in one line.
    pub fn line(&self) -> String {
        let Self { what, per_second, p50_ms, p99_ms, p999_ms, measured, other_statuses, .. } = self;
        format!(
            "{what}: {per_second:.0}/s of {measured}, p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms, p99.9 {p999_ms:.2} ms, other \
             statuses {other_statuses:?}\n"
        )
    }
}

impl Report {
    /// Whether everything was answered as it should be, and the log is sound.
    pub fn holds(&self) -> bool {
        let clean = self.phases.iter().all(|phase| phase.other_statuses.is_empty());
        clean && self.rebuild.code == Some(0) && self.audit_code == Some(0)
    }

    /// The table for people.
    pub fn table(&self) -> String {
        let (connections, seconds) = (self.connections, self.seconds);
        let mut lines = vec![
            format!("{connections} connections, {seconds} s each, signed, durable, closed loop on loopback"),
            format!("  {:<10}{:>10}{:>10}{:>10}{:>11}", "", "per s", "p50 ms", "p99 ms", "p99.9 ms"),
        ];
        for phase in &self.phases {
            let Phase { what, per_second, p50_ms, p99_ms, p999_ms, .. } = phase;
            lines.push(format!("  {what:<10}{per_second:>10.0}{p50_ms:>10.2}{p99_ms:>10.2}{p999_ms:>11.2}"));
            let others = phase.other_statuses.iter();
            lines.extend(others.map(|(status, n)| format!("  {what:<10}{n:>10} answers with status {status}")));
        }
        let Log { bytes_per_redemption, redemptions, .. } = self.log;
        lines.push(format!("log: {bytes_per_redemption:.0} bytes per redemption, of {redemptions}"));
        lines.push("counterfoil rebuild --verify".to_owned());
        lines.extend(self.rebuild.said.lines().map(|line| format!("  {line}")));
        lines.push("counterfoil audit".to_owned());
        lines.extend(self.audit.lines().map(|line| format!("  {line}")));
        lines.join("\n") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_rebuild_is_read() {
        let said = "folded 1200 records in 0.05 s (24000 records/s)\nhashes of all 256 shards are equal\n";
        let read = Rebuild::read(Some(0), said);
        assert_eq!((read.records, read.seconds, read.records_per_second), (1_200, 0.05, 24_000.0));
        let other = Rebuild::read(Some(1), "no log");
        assert_eq!((other.records, other.said.as_str()), (0, "no log"));
    }

    #[test]
    fn bytes_are_per_redemption() {
        assert!((Log::between(1_000, 5_000, 10).bytes_per_redemption - 400.0).abs() < 1e-9);
        assert!(Log::between(5_000, 1_000, 0).bytes_per_redemption.abs() < 1e-9);
    }
}
