//! The ladder: violation × offence → sanction and duration.

use serde::{Deserialize, Serialize};

use crate::penalty::Sanction;

/// What a violation brings the n-th time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// Which violation.
    pub violation: String,
    /// From this offence on, counted from 1, up to the next rung's.
    pub offence: u32,
    /// What is done.
    pub sanction: Sanction,
    /// For how long; until it is lifted where left out.
    pub duration_seconds: Option<u32>,
}

/// All rungs, and how long an appeal may take. The platform's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    /// In any order.
    pub rungs: Vec<Rung>,
    /// Days in which an appeal is to be decided.
    pub appeal_days: u16,
}

impl Default for Ladder {
    /// The ladder of the product's description, section S5.
    fn default() -> Self {
        let rung = |violation: &str, offence, sanction, duration_seconds| Rung {
            violation: violation.to_owned(),
            offence,
            sanction,
            duration_seconds,
        };
        let rungs = vec![
            rung("false_advertising", 1, Sanction::Takedown, None),
            rung("false_advertising", 2, Sanction::Ban, Some(30 * 86_400)),
            rung("cash_out", 1, Sanction::Freeze, None),
            rung("cash_out", 2, Sanction::Permanent, None),
            rung("hijacking", 1, Sanction::ApiOff, None),
            rung("hijacking", 2, Sanction::Blacklist, None),
        ];
        Self { rungs, appeal_days: 7 }
    }
}

impl Ladder {
    /// What an offence brings: the highest rung that it reaches.
    pub fn rung(&self, violation: &str, offence: u32) -> Option<&Rung> {
        let reached = self.rungs.iter().filter(|rung| rung.violation == violation && rung.offence <= offence);
        reached.max_by_key(|rung| rung.offence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rung_holds_for_all_that_follow() {
        let ladder = Ladder::default();
        let sanction = |violation, offence| ladder.rung(violation, offence).map(|rung| rung.sanction);
        assert_eq!(sanction("cash_out", 1), Some(Sanction::Freeze));
        assert_eq!([2, 3, 9].map(|n| sanction("cash_out", n)), [Some(Sanction::Permanent); 3]);
        assert_eq!(sanction("rudeness", 1), None);
        assert_eq!(ladder.rung("false_advertising", 2).and_then(|rung| rung.duration_seconds), Some(2_592_000));
    }
}
