//! The counts of all keys, as far as the features of a plan need them.

use linear_hashing::LinearHashMap;
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::distinct::Distinct;
use super::tiles::Tiles;
use super::{DAY, Feature, Field, Happening, Key, Measure, Observation, Subject, width_of};

/// What is kept to read features from: several windows are read from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Counter {
    measure: Kept,
    key: Key,
    /// The width of its tiles, seconds.
    width: u32,
}

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Kept {
    Count(Happening),
    Sum(Happening),
    Distinct(Field),
    Seen,
}

/// Which features are counted, each with a number by which it is read.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    features: Vec<Feature>,
    /// For each feature: its counter, and how many tiles it reads.
    reads: Vec<(usize, u32)>,
    /// Each with how many tiles are kept of it.
    counters: Vec<(Counter, u32)>,
    /// Each counter again, with the place of its key.
    looks: Vec<(Counter, usize)>,
    keys: Vec<Key>,
}

impl Plan {
    /// The number of a feature, which is counted from here on; none where its window cannot be.
    pub fn add(&mut self, feature: Feature) -> Option<usize> {
        if let Some(number) = self.features.iter().position(|known| *known == feature) {
            return Some(number);
        }
        let (measure, width) = match feature.measure {
            Measure::Count(what) => (Kept::Count(what), width_of(feature.window_seconds)?),
            Measure::Sum(what) => (Kept::Sum(what), width_of(feature.window_seconds)?),
            Measure::Distinct(field) => (Kept::Distinct(field), width_of(feature.window_seconds)?),
            Measure::Age | Measure::Idle => (Kept::Seen, DAY),
        };
        let counter = Counter { measure, key: feature.key, width };
        let reach = feature.window_seconds / width;
        let place = self.counters.iter().position(|(known, _)| *known == counter).unwrap_or_else(|| {
            let key = self.keys.iter().position(|known| *known == feature.key).unwrap_or_else(|| {
                self.keys.push(feature.key);
                self.keys.len() - 1
            });
            self.counters.push((counter, reach));
            self.looks.push((counter, key));
            self.counters.len() - 1
        });
        self.counters[place].1 = self.counters[place].1.max(reach);
        self.features.push(feature);
        self.reads.push((place, reach));
        Some(self.features.len() - 1)
    }

    /// All features, by their numbers.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }
}

/// What is known of one key by one counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Cell {
    Sums(Tiles),
    Distinct(Distinct),
    /// First and last, milliseconds.
    Seen(i64, i64),
}

/// Under what a count is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CellKey(Counter, u128);

/// A count, as it is kept on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellRow(Cell);

/// A feature's value: not a number where the key was not told, or nothing was ever seen of it.
pub type Known = f64;

impl Cell {
    /// When it was last added to, seconds since 1970, to the width of its tiles.
    fn last(&self, width: u32) -> i64 {
        let tile = match self {
            Self::Sums(tiles) => tiles.newest(),
            Self::Distinct(distinct) => distinct.newest(),
            Self::Seen(_, last) => return last / 1_000,
        };
        tile.map_or(0, |tile| i64::from(tile) * i64::from(width))
    }
}

/// The counts of all keys, at most so many.
#[derive(Debug)]
pub struct Table {
    cells: LinearHashMap<CellKey, Cell>,
    most: usize,
    evicted: u64,
    changed: FxHashSet<CellKey>,
}

/// What stands for a key's values; nothing where one was not told.
fn place(key: Key, subject: &Subject) -> Option<u128> {
    let mut bytes = [0_u8; 48];
    let merchant = subject.get(Field::Merchant)?;
    bytes[..16].copy_from_slice(&merchant);
    for (field, part) in key.fields().zip(bytes[16..].chunks_exact_mut(16)) {
        part.copy_from_slice(&subject.get(field)?);
    }
    Some(xxh3_128(&bytes))
}

fn tile(at_ms: i64, width: u32) -> u32 {
    u32::try_from(at_ms.max(0) / (1_000 * i64::from(width))).unwrap_or(u32::MAX - 1)
}

impl Table {
    /// Keeps at most so many counts; those that were not added to for longest go first.
    pub fn new(most: usize) -> Self {
        Self { cells: LinearHashMap::default(), most: most.max(16), evicted: 0, changed: FxHashSet::default() }
    }

    /// Puts counts in place that were read from disk.
    pub fn restore(&mut self, rows: impl IntoIterator<Item = (CellKey, CellRow)>) {
        for (key, CellRow(cell)) in rows {
            self.cells.insert(key, cell);
        }
    }

    /// Which counts changed since this was last called; some may be gone.
    pub fn take_changed(&mut self) -> Vec<CellKey> {
        self.changed.drain().collect()
    }

    /// A count, to be written.
    pub fn row(&self, key: &CellKey) -> Option<CellRow> {
        self.cells.get(key).cloned().map(CellRow)
    }

    /// How many counts were let go for want of room: what is read of their keys is too low since.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Lets a sixteenth of the counts go, those that were not added to for longest; of equals those with the lowest key,
    /// so that every replica lets go the same.
    fn evict(&mut self) {
        let last = |(key, cell): (&CellKey, &Cell)| (cell.last(key.0.width), *key);
        let mut known: Vec<_> = self.cells.iter().map(last).collect();
        let n = known.len() / 16;
        known.select_nth_unstable(n);
        for (_, key) in &known[..n] {
            self.cells.remove(key);
            self.changed.insert(*key);
        }
        self.evicted += n as u64;
    }

