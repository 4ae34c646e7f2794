//! The counts on disk: sled, with pages of changed counts in the order of the changes, and the positions in the same
//! batch. A key of its own for each subject would cost sled 2.7 KB of memory each; a page of many subjects costs little
//! more than its bytes.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use linear_hashing::LinearHashMap;
use risk::feature::{CellKey, CellRow, Feature};
use risk::{Subject, SubjectCounts};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::history::Spot;

const FORMAT: bincode::config::Configuration = bincode::config::standard();
/// Where the positions lie.
const META: &[u8] = b"m";
/// Pages are filled up to about so many bytes.
const PAGE_BYTES: usize = 32 << 10;
/// A page begins with the checksum of the rest.
const PAGE_HEADER: usize = 8;
/// Pages written at once while all are written anew.
const MANY: usize = 64;
/// So many pages are not written anew because they are small.
const MANY_PAGES: u64 = 4_096;
/// Less than this is not written anew, however much of it is out of date.
const WASTE_FROM: u64 = 16 << 20;

/// Up to where everything is counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Positions {
    /// The last sequence of each shard of the ledger.
    pub(crate) ledger: Vec<u64>,
    /// The next offset of each partition of the signals.
    pub(crate) signals: Vec<u64>,
    /// The time of the log up to which that is, milliseconds.
    pub(crate) watermark_ms: i64,
    /// Up to where the history holds.
    pub(crate) history: Spot,
    /// What is counted for rules.
    pub(crate) features: Vec<Feature>,
}

impl Positions {
    pub(crate) fn beginning(partitions: usize) -> Self {
        Self {
            ledger: vec![0; 256],
            signals: vec![0; partitions],
            watermark_ms: 0,
            history: Spot::default(),
            features: Vec::new(),
        }
    }

    fn fit(&self, partitions: usize) -> bool {
        self.ledger.len() == 256 && self.signals.len() == partitions
    }
}

/// What holds, in sled: pages outside of the range are what an end in the middle of something left behind.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Meta {
    positions: Positions,
    /// The first page, and the one after the last.
    pages: (u64, u64),
    bytes: u64,
    /// Bytes when everything was written anew last.
    base_bytes: u64,
}

pub(crate) struct Store {
    database: sled::Db,
    folder: PathBuf,
    meta: Meta,
}

/// What changed.
pub(crate) type Rows = Vec<Row>;

/// A count; `None` where it is not kept any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Row {
    /// Of a subject.
    Subject(Subject, Option<SubjectCounts>),
    /// Of what rules look at.
    Cell(CellKey, Option<CellRow>),
    /// Whether a decision was labelled as fraud, by merchant and number.
    Label((u32, u64), Option<bool>),
}

impl Row {
    /// The same for all rows of one count.
    fn identity(&self) -> u128 {
        xxh3_128(&match self {
            Self::Subject(subject, _) => encode(&(0_u8, subject)),
            Self::Cell(key, _) => encode(&(1_u8, key)),
            Self::Label(key, _) => encode(&(3_u8, key)),
        })
    }

    fn is_gone(&self) -> bool {
        matches!(self, Self::Subject(_, None) | Self::Cell(_, None) | Self::Label(_, None))
    }
}

/// The counts that hold after all pages.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Of subjects.
    pub(crate) subjects: LinearHashMap<Subject, SubjectCounts>,
    /// Of what rules look at.
    pub(crate) cells: LinearHashMap<CellKey, CellRow>,
    /// Labels of decisions.
    pub(crate) labels: FxHashMap<(u32, u64), bool>,
}

impl Counts {
    /// Whether nothing was counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.subjects.is_empty() && self.cells.is_empty()
    }

    fn restore(&mut self, rows: Rows) {
        for row in rows {
            match row {
                Row::Subject(subject, Some(counts)) => drop(self.subjects.insert(subject, counts)),
                Row::Subject(subject, None) => drop(self.subjects.remove(&subject)),
                Row::Cell(key, Some(cell)) => drop(self.cells.insert(key, cell)),
                Row::Cell(key, None) => drop(self.cells.remove(&key)),
                Row::Label(key, Some(fraud)) => drop(self.labels.insert(key, fraud)),
                Row::Label(key, None) => drop(self.labels.remove(&key)),
            }
        }
    }
}

/// What sled says, or that it panicked.
#[derive(Debug, thiserror::Error)]
#[error("the risk projection: {0}")]
pub struct StoreError(String);

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

