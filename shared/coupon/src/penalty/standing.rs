//! What a merchant's penalties come to.

use serde::{Deserialize, Serialize};

use crate::id::Sequence;
use crate::penalty::{Deed, PenaltyRow, PenaltyState, Sanction};
use crate::terms::Millis;

/// Where a merchant stands that was ever penalised. It lies in the merchant's own row, which every use of a coupon
/// looks at anyway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The last change.
    pub version: Sequence,
    /// How many penalties that were not lifted each violation has brought.
    pub offences: Vec<(String, u32)>,
    /// What bites, or did when this changed last.
    pub sanctions: Vec<Sanctioned>,
}

/// A sanction that bites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sanctioned {
    /// By which penalty.
    pub penalty: u64,
    /// What it is.
    pub sanction: Sanction,
    /// The first moment after it; until it is lifted where left out.
    pub ends_at: Option<Millis>,
}

impl Sanctioned {
    fn lives(&self, now: Millis) -> bool {
        self.ends_at.is_none_or(|end| now < end)
    }
}

impl Standing {
    /// What bars a deed at a time; of several, the one that ends last.
    pub fn barred(&self, deed: Deed, now: Millis) -> Option<Sanctioned> {
        let barring = self.sanctions.iter().filter(|it| it.sanction.bars(deed) && it.lives(now));
        barring.max_by_key(|it| it.ends_at.unwrap_or(Millis::MAX)).copied()
    }

    /// What switches the merchant's keys off.
    pub fn api_off(&self) -> Option<Sanctioned> {
        let off = self.sanctions.iter().filter(|it| it.sanction == Sanction::ApiOff);
        off.max_by_key(|it| it.ends_at.unwrap_or(Millis::MAX)).copied()
    }

    /// When the last of the sanctions ended that bar a deed, of those that are over at a time.
    pub fn free_since(&self, deed: Deed, now: Millis) -> Option<Millis> {
        let barring = self.sanctions.iter().filter(|it| it.sanction.bars(deed));
        barring.filter_map(|it| it.ends_at).filter(|end| *end <= now).max()
    }

    /// The number of the next offence.
    pub fn next_offence(&self, violation: &str) -> u32 {
        let known = self.offences.iter().find(|(name, _)| name == violation);
        known.map_or(0, |(_, count)| *count) + 1
    }

    /// Takes note of what a penalty is after a step.
    pub(crate) fn changed(&mut self, penalty: u64, row: &PenaltyRow, at: Millis) {
        self.version = row.version;
        self.sanctions.retain(|it| it.penalty != penalty && it.lives(at));
        if row.state_at(at) == PenaltyState::Active {
            self.sanctions.push(Sanctioned { penalty, sanction: row.imposed.sanction, ends_at: row.ends_at });
        }
        let violation = &row.imposed.violation;
        let place = self.offences.iter().position(|(name, _)| name == violation);
        let place = place.unwrap_or_else(|| {
            self.offences.push((violation.clone(), 0));
            self.offences.len() - 1
        });
        let count = &mut self.offences[place].1;
        if row.lifted.is_some() {
            *count = count.saturating_sub(1);
        } else if row.version == penalty {
            *count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_sanctions_the_one_that_ends_last_is_named() {
        let with = |penalty, sanction, ends_at| Sanctioned { penalty, sanction, ends_at };
        let sanctions = vec![
            with(1, Sanction::Ban, Some(50)),
            with(2, Sanction::Takedown, None),
            with(3, Sanction::Freeze, Some(20)),
        ];
        let standing = Standing { version: 3, offences: Vec::new(), sanctions };
        let barred = |deed, now| standing.barred(deed, now).map(|it| it.penalty);
        assert_eq!(barred(Deed::Claim, 60), Some(2));
        assert_eq!((barred(Deed::Issue, 49), barred(Deed::Issue, 50)), (Some(1), None), "ends are exclusive");
        assert_eq!((barred(Deed::Use, 19), barred(Deed::Use, 20)), (Some(3), None));
        assert_eq!(standing.free_since(Deed::Issue, 30), Some(20));
    }
}
