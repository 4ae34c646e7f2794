//! PASS, FAIL or INVALID, and why, in one line.

use serde::Serialize;

use super::audit::Audit;
use super::record::{Lag, Record, Second};
use super::threshold::{Held, Metric, Threshold};
use super::workload::Check;

/// What a run comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Outcome {
    /// Everything held.
    Pass,
    /// Something did not.
    Fail,
    /// The generator did not do its part, so that nothing can be said.
    Invalid,
}

/// It, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// PASS, FAIL or INVALID.
    pub outcome: Outcome,
    /// Of the process: 0, 1 or 3.
    pub exit_code: u8,
    /// All of it in a line.
    pub line: String,
    /// What did not hold.
    pub reasons: Vec<String>,
}

impl Outcome {
    fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Invalid => 3,
        }
    }

    /// In capitals.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Invalid => "INVALID",
        }
    }
}

/// What a threshold is held against, in its own unit; `seconds` is how long was measured. What only the audit knows
/// is nothing before it.
pub(super) fn measure(threshold: &Threshold, record: &Record, seconds: f64, audit: Option<&Audit>) -> Option<f64> {
    let times = record.times(threshold.kind);
    let answered = !times.is_empty();
    let ms = |microseconds: f64| answered.then_some(microseconds / 1_000.0);
    let share = |part: u64, of: u64| (of > 0).then(|| part as f64 / of as f64 * 100.0);
    let (errors, completed) = threshold.kind.map_or((record.errors, record.completed), |kind| record.errors_of(kind));
    let good = threshold.kind.map_or(record.achieved, |kind| record.good_of(kind));
    let count = |check: &str| audit.and_then(|audit| audit.broken(check)).map(|broken| broken as f64);
    match threshold.metric {
        Metric::Quantile(quantile) => ms(times.value_at_quantile(quantile) as f64),
        Metric::Mean => ms(times.mean()),
        Metric::Max => ms(times.max() as f64),
        Metric::Errors if threshold.is_share() => share(errors, completed),
        Metric::Errors => Some(errors as f64),
        Metric::Rate => Some(completed as f64 / seconds),
        Metric::Goodput if threshold.is_share() => share(good, record.scheduled),
        Metric::Goodput => Some(good as f64 / seconds),
        Metric::Unknown => count("unknown_resolved"),
        Metric::Double => count("redeemed_once"),
        Metric::Lost => count("acknowledged_there"),
    }
}

/// The same within the seconds that lie between two moments of the run.
pub(super) fn measure_between(threshold: &Threshold, seconds: &[Second], (from, until): (f64, f64)) -> Option<f64> {
    let within: Vec<&Second> =
        seconds.iter().filter(|second| second.second as f64 >= from && second.second as f64 + 1.0 <= until).collect();
    let worst = |ms: fn(&Second) -> f64| within.iter().map(|second| ms(second)).reduce(f64::max);
    let sum = |count: fn(&Second) -> u64| within.iter().map(|second| count(second)).sum::<u64>() as f64;
    let per_second = |count: fn(&Second) -> u64| (!within.is_empty()).then(|| sum(count) / within.len() as f64);
    match threshold.metric {
        Metric::Quantile(quantile) if quantile < 0.9 => worst(|second| second.p50_ms),
        Metric::Quantile(_) => worst(|second| second.p99_ms),
        Metric::Max => worst(|second| second.max_ms),
        Metric::Errors => (!within.is_empty()).then(|| sum(|second| second.errors)),
        Metric::Rate => per_second(|second| second.achieved + second.errors),
        Metric::Goodput => per_second(|second| second.achieved),
        Metric::Mean | Metric::Unknown | Metric::Double | Metric::Lost => None,
    }
}

/// Judges a run that is over.
pub(super) fn judge(name: &str, held: &[Held], lag: &Lag, audit: &Audit, aborted: Option<&str>) -> Verdict {
    let mut reasons: Vec<String> =
        audit.checks.iter().filter(|check| !check.held).map(super::audit::AuditCheck::reason).collect();
    let unsound = !reasons.is_empty();
    reasons.extend(
        held.iter().filter(|held| !held.passed).map(|held| format!("{} is not kept: {}", held.text, said(held))),
    );
    if let Some(threshold) = aborted {
        reasons.push(format!("the run was ended before its time, because {threshold} was broken"));
    }
    // What the books show is true whoever was slow; figures of a generator that was late are nobody's.
    let outcome = match (unsound, lag.kept_schedule, reasons.is_empty()) {
        (true, ..) | (false, true, false) => Outcome::Fail,
        (false, false, _) => Outcome::Invalid,
        (false, true, true) => Outcome::Pass,
    };
    if !lag.kept_schedule {
        reasons.insert(0, lag.said.clone());
    }
    let figures: Vec<String> = held.iter().map(|held| format!("{} ({})", held.text, said(held))).collect();
    let line = match outcome {
        Outcome::Pass => format!("PASS {name}: {}", join(&figures, "nothing was asked for")),
        Outcome::Fail | Outcome::Invalid => format!("{} {name}: {}", outcome.name(), reasons.join("; ")),
    };
    Verdict { outcome, exit_code: outcome.exit_code(), line, reasons }
}

