//! The counts on disk: sled, with the positions in the same batch and a checksum over all of it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use risk::{Subject, SubjectCounts};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

const FORMAT: bincode::config::Configuration = bincode::config::standard();

/// Up to where everything is counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Positions {
    /// The last sequence of each shard of the ledger.
    pub(crate) ledger: Vec<u64>,
    /// The next offset of each partition of the signals.
    pub(crate) signals: Vec<u64>,
    /// The sum of the rows' hashes.
    pub(crate) checksum: u64,
}

pub(crate) struct Store {
    database: sled::Db,
    folder: PathBuf,
}

pub(crate) type Rows = Vec<(Subject, SubjectCounts)>;

/// What sled says, or that it panicked.
#[derive(Debug, thiserror::Error)]
#[error("the risk projection: {0}")]
pub struct StoreError(String);

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        Self(error.to_string())
    }
}

/// A row's part of the checksum.
pub(crate) fn row_hash(subject: &Subject, counts: &SubjectCounts) -> u64 {
    xxh3_64(&bincode::serde::encode_to_vec((subject, counts), FORMAT).unwrap_or_default())
}

impl Store {
    /// Opens a folder and reads back what is there; what does not hold is wiped.
    pub(crate) fn open(folder: &Path, partitions: usize) -> Result<(Self, Rows, Positions), StoreError> {
        match Self::read_back(folder.to_owned(), partitions) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "risk projection is damaged, counting anew from the log"),
        }
        if folder.exists() {
            std::fs::remove_dir_all(folder).map_err(|error| StoreError(error.to_string()))?;
        }
        let database = open_sled(folder)?;
        let positions = Positions { ledger: vec![0; 256], signals: vec![0; partitions], checksum: 0 };
        Ok((Self { database, folder: folder.to_owned() }, Vec::new(), positions))
    }

    /// sled may meet damage with a panic, so it is read on a thread of its own.
    fn read_back(folder: PathBuf, partitions: usize) -> Result<Option<(Self, Rows, Positions)>, StoreError> {
        let work = std::thread::spawn(move || {
            let store = Self { database: open_sled(&folder)?, folder };
            let Some(bytes) = store.database.get(b"m")? else {
                let empty = store.database.is_empty();
                return if empty { Ok(None) } else { Err(StoreError("no position".to_owned())) };
            };
            let positions: Positions = decode(&bytes)?;
            let mut rows = Rows::new();
            let mut checksum = 0_u64;
            for row in store.database.scan_prefix(b"s") {
                let (key, value) = row?;
                let (subject, counts) = (decode(&key[1..])?, decode(&value)?);
                checksum = checksum.wrapping_add(row_hash(&subject, &counts));
                rows.push((subject, counts));
            }
            let sound = checksum == positions.checksum
                && positions.signals.len() == partitions
                && positions.ledger.len() == 256;
            if sound { Ok(Some((store, rows, positions))) } else { Err(StoreError("the checksum is wrong".to_owned())) }
        });
        work.join().unwrap_or_else(|_| Err(StoreError("panicked while reading".to_owned())))
    }

    pub(crate) fn write(&self, rows: &Rows, gone: &[Subject], positions: &Positions) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        for (subject, counts) in rows {
            batch.insert(key(subject), encode(counts));
        }
        for subject in gone {
            batch.remove(key(subject));
        }
        batch.insert(b"m", encode(positions));
        self.database.apply_batch(batch)?;
        self.database.flush()?;
        Ok(())
    }
}

/// Rows written at once when much is written.
const MANY: usize = 10_000;

impl Store {
    /// Writes all that another instance had counted into an empty store: the positions last, since without them it counts
    /// as damaged.
    pub(crate) fn fill(&self, rows: &Rows, positions: &Positions) -> Result<(), StoreError> {
        for rows in rows.chunks(MANY) {
            let mut batch = sled::Batch::default();
            for (subject, counts) in rows {
                batch.insert(key(subject), encode(counts));
            }
            self.database.apply_batch(batch)?;
        }
        self.write(&Rows::new(), &[], positions)
    }

    /// Everything as one file; `None` when it cannot be written.
    pub(crate) fn export(&self) -> Option<PathBuf> {
        let file = self.folder.with_extension("export");
        match self.write_to(&file) {
            Ok(()) => Some(file),
            Err(error) => {
                tracing::warn!(%error, "counts cannot be exported");
                None
            }
        }
    }

    fn write_to(&self, file: &Path) -> std::io::Result<()> {
        let mut out = BufWriter::new(File::create(file)?);
        let mut put = |bytes: &[u8]| -> std::io::Result<()> {
            out.write_all(&(bytes.len() as u32).to_le_bytes())?;
            out.write_all(bytes)
        };
        for pair in self.database.scan_prefix(b"s") {
            let (key, value) = pair.map_err(std::io::Error::other)?;
            put(&key[1..])?;
            put(&value)?;
        }
        let positions = self.database.get(b"m").map_err(std::io::Error::other)?;
        put(&[])?;
        put(&positions.unwrap_or_default())?;
        out.flush()
    }
}

/// Reads what an export wrote; the checksum tells whether it is whole.
pub(crate) fn import(file: &Path, partitions: usize) -> Result<(Rows, Positions), StoreError> {
    let bytes = std::fs::read(file).map_err(|error| StoreError(error.to_string()))?;
    let mut left = &bytes[..];
    let mut take = || {
        let torn = || StoreError("the file is torn".to_owned());
        let (length, rest) = left.split_first_chunk::<4>().ok_or_else(torn)?;
        let (piece, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(torn)?;
        left = rest;
        Ok::<_, StoreError>(piece)
    };
    let mut rows = Rows::new();
    loop {
        let subject = take()?;
        if subject.is_empty() {
            break;
        }
        rows.push((decode(subject)?, decode(take()?)?));
    }
    let positions: Positions = decode(take()?)?;
    let checksum = rows.iter().fold(0_u64, |sum, (subject, counts)| sum.wrapping_add(row_hash(subject, counts)));
    if checksum == positions.checksum && positions.signals.len() == partitions && positions.ledger.len() == 256 {
        Ok((rows, positions))
    } else {
        Err(StoreError("the checksum is wrong".to_owned()))
    }
}

fn open_sled(folder: &Path) -> Result<sled::Db, StoreError> {
    Ok(sled::Config::new().path(folder).cache_capacity(32 << 20).flush_every_ms(None).open()?)
}

fn key(subject: &Subject) -> Vec<u8> {
    let mut key = vec![b's'];
    key.extend(encode(subject));
    key
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, FORMAT).unwrap_or_default()
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    let decoded = bincode::serde::decode_from_slice(bytes, FORMAT);
    decoded.map(|(value, _)| value).map_err(|error| StoreError(error.to_string()))
}
