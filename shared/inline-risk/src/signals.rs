//! Attempts that left no record in the ledger: sent without waiting, dropped and counted when there are too many. And
//! the beats by which instances tell that they live.

use std::sync::{Arc, LazyLock};

use coupon::event::Pseudonym;
use coupon::id::{MerchantId, Shard};
use event_log::envelope::{self, Header, Realm};
use event_log::{Entry, EventLog, Stored, Topic};
use prometheus::{IntCounterVec, register_int_counter_vec};
use serde::{Deserialize, Serialize};

/// The type of a signal's record.
pub(crate) const SIGNAL: u16 = 1;
/// The type of a beat's record.
const BEAT: u16 = 2;
/// The service whose beats mean that verdicts are up to date.
pub(crate) const SCORER: &str = "risk-scorer";

/// An instance says that it lives, and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// Drawn at random when it started.
    pub instance: u64,
    /// Which service.
    pub service: String,
    /// Its version.
    pub release: String,
    /// The newest rules of the fold that it knows.
    pub semantics: u16,
}

/// A beat as a record of the signals' first partition.
pub fn beat_record(beat: &Beat) -> Entry {
    let header = Header { realm: Realm::Live, record_type: BEAT, semantics: 1, shard: 0, original_time_ms: None };
    let mut bytes = Vec::with_capacity(96);
    envelope::seal(&mut bytes, &header, |out| {
        let written = bincode::serde::encode_into_std_write(beat, out, bincode::config::standard());
        debug_assert!(written.is_ok(), "writing to memory fails for no beat");
    });
    Entry { topic: Topic::Signals, partition: 0, bytes: bytes.into() }
}

/// The beat in a record, if it is one.
pub fn beat_of(stored: &Stored) -> Option<Beat> {
    let opened = envelope::open(&stored.bytes).ok().filter(|opened| opened.header.record_type == BEAT)?;
    let decoded = bincode::serde::decode_from_slice(opened.payload, bincode::config::standard());
    decoded.ok().map(|(beat, _)| beat)
}

static SENT: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!("counterfoil_signals_total", "Attempts without a record", &["kind", "outcome"])
        .expect("each metric is defined once")
});

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignalKind {
    /// A device or an address tried too often.
    Limited,
    /// A code that nobody could have been given.
    WrongCode,
}

/// A refused attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// The merchant's number.
    pub merchant: u32,
    /// What was refused.
    pub kind: SignalKind,
    /// Of which device.
    pub device: Option<Pseudonym>,
    /// From which address.
    pub ip: Option<Pseudonym>,
    /// Of which user.
    pub user: Option<Pseudonym>,
    /// When, milliseconds.
    pub time_ms: i64,
}

/// Sends signals.
pub struct Signals {
    log: Arc<dyn EventLog>,
}

impl Signals {
    /// To this log.
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        Self { log }
    }

    /// Sends without waiting: a signal that finds the log's queue full is dropped.
    pub fn send(&self, signal: Signal) {
        // By the merchant's shard: what its decisions rest on has one order.
        let Shard(shard) = MerchantId(signal.merchant).shard();
        let header = Header { realm: Realm::Live, record_type: SIGNAL, semantics: 1, shard, original_time_ms: None };
        let mut bytes = Vec::with_capacity(96);
        envelope::seal(&mut bytes, &header, |out| {
            let written = bincode::serde::encode_into_std_write(signal, out, bincode::config::standard());
            debug_assert!(written.is_ok(), "writing to memory fails for no signal");
        });
        let partition = u32::from(shard) % self.log.partitions(Topic::Signals);
        let entry = Entry { topic: Topic::Signals, partition, bytes: bytes.into() };
        let sent = self.log.append(vec![entry], Box::new(|_| {}));
        let kind = match signal.kind {
            SignalKind::Limited => "limited",
            SignalKind::WrongCode => "wrong_code",
        };
        SENT.with_label_values(&[kind, if sent.is_ok() { "sent" } else { "dropped" }]).inc();
    }
}
