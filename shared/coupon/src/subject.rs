//! Whom risk is about, as the ledger knows them: by pseudonym.

use serde::{Deserialize, Serialize};

use crate::event::{Decision, Pseudonym};

/// What kind of subject it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SubjectKind {
    /// A shopper.
    User,
    /// A device.
    Device,
    /// An address.
    Ip,
}

impl SubjectKind {
    /// All of them; what says most about who it was goes first.
    pub const ALL: [Self; 3] = [Self::User, Self::Device, Self::Ip];

    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Device => "device",
            Self::Ip => "ip",
        }
    }
}

/// A subject of a merchant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// Of which kind.
    pub kind: SubjectKind,
    /// Who, at that merchant.
    pub pseudonym: Pseudonym,
}

impl Subject {
    /// Whom a decision is about: the user, else the device, else the address; `None` where none is known.
    pub fn of(user: Option<Pseudonym>, decision: &Decision) -> Option<Self> {
        let known = [user, decision.device, decision.ip];
        SubjectKind::ALL.into_iter().zip(known).find_map(|(kind, who)| Some(Self { kind, pseudonym: who? }))
    }
}
