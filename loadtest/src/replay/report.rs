//! The result: one table, or JSON.

use std::process::ExitStatus;

use serde::Serialize;

use super::counts::Counts;
use crate::caller::{Effort, Latency};
use crate::table::Table;

/// What a replay came to.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The run's name.
    pub run: String,
    /// Invariants that do not hold, each as a sentence.
    pub broken: Vec<String>,
    /// What another run under the same name comes to as well.
    pub counts: Counts,
    /// Claims that an earlier attempt or run had been given already.
    pub claims_found: u64,
    /// How often the run killed its server.
    pub kills: u64,
    /// What it took beyond one attempt per call.
    pub effort: Effort,
    /// How long answers took, by kind of call.
    pub latencies: Vec<Latency>,
    /// How the run's own server ended; `None` for another's.
    pub server: Option<Verdict>,
    /// Wall-clock time of all of it, without start and end of the server.
    pub seconds: f64,
}

/// How the run's own server ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Its exit code after SIGTERM; `None` if a signal ended it.
    pub exit_code: Option<i32>,
    /// The exit code of `counterfoil audit`.
    pub audit_code: Option<i32>,
    /// What the audit said.
    pub audit: String,
}

impl Report {
    /// Whether every invariant holds.
    pub fn holds(&self) -> bool {
        self.broken.is_empty()
    }

    pub(super) fn judge_server(&mut self, stopped: ExitStatus, audit: ExitStatus, said: &str) {
        if !stopped.success() {
            self.broken.push(format!("the server's end after SIGTERM: {stopped}, must be exit status 0"));
        }
        if !audit.success() {
            self.broken.push(format!("counterfoil audit: {audit}, must be exit status 0"));
        }
        let audit_text = said.trim().to_owned();
        self.server = Some(Verdict { exit_code: stopped.code(), audit_code: audit.code(), audit: audit_text });
    }

    /// The table for people.
    pub fn table(&self) -> String {
        let mut table = Table::default();
        table.head(format!("replay {:?} in {:.1} s", self.run, self.seconds));
        self.claims(&mut table);
        self.redemptions(&mut table);
        self.effort(&mut table);
        self.conservation(&mut table);
        let mut lines = self.times();
        if let Some(server) = &self.server {
            let code = |code: Option<i32>| code.map_or_else(|| "none".to_owned(), |code| code.to_string());
            lines.push(format!("server: exit {} after SIGTERM", code(server.exit_code)));
            lines.push(format!("counterfoil audit: exit {}", code(server.audit_code)));
            lines.extend(server.audit.lines().map(|line| format!("  {line}")));
        }
        lines.extend(self.broken.iter().map(|what| format!("BROKEN {what}")));
        if self.holds() {
            lines.push("every invariant holds".to_owned());
        }
        table.render() + &lines.join("\n") + "\n"
    }

    fn claims(&self, table: &mut Table) {
        let counts = &self.counts;
        table.head("claims");
        table.line("rows in the file", counts.rows);
        counts.excluded.iter().for_each(|(reason, n)| table.line(format!("excluded: {reason}"), *n));
        table.line("sent", counts.claims_sent);
        table.line("of these with unknown distance", counts.distance_unknown);
        table.line("created (201)", counts.claims_created);
        table.line("of these found from before", self.claims_found);
        counts.claims_refused.iter().for_each(|(code, n)| table.line(format!("refused: {code}"), *n));
    }

    fn redemptions(&self, table: &mut Table) {
        let of = &self.counts.redemptions;
        table.head("redemptions, two rivals for every third coupon");
        table.line("coupons", of.coupons);
        table.line("attempted", of.attempted);
        table.line("won (201)", of.won);
        of.refused.iter().for_each(|(code, n)| table.line(format!("refused: {code}"), *n));
        table.line("refused in the name of another than the winner", of.misnamed);
        table.line("winners repeated", of.repeated);
        table.line("repeated byte for byte", of.repeated_equal);
        table.line("double redemptions", of.double);
        table.line("lost", of.lost);
    }

    fn effort(&self, table: &mut Table) {
        let effort = &self.effort;
        table.head("repeated under the same key");
        effort.retries.iter().for_each(|(code, n)| table.line(format!("retries: {code}"), *n));
        table.line("retries", effort.retries.values().sum::<u64>());
        table.line("attempts without a server", effort.no_connection);
        table.line("unknown outcomes", effort.unknown);
        table.line("calls with an unknown outcome, resolved", effort.unknown_resolved);
        table.line("calls with an unknown outcome, unresolved", effort.unknown_unresolved);
        table.line("kills of the server", self.kills);
    }

    fn conservation(&self, table: &mut Table) {
        let of = &self.counts.conservation;
        table.head("conservation over all stocks");
        let lines = [
            ("stocks", of.stocks),
            ("holds", of.holds),
            ("as it was answered", of.as_answered),
            ("total", of.total),
            ("available", of.available),
            ("claimed", of.claimed),
            ("locked", of.locked),
            ("redeemed", of.redeemed),
            ("voided", of.voided),
            ("expired", of.expired),
        ];
        for (name, n) in lines {
            table.line(name, n);
        }
    }

    fn times(&self) -> Vec<String> {
        let head = format!("{:<26}{:>9}{:>10}{:>10}{:>10}", "answers", "count", "p50 ms", "p99 ms", "max ms");
        let line = |of: &Latency| {
            let (p50, p99, max) = (of.p50_ms, of.p99_ms, of.max_ms);
            format!("  {:<24}{:>9}{p50:>10.2}{p99:>10.2}{max:>10.2}", of.kind, of.count)
        };
        std::iter::once(head).chain(self.latencies.iter().map(line)).collect()
    }
}
