//! The product beside what an engineer would build without it, and beside what the machine allows at most; or beside
//! itself. The same requests by the same generator, one after the other in the same run, several rounds.

mod contender;
mod page;

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

pub use page::page;

use crate::bench::Phase;
use crate::{Failure, Result};
use contender::Contender;

/// Who is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Field {
    /// The product, what one would build without it, and two ceilings.
    #[default]
    Peers,
    /// The product with all redemptions on one stock, and spread over many.
    Stocks,
}

/// What is measured, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `counterfoil` binary; the one beside this executable if left out.
    pub server_binary: Option<PathBuf>,
    /// The `peers` binary; the one beside this executable if left out.
    pub peers_binary: Option<PathBuf>,
    /// Who is measured.
    pub field: Field,
    /// Each contender is measured so often.
    pub rounds: usize,
    /// Of each measurement.
    pub duration: Duration,
    /// Before each measurement, not counted.
    pub warm_up: Duration,
    /// Connections, each with one request in flight.
    pub connections: usize,
    /// No words on the standard error.
    pub silent: bool,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Requests in flight.
    pub connections: usize,
    /// Of each measurement.
    pub seconds: f64,
    /// All contenders; the first is the one that the others are held against.
    pub contenders: Vec<Measured>,
}

/// One of them.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Its name.
    pub name: &'static str,
    /// Round by round.
    pub rounds: Vec<Phase>,
}

/// Measures.
pub async fn run(options: &Options) -> Result<Report> {
    if options.rounds == 0 || options.connections == 0 || options.duration.is_zero() {
        return Err(Failure::Usage("--rounds, --connections and --seconds must be at least 1".to_owned()));
    }
    let field = Contender::of(options.field);
    let name = |contender: &Contender| contender.name(options.field);
    let mut contenders: Vec<Measured> =
        field.iter().map(|contender| Measured { name: name(contender), rounds: Vec::new() }).collect();
    for round in 1..=options.rounds {
        for (contender, measured) in field.iter().zip(&mut contenders) {
            let phase = contender.measure(options).await?;
            if !options.silent {
                eprint!("round {round} of {}, {}: {}", options.rounds, measured.name, phase.line());
            }
            if !phase.other_statuses.is_empty() {
                let text = format!("{} gave other answers: {:?}", measured.name, phase.other_statuses);
                return Err(Failure::Server(text));
            }
            measured.rounds.push(phase);
        }
    }
    Ok(Report { connections: options.connections, seconds: options.duration.as_secs_f64(), contenders })
}

impl Measured {
    /// The median over the rounds.
    pub fn median(&self, figure: impl Fn(&Phase) -> f64) -> f64 {
        let all = self.sorted(figure);
        let middle = all.len() / 2;
        if all.len().is_multiple_of(2) { f64::midpoint(all[middle - 1], all[middle]) } else { all[middle] }
    }

    /// The least and the most.
    pub fn spread(&self, figure: impl Fn(&Phase) -> f64) -> (f64, f64) {
        let all = self.sorted(figure);
        (all[0], all[all.len() - 1])
    }

    fn sorted(&self, figure: impl Fn(&Phase) -> f64) -> Vec<f64> {
        let mut all: Vec<f64> = self.rounds.iter().map(figure).collect();
        all.sort_by(f64::total_cmp);
        all
    }
}

impl Report {
    /// How many times as much the first does, by the medians.
    pub fn ratio(&self, name: &str) -> f64 {
        let rate = |measured: &Measured| measured.median(|phase| phase.per_second);
        let other = self.contenders.iter().find(|measured| measured.name == name);
        other.map_or(0.0, |other| rate(&self.contenders[0]) / rate(other))
    }

    /// The table for people, in Markdown.
    pub fn table(&self) -> String {
        let mut lines = vec![
            format!(
                "| | redemptions/s, median | least to most | p50 ms | p99 ms | {} does |",
                self.contenders.first().map_or("the first", |first| first.name)
            ),
            "|---|---:|---:|---:|---:|---:|".to_owned(),
        ];
        for it in &self.contenders {
            let (least, most) = it.spread(|phase| phase.per_second);
            lines.push(format!(
                "| {} | {:.0} | {least:.0} to {most:.0} | {:.2} | {:.2} | {:.2} × |",
                it.name,
                it.median(|phase| phase.per_second),
                it.median(|phase| phase.p50_ms),
                it.median(|phase| phase.p99_ms),
                self.ratio(it.name),
            ));
        }
        lines.join("\n") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn measured(name: &'static str, rates: &[f64]) -> Measured {
        let phase = |per_second: &f64| Phase {
            what: "redeem",
            per_second: *per_second,
            p50_ms: 1.0,
            p99_ms: 2.0,
            p999_ms: 3.0,
            measured: 1,
            succeeded: 1,
            other_statuses: BTreeMap::new(),
        };
        Measured { name, rounds: rates.iter().map(phase).collect() }
    }

    #[test]
    fn medians_are_compared_and_the_spread_is_shown() {
        let contenders = vec![measured("Counterfoil", &[900.0, 1_100.0, 1_000.0]), measured("x", &[100.0, 300.0])];
        let report = Report { connections: 64, seconds: 1.0, contenders };
        assert!((report.ratio("x") - 5.0).abs() < 1e-9 && report.ratio("nobody").abs() < 1e-9);
        let table = report.table();
        assert!(table.contains("| Counterfoil | 1000 | 900 to 1100 | 1.00 | 2.00 | 1.00 × |"), "{table}");
        assert!(table.contains("| x | 200 | 100 to 300 | 1.00 | 2.00 | 5.00 × |"), "{table}");
    }
}
