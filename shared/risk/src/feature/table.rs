//! The counts of all keys, as far as the features of a plan need them.

use linear_hashing::LinearHashMap;
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::cell::{Cell, unseen};
use super::plan::{Counted, Counter, Kept};
use super::{Asked, Feature, Field, Key, Labelled, Observation, Plan, Subject};

/// Under what a count is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CellKey(Counter, u128);

/// A count, as it is kept on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellRow {
    cell: Cell,
    /// It was added to more than once.
    again: bool,
}

/// A feature's value: not a number where the key was not told, or nothing was ever seen of it.
pub type Known = f64;

/// The counts of all keys, at most so many.
#[derive(Debug)]
pub struct Table {
    cells: LinearHashMap<CellKey, CellRow>,
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

/// What stands for the values of each key of a plan.
fn places(plan: &Plan, subject: &Subject) -> Vec<Option<u128>> {
    plan.keys.iter().map(|key| place(*key, subject)).collect()
}

impl Table {
    /// Keeps at most so many counts, and never fewer than 16 or those of one happening.
    pub fn new(most: usize) -> Self {
        Self { cells: LinearHashMap::default(), most: most.max(16), evicted: 0, changed: FxHashSet::default() }
    }

    /// Puts counts in place that were read from disk.
    pub fn restore(&mut self, rows: impl IntoIterator<Item = (CellKey, CellRow)>) {
        for (key, row) in rows {
            self.cells.insert(key, row);
        }
    }

    /// Takes over counts of counters that were not kept here.
    pub fn adopt(&mut self, other: Self) {
        self.evicted += other.evicted;
        for (key, row) in other.cells {
            self.changed.insert(key);
            self.cells.insert(key, row);
        }
    }

    /// Which counts changed since this was last called; some may be gone.
    pub fn take_changed(&mut self) -> Vec<CellKey> {
        self.changed.drain().collect()
    }

    /// A count, to be written.
    pub fn row(&self, key: &CellKey) -> Option<CellRow> {
        self.cells.get(key).cloned()
    }

    /// How many counts were let go for want of room: what is read of their keys is too low since.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Makes room for so many more. A sixteenth goes at once, so that each count pays for sixteen looks at most.
    ///
    /// As long as a quarter of the counts is of keys that were seen once, only those go: whoever sends new keys without end
    /// drives out the own ones, and not those of people who come again (the probation of a segmented LRU: Karedla, Love
    /// and Wherry, *Caching Strategies to Improve Disk System Performance*, IEEE Computer 27, 1994). Of each kind those go
    /// that were not added to for longest, of equals those with the lowest key. All of it follows from the counts
    /// themselves, so that it is the same after a restart.
    fn make_room(&mut self, more: usize) {
        let over = (self.cells.len() + more).saturating_sub(self.most);
        if over == 0 {
            return;
        }
        let once = self.cells.iter().filter(|(_, row)| !row.again).count();
        let spare_known = once >= self.cells.len() / 4;
        let rank = |(key, row): (&CellKey, &CellRow)| (spare_known && row.again, row.cell.last(key.0.width), *key);
        let mut known: Vec<_> = self.cells.iter().map(rank).collect();
        let n = over.max(known.len() / 16).min(known.len());
        if n < known.len() {
            known.select_nth_unstable(n);
        }
        for (.., key) in &known[..n] {
            self.cells.remove(key);
            self.changed.insert(*key);
        }
        self.evicted += n as u64;
    }

    /// Counts a happening.
    pub fn observe(&mut self, plan: &Plan, observation: &Observation) {
        self.make_room(plan.counters.len());
        let places = places(plan, &observation.subject);
        for Counted { counter, key, keep } in &plan.counters {
            let Some(place) = places[*key].filter(|_| counter.kept.counts(observation)) else { continue };
            let cell = self.touch(CellKey(*counter, place));
            cell.add(counter.kept, observation, (counter.width, *keep));
        }
    }

    /// Takes note that a claim or a redemption turned out to be fraud, or not to be after all. It counts at the time at
    /// which that happened, before or after the happening itself is counted.
    pub fn label(&mut self, plan: &Plan, labelled: &Labelled) {
        self.make_room(plan.counters.len());
        let places = places(plan, &labelled.subject);
        for Counted { counter, key, keep } in &plan.counters {
            let Some(place) = places[*key].filter(|_| counter.kept == Kept::Frauds) else { continue };
            self.touch(CellKey(*counter, place)).label(labelled, *keep);
        }
    }

    /// The count of a key, which is about to change.
    fn touch(&mut self, key: CellKey) -> &mut Cell {
        self.changed.insert(key);
        let mut is_new = false;
        let row = self.cells.get_or_insert_with(key, || {
            is_new = true;
            CellRow { cell: Cell::new(key.0.kept), again: false }
        });
        row.again = !is_new;
        &mut row.cell
    }

    /// The values of all features of a plan. Each count is looked up once, however many windows are read from it.
    pub fn values(&self, plan: &Plan, asked: &Asked<'_>) -> Vec<Known> {
        let places = places(plan, asked.subject);
        let look = |counted: &Counted| self.cells.get(&CellKey(counted.counter, places[counted.key]?));
        let found: Vec<Option<&CellRow>> = plan.counters.iter().map(look).collect();
        let value = |(feature, (number, reach)): (&Feature, &(usize, u32))| {
            let Counted { counter, key, .. } = plan.counters[*number];
            match (places[key], found[*number]) {
                (None, _) => f64::NAN,
                (_, None) => unseen(*feature),
                (_, Some(row)) => row.cell.read(*feature, (counter.width, *reach), asked),
            }
        };
        plan.features().iter().zip(&plan.reads).map(value).collect()
    }

    /// All counts that a plan reads, in no particular order.
    pub fn rows(&self, plan: &Plan) -> impl Iterator<Item = (&CellKey, &CellRow)> {
        let read: FxHashSet<Counter> = plan.counters.iter().map(|counted| counted.counter).collect();
        self.cells.iter().filter(move |(key, _)| read.contains(&key.0))
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
