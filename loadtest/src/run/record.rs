//! The figures of a run, second by second and in all. Latencies count from when a request was due, so that what it
//! waited for a free connection is the server's time too.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::action::Kind;
use crate::{Failure, Result};

/// Kinds.
const KINDS: usize = Kind::ALL.len();

/// A second of the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are those of the JSON result")]
pub struct Second {
    /// From the beginning of the run.
    pub second: u64,
    /// Counted in no figure.
    pub warm_up: bool,
    /// Requests that were due.
    pub scheduled: u64,
    /// Requests that were sent.
    pub offered: u64,
    /// Answers that were as they should be.
    pub achieved: u64,
    /// Half of the answers took no longer.
    pub p50_ms: f64,
    /// 99 of 100 answers took no longer.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// Answers that should not have been.
    pub errors: u64,
    /// Refusals by code.
    pub refused: BTreeMap<String, u64>,
    /// Requests without an answer at its end.
    pub in_flight: u64,
}

/// Latencies of one kind of request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Which; `all` for all.
    pub kind: &'static str,
    /// Answers.
    pub count: u64,
    /// Milliseconds, each.
    pub mean_ms: f64,
    /// Half took no longer.
    pub p50_ms: f64,
    /// 90 of 100.
    pub p90_ms: f64,
    /// 95 of 100.
    pub p95_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// 999 of 1,000.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// A point of the distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentile {
    /// 0 to 1.
    pub quantile: f64,
    /// Milliseconds.
    pub ms: f64,
}

/// How often an answer came.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answers {
    /// To which kind of request.
    pub kind: &'static str,
    /// HTTP status; 0 without one.
    pub status: u16,
    /// The problem's code; empty for a success.
    pub code: String,
    /// So many.
    pub count: u64,
    /// Whether they are as they should be.
    pub expected: bool,
}

/// How well the generator kept its schedule.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are those of the JSON result")]
pub struct Lag {
    /// Half of the requests were taken up no later after they were due, milliseconds.
    pub lag_p50_ms: f64,
    /// 99 of 100.
    pub lag_p99_ms: f64,
    /// The latest.
    pub lag_max_ms: f64,
    /// Of one core.
    pub cpu_percent: f64,
    /// Whether the schedule was kept.
    pub kept_schedule: bool,
    /// In words.
    pub said: String,
}

/// An answer, as the record takes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) kind: Kind,
    pub(super) warm_up: bool,
    pub(super) status: u16,
    pub(super) code: &'a str,
    pub(super) expected: bool,
    /// Since it was due; nothing for what is not measured, such as what the client gave up on purpose.
    pub(super) took: Option<Duration>,
}

/// Keeps count.
pub(super) struct Record {
    seconds: Vec<Second>,
    second: Histogram<u64>,
    all: Histogram<u64>,
    kinds: Vec<Histogram<u64>>,
    lag: Histogram<u64>,
    /// Successes by kind, which are most of the answers; others by status and code.
    good: [u64; KINDS],
    others: BTreeMap<(Kind, u16, String, bool), u64>,
    /// Answers within the measurement, and those of them that should not have been.
    pub(super) completed: u64,
    pub(super) errors: u64,
    pub(super) achieved: u64,
    pub(super) scheduled: u64,
    pub(super) offered: u64,
    pub(super) in_flight: u64,
    /// Seconds of the warm-up, from the beginning of the run.
    warm_up_seconds: f64,
}

impl Record {
    pub(super) fn new(warm_up_seconds: f64) -> Result<Self> {
        let kinds = (0..KINDS).map(|_| histogram()).collect::<Result<_>>()?;
        Ok(Self {
            seconds: Vec::new(),
            second: histogram()?,
            all: histogram()?,
            kinds,
            lag: histogram()?,
            good: [0; KINDS],
            others: BTreeMap::new(),
            completed: 0,
            errors: 0,
            achieved: 0,
            scheduled: 0,
            offered: 0,
            in_flight: 0,
            warm_up_seconds,
        })
    }

    /// The second that is at `now`; those before it are closed. Gives back whether one was.
    pub(super) fn advance(&mut self, now: Duration) -> bool {
        let mut closed = false;
        while self.seconds.len() as u64 <= now.as_secs() {
            if !self.seconds.is_empty() {
                self.close();
                closed = true;
            }
            let second = self.seconds.len() as u64;
            let warm_up = (second as f64) < self.warm_up_seconds;
            self.seconds.push(Second { second, warm_up, ..Second::default() });
        }
        closed
    }

