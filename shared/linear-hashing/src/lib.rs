//! A hash map that grows a small piece with each entry.
//!
//! A usual hash map moves all its entries when it is full: with a million rows, a third of a second in which nothing is
//! answered. This one is made of many small tables. For every 180 entries more, one table is split in two, each in its
//! turn, so that growing costs the same at every moment (linear hashing; Litwin, *Linear Hashing: A New Tool for File and
//! Table Addressing*, VLDB 1980).
//!
//! Tables are never merged: a map that was large keeps their number, as usual maps keep their capacity.

use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

/// Entries of a table on the average of those that were split already; those that were not hold up to twice as many.
const LOAD: usize = 180;
/// What 256 buckets hold: a table that was just split, and three standard deviations.
const ROOM: usize = 224;
/// The lowest bit of the hash that says in which table an entry is. Within its table, the lower bits give its place,
/// and the highest seven its tag.
const FIRST_BIT: u32 = 20;

/// A hash map that grows a small piece with each entry.
#[derive(Clone, Debug)]
pub struct LinearHashMap<K, V> {
    tables: Vec<HashTable<(K, V)>>,
    len: usize,
}

impl<K, V> Default for LinearHashMap<K, V> {
    fn default() -> Self {
        Self { tables: vec![HashTable::new()], len: 0 }
    }
}

fn hash_of<K: Hash>(key: &K) -> u64 {
    FxBuildHasher.hash_one(key)
}

/// Where an entry is among so many tables: by as many bits as are needed for all of them, or by one fewer where there is
/// no such table yet.
fn place(hash: u64, tables: usize) -> usize {
    let bits = (hash >> FIRST_BIT) as usize;
    let size = tables.next_power_of_two();
    let place = bits & (size - 1);
    if place < tables { place } else { place & (size / 2 - 1) }
}

impl<K, V> LinearHashMap<K, V> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All entries, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.tables.iter().flatten().map(|(key, value)| (key, value))
    }

    /// All values, in no order.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.tables.iter_mut().flatten().map(|(_, value)| value)
    }

    fn table(&self, hash: u64) -> &HashTable<(K, V)> {
        &self.tables[place(hash, self.tables.len())]
    }

    fn table_mut(&mut self, hash: u64) -> &mut HashTable<(K, V)> {
        let place = place(hash, self.tables.len());
        &mut self.tables[place]
    }
}

/// All entries, in no order.
impl<K, V> IntoIterator for LinearHashMap<K, V> {
    type Item = (K, V);
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<HashTable<(K, V)>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.tables.into_iter().flatten()
    }
}

impl<K: Hash + Eq, V> LinearHashMap<K, V> {
    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        let hash = hash_of(key);
        self.table(hash).find(hash, |(known, _)| known == key).map(|(_, value)| value)
    }

    /// Whether a key has a value.
    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Gives a key a value; the one it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let hash = hash_of(&key);
        if let Some((_, known)) = self.table_mut(hash).find_mut(hash, |(known, _)| *known == key) {
            return Some(std::mem::replace(known, value));
        }
        self.insert_new(hash, key, value);
        None
    }

    /// The value of a key, which is the default if it had none.
    pub fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.get_or_insert_with(key, V::default)
    }

    /// The value of a key, which is made if it had none.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let hash = hash_of(&key);
        let place = place(hash, self.tables.len());
        let Some(bucket) = self.tables[place].find_bucket_index(hash, |(known, _)| *known == key) else {
            return self.insert_new(hash, key, make());
        };
        match self.tables[place].get_bucket_mut(bucket) {
            Some((_, value)) => value,
            None => unreachable!("what was found is there"),
        }
    }

    /// Takes a key out; the value it had.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let hash = hash_of(key);
        let found = self.table_mut(hash).find_entry(hash, |(known, _)| known == key).ok()?;
        let ((_, value), _) = found.remove();
        self.len -= 1;
        Some(value)
    }

    fn insert_new(&mut self, hash: u64, key: K, value: V) -> &mut V {
        if self.len >= LOAD * self.tables.len() {
            self.split();
        }
        self.len += 1;
        let entry = self.table_mut(hash).insert_unique(hash, (key, value), |(key, _)| hash_of(key));
        &mut entry.into_mut().1
    }

    /// One table more: what belongs there comes out of the one that stood for it so far.
    fn split(&mut self) {
        let new = self.tables.len();
        let old = new - (1 << new.ilog2());
        let full = std::mem::replace(&mut self.tables[old], HashTable::with_capacity(ROOM));
        self.tables.push(HashTable::with_capacity(ROOM));
        for entry in full {
            let hash = hash_of(&entry.0);
            self.table_mut(hash).insert_unique(hash, entry, |(key, _)| hash_of(key));
        }
    }
}

#[cfg(test)]
mod tests;
