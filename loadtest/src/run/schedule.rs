//! When requests are due. A schedule waits for no answer: it is fixed before the run begins, so that a slow server
//! cannot slow down the load that shows how slow it is (no coordinated omission).

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde::Deserialize;

use crate::{Failure, Result};

/// A part of a schedule.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Phase {
    /// By which thresholds call it, as in `p99@after`.
    pub name: Option<String>,
    /// How the rate goes.
    pub shape: Shape,
    /// How long, seconds.
    pub seconds: f64,
    /// Sent, but counted in no figure and held against no threshold.
    pub warm_up: bool,
}

/// How the rate goes within a phase; rates are requests per second.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// The same all the time.
    Constant {
        /// Per second.
        rate: f64,
    },
    /// In a straight line.
    Ramp {
        /// At the beginning, per second.
        from: f64,
        /// At the end, per second.
        to: f64,
    },
    /// In so many even steps, the first at `from` and the last at `to`.
    Step {
        /// At the beginning, per second.
        from: f64,
        /// At the end, per second.
        to: f64,
        /// At least 2.
        steps: u32,
    },
    /// From `rate` to `peak` at once, back again after so long.
    Spike {
        /// Before and after, per second.
        rate: f64,
        /// Meanwhile, per second.
        peak: f64,
        /// Seconds from the beginning of the phase.
        at: f64,
        /// How long, seconds.
        lasts: f64,
    },
    /// Straight lines through points of `[place, per cent of peak]`; the places are stretched over the phase.
    Curve {
        /// What 100 per cent is, per second.
        peak: f64,
        /// In order of their places, which may count anything, such as the hours of a day.
        points: Vec<[f64; 2]>,
    },
}

/// How requests lie within a rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    /// Evenly.
    Uniform,
    /// Independent of each other, as those of many shoppers are.
    #[default]
    Poisson,
}

/// A straight line.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Line {
    seconds: f64,
    from: f64,
    to: f64,
    warm_up: bool,
    /// Of which phase.
    phase: usize,
}

/// All phases as straight lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    lines: Vec<Line>,
    names: Vec<Option<String>>,
}

/// When a request is due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Due {
    /// From the beginning of the run.
    pub at: Duration,
    /// Counted in no figure.
    pub warm_up: bool,
}

/// A phase as it stands in a file. Flat, so that a misspelt field is refused by its name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Option<String>,
    kind: Kind,
    seconds: f64,
    #[serde(default)]
    warm_up: bool,
    rate: Option<f64>,
    from: Option<f64>,
    to: Option<f64>,
    steps: Option<u32>,
    peak: Option<f64>,
    at: Option<f64>,
    lasts: Option<f64>,
    points: Option<Vec<[f64; 2]>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Constant,
    Ramp,
    Step,
    Spike,
    Curve,
}

impl TryFrom<Written> for Phase {
    type Error = String;

    fn try_from(written: Written) -> std::result::Result<Self, String> {
        let Written { name, kind, seconds, warm_up, rate, from, to, steps, peak, at, lasts, points } = written;
        let given = [
            ("rate", rate.is_some()),
            ("from", from.is_some()),
            ("to", to.is_some()),
            ("steps", steps.is_some()),
            ("peak", peak.is_some()),
            ("at", at.is_some()),
            ("lasts", lasts.is_some()),
            ("points", points.is_some()),
        ];
        let (kind, takes): (_, &[&str]) = match kind {
            Kind::Constant => ("constant", &["rate"]),
            Kind::Ramp => ("ramp", &["from", "to"]),
            Kind::Step => ("step", &["from", "to", "steps"]),
            Kind::Spike => ("spike", &["rate", "peak", "at", "lasts"]),
            Kind::Curve => ("curve", &["peak", "points"]),
        };
        if given.iter().any(|(name, is_given)| *is_given != takes.contains(name)) {
            return Err(format!(
                "a phase of kind {kind} has seconds, {}, and name and warm_up if you like",
                takes.join(", ")
            ));
        }
        let shape = match (rate, from, to, steps, peak, at, lasts, points) {
            (Some(rate), None, ..) if at.is_none() => Shape::Constant { rate },
            (_, Some(from), Some(to), None, ..) => Shape::Ramp { from, to },
            (_, Some(from), Some(to), Some(steps), ..) => Shape::Step { from, to, steps },
            (Some(rate), .., Some(peak), Some(at), Some(lasts), _) => Shape::Spike { rate, peak, at, lasts },
            (.., Some(peak), _, _, Some(points)) => Shape::Curve { peak, points },
            _ => return Err(format!("a phase of kind {kind} lacks something")),
        };
        Ok(Self { name, shape, seconds, warm_up })
    }
}