    /// Ends the last second.
    pub(super) fn close(&mut self) {
        let Some(second) = self.seconds.last_mut() else { return };
        second.p50_ms = ms(self.second.value_at_quantile(0.5));
        second.p99_ms = ms(self.second.value_at_quantile(0.99));
        second.max_ms = ms(self.second.max());
        second.in_flight = self.in_flight;
        self.second.reset();
    }

    /// The last second that is over.
    pub(super) fn last_closed(&self) -> Option<&Second> {
        self.seconds.len().checked_sub(2).and_then(|index| self.seconds.get(index))
    }

    /// A request is due; it is taken up so much later.
    pub(super) fn due(&mut self, warm_up: bool, lag: Duration) {
        if let Some(second) = self.seconds.last_mut() {
            second.scheduled += 1;
        }
        if !warm_up {
            self.scheduled += 1;
            self.lag.saturating_record(micros(lag));
        }
    }

    /// A request goes out.
    pub(super) fn sent(&mut self, warm_up: bool) {
        if let Some(second) = self.seconds.last_mut() {
            second.offered += 1;
        }
        self.in_flight += 1;
        self.offered += u64::from(!warm_up);
    }

    /// A request is over, whatever came of it.
    pub(super) fn over(&mut self) {
        self.in_flight -= 1;
    }

    /// An answer came.
    pub(super) fn seen(&mut self, seen: Seen<'_>) {
        let Seen { kind, warm_up, status, code, expected, took } = seen;
        if let Some(second) = self.seconds.last_mut() {
            second.achieved += u64::from(expected);
            second.errors += u64::from(!expected);
            if !code.is_empty() {
                match second.refused.get_mut(code) {
                    Some(count) => *count += 1,
                    None => drop(second.refused.insert(code.to_owned(), 1)),
                }
            }
        }
        if let Some(took) = took {
            self.second.saturating_record(micros(took));
        }
        if warm_up {
            return;
        }
        self.completed += 1;
        self.achieved += u64::from(expected);
        self.errors += u64::from(!expected);
        if let Some(took) = took {
            self.all.saturating_record(micros(took));
            self.kinds[kind as usize].saturating_record(micros(took));
        }
        if code.is_empty() && expected {
            self.good[kind as usize] += 1;
        } else {
            *self.others.entry((kind, status, code.to_owned(), expected)).or_default() += 1;
        }
    }

    /// The measured latencies: of one kind, or of all.
    pub(super) fn times(&self, kind: Option<Kind>) -> &Histogram<u64> {
        kind.map_or(&self.all, |kind| &self.kinds[kind as usize])
    }

    /// Answers of a kind that should not have been, and answers of it in all.
    pub(super) fn errors_of(&self, kind: Kind) -> (u64, u64) {
        let others = self.others.iter().filter(|((of, ..), _)| *of == kind);
        others.fold((0, self.good[kind as usize]), |(errors, all), ((.., expected), count)| {
            (errors + if *expected { 0 } else { *count }, all + count)
        })
    }

    /// Answers of a kind that did what was asked for.
    pub(super) fn good_of(&self, kind: Kind) -> u64 {
        self.good[kind as usize]
    }

    pub(super) fn seconds(&self) -> &[Second] {
        &self.seconds
    }

    pub(super) fn into_seconds(self) -> Vec<Second> {
        self.seconds
    }

