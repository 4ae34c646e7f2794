//! What must hold, written as k6 users write it: `p99 < 10ms`, `p(99)<10`, `errors < 0.1%`, `unknown == 0`,
//! `claim.p95 < 50ms`, `rate >= 190`; with `@` and a phase's name, of that phase alone: `goodput@overload >= 1800`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::action::Kind;

/// A threshold.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Threshold {
    text: String,
    /// What is measured.
    pub metric: Metric,
    /// Of which kind of request; all of them if left out.
    pub kind: Option<Kind>,
    /// In which phase; in all that is measured if left out. A latency is that of the phase's worst second.
    pub phase: Option<String>,
    comparison: Comparison,
    limit: f64,
    unit: Unit,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Metric {
    /// The latency that this share of the answers kept, 0 to 1; milliseconds.
    Quantile(f64),
    /// The mean latency; milliseconds.
    Mean,
    /// The longest; milliseconds.
    Max,
    /// Answers that should not have been: a share where the limit is one, else their number.
    Errors,
    /// Requests whose outcome is still not known at the end.
    Unknown,
    /// Answers per second.
    Rate,
    /// Answers per second that did what was asked for: a share of what was scheduled where the limit is one.
    Goodput,
    /// Coupons that were redeemed more than once.
    Double,
    /// Answers 201 that are not there afterwards.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
    Equal,
    NotEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Milliseconds,
    Percent,
    PerSecond,
    Count,
}

/// A threshold held against what was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Held {
    /// As it was written.
    pub text: String,
    /// What is measured.
    pub metric: String,
    /// It is this; nothing if there is no such answer.
    pub measured: Option<f64>,
    /// And may be that.
    pub limit: f64,
    /// Of both: `ms`, `%`, `/s` or `count`.
    pub unit: &'static str,
    /// `<`, `<=`, `>`, `>=`, `==` or `!=`.
    pub comparison: &'static str,
    /// Whether it holds.
    pub passed: bool,
    /// How far it is from not holding, per cent of the limit; nothing where that means nothing.
    pub headroom_percent: Option<f64>,
}

/// A threshold that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no threshold: {what}")]
pub struct NoThreshold {
    text: String,
    what: &'static str,
}

const METRICS: &str = "it begins with p50, p99, p(99.9), avg, med, max, errors, unknown, rate, goodput, double or lost, \
                       with `redeem.` or another kind of request before it, or `@` and a phase's name behind, if you like";
const OF_A_PHASE: &str = "of a phase there are p50, p99, max, errors (their number), rate and goodput (per second), of all \
                          kinds together";

impl FromStr for Threshold {
    type Err = NoThreshold;

    fn from_str(text: &str) -> Result<Self, NoThreshold> {
        let wrong = |what| NoThreshold { text: text.to_owned(), what };
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
        let at = compact.find(['<', '>', '=', '!']).ok_or_else(|| wrong("there is no comparison, such as <"))?;
        let (name, rest) = compact.split_at(at);
        let end = rest.find(|c| !['<', '>', '=', '!'].contains(&c)).ok_or_else(|| wrong("there is no limit"))?;
        let comparison = match &rest[..end] {
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::More,
            ">=" => Comparison::MoreOrEqual,
            "==" | "=" => Comparison::Equal,
            "!=" => Comparison::NotEqual,
            _ => return Err(wrong("the comparison is one of < <= > >= == !=")),
        };
        let (name, phase) = name.split_once('@').map_or((name, None), |(name, phase)| (name, Some(phase.to_owned())));
        let (kind, name) = match name.split_once('.').filter(|(kind, _)| !kind.starts_with('p')) {
            Some((kind, name)) => (Some(kind.parse().map_err(|()| wrong("there is no such kind of request"))?), name),
            None => (None, name),
        };
        let metric = metric(name).ok_or_else(|| wrong(METRICS))?;
        let (limit, unit) = limit(&rest[end..], metric).map_err(wrong)?;
        let threshold = Self { text: text.trim().to_owned(), metric, kind, phase, comparison, limit, unit };
        if threshold.phase.is_some() && !threshold.is_known_by_second() {
            return Err(wrong(OF_A_PHASE));
        }
        Ok(threshold)
    }
}

impl TryFrom<String> for Threshold {
    type Error = NoThreshold;

