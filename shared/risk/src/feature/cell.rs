//! What is known of one key by one counter.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::burst::Burst;
use super::distinct::Distinct;
use super::frauds::Frauds;
use super::gaps::Gaps;
use super::measure::Measure;
use super::place::Whereabouts;
use super::plan::Kept;
use super::tiles::{Tiles, tile};
use super::{Asked, Feature, Labelled, Observation};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Cell {
    Sums(Tiles),
    Distinct(Distinct),
    /// First and last, milliseconds.
    Seen(i64, i64),
    Frauds(Box<Frauds>),
    Burst(Box<Burst>),
    Gaps(Gaps),
    Whereabouts(Whereabouts),
}

impl Cell {
    /// Of a counter that has counted nothing yet.
    pub(super) fn new(kept: Kept) -> Self {
        match kept {
            Kept::Count(_) | Kept::Sum(_) => Self::Sums(Tiles::default()),
            Kept::Distinct(_) => Self::Distinct(Distinct::default()),
            Kept::Seen => Self::Seen(i64::MAX, i64::MIN),
            Kept::Frauds => Self::Frauds(Box::default()),
            Kept::Burst(_) => Self::Burst(Box::default()),
            Kept::Gaps(_) => Self::Gaps(Gaps::default()),
            Kept::Whereabouts => Self::Whereabouts(Whereabouts::default()),
        }
    }

    /// Counts what its counter counts; so many tiles of such a width are kept.
    pub(super) fn add(&mut self, kept: Kept, observation: &Observation, (width, keep): (u32, u32)) {
        let at_ms = observation.at_ms;
        match self {
            Self::Sums(tiles) => {
                let amount = if matches!(kept, Kept::Sum(_)) { observation.amount } else { 1 };
                tiles.add(tile(at_ms, width), amount, keep);
            }
            Self::Distinct(distinct) => {
                let Kept::Distinct(field) = kept else { return };
                let Some(value) = observation.subject.get(field) else { return };
                // A store's value is its number: the sketch needs bits that are spread evenly.
                distinct.add(xxh3_64(&value), tile(at_ms, width), keep);
            }
            Self::Seen(first, last) => (*first, *last) = ((*first).min(at_ms), (*last).max(at_ms)),
            Self::Frauds(frauds) => frauds.used(at_ms, keep),
            Self::Burst(burst) => burst.add(at_ms),
            Self::Gaps(gaps) => gaps.add(at_ms),
            Self::Whereabouts(whereabouts) => {
                let Some(place) = observation.place else { return };
                whereabouts.add(at_ms, place);
            }
        }
    }

    /// Takes note of a label, if labels are counted here.
    pub(super) fn label(&mut self, labelled: &Labelled, keep: u32) {
        if let Self::Frauds(frauds) = self {
            frauds.label(labelled.event_at_ms, labelled.fraud, keep);
        }
    }

    /// When it was last added to, seconds since 1970, to the width of its tiles.
    pub(super) fn last(&self, width: u32) -> i64 {
        let tile = match self {
            Self::Sums(tiles) => tiles.newest(),
            Self::Distinct(distinct) => distinct.newest(),
            Self::Frauds(frauds) => frauds.newest(),
            Self::Burst(burst) => burst.newest(),
            Self::Seen(_, last_ms) => return last_ms / 1_000,
            Self::Gaps(gaps) => return gaps.last_ms() / 1_000,
            Self::Whereabouts(whereabouts) => return whereabouts.last_ms() / 1_000,
        };
        tile.map_or(0, |tile| i64::from(tile) * i64::from(width))
    }

    /// A feature's value, of so many tiles of such a width.
    pub(super) fn read(&self, feature: Feature, (width, reach): (u32, u32), asked: &Asked<'_>) -> f64 {
        let at_ms = asked.at_ms;
        match self {
            Self::Sums(tiles) => tiles.sum(tile(at_ms, width), reach) as f64,
            Self::Distinct(distinct) => distinct.count(tile(at_ms, width), reach) as f64,
            Self::Seen(first, last) => {
                let since = if feature.measure == Measure::Age { *first } else { *last };
                at_ms.saturating_sub(since).max(0) as f64 / 1_000.0
            }
            Self::Frauds(frauds) => match feature.measure {
                Measure::Frauds => frauds.count(at_ms, reach),
                Measure::Settled => frauds.settled(at_ms, reach),
                _ => frauds.rate(at_ms, reach),
            },
            Self::Burst(burst) => burst.z(at_ms),
            Self::Gaps(gaps) => gaps.variation(at_ms, feature.window_seconds),
            Self::Whereabouts(whereabouts) => whereabouts.speed(asked.now_ms, asked.place),
        }
    }
}

/// The value of a feature of a key of which nothing is known.
pub(super) fn unseen(feature: Feature) -> f64 {
    match feature.measure {
        // Who was never seen was not seen for longer than anybody asks, and was nowhere.
        Measure::Idle | Measure::GapVariation(_) | Measure::Speed => f64::NAN,
        Measure::FraudRate => Frauds::default().rate(0, 1),
        // And is new.
        _ => 0.0,
    }
}
