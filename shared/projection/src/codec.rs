//! Records as bytes: bincode in the versioned envelope. This is the only crate that names bincode for the ledger.

use bytes::Bytes;
use coupon::id::{Sequence, Shard};
use coupon::record::Entry;
use event_log::envelope::{self, Damage, Header, Opened, Realm};

/// A guarded record.
pub const GUARDED: u16 = 1;
/// Refusals.
pub const FENCES: u16 = 2;
/// A cancel.
pub const CANCEL: u16 = 3;
/// From here on original times of copied records are not honoured.
pub const COPY_SEALED: u16 = 4;
/// What the state's hash was.
pub const HASH_CHECKPOINT: u16 = 5;
/// From here on the shard is folded by other rules.
pub const SEMANTICS_ACTIVATED: u16 = 6;

/// The newest rules of the fold that this process knows. Test builds may be told to know fewer, and are an older release
/// then.
pub fn known_semantics() -> u16 {
    static KNOWN: std::sync::LazyLock<u16> = std::sync::LazyLock::new(|| {
        let told = std::env::var("COUNTERFOIL_TEST_SEMANTICS").ok().filter(|_| coupon::fold::SEMANTICS > 1);
        told.and_then(|number| number.parse().ok()).unwrap_or(coupon::fold::SEMANTICS)
    });
    *KNOWN
}

/// bincode's settings are part of the format.
pub const FORMAT: bincode::config::Configuration = bincode::config::standard();

/// Bytes behind those that are there. Most of what bincode writes is a single byte, which must not cost a call: encoding
/// was a seventh of all instructions of a redemption through `std::io::Write`.
struct Append<'a>(&'a mut Vec<u8>);

impl bincode::enc::write::Writer for Append<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        if let [byte] = bytes {
            self.0.push(*byte);
        } else {
            self.0.extend_from_slice(bytes);
        }
        Ok(())
    }
}

/// Encodes a value behind what is in the buffer.
pub(crate) fn append(value: &impl serde::Serialize, out: &mut Vec<u8>) {
    let written = bincode::serde::encode_into_writer(value, Append(out), FORMAT);
    debug_assert!(written.is_ok(), "writing to memory fails for nothing that is kept here");
}

/// What is no business of any merchant: it counts in its shard, and does nothing to the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// The copying of the shard is at its end.
    CopySealed,
    /// Somebody's state had this hash after the record with this sequence.
    HashCheckpoint(Sequence, u128),
    /// From here on the shard is folded by the rules with this number.
    SemanticsActivated(u16),
}

/// A record of the ledger as it was read.
#[derive(Debug)]
pub enum Decoded {
    /// One of ours.
    Entry(Box<Entry>),
    /// Between instances and releases.
    Control(Control),
    /// A sound record of no type that this release knows: void, for everybody.
    Foreign,
}

/// Encodes a record once, straight into its envelope.
pub fn encode(entry: &Entry, shard: Shard, semantics: u16, realm: Realm, original_time_ms: Option<i64>) -> Bytes {
    let record_type = match entry {
        Entry::Guarded(_) => GUARDED,
        Entry::Fences(_) => FENCES,
        Entry::Cancel(_) => CANCEL,
    };
    let header = Header { realm, record_type, semantics, shard: shard.0, original_time_ms };
    let mut bytes = Vec::with_capacity(512);
    envelope::seal(&mut bytes, &header, |out| match entry {
        Entry::Guarded(record) => append(record, out),
        Entry::Fences(fences) => append(fences, out),
        Entry::Cancel(cancel) => append(cancel, out),
    });
    bytes.into()
}

/// Encodes a control record.
pub fn encode_control(control: Control, shard: Shard, semantics: u16) -> Bytes {
    let record_type = match control {
        Control::CopySealed => COPY_SEALED,
        Control::HashCheckpoint(..) => HASH_CHECKPOINT,
        Control::SemanticsActivated(_) => SEMANTICS_ACTIVATED,
    };
    let header = Header { realm: Realm::Live, record_type, semantics, shard: shard.0, original_time_ms: None };
    let mut bytes = Vec::with_capacity(64);
    envelope::seal(&mut bytes, &header, |out| match control {
        Control::CopySealed => {}
        Control::HashCheckpoint(sequence, hash) => append(&(sequence, hash), out),
        Control::SemanticsActivated(number) => append(&number, out),
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
        _ => return Ok((header, control(header.record_type, payload).map_or(Decoded::Foreign, Decoded::Control))),
    };
    // A sound checksum over bytes that do not decode: written by something that is not this product.
    Ok((header, entry.map_or(Decoded::Foreign, |entry| Decoded::Entry(Box::new(entry)))))
}

fn control(record_type: u16, payload: &[u8]) -> Option<Control> {
    match record_type {
        COPY_SEALED => Some(Control::CopySealed),
        HASH_CHECKPOINT => {
            let (told, _) = bincode::serde::decode_from_slice::<(Sequence, u128), _>(payload, FORMAT).ok()?;
            Some(Control::HashCheckpoint(told.0, told.1))
        }
        SEMANTICS_ACTIVATED => {
            let (number, _) = bincode::serde::decode_from_slice(payload, FORMAT).ok()?;
            Some(Control::SemanticsActivated(number))
        }
        _ => None,
    }
}
