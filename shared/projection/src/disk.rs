//! The folded ledger on disk: sled, written behind, a cache that can be thrown away.
//!
//! sled 0.34 is durable only after a flush and may meet damage with a panic, so everything that is read back is
//! checked against the hash of its shard, on a thread of its own; whatever does not hold is wiped and folded anew.

use std::path::{Path, PathBuf};

use coupon::id::{SHARDS, Sequence, Shard};
use coupon::state::{Key, Row};
use coupon::terms::Millis;
use event_log::{EventLog, Offset, ReadError, Stored, Topic};
use serde::{Deserialize, Serialize};

use crate::codec::{FORMAT, known_semantics};
use crate::ledger::Ledger;
use crate::shard::{CHUNK, Dirty, PositionChunk, ShardState};
use xxhash_rust::xxh3::xxh3_128;

/// The layout of what stands here; another one is wiped.
const LAYOUT: u32 = 2;

/// What a flush writes, all or nothing.
pub struct Image {
    /// Changed rows.
    pub rows: Dirty,
    /// Changed chunks of positions, by shard and number.
    pub chunks: Vec<(u8, u32, PositionChunk)>,
    /// Up to where.
    pub meta: Meta,
}

/// Up to where the log is folded into what stands here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    layout: u32,
    /// How far each partition is folded.
    pub reached: Vec<Reached>,
    /// Each shard.
    pub shards: Vec<ShardMeta>,
}

/// How far a partition is folded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The next offset.
    pub next: Offset,
    /// Of the record before it: a log in which that is another one, or gone, is not the log that was folded.
    pub mark: u128,
}

impl Reached {
    /// After a record.
    pub fn after(stored: &Stored) -> Self {
        let mut bytes = stored.append_time_ms.to_le_bytes().to_vec();
        bytes.extend_from_slice(&stored.bytes);
        Self { next: stored.offset + 1, mark: xxh3_128(&bytes) }
    }

    /// Whether the log still has the record up to which it was folded.
    pub fn stands_in(&self, log: &dyn EventLog, partition: u32) -> Result<bool, ReadError> {
        if self.next == 0 {
            return Ok(true);
        }
        if self.next > log.end(Topic::Ledger, partition)? {
            return Ok(false);
        }
        match log.read(Topic::Ledger, partition, self.next - 1, 1) {
            Ok(records) => Ok(records.first().is_some_and(|stored| Self::after(stored) == *self)),
            // Damage stops the partition where it is met again, and says so.
            Err(ReadError::Damaged { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// What stands of a shard beside its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardMeta {
    sequence: Sequence,
    time: Millis,
    hash: u128,
    semantics: u16,
    sealed: bool,
}

impl ShardMeta {
    fn of(shard: &ShardState) -> Self {
        let ShardState { sequence, time, semantics, sealed, .. } = *shard;
        Self { sequence, time, hash: shard.state_hash(), semantics, sealed }
    }

    /// Puts it in place beside rows and positions, and checks them.
    fn restore(&self, shard: &mut ShardState) -> Result<(), DiskError> {
        shard.sequence = self.sequence;
        shard.time = self.time;
        shard.semantics = self.semantics;
        shard.sealed = self.sealed;
        if self.semantics > known_semantics() {
            return Err(damaged("folded by rules that this release does not know"));
        }
        let placed = shard.positions().get(self.sequence).is_some() || self.sequence == 0;
        if shard.state_hash() != self.hash || !placed || shard.positions().get(self.sequence + 1).is_some() {
            return Err(damaged("a shard's hash does not hold"));
        }
        Ok(())
    }
}

impl Meta {
    /// Of a ledger that is folded so far.
    pub fn of(ledger: &Ledger, reached: Vec<Reached>) -> Self {
        Self { layout: LAYOUT, reached, shards: ledger.shards().map(ShardMeta::of).collect() }
    }

    /// Whether it is of this layout, for so many partitions.
    pub(crate) fn fits(&self, partitions: usize) -> bool {
        self.layout == LAYOUT && self.reached.len() == partitions && self.shards.len() == usize::from(SHARDS)
    }

    /// How many records are folded.
    pub fn records(&self) -> u64 {
        self.reached.iter().map(|reached| reached.next).sum()
    }

    /// Puts it in place in a ledger whose rows and positions are, and checks all.
    pub(crate) fn restore(&self, ledger: &mut Ledger) -> Result<(), DiskError> {
        for (n, meta) in self.shards.iter().enumerate() {
            meta.restore(ledger.shard_mut(Shard(n as u8)))?;
        }
        ledger.restored();
        Ok(())
    }
}

/// The sled database of a projection.
pub struct Disk {
    database: sled::Db,
}

/// Why nothing could be read back.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// sled said so, or panicked.
    #[error("sled: {0}")]
    Sled(String),
    /// What was read back is not what was written.
    #[error("{0}")]
    Damaged(String),
}

impl From<sled::Error> for DiskError {
    fn from(error: sled::Error) -> Self {
        Self::Sled(error.to_string())
    }
}

impl Disk {
    /// Opens what stands in a folder and reads the ledger back; damage is wiped, and an empty ledger given.
    pub fn open(folder: &Path, partitions: usize) -> Result<(Self, Ledger, Vec<Reached>), DiskError> {
        if marker(folder).exists() {
            tracing::warn!(folder = %folder.display(), "projection was found to be wrong, folding the log anew");
            let _ = std::fs::remove_dir_all(folder);
            std::fs::remove_file(marker(folder)).map_err(|error| DiskError::Sled(error.to_string()))?;
        }
        match Self::read_back(folder.to_owned(), partitions) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, folder = %folder.display(), "projection is damaged, folding the log anew");
            }
        }
        if folder.exists() {
            std::fs::remove_dir_all(folder).map_err(|error| DiskError::Sled(error.to_string()))?;
        }
        let database = open_sled(folder)?;
        Ok((Self { database }, Ledger::new(), vec![Reached::default(); partitions]))
    }

