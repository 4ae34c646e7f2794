//! What happened, in the order in which it was counted, kept in files: back-tests, new features and analysts read it.
//!
//! Files hold frames {length, CRC-32C, what happened}. The projection says how far they hold; what lies beyond was not
//! counted when the process ended, and is cut off. It can be made anew from the log, with the counts.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coupon::decision::Decision;
use coupon::id::MerchantId;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::past::{Decided, Past, What};

const FORMAT: bincode::config::Configuration = bincode::config::standard();
/// A file that is so long is followed by another.
const SEGMENT_BYTES: usize = 16 << 20;
/// What waits to be written is written when it is so much.
const PENDING_BYTES: usize = 256 << 10;
const HEADER: usize = 8;

/// A place in the history, before something that happened or at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Spot {
    /// The file's number, from 0.
    pub segment: u32,
    /// Bytes before it.
    pub offset: u32,
}

/// What happened.
pub struct History {
    folder: PathBuf,
    inner: Mutex<Inner>,
    indexed: Mutex<Option<Arc<Indexed>>>,
}

/// A file, and where in it decisions lie.
struct Indexed {
    /// Its number and length.
    of: (u32, u32),
    bytes: Vec<u8>,
    decisions: FxHashMap<(MerchantId, u64), u32>,
}

#[derive(Default)]
struct Inner {
    /// Those that are there, oldest first, each with its length and the time at which it begins.
    segments: VecDeque<Segment>,
    file: Option<File>,
    pending: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Segment {
    number: u32,
    /// With what is pending.
    bytes: u32,
    first_ms: i64,
    path: PathBuf,
}

impl Inner {
    fn end(&self) -> Spot {
        self.segments.back().map_or_else(Spot::default, |last| Spot { segment: last.number, offset: last.bytes })
    }

    fn write(&mut self) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.write_all(&self.pending)?;
        }
        self.pending.clear();
        Ok(())
    }
}

impl History {
    /// Opens what is there up to a place; `None` where that is not there, and nothing of it can be used.
    pub(crate) fn open(folder: &Path, end: Spot) -> io::Result<Option<Self>> {
        std::fs::create_dir_all(folder)?;
        let mut segments = found(folder)?;
        for beyond in segments.iter().filter(|segment| segment.number > end.segment || end == Spot::default()) {
            std::fs::remove_file(&beyond.path)?;
        }
        segments.retain(|segment| segment.number <= end.segment && end != Spot::default());
        let mut inner = Inner { segments, ..Inner::default() };
        if end != Spot::default() {
            let Some(last) = inner.segments.back_mut().filter(|last| last.number == end.segment) else {
                return Ok(None);
            };
            if last.bytes < end.offset {
                return Ok(None);
            }
            let file = OpenOptions::new().append(true).open(&last.path)?;
            file.set_len(u64::from(end.offset))?;
            last.bytes = end.offset;
            // The last two may not have reached the disk when the power went; those before them have.
            for segment in inner.segments.iter().rev().take(2) {
                if frames(&std::fs::read(&segment.path)?, |_, _: Past| ControlFlow::Continue(())).is_err() {
                    return Ok(None);
                }
            }
            inner.file = Some(file);
        }
        Ok(Some(Self { folder: folder.to_owned(), inner: Mutex::new(inner), indexed: Mutex::default() }))
    }

