//! The envelope that every record travels in.
//!
//! All numbers are little-endian. A record is the header followed by the payload, and nothing
//! after it.
//!
//! | bytes | field | meaning |
//! |---|---|---|
//! | 0..2 | magic | `CF` |
//! | 2 | version | of this layout, 1 |
//! | 3 | realm | 0 live, 1 rehearsal |
//! | 4..6 | record type | the payload's kind |
//! | 6..8 | semantics | number of the fold's rules under which it was written |
//! | 8 | shard | the logical shard, 0 is the platform's |
//! | 9 | flags | bit 0: copied from another log, the original time is honoured |
//! | 10..18 | original time | milliseconds since 1970 when copied, otherwise 0 |
//! | 18..22 | payload length | bytes, at most [`MAX_PAYLOAD`] |
//! | 22..26 | CRC-32C | over bytes 0..22 and the payload |
//!
//! An envelope has exactly one form: [`open`] refuses whatever [`seal`] could not have written.

/// Bytes of the header, the checksum included.
pub const HEADER_BYTES: usize = 26;

/// The largest payload, in bytes: 1 MiB.
pub const MAX_PAYLOAD: usize = 1 << 20;

const MAGIC: [u8; 2] = *b"CF";
const VERSION: u8 = 1;
const FLAG_COPIED: u8 = 1;
/// Where the checksum stands; it covers what is before it and what is after it.
const CRC_AT: usize = 22;

/// Whether a record counts, or only rehearses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Realm {
    /// Real coupons.
    Live,
    /// A rehearsal beside the live ones, with counters of its own.
    Rehearsal,
}

/// What an envelope says about its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Live or rehearsal.
    pub realm: Realm,
    /// The payload's kind; the log does not interpret it.
    pub record_type: u16,
    /// The number of the fold's rules under which the record was written.
    pub semantics: u16,
    /// The logical shard.
    pub shard: u8,
    /// For a record copied from another log: when that log took it, in milliseconds since 1970.
    pub original_time_ms: Option<i64>,
}

/// An envelope that was found sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened<'a> {
    /// What the envelope says about the payload.
    pub header: Header,
    /// The payload, borrowed from the record.
    pub payload: &'a [u8],
}

/// What is wrong with an envelope. The first reason found, in the order of the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Shorter than a header.
    #[error("shorter than a header")]
    Truncated,
    /// Does not begin with `CF`.
    #[error("the magic is wrong")]
    Magic,
    /// A layout that this release does not know.
    #[error("envelope version {0} is unknown")]
    Version(u8),
    /// The stated length is above the limit or is not that of the payload.
    #[error("the stated length is wrong")]
    Length,
    /// Header or payload are not what was sealed.
    #[error("the checksum is wrong")]
    Checksum,
    /// Sealed with a realm that does not exist.
    #[error("realm {0} is unknown")]
    Realm(u8),
    /// Sealed with flags that do not exist.
    #[error("flags {0:#04x} are unknown")]
    Flags(u8),
    /// Sealed with an original time although it was not copied.
    #[error("an original time without the flag for it")]
    OriginalTime,
}

/// Appends a sealed envelope to `out`. `write` encodes the payload straight into the buffer; it may
/// only append.
///
/// # Panics
///
/// When `write` appends more than [`MAX_PAYLOAD`] bytes or shortens the buffer. Such a record would
/// be damage for every reader for ever, so it must not come to be.
pub fn seal(out: &mut Vec<u8>, header: &Header, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.reserve(HEADER_BYTES);
    out.extend_from_slice(&MAGIC);
    out.push(VERSION);
    out.push(match header.realm {
        Realm::Live => 0,
        Realm::Rehearsal => 1,
    });
    out.extend_from_slice(&header.record_type.to_le_bytes());
    out.extend_from_slice(&header.semantics.to_le_bytes());
    out.push(header.shard);
    out.push(match header.original_time_ms {
        Some(_) => FLAG_COPIED,
        None => 0,
    });
    out.extend_from_slice(&header.original_time_ms.unwrap_or(0).to_le_bytes());
    // Length and checksum are known once the payload stands behind them.
    out.extend_from_slice(&[0; 8]);

    let payload_at = start + HEADER_BYTES;
    write(out);
    assert!(out.len() >= payload_at, "the payload's encoder shortened the buffer");
    let length = out.len() - payload_at;
    assert!(length <= MAX_PAYLOAD, "a payload of {length} bytes is above the limit");
    out[start + 18..start + CRC_AT].copy_from_slice(&(length as u32).to_le_bytes());
    let checksum = checksum(&out[start..]);
    out[start + CRC_AT..payload_at].copy_from_slice(&checksum.to_le_bytes());
}

/// Checks an envelope and gives its header and payload.
pub fn open(bytes: &[u8]) -> Result<Opened<'_>, Damage> {
    let Some((head, payload)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err(Damage::Truncated);
    };
    if head[..2] != MAGIC {
        return Err(Damage::Magic);
    }
    if head[2] != VERSION {
        return Err(Damage::Version(head[2]));
    }
    let length = u32::from_le_bytes(field(head, 18)) as usize;
    if length > MAX_PAYLOAD || length != payload.len() {
        return Err(Damage::Length);
    }
    if u32::from_le_bytes(field(head, CRC_AT)) != checksum(bytes) {
        return Err(Damage::Checksum);
    }
    let realm = match head[3] {
        0 => Realm::Live,
        1 => Realm::Rehearsal,
        other => return Err(Damage::Realm(other)),
    };
    let time = i64::from_le_bytes(field(head, 10));
    let original_time_ms = match head[9] {
        0 if time == 0 => None,
        0 => return Err(Damage::OriginalTime),
        FLAG_COPIED => Some(time),
        other => return Err(Damage::Flags(other)),
    };
    let header = Header {
        realm,
        record_type: u16::from_le_bytes(field(head, 4)),
        semantics: u16::from_le_bytes(field(head, 6)),
        shard: head[8],
        original_time_ms,
    };
    Ok(Opened { header, payload })
}

fn field<const N: usize>(head: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&head[at..at + N]);
    bytes
}

fn checksum(envelope: &[u8]) -> u32 {
    let before = crc32c::crc32c(&envelope[..CRC_AT]);
    crc32c::crc32c_append(before, &envelope[HEADER_BYTES..])
}
