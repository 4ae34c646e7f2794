//! Records as bytes: bincode in the versioned envelope. This is the only crate that names bincode for the ledger.

use bytes::Bytes;
use coupon::id::Shard;
use coupon::record::Entry;
use event_log::envelope::{self, Damage, Header, Opened, Realm};

/// The number of the rules by which records are folded; written into every record.
pub const SEMANTICS: u16 = 1;

/// A guarded record.
pub const GUARDED: u16 = 1;
/// Refusals.
pub const FENCES: u16 = 2;
/// A cancel.
pub const CANCEL: u16 = 3;
/// From here on original times of copied records are not honoured.
pub const COPY_SEALED: u16 = 4;

/// bincode's settings are part of the format.
pub const FORMAT: bincode::config::Configuration = bincode::config::standard();

/// A record of the ledger as it was read.
#[derive(Debug)]
pub enum Decoded {
    /// One of ours.
    Entry(Box<Entry>),
    /// A sound record of no type that this release knows: void, for everybody.
    Foreign,
}

/// Encodes a record once, straight into its envelope.
pub fn encode(entry: &Entry, shard: Shard, realm: Realm, original_time_ms: Option<i64>) -> Bytes {
    let record_type = match entry {
        Entry::Guarded(_) => GUARDED,
        Entry::Fences(_) => FENCES,
        Entry::Cancel(_) => CANCEL,
    };
    let header = Header { realm, record_type, semantics: SEMANTICS, shard: shard.0, original_time_ms };
    let mut bytes = Vec::with_capacity(512);
    envelope::seal(&mut bytes, &header, |out| {
        let written = match entry {
            Entry::Guarded(record) => bincode::serde::encode_into_std_write(record, out, FORMAT),
            Entry::Fences(fences) => bincode::serde::encode_into_std_write(fences, out, FORMAT),
            Entry::Cancel(cancel) => bincode::serde::encode_into_std_write(cancel, out, FORMAT),
        };
        debug_assert!(written.is_ok(), "writing to memory fails for no record");
    });
    bytes.into()
}

/// Opens an envelope and decodes what it holds.
pub fn decode(bytes: &[u8]) -> Result<(Header, Decoded), Damage> {
    let Opened { header, payload } = envelope::open(bytes)?;
    let entry = match header.record_type {
        GUARDED => bincode::serde::decode_from_slice(payload, FORMAT).map(|(r, _)| Entry::Guarded(r)),
        FENCES => bincode::serde::decode_from_slice(payload, FORMAT).map(|(f, _)| Entry::Fences(f)),
        CANCEL => bincode::serde::decode_from_slice(payload, FORMAT).map(|(c, _)| Entry::Cancel(c)),
        _ => return Ok((header, Decoded::Foreign)),
    };
    // A sound checksum over bytes that do not decode: written by something that is not this product.
    Ok((header, entry.map_or(Decoded::Foreign, |entry| Decoded::Entry(Box::new(entry)))))
}