    fn read_back(folder: PathBuf, partitions: usize) -> Result<Option<(Self, Ledger, Vec<Reached>)>, DiskError> {
        let work = std::thread::Builder::new().name("sled-open".into()).spawn(move || {
            let disk = Self { database: open_sled(&folder)? };
            let found = disk.read(partitions)?;
            Ok(found.map(|(ledger, next)| (disk, ledger, next)))
        });
        match work.map(std::thread::JoinHandle::join) {
            Ok(Ok(found)) => found,
            Ok(Err(_)) => Err(DiskError::Sled("panicked while reading".to_owned())),
            Err(error) => Err(DiskError::Sled(error.to_string())),
        }
    }

    fn read(&self, partitions: usize) -> Result<Option<(Ledger, Vec<Reached>)>, DiskError> {
        let Some(bytes) = self.database.get(b"m")? else {
            // Nothing was flushed yet, or all of it is lost.
            return if self.database.is_empty() { Ok(None) } else { Err(damaged("no position")) };
        };
        let meta: Meta = decode(&bytes)?;
        if !meta.fits(partitions) {
            return Err(damaged("written by another release or for another layout of the log"));
        }
        let mut ledger = Ledger::new();
        for entry in self.database.scan_prefix(b"r") {
            let (key, row) = entry?;
            let (key, row): (Key, Row) = (decode(&key[1..])?, decode(&row)?);
            ledger.shard_mut(key.shard()).restore(key, row);
        }
        for entry in self.database.scan_prefix(b"p") {
            let (key, chunk) = entry?;
            let shard = Shard(*key.get(1).ok_or_else(|| damaged("a position without a shard"))?);
            ledger.shard_mut(shard).positions_mut().restore(decode(&chunk)?);
        }
        meta.restore(&mut ledger)?;
        Ok(Some((ledger, meta.reached)))
    }

    /// Throws away everything.
    pub fn clear(&self) -> Result<(), DiskError> {
        self.database.clear()?;
        self.database.flush()?;
        Ok(())
    }

    /// Writes an image and waits until it is durable.
    pub fn write(&self, image: &Image) -> Result<(), DiskError> {
        let mut batch = sled::Batch::default();
        let mut buffer = Vec::with_capacity(512);
        for (key, row) in &image.rows {
            let key = encode(b"r", key, &mut Vec::with_capacity(48));
            match row {
                Some(row) => batch.insert(key, encode(b"", row, &mut buffer)),
                None => batch.remove(key),
            }
        }
        for (shard, number, chunk) in &image.chunks {
            let mut key = vec![b'p', *shard];
            key.extend_from_slice(&number.to_be_bytes());
            batch.insert(key, encode(b"", chunk, &mut buffer));
        }
        batch.insert(b"m", encode(b"", &image.meta, &mut buffer));
        self.database.apply_batch(batch)?;
        self.database.flush()?;
        crate::metrics::FLUSHED.inc_by(image.rows.len() as u64);
        Ok(())
    }
}

fn marker(folder: &Path) -> PathBuf {
    folder.with_extension("wrong")
}

/// Has a projection thrown away at its next opening.
pub(crate) fn discard(folder: &Path) -> std::io::Result<()> {
    std::fs::write(marker(folder), [])
}

/// What changed since the last flush, which stood at `flushed`.
pub fn image(ledger: &mut Ledger, reached: Vec<Reached>, flushed: &mut [Sequence]) -> Image {
    let mut rows = Dirty::default();
    let mut chunks = Vec::new();
    for n in 0..SHARDS {
        let shard = ledger.shard_mut(Shard(n as u8));
        let dirty = shard.take_dirty();
        if rows.is_empty() {
            rows = dirty;
        } else {
            rows.extend(dirty);
        }
        let first = flushed[usize::from(n)] as usize / CHUNK;
        if shard.sequence > flushed[usize::from(n)] {
            let changed = shard.positions().chunks_from(first);
            chunks.extend(changed.map(|(number, chunk)| (n as u8, number as u32, chunk.clone())));
            flushed[usize::from(n)] = shard.sequence;
        }
    }
    Image { rows, chunks, meta: Meta::of(ledger, reached) }
}

fn open_sled(folder: &Path) -> Result<sled::Db, DiskError> {
    // Flushed with each image only: what stands between two images is of no use.
    Ok(sled::Config::new().path(folder).cache_capacity(64 << 20).flush_every_ms(None).open()?)
}

fn encode<T: Serialize>(prefix: &[u8], value: &T, buffer: &mut Vec<u8>) -> sled::IVec {
    buffer.clear();
    buffer.extend_from_slice(prefix);
    let written = bincode::serde::encode_into_std_write(value, buffer, FORMAT);
    debug_assert!(written.is_ok(), "writing to memory fails for no row");
    sled::IVec::from(buffer.as_slice())
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, DiskError> {
    bincode::serde::decode_from_slice(bytes, FORMAT).map(|(value, _)| value).map_err(|e| damaged(&e.to_string()))
}

fn damaged(what: &str) -> DiskError {
    DiskError::Damaged(what.to_owned())
}
