//! The counts of all keys, as far as the features of a plan need them.

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
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
///
/// They lie in parts, by the hash of what they are of, and each part has its share of the room: letting some go takes a look
/// at all of a part, and no decision may wait for a look at everything.
#[derive(Debug)]
pub struct Table {
    parts: Vec<FxHashMap<CellKey, CellRow>>,
    /// In each part.
    most: usize,
    len: usize,
    evicted: u64,
    changed: FxHashSet<CellKey>,
}

/// About so many counts, half as many at least and twice at most, have a part to themselves.
const PART: usize = 1_024;

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
        let parts = (most / PART).next_power_of_two();
        Self {
            parts: (0..parts).map(|_| FxHashMap::default()).collect(),
            most: (most / parts).max(16),
            len: 0,
            evicted: 0,
            changed: FxHashSet::default(),
        }
    }

    /// Puts counts in place that were read from disk.
    pub fn restore(&mut self, rows: impl IntoIterator<Item = (CellKey, CellRow)>) {
        for (key, row) in rows {
            self.put(key, row);
        }
    }

    fn put(&mut self, key: CellKey, row: CellRow) {
        let part = self.part_of(&key);
        self.len += usize::from(self.parts[part].insert(key, row).is_none());
    }

    /// All counts of one key's values lie together.
    fn part_of(&self, CellKey(_, place): &CellKey) -> usize {
        self.part_at(*place)
    }

    fn part_at(&self, place: u128) -> usize {
        place as usize & (self.parts.len() - 1)
    }

    fn get(&self, key: &CellKey) -> Option<&CellRow> {
        self.parts[self.part_of(key)].get(key)
    }

    /// Takes over counts of counters that were not kept here.
    pub fn adopt(&mut self, other: Self) {
        self.evicted += other.evicted;
        for (key, row) in other.parts.into_iter().flatten() {
            self.changed.insert(key);
            self.put(key, row);
        }
    }

    /// Which counts changed since this was last called; some may be gone.
    pub fn take_changed(&mut self) -> Vec<CellKey> {
        self.changed.drain().collect()
    }

    /// A count, to be written.
    pub fn row(&self, key: &CellKey) -> Option<CellRow> {
        self.get(key).cloned()
    }

    /// How many counts were let go for want of room: what is read of their keys is too low since.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Makes room for all counters of a plan, where their keys' values lie.
    fn make_room(&mut self, plan: &Plan, places: &[Option<u128>]) {
        let mut wanted: SmallVec<[(usize, usize); 8]> = SmallVec::new();
        for place in plan.counters.iter().filter_map(|counted| places[counted.key]) {
            let part = self.part_at(place);
            match wanted.iter_mut().find(|(known, _)| *known == part) {
                Some((_, more)) => *more += 1,
                None => wanted.push((part, 1)),
            }
        }
        for (part, more) in wanted {
            self.make_room_in(part, more);
        }
    }

    /// Makes room for so many more in a part. A sixteenth goes at once, so that each count pays for sixteen looks at most.
    ///
    /// As long as a quarter of the part is of keys that were seen once, only those go: whoever sends new keys without end
    /// drives out the own ones, and not those of people who come again (the probation of a segmented LRU: Karedla, Love
    /// and Wherry, *Caching Strategies to Improve Disk System Performance*, IEEE Computer 27, 1994). Of each kind those go
    /// that were not added to for longest, of equals those with the lowest key. All of it follows from the counts
    /// themselves, so that it is the same after a restart.
    fn make_room_in(&mut self, part: usize, more: usize) {
        let cells = &mut self.parts[part];
        let over = (cells.len() + more).saturating_sub(self.most);
        if over == 0 {
            return;
        }
        let once = cells.values().filter(|row| !row.again).count();
        let spare_known = once >= cells.len() / 4;
        let rank = |(key, row): (&CellKey, &CellRow)| (spare_known && row.again, row.cell.last(key.0.width), *key);
        let mut known: Vec<_> = cells.iter().map(rank).collect();
        let n = over.max(known.len() / 16).min(known.len());
        if n < known.len() {
            known.select_nth_unstable(n);
        }
        for (.., key) in &known[..n] {
            cells.remove(key);
            self.changed.insert(*key);
        }
        self.len -= n;
        self.evicted += n as u64;
    }

    /// Counts a happening.
    pub fn observe(&mut self, plan: &Plan, observation: &Observation) {
        let places = places(plan, &observation.subject);
        self.make_room(plan, &places);
        for Counted { counter, key, keep } in &plan.counters {
            let Some(place) = places[*key].filter(|_| counter.kept.counts(observation)) else { continue };
            let cell = self.touch(CellKey(*counter, place));
            cell.add(counter.kept, observation, (counter.width, *keep));
        }
    }

    /// Takes note that a claim or a redemption turned out to be fraud, or not to be after all. It counts at the time at
    /// which that happened, before or after the happening itself is counted.
    pub fn label(&mut self, plan: &Plan, labelled: &Labelled) {
        let places = places(plan, &labelled.subject);
        self.make_room(plan, &places);
        for Counted { counter, key, keep } in &plan.counters {
            let Some(place) = places[*key].filter(|_| counter.kept == Kept::Frauds) else { continue };
            self.touch(CellKey(*counter, place)).label(labelled, *keep);
        }
    }

    /// The count of a key, which is about to change.
    fn touch(&mut self, key: CellKey) -> &mut Cell {
        self.changed.insert(key);
        let part = self.part_of(&key);
        let is_new = !self.parts[part].contains_key(&key);
        self.len += usize::from(is_new);
        let row = self.parts[part].entry(key).or_insert_with(|| CellRow { cell: Cell::new(key.0.kept), again: false });
        row.again = !is_new;
        &mut row.cell
    }

    /// The values of all features of a plan. Each count is looked up once, however many windows are read from it.
    pub fn values(&self, plan: &Plan, asked: &Asked<'_>) -> Vec<Known> {
        let places = places(plan, asked.subject);
        let look = |counted: &Counted| self.get(&CellKey(counted.counter, places[counted.key]?));
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
        self.parts.iter().flatten().filter(move |(key, _)| read.contains(&key.0))
    }

    /// How many cells there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}