impl Store {
    /// Opens a folder and reads back what is there; what does not hold is wiped.
    pub(crate) fn open(folder: &Path, partitions: usize) -> Result<(Self, Counts), StoreError> {
        match Self::read_back(folder.to_owned(), partitions) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "risk projection is damaged, counting anew from the log"),
        }
        Self::anew(folder, partitions)
    }

    fn anew(folder: &Path, partitions: usize) -> Result<(Self, Counts), StoreError> {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        let database = open_sled(folder)?;
        let meta = Meta { positions: Positions::beginning(partitions), pages: (0, 0), bytes: 0, base_bytes: 0 };
        Ok((Self { database, folder: folder.to_owned(), meta }, Counts::default()))
    }

    /// Begins anew, with nothing counted.
    pub(crate) fn wipe(self, partitions: usize) -> Result<(Self, Counts), StoreError> {
        let folder = self.folder.clone();
        drop(self);
        Self::anew(&folder, partitions)
    }

    /// sled may meet damage with a panic, so it is read on a thread of its own.
    fn read_back(folder: PathBuf, partitions: usize) -> Result<Option<(Self, Counts)>, StoreError> {
        let work = std::thread::spawn(move || {
            let database = open_sled(&folder)?;
            let Some(bytes) = database.get(META)? else {
                return if database.is_empty() { Ok(None) } else { Err(StoreError("no position".to_owned())) };
            };
            let meta: Meta = decode(&bytes)?;
            if !meta.positions.fit(partitions) {
                return Err(StoreError("written for another layout of the log".to_owned()));
            }
            let mut store = Self { database, folder, meta };
            store.remove_strays()?;
            let mut counts = Counts::default();
            for page in store.meta.pages.0..store.meta.pages.1 {
                counts.restore(store.page(page)?);
            }
            Ok(Some((store, counts)))
        });
        work.join().unwrap_or_else(|_| Err(StoreError("panicked while reading".to_owned())))
    }

    /// Up to where everything is counted that lies here.
    pub(crate) fn positions(&self) -> &Positions {
        &self.meta.positions
    }

    /// Adds what has changed; when most of what lies here is out of date, it is written anew.
    pub(crate) fn write(&mut self, rows: &Rows, positions: Positions) -> Result<(), StoreError> {
        self.meta.positions = positions;
        let mut batch = sled::Batch::default();
        let mut pages = Pages::default();
        for row in rows {
            if let Some(page) = pages.add(row) {
                self.put(&mut batch, page);
            }
        }
        if let Some(page) = pages.rest() {
            self.put(&mut batch, page);
        }
        self.commit(batch)?;
        if self.is_wasteful() { self.compact() } else { Ok(()) }
    }

    fn put(&mut self, batch: &mut sled::Batch, page: Vec<u8>) {
        self.meta.bytes += page.len() as u64;
        batch.insert(&key(self.meta.pages.1), page);
        self.meta.pages.1 += 1;
    }

    fn commit(&self, mut batch: sled::Batch) -> Result<(), StoreError> {
        batch.insert(META, encode(&self.meta));
        self.database.apply_batch(batch)?;
        self.database.flush()?;
        Ok(())
    }

    fn page(&self, number: u64) -> Result<Rows, StoreError> {
        let page = self.database.get(key(number))?.ok_or_else(|| StoreError(format!("page {number} is missing")))?;
        open_page(&page)
    }

    /// Most of it is out of date, or it is in crumbs.
    fn is_wasteful(&self) -> bool {
        let Meta { pages, bytes, base_bytes, .. } = self.meta;
        let count = pages.1 - pages.0;
        bytes > (3 * base_bytes).max(WASTE_FROM) || count > MANY_PAGES.max(4 * bytes / PAGE_BYTES as u64)
    }

    /// Writes what holds anew, behind everything that is there, and takes the rest away. Takes a few dozen bytes of memory
    /// for each subject.
    fn compact(&mut self) -> Result<(), StoreError> {
        let before = self.meta.clone();
        self.write_anew().inspect_err(|_| self.meta = before)?;
        self.remove_strays()
    }

    fn write_anew(&mut self) -> Result<(), StoreError> {
        let old = self.meta.pages;
        let mut last: FxHashMap<u128, u64> = FxHashMap::default();
        for number in old.0..old.1 {
            for row in self.page(number)? {
                last.insert(row.identity(), number);
            }
        }
        self.meta = Meta { pages: (old.1, old.1), bytes: 0, ..self.meta.clone() };
        let mut pages = Pages::default();
        let (mut batch, mut pages_in_batch) = (sled::Batch::default(), 0);
        for number in old.0..old.1 {
            // Within a page each count stands once: nobody writes one twice at once.
            for row in self.page(number)? {
                if row.is_gone() || last.get(&row.identity()) != Some(&number) {
                    continue;
                }
                let Some(page) = pages.add(&row) else { continue };
                self.put(&mut batch, page);
                pages_in_batch += 1;
                if pages_in_batch == MANY {
                    self.database.apply_batch(std::mem::take(&mut batch))?;
                    pages_in_batch = 0;
                }
            }
        }
        if let Some(page) = pages.rest() {
            self.put(&mut batch, page);
        }
        self.meta.base_bytes = self.meta.bytes;
        self.commit(batch)
    }

    /// Takes away pages that do not count.
    fn remove_strays(&mut self) -> Result<(), StoreError> {
        let (first, end) = self.meta.pages;
        let strays = self.database.range(key(0)..key(first)).chain(self.database.range(key(end)..));
        for stray in strays {
            self.database.remove(stray?.0)?;
        }
        Ok(())
    }

    /// Everything as one file; `None` when it cannot be written.
    pub(crate) fn export(&mut self) -> Option<PathBuf> {
        let file = self.folder.with_extension("export");
        match self.compact().and_then(|()| self.write_to(&file)) {
            Ok(()) => Some(file),
            Err(error) => {
                tracing::warn!(%error, "counts cannot be exported");
                None
            }
        }
    }

    fn write_to(&self, file: &Path) -> Result<(), StoreError> {
        let mut out = BufWriter::new(File::create(file)?);
        let mut put = |bytes: &[u8]| -> std::io::Result<()> {
            out.write_all(&(bytes.len() as u32).to_le_bytes())?;
            out.write_all(bytes)
        };
        for number in self.meta.pages.0..self.meta.pages.1 {
            let page =
                self.database.get(key(number))?.ok_or_else(|| StoreError(format!("page {number} is missing")))?;
            put(&page)?;
        }
        put(&[])?;
        put(&sealed(&encode(&(&self.meta.positions, self.meta.pages.1 - self.meta.pages.0))))?;
        Ok(out.flush()?)
    }

    /// Takes over what another instance has exported, into an empty store.
    pub(crate) fn import(&mut self, file: &Path, partitions: usize) -> Result<Counts, StoreError> {
        let mut reader = BufReader::new(File::open(file)?);
        let mut take = || -> Result<Vec<u8>, StoreError> {
            let mut length = [0; 4];
            reader.read_exact(&mut length)?;
            let mut piece = vec![0; u32::from_le_bytes(length) as usize];
            reader.read_exact(&mut piece)?;
            Ok(piece)
        };
        let empty = self.meta.clone();
        let mut counts = Counts::default();
        let mut read = || -> Result<(), StoreError> {
            loop {
                let page = take()?;
                if page.is_empty() {
                    break;
                }
                counts.restore(open_page(&page)?);
                let mut batch = sled::Batch::default();
                self.put(&mut batch, page);
                self.database.apply_batch(batch)?;
            }
            let (positions, pages): (Positions, u64) = decode(unsealed(&take()?)?)?;
            if !positions.fit(partitions) || pages != self.meta.pages.1 {
                return Err(StoreError("it is of another layout of the log, or pages are missing".to_owned()));
            }
            // The history of the other instance stays there.
            let positions = Positions { history: Spot::default(), ..positions };
            self.meta = Meta { positions, base_bytes: self.meta.bytes, ..self.meta.clone() };
            self.commit(sled::Batch::default())
        };
        if let Err(error) = read() {
            self.meta = empty;
            self.remove_strays()?;
            return Err(error);
        }
        Ok(counts)
    }
}

