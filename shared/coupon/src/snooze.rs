//! Snoozes: one rule says nothing about one subject, until a time.

use serde::{Deserialize, Serialize};

use crate::id::Sequence;
use crate::subject::Subject;
use crate::terms::Millis;

/// A step of a snooze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnoozeStepped {
    /// By which key.
    pub by: String,
    /// What.
    pub step: SnoozeStep,
}

/// What is done with a snooze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SnoozeStep {
    /// It begins; its number is the record's sequence.
    Begin(Snoozed),
    /// The snooze with this number ends before its time.
    End(u64),
}

/// What is snoozed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snoozed {
    /// The rule's name.
    pub rule: String,
    /// Only as a rule of this set, by its number; of any where left out.
    pub ruleset: Option<u64>,
    /// For whom.
    pub subject: Subject,
    /// Not from here on.
    pub until: Millis,
    /// Why.
    pub reason: String,
}

/// A snooze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnoozeRow {
    /// The last change.
    pub version: Sequence,
    /// What is snoozed.
    pub what: Snoozed,
    /// By which key.
    pub by: String,
    /// Since when.
    pub created_at: Millis,
    /// Ended before its time: when, and by which key.
    pub ended: Option<(Millis, String)>,
}

impl SnoozeRow {
    /// Whether the rule is silent at a time.
    pub fn is_active(&self, now: Millis) -> bool {
        self.ended.is_none() && now < self.what.until
    }
}