    /// Counts a happening.
    pub fn observe(&mut self, plan: &Plan, observation: &Observation) {
        let Observation { happening, at_ms, subject, amount } = observation;
        if self.cells.len() + plan.counters.len() > self.most {
            self.evict();
        }
        let is_use = matches!(happening, Happening::Claim | Happening::Lock | Happening::Redemption);
        for (counter, keep) in &plan.counters {
            let touches = match counter.measure {
                Kept::Count(what) | Kept::Sum(what) => what == *happening,
                Kept::Distinct(_) | Kept::Seen => is_use,
            };
            if !touches {
                continue;
            }
            let Some(key) = place(counter.key, subject) else { continue };
            let tile = tile(*at_ms, counter.width);
            let key = CellKey(*counter, key);
            match counter.measure {
                Kept::Count(_) => self.sums(key).add(tile, 1, *keep),
                Kept::Sum(_) => self.sums(key).add(tile, *amount, *keep),
                Kept::Distinct(field) => {
                    let Some(value) = subject.get(field) else { continue };
                    self.distinct(key).add(first_bytes(value), tile, *keep);
                }
                Kept::Seen => self.seen(key, *at_ms),
            }
            self.changed.insert(key);
        }
    }

    fn sums(&mut self, key: CellKey) -> &mut Tiles {
        let cell = self.cells.get_or_insert_with(key, || Cell::Sums(Tiles::default()));
        match cell {
            Cell::Sums(tiles) => tiles,
            _ => unreachable!("a counter's cells are all of its kind"),
        }
    }

    fn distinct(&mut self, key: CellKey) -> &mut Distinct {
        let cell = self.cells.get_or_insert_with(key, || Cell::Distinct(Distinct::default()));
        match cell {
            Cell::Distinct(distinct) => distinct,
            _ => unreachable!("a counter's cells are all of its kind"),
        }
    }

    fn seen(&mut self, key: CellKey, at_ms: i64) {
        let cell = self.cells.get_or_insert_with(key, || Cell::Seen(at_ms, at_ms));
        if let Cell::Seen(first, last) = cell {
            (*first, *last) = ((*first).min(at_ms), (*last).max(at_ms));
        }
    }

    /// The values of all features of a plan for whom and what a request has to do with, at a time. Each count is looked up
    /// once, however many windows are read from it.
    pub fn values(&self, plan: &Plan, subject: &Subject, at_ms: i64) -> Vec<Known> {
        let places: Vec<Option<u128>> = plan.keys.iter().map(|key| place(*key, subject)).collect();
        let look = |(counter, key): &(Counter, usize)| self.cells.get(&CellKey(*counter, places[*key]?));
        let found: Vec<Option<&Cell>> = plan.looks.iter().map(look).collect();
        let value = |(feature, (counter, reach)): (&Feature, &(usize, u32))| {
            let (kept, key) = plan.looks[*counter];
            let told = places[key].is_some();
            if told { read(found[*counter], *feature, kept.width, *reach, at_ms) } else { f64::NAN }
        };
        plan.features.iter().zip(&plan.reads).map(value).collect()
    }

    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }
}

fn read(cell: Option<&Cell>, feature: Feature, width: u32, reach: u32, at_ms: i64) -> Known {
    let tile = tile(at_ms, width);
    match (cell, feature.measure) {
        (Some(Cell::Sums(tiles)), _) => tiles.sum(tile, reach) as f64,
        (Some(Cell::Distinct(distinct)), _) => distinct.count(tile, reach) as f64,
        (Some(Cell::Seen(first, _)), Measure::Age) => (at_ms - first).max(0) as f64 / 1_000.0,
        (Some(Cell::Seen(_, last)), _) => (at_ms - last).max(0) as f64 / 1_000.0,
        // Who was never seen is new, and was not seen for longer than anybody asks.
        (None, Measure::Idle) => f64::NAN,
        (None, _) => 0.0,
    }
}

fn first_bytes(value: [u8; 16]) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| value[i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_bounded_and_it_is_said_how_many_went() {
        let key = Key::new(&[Field::User]).expect("a key");
        let mut plan = Plan::default();
        let count = Feature { measure: Measure::Count(Happening::Claim), key, window_seconds: 3_600 };
        let number = plan.add(count).expect("a window");
        let mut table = Table::new(64);
        let of = |n: u8| Subject::default().with(Field::Merchant, Some([1; 16])).with(Field::User, Some([n; 16]));
        for n in 0..200_u8 {
            let at_ms = 1_000_000_000 + i64::from(n) * 1_000;
            table.observe(&plan, &Observation { happening: Happening::Claim, at_ms, subject: of(n), amount: 0 });
        }
        assert!(
            table.len() <= 64 && table.evicted() == 200 - table.len() as u64,
            "{} {}",
            table.len(),
            table.evicted()
        );
        let value = |n: u8| table.values(&plan, &of(n), 1_000_000_000 + 200_000)[number];
        assert!((value(199) - 1.0).abs() < f64::EPSILON && value(0) == 0.0);
        assert!(table.values(&plan, &Subject::default(), 0)[number].is_nan(), "nobody told of a user");
    }
}
