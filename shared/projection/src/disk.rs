//! The folded ledger on disk, written behind: a cache that can be thrown away.
//!
//! One file, to which what changed is appended commit by commit, and which is written anew when most of it is out of
//! date. Everything that is read back is checked: blocks by their checksums, each shard by its hash. What does not hold
//! is refused, and the log folded anew. The same file is a snapshot, where another instance may begin.

use std::fs::File;
use std::path::{Path, PathBuf};

use coupon::id::{SHARDS, Sequence, Shard};
use coupon::terms::Millis;
use event_log::{EventLog, Offset, ReadError, Stored, Topic};
use serde::{Deserialize, Serialize};

use crate::codec::known_semantics;
use crate::dirty::Dirty;
use crate::ledger::Ledger;
use crate::shard::{CHUNK, PositionChunk, ShardState};
use rustc_hash::FxHashMap;
use xxhash_rust::xxh3::xxh3_128;

mod file;
#[cfg(test)]
mod tests;

use file::{Item, ItemRef, Reader, Writer, identity};

/// The layout of what stands here; another one is wiped.
const LAYOUT: u32 = 3;
/// Files smaller than this are not written anew.
const WASTE_FROM: u64 = 64 << 20;

/// What a flush writes, all or nothing.
pub struct Image {
    /// What changed, shard by shard.
    pub rows: Vec<Dirty>,
    /// Changed chunks of positions, by shard and number.
    pub chunks: Vec<(u8, u32, PositionChunk)>,
    /// Up to where.
    pub meta: Meta,
    /// How much there is in all, in [`worth`].
    pub live: u64,
    /// It is of an instance that serves, and not of one that is still folding what there is.
    pub serving: bool,
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

/// Why nothing could be read back.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The file system refused something.
    #[error("{0}")]
    Io(String),
    /// What was read back is not what was written.
    #[error("{0}")]
    Damaged(String),
}

impl From<std::io::Error> for DiskError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

/// The image of a projection on disk: a file to which what changed is appended, commit by commit.
pub struct Disk {
    path: PathBuf,
    file: File,
    /// Bytes of the file.
    bytes: u64,
    /// What was written to it, and what was of use of it at the last commit, in [`worth`].
    written: u64,
    live: u64,
}

/// So many rows and positions, in positions: a row takes about eight times as many bytes. Counted and not measured, since
/// which bytes are out of date is known only by reading them.
const fn worth(rows: usize, positions: usize) -> u64 {
    (rows * 8 + positions) as u64
}