/// Rows on their way into pages.
#[derive(Default)]
struct Pages {
    page: Vec<u8>,
}

impl Pages {
    /// Adds a row; gives a page that is full with it.
    fn add(&mut self, row: &Row) -> Option<Vec<u8>> {
        if self.page.is_empty() {
            self.page.reserve(PAGE_BYTES + 1_024);
            self.page.resize(PAGE_HEADER, 0);
        }
        let written = bincode::serde::encode_into_std_write(row, &mut self.page, FORMAT);
        debug_assert!(written.is_ok(), "writing to memory fails for no row");
        if self.page.len() >= PAGE_BYTES { self.rest() } else { None }
    }

    /// What is left, if there is anything.
    fn rest(&mut self) -> Option<Vec<u8>> {
        let mut page = std::mem::take(&mut self.page);
        let (checksum, rows) = page.split_first_chunk_mut::<PAGE_HEADER>()?;
        *checksum = xxh3_64(rows).to_le_bytes();
        Some(page)
    }
}

/// Bytes with their checksum before them.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    [&xxh3_64(bytes).to_le_bytes()[..], bytes].concat()
}

/// The bytes behind a checksum, if they are as they were written.
fn unsealed(bytes: &[u8]) -> Result<&[u8], StoreError> {
    let parts = bytes.split_first_chunk::<PAGE_HEADER>();
    let sound = parts.filter(|(checksum, rest)| xxh3_64(rest).to_le_bytes() == **checksum);
    sound.map(|(_, rest)| rest).ok_or_else(|| StoreError("a page is damaged".to_owned()))
}

fn open_page(page: &[u8]) -> Result<Rows, StoreError> {
    let mut left = unsealed(page)?;
    let damaged = |_| StoreError("a page does not decode".to_owned());
    let mut rows = Rows::new();
    while !left.is_empty() {
        let (row, length) = bincode::serde::decode_from_slice(left, FORMAT).map_err(damaged)?;
        rows.push(row);
        left = &left[length..];
    }
    Ok(rows)
}

fn open_sled(folder: &Path) -> Result<sled::Db, StoreError> {
    Ok(sled::Config::new().path(folder).cache_capacity(32 << 20).flush_every_ms(None).open()?)
}

/// Pages in the order of their numbers, all behind the positions.
fn key(page: u64) -> [u8; 9] {
    let mut key = [b'p'; 9];
    key[1..].copy_from_slice(&page.to_be_bytes());
    key
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, FORMAT).unwrap_or_default()
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    let decoded = bincode::serde::decode_from_slice(bytes, FORMAT);
    decoded.map(|(value, _)| value).map_err(|error| StoreError(error.to_string()))
}

#[cfg(test)]
mod tests;
