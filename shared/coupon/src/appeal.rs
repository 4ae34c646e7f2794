//! Appeals: a merchant says that a penalty, or a decision on one of its shoppers, was wrong; somebody else decides.

use serde::{Deserialize, Serialize};

use crate::id::Sequence;
use crate::penalty::PenaltyRow;
use crate::terms::Millis;

/// What an appeal is about, by its number at the merchant. Both are numbered by records, so that no two are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum About {
    /// A penalty.
    Penalty(u64),
    /// A risk decision.
    Decision(u64),
}

impl About {
    /// The number.
    pub fn number(self) -> u64 {
        match self {
            Self::Penalty(number) | Self::Decision(number) => number,
        }
    }
}

/// An appeal is made; its number is the record's sequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppealMade {
    /// About what.
    pub about: About,
    /// The penalty's violation.
    pub violation: Option<String>,
    /// What the merchant says.
    pub statement: String,
    /// What shows it: a JSON text each.
    pub evidence: Vec<String>,
    /// Days in which it is to be decided.
    pub due_days: u16,
    /// By which key.
    pub by: String,
}

/// An appeal is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppealResolved {
    /// Which.
    pub appeal: u64,
    /// As it stood before.
    pub was: AppealRow,
    /// The penalty that it is about, as it stood before.
    pub penalty: Option<PenaltyRow>,
    /// What was decided.
    pub resolution: Resolution,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// The merchant is right: the penalty is lifted, the decision was wrong.
    pub granted: bool,
    /// Why.
    pub reason: String,
    /// By which key.
    pub by: String,
}

/// What happens to appeals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AppealStep {
    /// A new one.
    Made(AppealMade),
    /// One is decided.
    Resolved(Box<AppealResolved>),
}

/// An appeal. The last one about something lies under that one's number too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppealRow {
    /// The last change.
    pub version: Sequence,
    /// Its number.
    pub number: u64,
    /// As it was made.
    pub made: AppealMade,
    /// When.
    pub created_at: Millis,
    /// What was decided, and when.
    pub resolved: Option<(Resolution, Millis)>,
}

impl AppealRow {
    /// As it stands once it is made.
    pub fn new(made: AppealMade, sequence: Sequence, at: Millis) -> Self {
        Self { version: sequence, number: sequence, made, created_at: at, resolved: None }
    }

    /// When it is to be decided by.
    pub fn due_at(&self) -> Millis {
        self.created_at + Millis::from(self.made.due_days) * 86_400_000
    }

    /// As it stands once it is decided.
    #[must_use]
    pub fn resolved(&self, resolution: &Resolution, at: Millis) -> Self {
        Self { resolved: Some((resolution.clone(), at)), ..self.clone() }
    }

    /// As the API spells where it is.
    pub fn state(&self) -> &'static str {
        match &self.resolved {
            None => "open",
            Some((resolution, _)) if resolution.granted => "granted",
            Some(_) => "denied",
        }
    }
}
