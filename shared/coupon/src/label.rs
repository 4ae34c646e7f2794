//! Labels: what somebody found out about a decision afterwards. The last one that is not taken back stands; those
//! before it are kept, so that a count can be made as of any time.

use serde::{Deserialize, Serialize};

use crate::id::Sequence;
use crate::terms::Millis;

/// How many labels of one decision are kept: the newest ones.
pub const MOST_LABELS: usize = 20;

/// How many labels one record may set at most.
pub const LABELS_PER_RECORD: u64 = 1_024;

/// A decision is labelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelSet {
    /// The number of a `dec_` id: the record of the claim, lock or redemption.
    pub decision: u64,
    /// Fraud, or honest.
    pub fraud: bool,
    /// Of which kind, in the caller's words.
    pub kind: Option<String>,
    /// Where it comes from.
    pub source: LabelSource,
    /// Why.
    pub reason: String,
    /// By which key.
    pub by: String,
}

/// Where a label comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LabelSource {
    /// Somebody looked at it.
    Analyst,
    /// The merchant says so.
    Merchant,
    /// A payment was charged back.
    Chargeback,
    /// An appeal was decided.
    Appeal,
}

impl LabelSource {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Analyst, Self::Merchant, Self::Chargeback, Self::Appeal];

    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Analyst => "analyst",
            Self::Merchant => "merchant",
            Self::Chargeback => "chargeback",
            Self::Appeal => "appeal",
        }
    }
}

/// The labels of a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelRow {
    /// The last change.
    pub version: Sequence,
    /// Oldest first; at most [`MOST_LABELS`].
    pub labels: Vec<Label>,
}

/// A label of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The number of its `lbl_` id; see [`number`].
    pub number: u64,
    /// What it says.
    pub set: LabelSet,
    /// Known since.
    pub known_at: Millis,
    /// The label that stood before it.
    pub supersedes: Option<u64>,
    /// Taken back at.
    pub withdrawn_at: Option<Millis>,
}

/// The number of a record's n-th label, counted from 0: a record may set many.
pub fn number(sequence: Sequence, n: u64) -> u64 {
    sequence * LABELS_PER_RECORD + n
}

/// The record that set the label with a number.
pub fn record_of(number: u64) -> Sequence {
    number / LABELS_PER_RECORD
}

impl LabelRow {
    /// The label that stands.
    pub fn standing(&self) -> Option<&Label> {
        self.labels.iter().rev().find(|label| label.withdrawn_at.is_none())
    }

    /// A label by its number.
    pub fn numbered(&self, number: u64) -> Option<&Label> {
        self.labels.iter().find(|label| label.number == number)
    }
}