impl Schedule {
    /// Refuses what is no rate or no length.
    pub fn new(phases: &[Phase]) -> Result<Self> {
        let mut lines = Vec::new();
        for (index, phase) in phases.iter().enumerate() {
            let wrong = |what: &str| Failure::Usage(format!("schedule, phase {}: {what}", index + 1));
            if !(phase.seconds.is_finite() && phase.seconds > 0.0) {
                return Err(wrong("seconds must be above 0"));
            }
            let added = phase.shape.lines(phase.seconds).map_err(wrong)?;
            lines.extend(added.into_iter().map(|line| Line { warm_up: phase.warm_up, phase: index, ..line }));
        }
        if lines.iter().any(|line: &Line| ![line.from, line.to].iter().all(|rate| (0.0..=10_000_000.0).contains(rate)))
        {
            return Err(Failure::Usage("schedule: rates are 0 to 10,000,000 per second".to_owned()));
        }
        let schedule = Self { lines, names: phases.iter().map(|phase| phase.name.clone()).collect() };
        if schedule.measured().1 < 1.0 {
            return Err(Failure::Usage("schedule: nothing is due outside the warm-up".to_owned()));
        }
        Ok(schedule)
    }

    /// The same with each rate multiplied.
    #[must_use]
    pub fn scaled(mut self, factor: f64) -> Self {
        for line in &mut self.lines {
            line.from *= factor;
            line.to *= factor;
        }
        self
    }

    /// The same with what is measured stretched to so many seconds; the warm-up stays as long as it is.
    #[must_use]
    pub fn stretched(mut self, seconds: f64) -> Self {
        let factor = seconds / self.measured().0;
        self.lines.iter_mut().filter(|line| !line.warm_up).for_each(|line| line.seconds *= factor);
        self
    }

    /// Seconds in all, the warm-up included.
    pub fn seconds(&self) -> f64 {
        self.lines.iter().map(|line| line.seconds).sum()
    }

    /// From when until when a phase of this name lasts, seconds from the beginning of the run.
    pub fn span(&self, name: &str) -> Option<(f64, f64)> {
        let phase = self.names.iter().position(|own| own.as_deref() == Some(name))?;
        let until = |is: fn(usize, usize) -> bool| {
            self.lines.iter().filter(|line| is(line.phase, phase)).map(|line| line.seconds).sum()
        };
        Some((until(|of, phase| of < phase), until(|of, phase| of <= phase)))
    }

    /// Seconds of warm-up.
    pub fn warm_up_seconds(&self) -> f64 {
        self.lines.iter().filter(|line| line.warm_up).map(|line| line.seconds).sum()
    }

    /// The highest rate, per second.
    pub fn peak(&self) -> f64 {
        self.lines.iter().map(|line| line.from.max(line.to)).fold(0.0, f64::max)
    }

    /// Seconds and requests that are measured.
    pub fn measured(&self) -> (f64, f64) {
        let lines = self.lines.iter().filter(|line| !line.warm_up);
        lines.fold((0.0, 0.0), |(seconds, due), line| (seconds + line.seconds, due + line.area()))
    }

    /// Requests in all, on average.
    pub fn requests(&self) -> f64 {
        self.lines.iter().map(Line::area).sum()
    }

    /// All of them, in their order; the same seed gives the same ones.
    pub fn iter(&self, arrivals: Arrivals, seed: u64) -> impl Iterator<Item = Due> + use<> {
        let lines = self.lines.clone();
        let mut random = SmallRng::seed_from_u64(seed);
        // How much of the area below the rates lies between a request and the next.
        let mut gap = move || match arrivals {
            Arrivals::Uniform => 1.0,
            Arrivals::Poisson => -(1.0 - random.random::<f64>()).ln(),
        };
        // Even requests stand in the middle of their share, so that none falls on the border of two phases.
        let first = if arrivals == Arrivals::Uniform { 0.5 } else { gap() };
        let (mut index, mut begun, mut place, mut need) = (0, 0.0, 0.0, first);
        std::iter::from_fn(move || {
            while let Some(line) = lines.get(index) {
                if let Some(after) = line.reach(place, need) {
                    (place, need) = (after, gap());
                    return Some(Due { at: Duration::from_secs_f64(begun + after), warm_up: line.warm_up });
                }
                need -= line.area() - line.area_until(place);
                (index, begun, place) = (index + 1, begun + line.seconds, 0.0);
            }
            None
        })
    }
}