    fn try_from(text: String) -> Result<Self, NoThreshold> {
        text.parse()
    }
}

fn metric(name: &str) -> Option<Metric> {
    let quantile = |digits: &str| {
        let percent: f64 = digits.parse().ok()?;
        (percent > 0.0 && percent <= 100.0).then_some(Metric::Quantile(percent / 100.0))
    };
    Some(match name {
        "avg" | "mean" => Metric::Mean,
        "med" => Metric::Quantile(0.5),
        "max" => Metric::Max,
        "errors" => Metric::Errors,
        "unknown" => Metric::Unknown,
        "rate" => Metric::Rate,
        "goodput" => Metric::Goodput,
        "double" => Metric::Double,
        "lost" => Metric::Lost,
        _ => {
            let digits = name.strip_prefix('p')?;
            let inner = digits.strip_prefix('(').and_then(|inner| inner.strip_suffix(')'));
            return quantile(inner.unwrap_or(digits));
        }
    })
}

fn limit(text: &str, metric: Metric) -> Result<(f64, Unit), &'static str> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let number: f64 = number.replace('_', "").parse().map_err(|_| "the limit is no number")?;
    Ok(match (metric, suffix) {
        (Metric::Quantile(_) | Metric::Mean | Metric::Max, "ms" | "") => (number, Unit::Milliseconds),
        (Metric::Quantile(_) | Metric::Mean | Metric::Max, "s") => (number * 1_000.0, Unit::Milliseconds),
        (Metric::Quantile(_) | Metric::Mean | Metric::Max, "us" | "µs") => (number / 1_000.0, Unit::Milliseconds),
        (Metric::Quantile(_) | Metric::Mean | Metric::Max, _) => return Err("a latency is in us, ms or s"),
        (Metric::Errors | Metric::Goodput, "%") => (number, Unit::Percent),
        (Metric::Rate | Metric::Goodput, "" | "/s") => (number, Unit::PerSecond),
        (Metric::Errors | Metric::Unknown | Metric::Double | Metric::Lost, "") => (number, Unit::Count),
        _ => return Err("that unit does not go with what is measured"),
    })
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Threshold {
    /// Whether the measure is wanted as a share of 100.
    pub fn is_share(&self) -> bool {
        self.unit == Unit::Percent
    }

    /// Whether it can be told from the figures of single seconds.
    #[expect(clippy::float_cmp, reason = "these two are kept for each second, and no others")]
    fn is_known_by_second(&self) -> bool {
        let kept = match self.metric {
            Metric::Quantile(quantile) => quantile == 0.5 || quantile == 0.99,
            Metric::Max | Metric::Errors | Metric::Rate | Metric::Goodput => !self.is_share(),
            Metric::Mean | Metric::Unknown | Metric::Double | Metric::Lost => false,
        };
        kept && self.kind.is_none()
    }

    /// Holds it against what was measured, in its own unit. No answer at all does not pass.
    pub fn hold(&self, measured: Option<f64>) -> Held {
        let passed = measured.is_some_and(|measured| self.comparison.holds(measured, self.limit));
        let headroom = measured.filter(|_| self.limit > 0.0).and_then(|measured| match self.comparison {
            Comparison::Less | Comparison::LessOrEqual => Some((self.limit - measured) / self.limit * 100.0),
            Comparison::More | Comparison::MoreOrEqual => Some((measured - self.limit) / self.limit * 100.0),
            Comparison::Equal | Comparison::NotEqual => None,
        });
        let of = self.kind.map_or_else(String::new, |kind| format!("{}.", kind.name()));
        let phase = self.phase.as_ref().map_or_else(String::new, |phase| format!("@{phase}"));
        Held {
            text: self.text.clone(),
            metric: format!("{of}{}{}", self.metric.name(), phase),
            measured,
            limit: self.limit,
            unit: self.unit.name(),
            comparison: self.comparison.sign(),
            passed,
            headroom_percent: headroom,
        }
    }
}

impl Metric {
    fn name(self) -> String {
        match self {
            Self::Quantile(quantile) => format!("p{}", (quantile * 1e6).round() / 1e4),
            Self::Mean => "avg".to_owned(),
            Self::Max => "max".to_owned(),
            Self::Errors => "errors".to_owned(),
            Self::Unknown => "unknown".to_owned(),
            Self::Rate => "rate".to_owned(),
            Self::Goodput => "goodput".to_owned(),
            Self::Double => "double".to_owned(),
            Self::Lost => "lost".to_owned(),
        }
    }
}

