//! Rule sets of risk: their texts are kept version by version, and each version has a life. The platform's.
//!
//! ```text
//! draft ──▸ shadow ──▸ live ──▸ paused ──▸ retired          shadow at once; all others proposed by one, approved by another
//!   └─────────────────▸ ▲  ◂────────┘                       back to a version that was live: by one lead
//! ```

use serde::{Deserialize, Serialize};

use crate::id::Sequence;
use crate::terms::Millis;

/// Where a version is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RuleState {
    /// Written, and nothing more.
    Draft,
    /// Evaluated, without effect.
    Shadow,
    /// Evaluated, with effect.
    Live,
    /// Not evaluated for now.
    Paused,
    /// Not evaluated any more.
    Retired,
}

impl RuleState {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 5] = [Self::Draft, Self::Shadow, Self::Live, Self::Paused, Self::Retired];

    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Shadow => "shadow",
            Self::Live => "live",
            Self::Paused => "paused",
            Self::Retired => "retired",
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

/// A text is pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesPushed {
    /// As a further version of this set; a new set, whose number is the record's sequence, where it is left out.
    pub ruleset: Option<u64>,
    /// The set's name; of a further version it is not looked at.
    pub name: String,
    /// The rules.
    pub text: String,
    /// Why.
    pub comment: String,
    /// By which key.
    pub by: String,
}

/// A step in a version's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesMoved {
    /// Of which set.
    pub ruleset: u64,
    /// Which version.
    pub version: u32,
    /// What.
    pub step: RuleStep,
    /// Why.
    pub comment: String,
    /// By which key.
    pub by: String,
}

/// What is done with a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuleStep {
    /// It shall go there.
    Submit(RuleState),
    /// What was proposed is done.
    Approve,
    /// It is not.
    Reject,
    /// The version with this number, which is live, goes, and the one that is named, which was live before, is live again.
    RollBack(u32),
}

impl RuleStep {
    /// As deeds are called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Submit(_) => "ruleset.submit",
            Self::Approve => "ruleset.approve",
            Self::Reject => "ruleset.reject",
            Self::RollBack(_) => "ruleset.rollback",
        }
    }
}

/// A rule set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSetRow {
    /// The last change.
    pub version: Sequence,
    /// As analysts call it.
    pub name: String,
    /// Made at.
    pub created_at: Millis,
    /// All versions, the first first; they are counted from 1.
    pub versions: Vec<RuleVersion>,
}

/// A version of a rule set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleVersion {
    /// The rules.
    pub text: String,
    /// Why it was pushed.
    pub comment: String,
    /// By which key.
    pub by: String,
    /// When.
    pub created_at: Millis,
    /// Where it is.
    pub state: RuleState,
    /// Since when.
    pub since: Millis,
    /// Whether it was ever live.
    pub was_live: bool,
    /// What waits for another's approval.
    pub proposed: Option<Proposed>,
}

/// A step that waits for approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposed {
    /// Where it shall go.
    pub to: RuleState,
    /// Who proposed it.
    pub by: String,
    /// Why.
    pub comment: String,
    /// When.
    pub at: Millis,
}

/// Why a step is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoStep {
    /// There is no such version.
    Unknown,
    /// The version's state does not allow it.
    State(RuleState),
    /// Who proposed may not approve.
    Own,
}

impl RuleSetRow {
    /// A version by its number.
    pub fn numbered(&self, version: u32) -> Option<&RuleVersion> {
        self.versions.get(usize::try_from(version).ok()?.checked_sub(1)?)
    }

    /// What the set is after a step at a time.
    pub fn after(&self, moved: &RulesMoved, at: Millis) -> Result<Self, NoStep> {
        let place = usize::try_from(moved.version).ok().and_then(|number| number.checked_sub(1));
        let place = place.filter(|place| *place < self.versions.len()).ok_or(NoStep::Unknown)?;
        let mut row = self.clone();
        let version = &mut row.versions[place];
        let state = version.state;
        match moved.step {
            RuleStep::Submit(to) => {
                if version.proposed.is_some() || !may_follow(state, to) {
                    return Err(NoStep::State(state));
                }
                if to != RuleState::Shadow {
                    let (by, comment) = (moved.by.clone(), moved.comment.clone());
                    version.proposed = Some(Proposed { to, by, comment, at });
                    return Ok(row);
                }
                row.go(place, to, at);
            }
            RuleStep::Approve => {
                let proposed = version.proposed.take().ok_or(NoStep::State(state))?;
                if proposed.by == moved.by {
                    return Err(NoStep::Own);
                }
                row.go(place, proposed.to, at);
            }
            RuleStep::Reject => {
                version.proposed.take().ok_or(NoStep::State(state))?;
            }
            RuleStep::RollBack(from) => {
                let from = self.numbered(from).ok_or(NoStep::Unknown)?;
                if from.state != RuleState::Live {
                    return Err(NoStep::State(from.state));
                }
                if !version.was_live || state == RuleState::Live {
                    return Err(NoStep::State(state));
                }
                version.proposed = None;
                row.go(place, RuleState::Live, at);
            }
        }
        Ok(row)
    }