impl Line {
    fn area(&self) -> f64 {
        f64::midpoint(self.from, self.to) * self.seconds
    }

    fn slope(&self) -> f64 {
        (self.to - self.from) / self.seconds
    }

    fn area_until(&self, place: f64) -> f64 {
        self.from * place + self.slope() * place * place / 2.0
    }

    /// The place from which an area of `need` lies behind `place`, unless it is beyond the end: the root of
    /// `slope/2 x^2 + from x = area`, in the form that stays exact where the slope is nothing.
    fn reach(&self, place: f64, need: f64) -> Option<f64> {
        let area = self.area_until(place) + need;
        let root = (self.from * self.from + 2.0 * self.slope() * area).max(0.0).sqrt();
        let sum = self.from + root;
        let reached = if sum > 0.0 { 2.0 * area / sum } else { f64::INFINITY };
        (area <= self.area() && reached <= self.seconds).then_some(reached)
    }
}

impl Shape {
    fn lines(&self, seconds: f64) -> std::result::Result<Vec<Line>, &'static str> {
        let line = |seconds: f64, from: f64, to: f64| Line { seconds, from, to, warm_up: false, phase: 0 };
        let level = |seconds: f64, rate: f64| line(seconds, rate, rate);
        Ok(match self {
            Self::Constant { rate } => vec![level(seconds, *rate)],
            Self::Ramp { from, to } => vec![line(seconds, *from, *to)],
            Self::Step { steps, .. } if *steps < 2 => return Err("steps must be at least 2"),
            Self::Step { from, to, steps } => {
                let rise = (to - from) / f64::from(steps - 1);
                (0..*steps).map(|step| level(seconds / f64::from(*steps), from + rise * f64::from(step))).collect()
            }
            Self::Spike { at, lasts, .. } if !(*at >= 0.0 && *lasts > 0.0 && at + lasts <= seconds) => {
                return Err("the spike must lie within the phase");
            }
            Self::Spike { rate, peak, at, lasts } => {
                let after = seconds - at - lasts;
                let all = [level(*at, *rate), level(*lasts, *peak), level(after, *rate)];
                all.into_iter().filter(|line| line.seconds > 0.0).collect()
            }
            Self::Curve { peak, points } => {
                let places: Vec<f64> = points.iter().map(|point| point[0]).collect();
                if points.len() < 2 || !places.windows(2).all(|two| two[0] < two[1]) {
                    return Err("a curve has two points or more, in order of their places");
                }
                let width = places[places.len() - 1] - places[0];
                let of = |two: &[[f64; 2]]| {
                    let part = (two[1][0] - two[0][0]) / width * seconds;
                    line(part, two[0][1] / 100.0 * peak, two[1][1] / 100.0 * peak)
                };
                points.windows(2).map(of).collect()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(shape: Shape, seconds: f64) -> Phase {
        Phase { name: None, shape, seconds, warm_up: false }
    }

    fn per_second(schedule: &Schedule, arrivals: Arrivals) -> Vec<usize> {
        let mut counts = vec![0; schedule.seconds().ceil() as usize];
        schedule.iter(arrivals, 7).for_each(|due| counts[due.at.as_secs() as usize] += 1);
        counts
    }

    #[test]
    fn a_constant_rate_is_even() {
        let schedule = Schedule::new(&[phase(Shape::Constant { rate: 4.0 }, 2.0)]).expect("sound");
        let due: Vec<u128> = schedule.iter(Arrivals::Uniform, 1).map(|due| due.at.as_millis()).collect();
        assert_eq!(due, [125, 375, 625, 875, 1_125, 1_375, 1_625, 1_875]);
    }

    #[test]
    fn a_ramp_has_the_area_below_its_line() {
        let schedule = Schedule::new(&[phase(Shape::Ramp { from: 0.0, to: 1_000.0 }, 10.0)]).expect("sound");
        let counts = per_second(&schedule, Arrivals::Uniform);
        assert_eq!(counts.iter().sum::<usize>(), 5_000);
        assert!((counts[0] as i64 - 50).abs() <= 1 && (counts[9] as i64 - 950).abs() <= 1, "{counts:?}");
    }

    #[test]
    fn steps_and_spikes_are_levels() {
        let steps = Shape::Step { from: 100.0, to: 300.0, steps: 3 };
        let spike = Shape::Spike { rate: 10.0, peak: 500.0, at: 1.0, lasts: 1.0 };
        let schedule = Schedule::new(&[phase(steps, 3.0), phase(spike, 3.0)]).expect("sound");
        let near = |is: usize, must: usize| is.abs_diff(must) <= 1;
        let counts = per_second(&schedule, Arrivals::Uniform);
        assert!(counts.iter().zip([100, 200, 300, 10, 500, 10]).all(|(&is, must)| near(is, must)), "{counts:?}");
        assert!((schedule.peak() - 500.0).abs() < 1e-9);
    }

    #[test]
    fn a_curve_is_stretched_over_its_phase() {
        let points = vec![[0.0, 0.0], [20.0, 100.0], [24.0, 0.0]];
        let schedule = Schedule::new(&[phase(Shape::Curve { peak: 600.0, points }, 12.0)]).expect("sound");
        assert!((schedule.peak() - 600.0).abs() < 1e-9 && (schedule.requests() - 3_600.0).abs() < 1e-6);
        let counts = per_second(&schedule, Arrivals::Uniform);
        assert_eq!(counts.iter().enumerate().max_by_key(|(_, n)| **n).map(|(second, _)| second), Some(9));
    }

    /// For Poisson arrivals the counts' variance is their mean; for even ones it is nothing.
    #[test]
    fn poisson_arrivals_vary_as_much_as_their_mean() {
        let schedule = Schedule::new(&[phase(Shape::Constant { rate: 100.0 }, 2_000.0)]).expect("sound");
        let counts = per_second(&schedule, Arrivals::Poisson);
        let mean = counts.iter().sum::<usize>() as f64 / counts.len() as f64;
        let variance = counts.iter().map(|&n| (n as f64 - mean).powi(2)).sum::<f64>() / counts.len() as f64;
        assert!((mean - 100.0).abs() < 1.0 && (85.0..115.0).contains(&variance), "{mean} {variance}");
        let again = per_second(&schedule, Arrivals::Poisson);
        assert_eq!(counts, again, "the same seed is the same schedule");
    }

    #[test]
    fn the_warm_up_is_kept_apart_and_not_stretched() {
        let warm_up = Phase { warm_up: true, ..phase(Shape::Constant { rate: 10.0 }, 5.0) };
        let schedule = Schedule::new(&[warm_up, phase(Shape::Constant { rate: 10.0 }, 60.0)]).expect("sound");
        let short = schedule.stretched(6.0).scaled(2.0);
        assert_eq!(short.measured(), (6.0, 120.0));
        assert_eq!(short.iter(Arrivals::Uniform, 1).filter(|due| due.warm_up).count(), 100);
    }

    #[test]
    fn a_phase_is_found_by_its_name_wherever_it_is_moved() {
        let spike = Shape::Spike { rate: 1.0, peak: 9.0, at: 1.0, lasts: 1.0 };
        let named = Phase { name: Some("after".to_owned()), ..phase(spike, 4.0) };
        let before = || phase(Shape::Constant { rate: 1.0 }, 6.0);
        let schedule = Schedule::new(&[before(), named, before()]).expect("sound");
        assert_eq!((schedule.span("after"), schedule.span("before")), (Some((6.0, 10.0)), None));
        assert_eq!(schedule.stretched(32.0).span("after"), Some((12.0, 20.0)));
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        let refused = |shape: Shape, seconds: f64| Schedule::new(&[phase(shape, seconds)]).is_err();
        assert!(refused(Shape::Constant { rate: -1.0 }, 1.0) && refused(Shape::Constant { rate: 1.0 }, 0.0));
        assert!(refused(Shape::Constant { rate: f64::NAN }, 1.0) && refused(Shape::Constant { rate: 0.0 }, 9.0));
        assert!(refused(Shape::Step { from: 1.0, to: 2.0, steps: 1 }, 1.0));
        assert!(refused(Shape::Spike { rate: 1.0, peak: 9.0, at: 5.0, lasts: 6.0 }, 10.0));
        assert!(refused(Shape::Curve { peak: 9.0, points: vec![[1.0, 9.0], [1.0, 10.0]] }, 10.0));
    }
}