    /// Empties a folder.
    pub(crate) fn anew(folder: &Path) -> io::Result<Self> {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        std::fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), inner: Mutex::default(), indexed: Mutex::default() })
    }

    /// Adds what happened.
    pub(crate) fn append(&self, past: &[Past<&Decision>]) -> io::Result<()> {
        let mut inner = self.inner.lock();
        for past in past {
            let full = inner.segments.back().is_none_or(|last| last.bytes as usize >= SEGMENT_BYTES);
            if full {
                self.begin(&mut inner, past.time_ms)?;
            }
            let begun = inner.pending.len();
            put(&mut inner.pending, past);
            let bytes = (inner.pending.len() - begun) as u32;
            if let Some(last) = inner.segments.back_mut() {
                last.bytes += bytes;
            }
        }
        if inner.pending.len() >= PENDING_BYTES { inner.write() } else { Ok(()) }
    }

    fn begin(&self, inner: &mut Inner, first_ms: i64) -> io::Result<()> {
        inner.write()?;
        if let Some(file) = inner.file.take() {
            // On a thread of its own: who counts does not wait for the disk.
            projection::background::spawn("history-sync", move || {
                if let Err(error) = file.sync_data() {
                    tracing::error!(%error, "history of risk cannot be made durable");
                }
            })?;
        }
        let number = inner.segments.back().map_or(0, |last| last.number + 1);
        let path = self.folder.join(format!("{number:08}-{}.history", first_ms.max(0)));
        inner.file = Some(OpenOptions::new().create(true).append(true).open(&path)?);
        inner.segments.push_back(Segment { number, bytes: 0, first_ms, path });
        Ok(())
    }

    /// Hands everything to the operating system; the end.
    pub(crate) fn write(&self) -> io::Result<Spot> {
        let mut inner = self.inner.lock();
        inner.write()?;
        Ok(inner.end())
    }

    /// Lets go files whose last happening is older; never the last file.
    pub(crate) fn forget_before(&self, time_ms: i64) -> io::Result<()> {
        let mut inner = self.inner.lock();
        while inner.segments.get(1).is_some_and(|next| next.first_ms < time_ms) {
            let Some(oldest) = inner.segments.pop_front() else { break };
            std::fs::remove_file(&oldest.path)?;
        }
        Ok(())
    }

    /// The time at which what is kept begins, milliseconds.
    pub fn begins_ms(&self) -> Option<i64> {
        self.inner.lock().segments.front().map(|first| first.first_ms)
    }

    /// The end.
    pub fn end(&self) -> Spot {
        self.inner.lock().end()
    }

    /// The first place of what is kept from a time on: what happened after it lies behind there.
    pub fn spot_at(&self, time_ms: i64) -> Spot {
        let inner = self.inner.lock();
        let before = inner.segments.iter().rev().find(|segment| segment.first_ms <= time_ms);
        let segment = before.or_else(|| inner.segments.front());
        segment.map_or_else(Spot::default, |segment| Spot { segment: segment.number, offset: 0 })
    }

    /// What happened from a place on up to the present end, oldest first, each with its place, as long as the visitor goes
    /// on; the place behind the last that was visited.
    pub fn forward(&self, from: Spot, mut visit: impl FnMut(Spot, Past) -> ControlFlow<()>) -> io::Result<Spot> {
        let mut reached = from;
        for segment in self.segments()? {
            if segment.number < from.segment {
                continue;
            }
            let begin = if segment.number == from.segment { from.offset } else { 0 };
            let bytes = read(&segment)?;
            let mut stopped = false;
            let rest = bytes.get(begin as usize..).unwrap_or_default();
            let end = frames(rest, |offset, past| {
                let went = visit(Spot { segment: segment.number, offset: begin + offset }, past);
                stopped = went.is_break();
                went
            })?;
            reached = Spot { segment: segment.number, offset: begin + end };
            if stopped {
                break;
            }
        }
        Ok(reached)
    }

    /// A decision by its merchant and number, with the time of its record.
    pub fn find(&self, merchant: MerchantId, number: u64) -> io::Result<Option<(i64, Box<Decided>)>> {
        for segment in self.segments()?.iter().rev() {
            let index = self.index(segment)?;
            let Some(offset) = index.decisions.get(&(merchant, number)) else { continue };
            let frame = frame(&index.bytes[*offset as usize..]).ok_or_else(damaged)?;
            if let Past { time_ms, what: What::Decided(decided), .. } = decode(frame)? {
                return Ok(Some((time_ms, decided)));
            }
        }
        Ok(None)
    }

    /// Where in a file decisions lie. One file is remembered: labels come for decisions that lie near each other.
    fn index(&self, segment: &Segment) -> io::Result<Arc<Indexed>> {
        let mut last = self.indexed.lock();
        if let Some(known) = last.as_ref().filter(|known| known.of == (segment.number, segment.bytes)) {
            return Ok(known.clone());
        }
        let bytes = read(segment)?;
        let mut decisions = FxHashMap::default();
        frames(&bytes, |offset, past: Past| {
            if let What::Decided(decided) = &past.what {
                decisions.insert((past.merchant, decided.number), offset);
            }
            ControlFlow::Continue(())
        })?;
        let index = Arc::new(Indexed { of: (segment.number, segment.bytes), bytes, decisions });
        *last = Some(index.clone());
        Ok(index)
    }

    /// What happened before a place, or all of it, newest first, each with its place.
    pub fn backward(
        &self,
        before: Option<Spot>,
        mut visit: impl FnMut(Spot, Past) -> ControlFlow<()>,
    ) -> io::Result<()> {
        for segment in self.segments()?.iter().rev() {
            let number = segment.number;
            if before.is_some_and(|before| number > before.segment) {
                continue;
            }
            let mut bytes = read(segment)?;
            if let Some(before) = before.filter(|before| before.segment == number) {
                bytes.truncate(before.offset as usize);
            }
            for (offset, frame) in offsets(&bytes).into_iter().rev() {
                let past = decode(frame)?;
                if visit(Spot { segment: number, offset }, past).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn segments(&self) -> io::Result<Vec<Segment>> {
        let mut inner = self.inner.lock();
        inner.write()?;
        Ok(inner.segments.iter().cloned().collect())
    }
}

/// A file's bytes; none where it was let go meanwhile.
fn read(segment: &Segment) -> io::Result<Vec<u8>> {
    match std::fs::read(&segment.path) {
        Ok(mut bytes) => {
            bytes.truncate(segment.bytes as usize);
            Ok(bytes)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn found(folder: &Path) -> io::Result<VecDeque<Segment>> {
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let parts = name.to_str().and_then(|name| name.strip_suffix(".history")).and_then(|name| name.split_once('-'));
        let Some((Ok(number), Ok(first_ms))) = parts.map(|(number, ms)| (number.parse(), ms.parse())) else { continue };
        let bytes = u32::try_from(entry.metadata()?.len()).unwrap_or(u32::MAX);
        segments.push(Segment { number, bytes, first_ms, path: entry.path() });
    }
    segments.sort_by_key(|segment| segment.number);
    Ok(segments.into())
}

fn put(out: &mut Vec<u8>, past: &Past<&Decision>) {
    let begun = out.len();
    out.resize(begun + HEADER, 0);
    let written = bincode::serde::encode_into_std_write(past, out, FORMAT);
    debug_assert!(written.is_ok(), "writing to memory fails for nothing that happened");
    let (length, sum) = ((out.len() - begun - HEADER) as u32, crc32c::crc32c(&out[begun + HEADER..]));
    out[begun..begun + 4].copy_from_slice(&length.to_le_bytes());
    out[begun + 4..begun + HEADER].copy_from_slice(&sum.to_le_bytes());
}

/// The frames that are whole, by where they begin.
fn offsets(bytes: &[u8]) -> Vec<(u32, &[u8])> {
    let (mut at, mut found) = (0, Vec::new());
    while let Some(frame) = frame(&bytes[at..]) {
        found.push((at as u32, frame));
        at += frame.len();
    }
    found
}

/// The first frame, with its header.
fn frame(bytes: &[u8]) -> Option<&[u8]> {
    let length = u32::from_le_bytes(*bytes.first_chunk()?);
    bytes.get(..HEADER + length as usize)
}

/// Visits all frames; where the last one that was visited ends.
fn frames(bytes: &[u8], mut visit: impl FnMut(u32, Past) -> ControlFlow<()>) -> io::Result<u32> {
    let mut at = 0;
    while at < bytes.len() {
        let frame = frame(&bytes[at..]).ok_or_else(damaged)?;
        let went = visit(at as u32, decode(frame)?);
        at += frame.len();
        if went.is_break() {
            break;
        }
    }
    Ok(at as u32)
}

fn decode(frame: &[u8]) -> io::Result<Past> {
    let (header, payload) = frame.split_at(HEADER);
    if crc32c::crc32c(payload).to_le_bytes() != header[4..] {
        return Err(damaged());
    }
    bincode::serde::decode_from_slice(payload, FORMAT).map(|(past, _)| past).map_err(|_| damaged())
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the history of risk is damaged")
}

#[cfg(test)]
mod tests;
