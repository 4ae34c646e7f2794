//! Rows of operations on disk, from before the operation is accepted until its last chunk is folded.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, BufWriter, Error, ErrorKind, Result, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Files younger than this may belong to an attempt whose outcome is not known yet.
const KEPT_AT_LEAST: Duration = Duration::from_hours(1);

/// The rows of one operation. Who has them open is the only one who works on it, in any process.
pub(crate) struct Rows {
    path: PathBuf,
    reader: BufReader<File>,
    /// Rows that were read.
    place: u64,
}

/// Writes rows, a JSON line each, and waits until they are durable; under which name they lie. Every attempt gets a
/// name of its own, so that two of them under one key cannot spoil each other's rows.
pub(crate) fn write<T: Serialize>(folder: &Path, rows: &[T]) -> Result<String> {
    if !folder.exists() {
        fs::create_dir_all(folder)?;
        folder.parent().map_or(Ok(()), sync_folder)?;
    }
    let name = hex::encode(rand::random::<[u8; 16]>());
    let draft = folder.join(format!("{name}.draft"));
    // A merchant's own codes are as good as money.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let mut out = BufWriter::new(file);
    for row in rows {
        serde_json::to_writer(&mut out, row)?;
        out.write_all(b"\n")?;
    }
    out.into_inner()?.sync_all()?;
    fs::rename(draft, path(folder, &name))?;
    sync_folder(folder)?;
    Ok(name)
}

fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)?.sync_all()
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.ndjson"))
}

/// Takes rows back that no operation came of.
pub(crate) fn remove(folder: &Path, name: &str) {
    // What is left here goes with the next start.
    let _ = fs::remove_file(path(folder, name));
}

/// Removes old files of no operation in `wanted`: those of attempts that came to nothing while the process ended.
pub(crate) fn sweep(folder: &Path, wanted: &HashSet<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let age = entry.metadata().and_then(|data| data.modified()).ok().and_then(|time| time.elapsed().ok());
        if !wanted.contains(name) && age.is_some_and(|age| age > KEPT_AT_LEAST) {
            let _ = fs::remove_file(path);
        }
    }
}

impl Rows {
    /// Opens the rows; `None` while somebody else has them open.
    pub(crate) fn open(folder: &Path, name: &str) -> Result<Option<Self>> {
        let path = path(folder, name);
        let file = File::open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { path, reader: BufReader::new(file), place: 0 })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Exactly `count` rows from the one numbered `from`, counted from 0.
    pub(crate) fn read<T: DeserializeOwned>(&mut self, from: u64, count: usize) -> Result<Vec<T>> {
        if from < self.place {
            self.reader.rewind()?;
            self.place = 0;
        }
        let mut line = String::new();
        while self.place < from {
            self.next(&mut line)?;
        }
        let mut rows = Vec::with_capacity(count);
        for _ in 0..count {
            self.next(&mut line)?;
            rows.push(serde_json::from_str(&line)?);
        }
        Ok(rows)
    }

    fn next(&mut self, line: &mut String) -> Result<()> {
        line.clear();
        if self.reader.read_line(line)? == 0 {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
        self.place += 1;
        Ok(())
    }

    /// The operation is done.
    pub(crate) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}