fn join(figures: &[String], none: &str) -> String {
    if figures.is_empty() { none.to_owned() } else { figures.join(", ") }
}

/// What was measured, and how far it is from the limit.
fn said(held: &Held) -> String {
    let Some(measured) = held.measured else { return "there was no such answer".to_owned() };
    let unit = if held.unit == "count" { "" } else { held.unit };
    let space = if unit == "ms" { " " } else { "" };
    let figure = (measured * 1_000.0).round() / 1_000.0;
    match held.headroom_percent {
        Some(headroom) if held.passed => format!("{figure}{space}{unit}, {headroom:.0} % headroom"),
        _ => format!("{figure}{space}{unit}"),
    }
}

/// Thresholds as they stand in a workload, and those given beside it.
pub(super) fn thresholds<'a>(checks: &'a [Check], more: &'a [Threshold]) -> impl Iterator<Item = &'a Threshold> {
    checks.iter().map(Check::threshold).chain(more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::audit::AuditCheck;

    fn lag(kept_schedule: bool) -> Lag {
        let said = "The generator was late.".to_owned();
        Lag { lag_p50_ms: 0.0, lag_p99_ms: 0.0, lag_max_ms: 0.0, cpu_percent: 0.0, kept_schedule, said }
    }

    fn audit(broken: u64) -> Audit {
        let check = AuditCheck {
            id: "redeemed_once",
            what: "Nothing is redeemed twice",
            checked: 10,
            broken,
            held: broken == 0,
            examples: vec!["cpn_1".to_owned()],
        };
        Audit { sound: broken == 0, checks: vec![check], stocks: Vec::new() }
    }

    fn held(measured: f64) -> Vec<Held> {
        vec!["p99 < 10ms".parse::<Threshold>().expect("a threshold").hold(Some(measured))]
    }

    #[test]
    fn a_pass_says_its_headroom() {
        let verdict = judge("redeem-200", &held(2.0), &lag(true), &audit(0), None);
        assert_eq!((verdict.outcome, verdict.exit_code), (Outcome::Pass, 0));
        assert_eq!(verdict.line, "PASS redeem-200: p99 < 10ms (2 ms, 80 % headroom)");
    }

    #[test]
    fn a_late_generator_is_never_a_pass_and_never_hides_a_double() {
        assert_eq!(judge("x", &held(2.0), &lag(false), &audit(0), None).outcome, Outcome::Invalid);
        assert_eq!(judge("x", &held(20.0), &lag(false), &audit(0), None).outcome, Outcome::Invalid);
        assert_eq!(judge("x", &held(2.0), &lag(false), &audit(1), None).outcome, Outcome::Fail);
    }

    #[test]
    fn a_phase_is_judged_by_its_whole_seconds() {
        let second = |second: u64, achieved: u64, p99_ms: f64| Second {
            second,
            achieved,
            errors: 1,
            p99_ms,
            max_ms: p99_ms * 2.0,
            ..Second::default()
        };
        let seconds = [second(0, 9, 99.0), second(1, 10, 5.0), second(2, 20, 7.0), second(3, 9, 99.0)];
        let measured =
            |text: &str, span| measure_between(&text.parse::<Threshold>().expect("a threshold"), &seconds, span);
        let span = (0.5, 3.9);
        assert_eq!(measured("p99@x < 8", span), Some(7.0));
        assert_eq!(measured("max@x < 8", span), Some(14.0));
        assert_eq!((measured("goodput@x > 1", span), measured("rate@x > 1", span)), (Some(15.0), Some(16.0)));
        assert_eq!(measured("errors@x == 0", span), Some(2.0));
        assert_eq!(measured("errors@x == 0", (1.5, 2.4)), None, "no whole second is no pass");
    }

    #[test]
    fn a_fail_names_what_is_broken() {
        let slow = judge("x", &held(20.0), &lag(true), &audit(0), None);
        assert_eq!((slow.exit_code, slow.line.as_str()), (1, "FAIL x: p99 < 10ms is not kept: 20 ms"));
        let double = judge("x", &held(2.0), &lag(true), &audit(2), None);
        assert!(double.line.contains("Nothing is redeemed twice: broken 2 of 10 (cpn_1)"), "{}", double.line);
        let aborted = judge("x", &held(2.0), &lag(true), &audit(0), Some("errors < 5%"));
        assert_eq!(aborted.outcome, Outcome::Fail);
    }
}
