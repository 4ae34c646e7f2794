//! The file of an image: what changed, item by item, in blocks that are checked.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

use coupon::state::{Key, Row};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::{DiskError, Meta, damaged, worth};
use crate::codec::{FORMAT, append};
use crate::shard::PositionChunk;

/// Items are written and checked in blocks of about so many bytes.
const BLOCK: usize = 1 << 20;
/// A block's length and checksum.
const BLOCK_HEADER: usize = 12;

/// What a file consists of. The order of the variants is part of the format.
#[derive(Serialize, Deserialize)]
pub(super) enum Item {
    Put(Key, Row),
    Gone(Key),
    Positions(u8, u32, PositionChunk),
    Meta(Meta),
}

impl Item {
    /// See [`worth`].
    pub(super) fn worth(&self) -> u64 {
        match self {
            Self::Put(..) | Self::Gone(_) => worth(1, 0),
            Self::Positions(_, _, chunk) => worth(0, chunk.len()),
            Self::Meta(_) => 0,
        }
    }
}

/// The same, borrowed.
#[derive(Serialize)]
pub(super) enum ItemRef<'a> {
    Put(&'a Key, &'a Row),
    Gone(&'a Key),
    Positions(u8, u32, &'a PositionChunk),
    Meta(&'a Meta),
}

/// What an item is about; a later one about the same takes its place.
pub(super) fn identity(item: &Item) -> u128 {
    let mut buffer = Vec::with_capacity(48);
    match item {
        Item::Put(key, _) | Item::Gone(key) => append(&(0_u8, key), &mut buffer),
        Item::Positions(shard, number, _) => append(&(1_u8, shard, number), &mut buffer),
        Item::Meta(_) => {}
    }
    xxh3_128(&buffer)
}

/// Items in blocks of about [`BLOCK`] bytes: length, checksum, items.
pub(super) struct Writer<'a> {
    file: &'a mut File,
    block: Vec<u8>,
    bytes: u64,
}

impl<'a> Writer<'a> {
    pub(super) fn new(file: &'a mut File) -> Self {
        Self { file, block: vec![0; BLOCK_HEADER], bytes: 0 }
    }

    pub(super) fn item(&mut self, item: &impl Serialize) -> Result<(), DiskError> {
        append(item, &mut self.block);
        if self.block.len() >= BLOCK { self.flush() } else { Ok(()) }
    }

    /// The bytes written in all.
    pub(super) fn commit(mut self, meta: &Meta) -> Result<u64, DiskError> {
        self.item(&ItemRef::Meta(meta))?;
        self.flush()?;
        Ok(self.bytes)
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        let (header, items) = self.block.split_at_mut(BLOCK_HEADER);
        header[..4].copy_from_slice(&(items.len() as u32).to_le_bytes());
        header[4..].copy_from_slice(&xxh3_64(items).to_le_bytes());
        self.file.write_all(&self.block)?;
        self.bytes += self.block.len() as u64;
        self.block.truncate(BLOCK_HEADER);
        Ok(())
    }
}

pub(super) struct Reader {
    file: BufReader<File>,
    block: Vec<u8>,
    at: usize,
    /// Bytes of sound blocks.
    read: u64,
    /// Behind the last whole commit.
    pub(super) sound: u64,
    /// Of the whole file.
    pub(super) bytes: u64,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, DiskError> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { file: BufReader::with_capacity(BLOCK, file), block: Vec::new(), at: 0, read: 0, sound: 0, bytes })
    }

    /// The next item; `None` at the end, which is where blocks cease to be sound.
    pub(super) fn next(&mut self) -> Result<Option<Item>, DiskError> {
        while self.at == self.block.len() {
            if !self.block()? {
                return Ok(None);
            }
        }
        let decoded = bincode::serde::decode_from_slice::<Item, _>(&self.block[self.at..], FORMAT);
        let (item, length) = decoded.map_err(|error| damaged(&error.to_string()))?;
        self.at += length;
        if matches!(item, Item::Meta(_)) {
            self.sound = self.read;
        }
        Ok(Some(item))
    }

    fn block(&mut self) -> Result<bool, DiskError> {
        let mut header = [0; BLOCK_HEADER];
        let left = self.bytes - self.read;
        if left < BLOCK_HEADER as u64 {
            return Ok(false);
        }
        self.file.read_exact(&mut header)?;
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        if u64::from(length) > left - BLOCK_HEADER as u64 {
            return Ok(false);
        }
        self.block.resize(length as usize, 0);
        self.at = 0;
        self.file.read_exact(&mut self.block)?;
        if header[4..] != xxh3_64(&self.block).to_le_bytes() {
            self.block.clear();
            return Ok(false);
        }
        self.read += BLOCK_HEADER as u64 + u64::from(length);
        Ok(true)
    }
}
