//! Which features are counted, and from which counters they are read.

use serde::{Deserialize, Serialize};

use super::measure::tiles_of;
use super::{Feature, Field, Happening, Key, Measure, Observation, frauds};

/// What is kept to read features from: several windows are read from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Counter {
    pub(super) kept: Kept,
    key: Key,
    /// The width of its tiles, seconds.
    pub(super) width: u32,
}

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) enum Kept {
    Count(Happening),
    Sum(Happening),
    Distinct(Field),
    Seen,
    Frauds,
    Burst(Happening),
    Gaps(Happening),
    Whereabouts,
}

impl Kept {
    fn of(measure: Measure) -> Self {
        match measure {
            Measure::Count(what) => Self::Count(what),
            Measure::Sum(what) => Self::Sum(what),
            Measure::Distinct(field) => Self::Distinct(field),
            Measure::Age | Measure::Idle => Self::Seen,
            Measure::FraudRate | Measure::Frauds | Measure::Settled => Self::Frauds,
            Measure::Burst(what) => Self::Burst(what),
            Measure::GapVariation(what) => Self::Gaps(what),
            Measure::Speed => Self::Whereabouts,
        }
    }

    /// Whether an observation adds to it.
    pub(super) fn counts(self, observation: &Observation) -> bool {
        let happening = observation.happening;
        let is_use = matches!(happening, Happening::Claim | Happening::Lock | Happening::Redemption);
        match self {
            Self::Count(what) | Self::Sum(what) | Self::Burst(what) | Self::Gaps(what) => what == happening,
            Self::Distinct(field) => is_use && observation.subject.get(field).is_some(),
            Self::Seen => is_use,
            // A lock becomes a redemption: it would be labelled twice.
            Self::Frauds => matches!(happening, Happening::Claim | Happening::Redemption),
            Self::Whereabouts => is_use && observation.place.is_some(),
        }
    }
}

/// A counter of a plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) counter: Counter,
    /// The place of its key among the plan's.
    pub(super) key: usize,
    /// How many tiles are kept of it.
    pub(super) keep: u32,
}

/// Which features are counted, each with a number by which it is read.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    features: Vec<Feature>,
    /// For each feature: its counter, and how many tiles it reads.
    pub(super) reads: Vec<(usize, u32)>,
    pub(super) counters: Vec<Counted>,
    pub(super) keys: Vec<Key>,
}

impl Plan {
    /// The number of a feature, which is counted from here on; none where its window cannot be.
    pub fn add(&mut self, feature: Feature) -> Option<usize> {
        if let Some(number) = self.features.iter().position(|known| *known == feature) {
            return Some(number);
        }
        let width = feature.width()?;
        let counter = Counter { kept: Kept::of(feature.measure), key: feature.key, width };
        let reach = feature.window_seconds / width;
        let place = self.counters.iter().position(|known| known.counter == counter).unwrap_or_else(|| {
            let key = self.key(feature.key);
            // Whatever the longest window is that is read from it: what is kept of a counter is the same in every plan.
            let most = tiles_of(width);
            let keep = if counter.kept == Kept::Frauds { frauds::days_kept(most) } else { most };
            self.counters.push(Counted { counter, key, keep });
            self.counters.len() - 1
        });
        self.features.push(feature);
        self.reads.push((place, reach));
        Some(self.features.len() - 1)
    }

    fn key(&mut self, key: Key) -> usize {
        self.keys.iter().position(|known| *known == key).unwrap_or_else(|| {
            self.keys.push(key);
            self.keys.len() - 1
        })
    }

    /// A plan of features, in this order.
    pub fn of(features: &[Feature]) -> Self {
        let mut plan = Self::default();
        for feature in features {
            plan.add(*feature);
        }
        plan
    }

    /// What of another plan is not counted for this one.
    #[must_use]
    pub fn lacking(&self, other: &Self) -> Self {
        let mut lacking = Self::default();
        for (feature, (place, _)) in other.features.iter().zip(&other.reads) {
            let counter = other.counters[*place].counter;
            if !self.counters.iter().any(|known| known.counter == counter) {
                lacking.add(*feature);
            }
        }
        lacking
    }

    /// With what another counts too.
    pub fn extend(&mut self, other: &Self) {
        for feature in &other.features {
            self.add(*feature);
        }
    }

    /// All features, by their numbers.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }
}