impl Disk {
    /// Opens what stands in a folder and reads the ledger back; damage is wiped, and an empty ledger given.
    pub fn open(folder: &Path, partitions: usize) -> Result<(Self, Ledger, Vec<Reached>), DiskError> {
        std::fs::create_dir_all(folder)?;
        let path = image_file(folder);
        if marker(folder).exists() {
            tracing::warn!(folder = %folder.display(), "projection was found to be wrong, folding the log anew");
            if path.exists() {
                std::fs::remove_file(&path)?;
            }
            std::fs::remove_file(marker(folder))?;
        }
        match Self::read_back(&path, partitions) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, folder = %folder.display(), "projection is refused, folding the log anew");
            }
        }
        let file = File::options().create(true).write(true).truncate(true).open(&path)?;
        let mut ledger = Ledger::new();
        ledger.note_changes();
        Ok((Self { path, file, bytes: 0, written: 0, live: 0 }, ledger, vec![Reached::default(); partitions]))
    }

    fn read_back(path: &Path, partitions: usize) -> Result<Option<(Self, Ledger, Vec<Reached>)>, DiskError> {
        if !path.exists() {
            return Ok(None);
        }
        let mut ledger = Ledger::new();
        let mut meta: Option<Meta> = None;
        // Of whole commits, and of the one that is being read.
        let (mut written, mut reading) = (0, 0);
        let mut commit = Vec::new();
        let mut reader = Reader::open(path)?;
        while let Some(item) = reader.next()? {
            reading += item.worth();
            match item {
                Item::Meta(read) => {
                    written += std::mem::take(&mut reading);
                    for item in commit.drain(..) {
                        restore(&mut ledger, item)?;
                    }
                    meta = Some(read);
                }
                // The first commit is a whole image, and was put in place whole; what is torn are later ones.
                item if meta.is_none() => restore(&mut ledger, item)?,
                item => commit.push(item),
            }
        }
        let Some(meta) = meta else {
            return if reader.bytes == 0 { Ok(None) } else { Err(damaged("it has no end")) };
        };
        if !meta.fits(partitions) {
            return Err(damaged("written by another release or for another layout of the log"));
        }
        meta.restore(&mut ledger)?;
        ledger.note_changes();
        let file = File::options().append(true).open(path)?;
        // Behind the last whole commit there may be half of one.
        file.set_len(reader.sound)?;
        let disk = Self { path: path.to_owned(), file, bytes: reader.sound, written, live: live(&ledger) };
        Ok(Some((disk, ledger, meta.reached)))
    }

    /// Throws away everything.
    pub fn clear(&mut self) -> Result<(), DiskError> {
        self.file = File::options().create(true).write(true).truncate(true).open(&self.path)?;
        (self.bytes, self.written, self.live) = (0, 0, 0);
        Ok(())
    }

    /// Appends an image. It need not be durable: what is lost is folded again.
    pub fn write(&mut self, image: &Image) -> Result<(), DiskError> {
        let mut writer = Writer::new(&mut self.file);
        let mut rows = 0;
        for (key, row) in image.rows.iter().flat_map(Dirty::latest) {
            rows += 1;
            match row {
                Some(row) => writer.item(&ItemRef::Put(key, row))?,
                None => writer.item(&ItemRef::Gone(key))?,
            }
        }
        for (shard, number, chunk) in &image.chunks {
            writer.item(&ItemRef::Positions(*shard, *number, chunk))?;
        }
        self.bytes += writer.commit(&image.meta)?;
        self.written += worth(rows, image.chunks.iter().map(|(_, _, chunk)| chunk.len()).sum());
        self.live = image.live;
        crate::metrics::FLUSHED.inc_by(rows as u64);
        Ok(())
    }

    /// Writes all of a ledger that is folded so far into an empty image.
    pub fn write_whole(&mut self, ledger: &Ledger, reached: Vec<Reached>) -> Result<(), DiskError> {
        self.clear()?;
        let mut writer = Writer::new(&mut self.file);
        for shard in ledger.shards() {
            for (key, row) in shard.rows() {
                writer.item(&ItemRef::Put(key, row))?;
            }
            for (number, chunk) in shard.positions().chunks_from(0) {
                writer.item(&ItemRef::Positions(shard.shard().0, number as u32, chunk))?;
            }
        }
        self.bytes = writer.commit(&Meta::of(ledger, reached))?;
        self.live = live(ledger);
        self.written = self.live;
        Ok(())
    }

    /// Whether most of the file is no longer of use.
    pub fn is_wasteful(&self) -> bool {
        self.bytes > WASTE_FROM && self.is_outdated()
    }

    fn is_outdated(&self) -> bool {
        self.written > 3 * self.live
    }

    /// Writes the file anew with what is still of use, as one commit. Takes the file's length in time and a few dozen
    /// bytes for each row in memory.
    pub fn compact(&mut self) -> Result<(), DiskError> {
        if self.bytes == 0 {
            return Ok(());
        }
        let mut last: FxHashMap<u128, u64> = FxHashMap::default();
        let mut number = 0;
        let mut meta = None;
        let mut reader = Reader::open(&self.path)?;
        while let Some(item) = reader.next()? {
            match item {
                Item::Meta(read) => meta = Some(read),
                item => {
                    last.insert(identity(&item), number);
                    number += 1;
                }
            }
        }
        let meta = meta.ok_or_else(|| damaged("it has no end"))?;
        let draft = self.path.with_extension("draft");
        let mut file = File::options().create(true).write(true).truncate(true).open(&draft)?;
        let mut writer = Writer::new(&mut file);
        let mut reader = Reader::open(&self.path)?;
        number = 0;
        while let Some(item) = reader.next()? {
            if matches!(item, Item::Meta(_)) {
                continue;
            }
            if last.get(&identity(&item)) == Some(&number) && !matches!(item, Item::Gone(_)) {
                writer.item(&item)?;
            }
            number += 1;
        }
        self.bytes = writer.commit(&meta)?;
        self.written = self.live;
        drop(file);
        std::fs::rename(&draft, &self.path)?;
        self.file = File::options().append(true).open(&self.path)?;
        Ok(())
    }

    /// The file, to be copied.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn restore(ledger: &mut Ledger, item: Item) -> Result<(), DiskError> {
    match item {
        Item::Put(key, row) => ledger.shard_mut(key.shard()).restore(key, row),
        Item::Gone(key) => ledger.shard_mut(key.shard()).restore_gone(&key),
        Item::Positions(shard, number, chunk) => {
            let positions = ledger.shard_mut(Shard(shard)).positions_mut();
            if !positions.restore(number as usize, chunk) {
                return Err(damaged("positions are left out"));
            }
        }
        Item::Meta(_) => {}
    }
    Ok(())
}

/// Where the image lies in its folder.
pub(crate) fn image_file(folder: &Path) -> PathBuf {
    folder.join("image")
}

fn marker(folder: &Path) -> PathBuf {
    folder.join("wrong")
}

/// Has a projection thrown away at its next opening.
pub(crate) fn discard(folder: &Path) -> std::io::Result<()> {
    std::fs::write(marker(folder), [])
}

/// What changed since the last flush, which stood at `flushed`.
pub fn image(ledger: &mut Ledger, reached: Vec<Reached>, flushed: &mut [Sequence]) -> Image {
    let mut rows = Vec::new();
    let mut chunks = Vec::new();
    for n in 0..SHARDS {
        let shard = ledger.shard_mut(Shard(n as u8));
        let dirty = shard.take_dirty();
        if !dirty.is_empty() {
            rows.push(dirty);
        }
        let first = flushed[usize::from(n)] as usize / CHUNK;
        if shard.sequence > flushed[usize::from(n)] {
            let changed = shard.positions().chunks_from(first);
            chunks.extend(changed.map(|(number, chunk)| (n as u8, number as u32, chunk.clone())));
            flushed[usize::from(n)] = shard.sequence;
        }
    }
    Image { rows, chunks, meta: Meta::of(ledger, reached), live: live(ledger), serving: true }
}

/// How much there is in all.
fn live(ledger: &Ledger) -> u64 {
    ledger.shards().map(|shard| worth(shard.len(), shard.sequence as usize)).sum()
}

fn damaged(what: &str) -> DiskError {
    DiskError::Damaged(what.to_owned())
}
