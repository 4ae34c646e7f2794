//! Rows of operations on disk, from before the operation is accepted until its last chunk is folded.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes rows, a JSON line each, and waits until they are durable.
pub(crate) fn write<T: Serialize>(folder: &Path, name: &str, rows: &[T]) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let draft = folder.join(format!("{name}.draft"));
    let mut out = BufWriter::new(File::create(&draft)?);
    for row in rows {
        serde_json::to_writer(&mut out, row)?;
        out.write_all(b"\n")?;
    }
    out.into_inner()?.sync_all()?;
    fs::rename(draft, file(folder, name))?;
    File::open(folder)?.sync_all()
}

/// Rows from one on, at most so many.
pub(crate) fn read<T: DeserializeOwned>(folder: &Path, name: &str, from: u64, most: usize) -> std::io::Result<Vec<T>> {
    let lines = BufReader::new(File::open(file(folder, name))?).lines();
    let wanted = lines.skip(usize::try_from(from).unwrap_or(usize::MAX)).take(most);
    wanted.map(|line| serde_json::from_str(&line?).map_err(std::io::Error::from)).collect()
}

/// The operation is done.
pub(crate) fn remove(folder: &Path, name: &str) {
    // Gone already after a restart between this and the last chunk.
    let _ = fs::remove_file(file(folder, name));
}

fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.ndjson"))
}
