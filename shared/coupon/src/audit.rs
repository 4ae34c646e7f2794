//! What people did: a note beside the events of a record, by which those of the last 180 days can be found. Claims,
//! locks and redemptions are no such deeds: they are what the service is for, and are found by what they changed.

use serde::{Deserialize, Serialize};

use crate::id::Sequence;
use crate::terms::Millis;

/// How long a deed can be found, in milliseconds of the log's time; its record stays.
pub const KEPT_MS: Millis = 180 * 24 * 3_600 * 1_000;

/// Old deeds that a new one takes away at most, so that no record is dear.
pub const FORGOTTEN_AT_ONCE: usize = 4;

/// A deed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audited {
    /// By which key.
    pub by: String,
    /// What, such as `stock.pause`.
    pub what: String,
    /// To what.
    pub object: AuditObject,
}

/// What a deed was done to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuditObject {
    /// An id as it is written.
    Id(String),
    /// What the record made: the prefix of its id, whose number is the record's sequence.
    Made(String),
}

/// A deed as it is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// When.
    pub at: Millis,
    /// By which key.
    pub by: String,
    /// What.
    pub what: String,
    /// The id of what it was done to.
    pub object: String,
    /// The next deed; 0 of the newest.
    pub next: Sequence,
}

/// The first and the last deed that can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEnds {
    /// The first.
    pub oldest: Sequence,
    /// The last.
    pub newest: Sequence,
}
