//! Cases: what somebody has to look at. A subject has one open case at most; further decisions about it go there.
//!
//! ```text
//! open ──▸ claimed ──▸ closed        claimed by one at a time; a claim that runs out is open again by itself
//!   ▴ ◂──────┤           │
//!   │     snoozed        │           open again at its time
//!   └─────────────◂──────┘           reopened, or the close undone
//! ```

use serde::{Deserialize, Serialize};

use crate::id::Sequence;
use crate::subject::Subject;
use crate::terms::Millis;

mod steps;

/// How long a claim of a case holds.
pub const CLAIM_MS: Millis = 15 * 60 * 1_000;
/// How long a step may be taken back.
pub const UNDO_MS: Millis = 10 * 60 * 1_000;
/// Decisions that a case names; of those beyond only the number is kept.
pub const MOST_DECISIONS: usize = 100;
/// Steps of a case that are kept beside it: the newest ones. All stand in the log.
pub const MOST_STEPS: usize = 100;
/// The queue of what nobody put elsewhere.
pub const QUEUE: &str = "review";
/// The queue of what analysts pass on.
pub const LEAD_QUEUE: &str = "lead";

/// How urgent a case is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Priority {
    /// Within a day.
    #[default]
    Normal,
    /// Within four hours.
    High,
}

impl Priority {
    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::High => "high",
        }
    }

    /// How long a case may take, in milliseconds.
    pub fn time_ms(self) -> Millis {
        match self {
            Self::Normal => 24 * 3_600 * 1_000,
            Self::High => 4 * 3_600 * 1_000,
        }
    }
}

/// What a case came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CaseOutcome {
    /// Its decisions are labelled fraud.
    Fraud,
    /// Its decisions are labelled honest.
    Honest,
    /// Nobody can tell; nothing is labelled.
    Unclear,
}

impl CaseOutcome {
    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fraud => "fraud",
            Self::Honest => "honest",
            Self::Unclear => "unclear",
        }
    }

    /// What its decisions are labelled: whether fraud.
    pub fn label(self) -> Option<bool> {
        match self {
            Self::Fraud => Some(true),
            Self::Honest => Some(false),
            Self::Unclear => None,
        }
    }
}

/// A step of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseStepped {
    /// Which case; of an opening it is not looked at.
    pub case: u64,
    /// By which key.
    pub by: String,
    /// What.
    pub step: CaseStep,
}

/// What is done with a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CaseStep {
    /// It begins, or its subject's open case grows.
    Open(Opening),
    /// Somebody works on it, who was shown this.
    Claim(Box<CaseFacts>),
    /// And no longer does.
    Release,
    /// Not before this time; why.
    Snooze(Millis, String),
    /// More urgent, and for leads; why.
    Escalate(String),
    /// Something to remember.
    Note(String),
    /// It is decided; the labels stand beside this in its record.
    Close(Closing),
    /// It is not; why.
    Reopen(String),
    /// The last step is taken back.
    Undo,
}

/// How a case begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Whom it is about.
    pub subject: Option<Subject>,
    /// Which decisions, by the numbers of their ids.
    pub decisions: Vec<u64>,
    /// Codes of the rules that hit.
    pub reasons: Vec<String>,
    /// In which queue; [`QUEUE`] where left out.
    pub queue: Option<String>,
    /// How urgent.
    pub priority: Priority,
    /// The first note.
    pub note: String,
}

/// How a case ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// What it came to.
    pub outcome: CaseOutcome,
    /// Why.
    pub reason: String,
    /// How many coupons were voided with it, in the same record.
    pub voided: u64,
}

/// A case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseRow {
    /// The last change.
    pub version: Sequence,
    /// What it is about.
    pub facts: CaseFacts,
    /// Where it is.
    pub stage: Stage,
    /// What was done, oldest first; at most [`MOST_STEPS`].
    pub steps: Vec<StepTaken>,
    /// What can be taken back.
    pub last: Option<Box<Undoable>>,
}

/// What a case is about, and how urgent it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseFacts {
    /// Since when.
    pub opened_at: Millis,
    /// To be closed by then.
    pub due_at: Millis,
    /// In which queue.
    pub queue: String,
    /// How urgent.
    pub priority: Priority,
    /// Whom it is about.
    pub subject: Option<Subject>,
    /// The first [`MOST_DECISIONS`] decisions.
    pub decisions: Vec<u64>,
    /// How many there are.
    pub decision_count: u64,
    /// Codes of rules that hit.
    pub reasons: Vec<String>,
}

/// Where a case is, until time moves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// For anybody.
    Open,
    /// One's, until then.
    Claimed(String, Millis),
    /// Nobody's, until then.
    Snoozed(Millis),
    /// Decided: what it came to, and the record that closed it.
    Closed(CaseOutcome, Sequence),
}

/// The state of a case at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CaseState {
    /// For anybody.
    Open,
    /// Somebody works on it.
    Claimed,
    /// Not now.
    Snoozed,
    /// Decided.
    Closed,
}

impl CaseState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Open, Self::Claimed, Self::Snoozed, Self::Closed];

    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Claimed => "claimed",
            Self::Snoozed => "snoozed",
            Self::Closed => "closed",
        }
    }

    /// Counted from 1, so that none is 0.
    pub fn number(self) -> u64 {
        self as u64 + 1
    }

    /// The state with a number.
    pub fn numbered(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }
}

/// A step as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTaken {
    /// When.
    pub at: Millis,
    /// By which key; empty where the ledger did it.
    pub by: String,
    /// What.
    pub what: StepName,
    /// Why, or what was noted.
    pub text: String,
    /// It was taken back.
    pub undone: bool,
}

/// The name of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepName {
    /// It began.
    Opened,
    /// A decision was added.
    Added,
    /// See [`CaseStep::Claim`].
    Claimed,
    /// See [`CaseStep::Release`].
    Released,
    /// See [`CaseStep::Snooze`].
    Snoozed,
    /// See [`CaseStep::Escalate`].
    Escalated,
    /// See [`CaseStep::Note`].
    Noted,
    /// See [`CaseStep::Close`].
    Closed,
    /// See [`CaseStep::Reopen`].
    Reopened,
    /// See [`CaseStep::Undo`].
    Undone,
}

impl StepName {
    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Added => "added",
            Self::Claimed => "claimed",
            Self::Released => "released",
            Self::Snoozed => "snoozed",
            Self::Escalated => "escalated",
            Self::Noted => "noted",
            Self::Closed => "closed",
            Self::Reopened => "reopened",
            Self::Undone => "undone",
        }
    }
}

/// What a case was before its last step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undoable {
    /// Who took the step.
    pub by: String,
    /// When.
    pub at: Millis,
    /// Where the case was.
    pub stage: Stage,
    /// In which queue.
    pub queue: String,
    /// How urgent.
    pub priority: Priority,
    /// To be closed by when.
    pub due_at: Millis,
}

/// Why a step is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoCaseStep {
    /// Somebody else works on it, until then.
    Claimed(String, Millis),
    /// The caller does not work on it.
    NotClaimed,
    /// It is decided.
    Closed,
    /// It is not decided.
    NotClosed,
    /// The caller's last step is too old, or another's came after it, or it voided coupons.
    NothingToUndo,
}
