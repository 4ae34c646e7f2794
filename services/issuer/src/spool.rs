//! Rows of operations, from before the operation is accepted until its last chunk is folded: objects that all instances
//! share, so that any of them can go on where another has ended.

use std::collections::HashSet;
use std::io::{Error, ErrorKind, Result};
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use storage::Storage;

const FOLDER: &str = "operations";

/// Objects younger than this may belong to an attempt whose outcome is not known yet.
const KEPT_AT_LEAST: Duration = Duration::from_hours(1);

/// The rows of one operation.
pub(crate) struct Rows {
    bytes: Bytes,
    /// Where each row stands.
    lines: Vec<Range<usize>>,
}

/// Writes rows, a JSON line each, and waits until they are durable; under which name they lie. Every attempt gets a
/// name of its own, so that two of them under one key cannot spoil each other's rows.
pub(crate) fn write<T: Serialize>(storage: &Storage, rows: &[T]) -> Result<String> {
    let name = hex::encode(rand::random::<[u8; 16]>());
    let mut text = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut text, row)?;
        text.push(b'\n');
    }
    storage.put(&object(&name), text).map_err(Error::other)?;
    Ok(name)
}

fn object(name: &str) -> String {
    format!("{FOLDER}/{name}.ndjson")
}

/// Takes rows back that are not needed any more, or that no operation came of.
pub(crate) fn remove(storage: &Storage, name: &str) {
    // What is left here goes with a later sweep.
    let _ = storage.delete(&object(name));
}

/// Removes old objects of no operation in `wanted`: those of attempts that came to nothing while an instance ended.
pub(crate) fn sweep(storage: &Storage, wanted: &HashSet<String>) {
    let Ok(items) = storage.list(FOLDER) else { return };
    for item in items {
        let name = item.name.strip_prefix(FOLDER).and_then(|name| name.strip_prefix('/'));
        let Some(name) = name.and_then(|name| name.strip_suffix(".ndjson")) else { continue };
        if !wanted.contains(name) && item.age > KEPT_AT_LEAST {
            remove(storage, name);
        }
    }
}

impl Rows {
    /// Reads the rows of an operation; `None` when they are gone, which is so when it is done.
    pub(crate) fn open(storage: &Storage, name: &str) -> Result<Option<Self>> {
        let Some(bytes) = storage.get(&object(name)).map_err(Error::other)? else { return Ok(None) };
        let mut lines = Vec::new();
        let mut start = 0;
        for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
            lines.push(start..at);
            start = at + 1;
        }
        Ok(Some(Self { bytes, lines }))
    }

    /// Exactly `count` rows from the one numbered `from`, counted from 0.
    pub(crate) fn read<T: DeserializeOwned>(&self, from: u64, count: usize) -> Result<Vec<T>> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let lines = self.lines.get(from..from.saturating_add(count));
        let lines = lines.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))?;
        lines.iter().map(|line| Ok(serde_json::from_slice(&self.bytes[line.clone()])?)).collect()
    }
}
