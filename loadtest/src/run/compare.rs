//! Two results side by side.

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use crate::{Failure, Result};

/// Changes below this are the machine's mood, per cent.
const NOISE_PERCENT: f64 = 5.0;

/// A figure of both runs.
#[derive(Clone, Debug, PartialEq)]
struct Change {
    /// Which.
    name: String,
    /// In the first.
    before: f64,
    /// In the second.
    after: f64,
    /// Whether less is better.
    less_is_better: bool,
}

/// Reads a result and checks that it is one.
pub fn read(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).map_err(Failure::file(path))?;
    let wrong = |what: &str| Failure::Usage(format!("{}: {what}", path.display()));
    let value: Value = serde_json::from_str(&text).map_err(|error| wrong(&error.to_string()))?;
    match value["format"].as_str() {
        Some(super::FORMAT) => Ok(value),
        Some(other) => Err(wrong(&format!("its format is {other}, {} is expected", super::FORMAT))),
        None => Err(wrong("it is no result of `loadtest run --json`")),
    }
}

/// What both have.
fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut add = |name: String, one: &Value, other: &Value, less_is_better: bool| {
        if let (Some(before), Some(after)) = (one.as_f64(), other.as_f64()) {
            changes.push(Change { name, before, after, less_is_better });
        }
    };
    let load = |value: &'static str| move |of: &Value| of["load"][value].clone();
    for (name, field) in [("offered /s", "offered_per_second"), ("achieved /s", "achieved_per_second")] {
        add(name.to_owned(), &load(field)(before), &load(field)(after), false);
    }
    let latencies = |of: &Value| of["latency"].as_array().cloned().unwrap_or_default();
    let others = latencies(after);
    for one in latencies(before) {
        let Some(other) = others.iter().find(|other| other["kind"] == one["kind"]) else { continue };
        let kind = one["kind"].as_str().unwrap_or_default();
        for (name, field) in [("p50", "p50_ms"), ("p99", "p99_ms"), ("p99.9", "p999_ms"), ("max", "max_ms")] {
            add(format!("{kind} {name} ms"), &one[field], &other[field], true);
        }
    }
    let errors = |of: &Value| {
        let answers = of["answers"].as_array().cloned().unwrap_or_default();
        let errors =
            answers.iter().filter(|answer| answer["expected"] == false).filter_map(|answer| answer["count"].as_u64());
        Value::from(errors.sum::<u64>())
    };
    add("errors".to_owned(), &errors(before), &errors(after), true);
    let highest = |of: &Value, field: &str| {
        let series = of["server"]["series"].as_array().cloned().unwrap_or_default();
        Value::from(series.iter().filter_map(|sample| sample[field].as_f64()).reduce(f64::max))
    };
    for (name, field) in [("server CPU % (highest)", "cpu_percent"), ("server memory MB (highest)", "memory_mb")] {
        add(name.to_owned(), &highest(before, field), &highest(after, field), true);
    }
    changes
}

impl Change {
    fn percent(&self) -> Option<f64> {
        (self.before > 0.0).then(|| (self.after - self.before) / self.before * 100.0)
    }

    fn word(&self) -> &'static str {
        let difference = self.percent().unwrap_or(if self.after > self.before { 100.0 } else { 0.0 });
        match (difference.abs() < NOISE_PERCENT, (difference < 0.0) == self.less_is_better) {
            (true, _) => "",
            (false, true) => "better",
            (false, false) => "worse",
        }
    }
}

/// For people.
pub fn table(before: &Value, after: &Value) -> String {
    let mut text = String::new();
    let line = |of: &Value| of["verdict"]["line"].as_str().unwrap_or("?").to_owned();
    let named =
        |of: &Value| format!("{} {}", of["started_at"].as_str().unwrap_or("?"), of["target"].as_str().unwrap_or("?"));
    // Writing to a string cannot fail.
    let _ = writeln!(text, "A  {}  {}\nB  {}  {}", named(before), line(before), named(after), line(after));
    if before["workload"] != after["workload"] {
        text.push_str("the workloads differ: the figures are of different things\n");
    }
    if before["machine"] != after["machine"] {
        text.push_str("the machines differ\n");
    }
    let _ = writeln!(text, "  {:<28}{:>12}{:>12}{:>10}", "", "A", "B", "change");
    for change in changes(before, after) {
        let percent = change.percent().map_or_else(|| "-".to_owned(), |percent| format!("{percent:+.1} %"));
        let Change { name, before, after, .. } = &change;
        let row = format!("  {name:<28}{before:>12.2}{after:>12.2}{percent:>10} {}", change.word());
        let _ = writeln!(text, "{}", row.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn result(p99: f64, achieved: f64, errors: u64) -> Value {
        json!({"format": "counterfoil-loadtest/1", "load": {"offered_per_second": 200.0, "achieved_per_second": achieved},
            "latency": [{"kind": "all", "p99_ms": p99}], "verdict": {"line": "PASS x"}, "workload": "w",
            "answers": [{"expected": false, "count": errors}, {"expected": true, "count": 9}],
            "server": {"series": [{"cpu_percent": 40.0}, {"cpu_percent": 60.0}]}})
    }

    #[test]
    fn worse_and_better_are_told() {
        let (before, after) = (result(2.0, 200.0, 0), result(3.0, 190.0, 4));
        let words: Vec<_> =
            changes(&before, &after).iter().map(|change| (change.name.clone(), change.word())).collect();
        let word = |name: &str| words.iter().find(|(of, _)| of == name).map(|(_, word)| *word);
        assert_eq!(
            (word("all p99 ms"), word("achieved /s"), word("errors")),
            (Some("worse"), Some("worse"), Some("worse"))
        );
        assert_eq!((word("offered /s"), word("server CPU % (highest)")), (Some(""), Some("")));
        assert!(table(&after, &before).contains("-33.3 % better"), "{}", table(&after, &before));
    }

    #[test]
    fn what_is_no_result_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.json");
        std::fs::write(&file, "{}").expect("written");
        assert!(read(&file).expect_err("none").to_string().contains("no result"));
    }
}