    /// All kinds that were asked for, and all together first.
    pub(super) fn latencies(&self) -> Vec<Latency> {
        let of = |kind: &'static str, times: &Histogram<u64>| Latency {
            kind,
            count: times.len(),
            mean_ms: times.mean() / 1_000.0,
            p50_ms: ms(times.value_at_quantile(0.5)),
            p90_ms: ms(times.value_at_quantile(0.9)),
            p95_ms: ms(times.value_at_quantile(0.95)),
            p99_ms: ms(times.value_at_quantile(0.99)),
            p999_ms: ms(times.value_at_quantile(0.999)),
            max_ms: ms(times.max()),
        };
        let kinds = Kind::ALL.into_iter().map(|kind| of(kind.name(), self.times(Some(kind))));
        let asked = kinds.filter(|latency| latency.count > 0);
        std::iter::once(of("all", &self.all)).chain(asked).collect()
    }

    /// The distribution at quantiles that halve what is left: 0.5, 0.75, ... as `HdrHistogram` prints it.
    pub(super) fn percentiles(&self) -> Vec<Percentile> {
        let steps = (self.all.len().max(1) as f64).log2().ceil() as i32;
        let quantiles = (0..=steps).flat_map(|step| {
            let (left, next) = (0.5_f64.powi(step), 0.5_f64.powi(step + 1));
            (0..4).map(move |part| 1.0 - left + (left - next) * f64::from(part) / 4.0)
        });
        quantiles.map(|quantile| Percentile { quantile, ms: ms(self.all.value_at_quantile(quantile)) }).collect()
    }

    /// What was answered.
    pub(super) fn answers(&self) -> Vec<Answers> {
        let good = Kind::ALL.into_iter().zip(self.good).filter(|(_, count)| *count > 0).map(|(kind, count)| {
            let status = kind.success();
            Answers { kind: kind.name(), status, code: String::new(), count, expected: true }
        });
        let others = self.others.iter().map(|((kind, status, code, expected), &count)| {
            let (kind, status, code) = (kind.name(), *status, code.clone());
            Answers { kind, status, code, count, expected: *expected }
        });
        good.chain(others).collect()
    }

    /// How late requests were taken up; `cpu_percent` is what the generator used of one core, and it may be late by
    /// `allowed`.
    pub(super) fn lag(&self, cpu_percent: f64, allowed: Duration) -> Lag {
        let [lag_p50_ms, lag_p99_ms] = [0.5, 0.99].map(|quantile| ms(self.lag.value_at_quantile(quantile)));
        let allowed_ms = allowed.as_secs_f64() * 1_000.0;
        let kept_schedule = lag_p99_ms <= allowed_ms;
        let said = if kept_schedule {
            format!("The generator kept its schedule: it was {lag_p99_ms:.2} ms late at the 99th percentile.")
        } else {
            format!(
                "The generator was itself the bottleneck: it was {lag_p99_ms:.1} ms late at the 99th percentile, more than \
                 {allowed_ms:.0} ms, so the figures say nothing about the server. Ask for a lower rate, or give it a machine \
                 of its own."
            )
        };
        Lag { lag_p50_ms, lag_p99_ms, lag_max_ms: ms(self.lag.max()), cpu_percent, kept_schedule, said }
    }
}

/// Microseconds up to ten minutes. Fixed bounds: one that grows would clamp what `saturating_record` is given.
fn histogram() -> Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, 600_000_000, 3).map_err(|error| Failure::Usage(error.to_string()))
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn ms(microseconds: u64) -> f64 {
    microseconds as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(took_ms: u64, warm_up: bool) -> Seen<'static> {
        let took = Some(Duration::from_millis(took_ms));
        Seen { kind: Kind::Redeem, warm_up, status: 201, code: "", expected: true, took }
    }

    #[test]
    fn the_warm_up_is_in_the_seconds_and_in_no_figure() {
        let mut record = Record::new(1.0).expect("a record");
        record.advance(Duration::ZERO);
        record.seen(good(900, true));
        assert!(record.advance(Duration::from_secs(1)));
        (1..=100).for_each(|ms| record.seen(good(ms, false)));
        record.seen(Seen { status: 503, code: "overloaded", expected: false, ..good(5, false) });
        record.advance(Duration::from_secs(2));
        let (seconds, all) = (&record.seconds, record.latencies().swap_remove(0));
        assert!(seconds[0].warm_up && !seconds[1].warm_up && seconds[0].max_ms > 899.0);
        assert_eq!((seconds[1].achieved, seconds[1].errors, seconds[1].refused["overloaded"]), (100, 1, 1));
        assert!(all.count == 101 && (all.p99_ms - 99.0).abs() < 1.1 && all.max_ms < 101.0, "{all:?}");
        assert_eq!((record.completed, record.errors, record.errors_of(Kind::Redeem)), (101, 1, (1, 101)));
    }

    #[test]
    fn a_late_generator_says_so() {
        let mut record = Record::new(0.0).expect("a record");
        record.advance(Duration::ZERO);
        (0..100).for_each(|_| record.due(false, Duration::from_millis(1)));
        assert!(record.lag(50.0, Duration::from_millis(10)).kept_schedule);
        (0..100).for_each(|_| record.due(false, Duration::from_millis(40)));
        let lag = record.lag(100.0, Duration::from_millis(10));
        assert!(!lag.kept_schedule && lag.said.contains("itself the bottleneck"), "{}", lag.said);
    }

    #[test]
    fn seconds_without_answers_are_there_too() {
        let mut record = Record::new(0.0).expect("a record");
        record.advance(Duration::from_secs(3));
        assert_eq!(record.seconds.iter().map(|second| second.second).collect::<Vec<_>>(), [0, 1, 2, 3]);
    }

    #[test]
    fn percentiles_reach_the_tail() {
        let mut record = Record::new(0.0).expect("a record");
        record.advance(Duration::ZERO);
        (1..=1_000).for_each(|ms| record.seen(good(ms, false)));
        let points = record.percentiles();
        assert!(points.windows(2).all(|two| two[0].quantile < two[1].quantile && two[0].ms <= two[1].ms));
        assert!(points.last().is_some_and(|last| last.quantile > 0.999 && last.ms > 999.0));
    }
}
