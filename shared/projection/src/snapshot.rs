//! Snapshots that instances share: a new one begins there and folds only the rest.
//!
//! A snapshot is the image of an instance's projection, with what its risk projection has counted beside it. It is
//! written by whoever finds that the newest is old, off the path of answers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use storage::{Storage, StorageError};

use crate::disk::{Disk, DiskError, image_file};
use crate::feed::Feed;

const FOLDER: &str = "snapshots";
/// Of each kind, so many are kept.
const KEPT: usize = 3;
/// So few records more are not worth a snapshot.
const WORTH: u64 = 1_000;

/// Where snapshots go, and how often.
#[derive(Clone)]
pub struct Snapshots {
    /// Where.
    pub storage: Arc<Storage>,
    /// The least time between two, over all instances.
    pub every: Duration,
}

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Writes snapshots when they are due.
pub(crate) struct Snapshotter {
    snapshots: Snapshots,
    looked: Instant,
    written: u64,
}

impl Snapshotter {
    pub(crate) fn new(snapshots: Snapshots) -> Self {
        Self { snapshots, looked: Instant::now(), written: 0 }
    }

    /// Writes one if it is due. The image on disk is of so many records.
    pub(crate) fn look(&mut self, disk: &mut Disk, records: u64, feed: Option<&Sender<Feed>>) {
        if self.looked.elapsed() < self.snapshots.every || records < self.written + WORTH {
            return;
        }
        self.looked = Instant::now();
        match self.write(disk, records, feed) {
            Ok(true) => self.written = records,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "snapshot cannot be written"),
        }
    }

    fn write(&self, disk: &mut Disk, records: u64, feed: Option<&Sender<Feed>>) -> Result<bool, SnapshotError> {
        let storage = &self.snapshots.storage;
        let known = list(storage)?;
        let fresh = |(_, name): &(u64, String), age: Duration| age < self.snapshots.every / 2 && !name.is_empty();
        let newest = known.last().map(|(records, name, age)| ((*records, name.clone()), *age));
        if newest.is_some_and(|(it, age)| fresh(&it, age)) {
            return Ok(false);
        }
        let begun = Instant::now();
        disk.compact()?;
        let name = format!("{records:016}-{:016x}", rand::random::<u64>());
        if let Some(feed) = feed {
            // Without the counts, who begins there would have to fold everything for them.
            let Some(counts) = export(feed) else { return Ok(false) };
            storage.put_file(&format!("{FOLDER}/risk-{name}"), &counts)?;
        }
        // Last: whoever finds it finds all of it.
        storage.put_file(&format!("{FOLDER}/ledger-{name}"), disk.path())?;
        let old = known.len().saturating_sub(KEPT - 1);
        for (_, name, _) in &known[..old] {
            storage.delete(&format!("{FOLDER}/ledger-{name}"))?;
            storage.delete(&format!("{FOLDER}/risk-{name}"))?;
        }
        tracing::info!(records, seconds = begun.elapsed().as_secs_f64(), "snapshot written");
        Ok(true)
    }
}

/// What the risk projection has counted, as a file; it is never behind the image that was written before.
fn export(feed: &Sender<Feed>) -> Option<PathBuf> {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    feed.send(Feed::Export(sender)).ok()?;
    receiver.recv().ok()?
}

/// Records, names and ages of all snapshots, oldest first.
fn list(storage: &Storage) -> Result<Vec<(u64, String, Duration)>, StorageError> {
    let prefix = format!("{FOLDER}/ledger-");
    let items = storage.list(FOLDER)?;
    let named = items.into_iter().filter_map(|item| {
        let name = item.name.strip_prefix(&prefix)?.to_owned();
        let records = name.split('-').next()?.parse().ok()?;
        Some((records, name, item.age))
    });
    Ok(named.collect())
}

/// Fetches the newest snapshot into the folder of a projection that has nothing yet. Gives how many records it is of,
/// and the file with what risk had counted, if there is one.
pub fn fetch(storage: &Storage, folder: &Path) -> Result<Option<(u64, Option<PathBuf>)>, StorageError> {
    if image_file(folder).exists() {
        return Ok(None);
    }
    let Some((records, name, _)) = list(storage)?.pop() else { return Ok(None) };
    std::fs::create_dir_all(folder)?;
    let draft = folder.join("fetched");
    if !storage.get_file(&format!("{FOLDER}/ledger-{name}"), &draft)? {
        return Ok(None);
    }
    let counts = folder.join("fetched-counts");
    let counts = storage.get_file(&format!("{FOLDER}/risk-{name}"), &counts)?.then_some(counts);
    std::fs::rename(draft, image_file(folder))?;
    tracing::info!(records, name, "begins with a snapshot");
    Ok(Some((records, counts)))
}