    /// Of a set, one version is live at most, and one in the shadow.
    fn go(&mut self, place: usize, to: RuleState, at: Millis) {
        for (other, version) in self.versions.iter_mut().enumerate() {
            let gives_way = other != place && version.state == to;
            if gives_way && matches!(to, RuleState::Live | RuleState::Shadow) {
                (version.state, version.since) = (RuleState::Retired, at);
                version.proposed = None;
            }
        }
        let version = &mut self.versions[place];
        (version.state, version.since) = (to, at);
        version.was_live |= to == RuleState::Live;
    }
}

/// Where a version may go from where it is.
fn may_follow(from: RuleState, to: RuleState) -> bool {
    use RuleState::{Draft, Live, Paused, Retired, Shadow};
    match to {
        Draft => false,
        Shadow => matches!(from, Draft | Paused),
        Live => matches!(from, Draft | Shadow | Paused),
        Paused => matches!(from, Shadow | Live),
        Retired => matches!(from, Draft | Shadow | Live | Paused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(versions: usize) -> RuleSetRow {
        let version = RuleVersion {
            text: "rule a { when hour > 3 then block }".into(),
            comment: String::new(),
            by: "an".into(),
            created_at: 1,
            state: RuleState::Draft,
            since: 1,
            was_live: false,
            proposed: None,
        };
        RuleSetRow { version: 1, name: "starter".into(), created_at: 1, versions: vec![version; versions] }
    }

    fn step(row: &RuleSetRow, version: u32, step: RuleStep, by: &str) -> Result<RuleSetRow, NoStep> {
        row.after(&RulesMoved { ruleset: 1, version, step, comment: String::new(), by: by.into() }, 9)
    }

    fn states(row: &RuleSetRow) -> Vec<RuleState> {
        row.versions.iter().map(|version| version.state).collect()
    }

    #[test]
    fn two_are_needed_to_go_live_and_one_to_go_back() {
        let row = step(&set(2), 1, RuleStep::Submit(RuleState::Shadow), "an").expect("at once");
        assert_eq!(states(&row), [RuleState::Shadow, RuleState::Draft]);
        let row = step(&row, 1, RuleStep::Submit(RuleState::Live), "an").expect("proposed");
        assert_eq!(states(&row)[0], RuleState::Shadow, "not yet");
        assert_eq!(step(&row, 1, RuleStep::Approve, "an"), Err(NoStep::Own));
        assert_eq!(step(&row, 1, RuleStep::Submit(RuleState::Retired), "bo"), Err(NoStep::State(RuleState::Shadow)));
        let row = step(&row, 1, RuleStep::Approve, "bo").expect("by another");
        assert_eq!(
            step(&row, 2, RuleStep::RollBack(1), "bo"),
            Err(NoStep::State(RuleState::Draft)),
            "it was never live"
        );
        let row = step(&row, 2, RuleStep::Submit(RuleState::Live), "an").expect("proposed");
        let row = step(&row, 2, RuleStep::Approve, "bo").expect("approved");
        assert_eq!(states(&row), [RuleState::Retired, RuleState::Live], "one is live");
        let elsewhere = step(&row, 1, RuleStep::RollBack(1), "an");
        assert_eq!(elsewhere, Err(NoStep::State(RuleState::Retired)), "only from what is live");
        let row = step(&row, 1, RuleStep::RollBack(2), "an").expect("by one");
        assert_eq!(states(&row), [RuleState::Live, RuleState::Retired]);
    }

    #[test]
    fn what_is_rejected_stays_where_it_was() {
        let row = step(&set(1), 1, RuleStep::Submit(RuleState::Live), "an").expect("proposed");
        let row = step(&row, 1, RuleStep::Reject, "bo").expect("rejected");
        assert_eq!((states(&row)[0], &row.versions[0].proposed), (RuleState::Draft, &None));
        assert_eq!(step(&row, 1, RuleStep::Approve, "bo"), Err(NoStep::State(RuleState::Draft)));
        assert_eq!(step(&row, 2, RuleStep::Approve, "bo"), Err(NoStep::Unknown));
        assert_eq!(step(&row, 0, RuleStep::Approve, "bo"), Err(NoStep::Unknown));
    }

    #[test]
    fn what_is_retired_comes_back_by_a_roll_back_only() {
        let mut row = set(2);
        (row.versions[0].state, row.versions[0].was_live) = (RuleState::Retired, true);
        row.versions[1].state = RuleState::Live;
        for to in RuleState::ALL {
            assert_eq!(step(&row, 1, RuleStep::Submit(to), "an"), Err(NoStep::State(RuleState::Retired)));
        }
        assert_eq!(states(&step(&row, 1, RuleStep::RollBack(2), "an").expect("back"))[0], RuleState::Live);
    }
}
