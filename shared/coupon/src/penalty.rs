//! Penalties of merchants: which sanction a violation brings, what it bars, and when it ends.
//!
//! ```text
//! proposed ──▸ active ──▸ expired        one without an end waits for a second person; all others bite at once
//!     └───────────┴─────────┴──▸ lifted  a lifted one never counted: the next offence has its number
//! ```

mod ladder;
mod standing;

use serde::{Deserialize, Serialize};

use crate::id::{DecisionId, MerchantId, Sequence};
use crate::terms::Millis;

pub use ladder::{Ladder, Rung};
pub use standing::{Sanctioned, Standing};

/// What is done to a merchant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Sanction {
    /// Nothing is claimed, and no stock is opened.
    Takedown,
    /// Nothing is issued either: no stocks, no codes.
    Ban,
    /// Nothing is locked or redeemed either.
    Freeze,
    /// A freeze without an end.
    Permanent,
    /// A freeze, and the merchant's keys may not call.
    ApiOff,
    /// A freeze without an end, because of who the merchant is.
    Blacklist,
}

/// What a sanction may bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Handing out: claims, sends, and opening a stock for them.
    Claim,
    /// Making what could be handed out: stocks, codes ahead, imports.
    Issue,
    /// Everything else that is not giving back: validations, locks, redemptions, stores.
    Use,
}

impl Sanction {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Takedown, Self::Ban, Self::Freeze, Self::Permanent, Self::ApiOff, Self::Blacklist];

    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Takedown => "takedown",
            Self::Ban => "ban",
            Self::Freeze => "freeze",
            Self::Permanent => "permanent",
            Self::ApiOff => "api_off",
            Self::Blacklist => "blacklist",
        }
    }

    /// The sanction of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sanction| sanction.name() == name)
    }

    /// Whether it has no end, and so needs two people.
    pub fn is_for_good(self) -> bool {
        matches!(self, Self::Permanent | Self::Blacklist)
    }

    /// Whether it bars that.
    pub fn bars(self, deed: Deed) -> bool {
        match self {
            Self::Takedown => deed == Deed::Claim,
            Self::Ban => matches!(deed, Deed::Claim | Deed::Issue),
            Self::Freeze | Self::Permanent | Self::ApiOff | Self::Blacklist => true,
        }
    }
}

/// The merchant's decisions that stand in evidence, by their numbers.
pub fn decisions(merchant: MerchantId, evidence: &[String]) -> impl Iterator<Item = u64> {
    let named = evidence.iter().filter_map(|text| text.trim_matches('"').parse::<DecisionId>().ok());
    named.filter(move |id| id.merchant == merchant).map(|id| id.number)
}

/// A penalty is imposed; its number is the record's sequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imposed {
    /// For what.
    pub violation: String,
    /// The how manieth time, counted from 1.
    pub offence: u32,
    /// What is done.
    pub sanction: Sanction,
    /// For how long; until it is lifted where left out.
    pub duration_seconds: Option<u32>,
    /// What shows it: a JSON text each.
    pub evidence: Vec<String>,
    /// By which key.
    pub by: String,
}

/// A penalty moves on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Which.
    pub penalty: u64,
    /// As it stood before.
    pub was: PenaltyRow,
    /// What is done with it.
    pub act: Act,
    /// By which key.
    pub by: String,
}

/// What is done with a penalty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    /// What was proposed begins, for this reason.
    Approve(String),
    /// It is over, and never counted, for this reason.
    Lift(String),
}

/// What happens to penalties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PenaltyStep {
    /// A new one.
    Imposed(Imposed),
    /// One that there is.
    Moved(Box<Moved>),
}

/// A penalty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PenaltyRow {
    /// The last change.
    pub version: Sequence,
    /// As it was imposed.
    pub imposed: Imposed,
    /// When.
    pub created_at: Millis,
    /// Since when it bites; not yet where it waits for a second person.
    pub active_since: Option<Millis>,
    /// That a second person approved it, where one had to.
    pub approved: Option<Said>,
    /// The first moment after it.
    pub ends_at: Option<Millis>,
    /// That it was lifted.
    pub lifted: Option<Said>,
}

/// What somebody decided of a penalty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// When.
    pub at: Millis,
    /// By which key.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Where a penalty is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PenaltyState {
    /// It waits for a second person.
    Proposed,
    /// It bites.
    Active,
    /// It was taken back.
    Lifted,
    /// Its time is over.
    Expired,
}

impl PenaltyState {
    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Active => "active",
            Self::Lifted => "lifted",
            Self::Expired => "expired",
        }
    }
}

/// Why a step is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoStep {
    /// The penalty's state does not allow it.
    State(PenaltyState),
    /// Who proposed may not approve.
    Own,
}

impl PenaltyRow {
    /// As it stands once it is imposed.
    pub fn new(imposed: Imposed, sequence: Sequence, at: Millis) -> Self {
        let row = Self {
            version: sequence,
            created_at: at,
            active_since: None,
            approved: None,
            ends_at: None,
            lifted: None,
            imposed,
        };
        if row.imposed.sanction.is_for_good() { row } else { row.active(at) }
    }

    fn active(self, at: Millis) -> Self {
        let duration = self.imposed.duration_seconds;
        Self { active_since: Some(at), ends_at: duration.map(|seconds| at + Millis::from(seconds) * 1_000), ..self }
    }

    /// Where it is at a time.
    pub fn state_at(&self, now: Millis) -> PenaltyState {
        if self.lifted.is_some() {
            PenaltyState::Lifted
        } else if self.active_since.is_none() {
            PenaltyState::Proposed
        } else if self.ends_at.is_some_and(|end| end <= now) {
            PenaltyState::Expired
        } else {
            PenaltyState::Active
        }
    }

    /// What it is after a step at a time. What has expired may still be lifted, so that it does not count any more.
    pub fn after(&self, act: &Act, by: &str, at: Millis) -> Result<Self, NoStep> {
        let state = self.state_at(at);
        let said = |reason: &String| Some(Said { at, by: by.to_owned(), reason: reason.clone() });
        match act {
            Act::Approve(_) if state != PenaltyState::Proposed => Err(NoStep::State(state)),
            Act::Approve(_) if self.imposed.by == by => Err(NoStep::Own),
            Act::Approve(reason) => Ok(Self { approved: said(reason), ..self.clone().active(at) }),
            Act::Lift(_) if state == PenaltyState::Lifted => Err(NoStep::State(state)),
            Act::Lift(reason) => Ok(Self { lifted: said(reason), ..self.clone() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sanction_bars_what_its_name_says() {
        use Sanction::{ApiOff, Ban, Blacklist, Freeze, Permanent, Takedown};
        #[rustfmt::skip]
        let table = [
            // (sanction, claim, issue, use)
            (Takedown,  true, false, false),
            (Ban,       true, true,  false),
            (Freeze,    true, true,  true),
            (Permanent, true, true,  true),
            (ApiOff,    true, true,  true),
            (Blacklist, true, true,  true),
        ];
        for (sanction, claim, issue, usage) in table {
            let bars = [Deed::Claim, Deed::Issue, Deed::Use].map(|deed| sanction.bars(deed));
            assert_eq!(bars, [claim, issue, usage], "{}", sanction.name());
            assert_eq!(Sanction::named(sanction.name()), Some(sanction));
        }
    }
}