impl Comparison {
    fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::More => ">",
            Self::MoreOrEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }

    #[expect(clippy::float_cmp, reason = "counts are compared for equality, and they are whole")]
    fn holds(self, measured: f64, limit: f64) -> bool {
        match self {
            Self::Less => measured < limit,
            Self::LessOrEqual => measured <= limit,
            Self::More => measured > limit,
            Self::MoreOrEqual => measured >= limit,
            Self::Equal => measured == limit,
            Self::NotEqual => measured != limit,
        }
    }
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Percent => "%",
            Self::PerSecond => "/s",
            Self::Count => "count",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threshold(text: &str) -> Threshold {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn the_two_ways_of_writing_are_one() {
        for (one, other) in [("p99 < 10ms", "p(99)<10"), ("p99.9<=1s", "p(99.9) <= 1000"), ("med<2", "p50 < 2000us")] {
            let (one, other) = (threshold(one), threshold(other));
            assert_eq!((one.metric, one.limit, one.unit), (other.metric, other.limit, other.unit));
        }
    }

    #[test]
    fn it_holds_or_it_does_not() {
        let passed = |text: &str, measured: f64| threshold(text).hold(Some(measured)).passed;
        assert!(passed("p99 < 10ms", 9.99) && !passed("p99 < 10ms", 10.0) && passed("p99 <= 10ms", 10.0));
        assert!(passed("errors < 0.1%", 0.09) && !passed("errors<0.1%", 0.1));
        assert!(passed("unknown == 0", 0.0) && !passed("unknown == 0", 1.0));
        assert!(passed("rate >= 190", 190.0) && !passed("goodput > 90%", 90.0) && passed("errors != 1", 0.0));
        assert!(!threshold("p99 < 10ms").hold(None).passed, "no answer is no pass");
    }

    #[test]
    fn the_headroom_is_what_is_left_of_the_limit() {
        let headroom = |text: &str, measured: f64| threshold(text).hold(Some(measured)).headroom_percent;
        assert_eq!(headroom("p99 < 10ms", 2.5), Some(75.0));
        assert_eq!(headroom("p99 < 10ms", 15.0), Some(-50.0));
        assert_eq!(headroom("rate >= 100", 150.0), Some(50.0));
        assert_eq!((headroom("unknown == 0", 0.0), headroom("errors < 0", 0.0)), (None, None));
    }

    #[test]
    fn a_kind_may_stand_before_it() {
        let claims = threshold("claim.p95 < 50ms");
        assert_eq!((claims.kind, claims.metric), (Some(Kind::Claim), Metric::Quantile(0.95)));
        assert_eq!(claims.hold(Some(1.0)).metric, "claim.p95");
        assert_eq!(threshold("p99.9 < 3").kind, None, "the point of a number is no kind");
    }

    #[test]
    fn a_phase_may_stand_behind_it() {
        let goodput = threshold("goodput@overload >= 1800");
        assert_eq!((goodput.phase.as_deref(), goodput.metric), (Some("overload"), Metric::Goodput));
        assert_eq!(goodput.hold(Some(1_900.0)).metric, "goodput@overload");
        for not_kept in ["p95@x < 3", "redeem.p99@x < 3", "errors@x < 1%", "unknown@x == 0"] {
            let error = not_kept.parse::<Threshold>().expect_err("not kept by second").to_string();
            assert!(error.contains("of a phase there are"), "{error}");
        }
    }

    #[test]
    fn what_is_no_threshold_says_why() {
        let said = |text: &str| text.parse::<Threshold>().expect_err("none").to_string();
        assert!(said("p99").contains("no comparison") && said("p99 <").contains("no limit"));
        assert!(said("p0 < 1").contains("begins with") && said("speed < 1").contains("begins with"));
        assert!(said("p99 < fast").contains("no number") && said("p99 < 1%").contains("us, ms or s"));
        assert!(said("unknown < 1ms").contains("unit") && said("buy.p99 < 1").contains("no such kind"));
        assert!(said("p99 <> 3").contains("one of"));
    }
}
