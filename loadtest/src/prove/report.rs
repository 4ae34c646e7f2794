//! What came of it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::table::Table;

/// Decisions that were looked at again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// How many.
    pub compared: u64,
    /// Of them, how many are not what they were, to the bit.
    pub differ: u64,
    /// Some of those.
    pub examples: Vec<String>,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What the shoppers were drawn from.
    pub seed: u64,
    /// Decisions that were answered.
    pub made: u64,
    /// Requests that were refused, by code; with or without a decision.
    pub refused: BTreeMap<String, u64>,
    /// Their features counted again, after the server was killed in the middle.
    pub online: Counted,
    /// The same after every projection was made anew.
    pub rebuilt: Counted,
    /// Decisions that were derived again, under later rules and a later model.
    pub derived: Counted,
    /// Whether `counterfoil audit` found all well.
    pub audit_holds: bool,
    /// Whether `counterfoil rebuild --verify` found equal hashes of all state, that of risk too.
    pub hashes_equal: bool,
    /// Wall-clock time of all of it.
    pub seconds: f64,
}

impl Report {
    /// Whether all are what they were, and none was left out.
    pub fn holds(&self) -> bool {
        let sound = |counted: &Counted| counted.differ == 0;
        // Refused requests are decisions too, which no answer named.
        let whole = self.online.compared >= self.made && self.rebuilt.compared >= self.made;
        whole
            && self.audit_holds
            && self.hashes_equal
            && [&self.online, &self.rebuilt, &self.derived].into_iter().all(sound)
    }

    /// The table for people.
    pub fn table(&self) -> String {
        let mut table = Table::default();
        table.head(format!("decisions looked at again, seed {}, in {:.0} s", self.seed, self.seconds));
        table.line("made over HTTP, the server killed in the middle", self.made);
        self.refused.iter().for_each(|(code, n)| table.line(format!("refused: {code}"), *n));
        for (what, counted) in [
            ("features counted again", &self.online),
            ("the same after all projections were made anew", &self.rebuilt),
            ("derived again under later rules and a later model", &self.derived),
        ] {
            table.line(what, counted.compared);
            table.line("  of these not equal to the bit", counted.differ);
        }
        let all = [&self.online, &self.rebuilt, &self.derived];
        let examples =
            all.into_iter().flat_map(|counted| &counted.examples).map(|example| format!("differs: {example}"));
        let audit = format!("counterfoil audit: {}", if self.audit_holds { "holds" } else { "BROKEN" });
        let verified = format!("counterfoil rebuild --verify: {}", if self.hashes_equal { "equal" } else { "DIFFERS" });
        let verdict = if self.holds() { "PASS" } else { "FAIL" }.to_owned();
        let lines: Vec<String> = examples.chain([audit, verified, verdict]).collect();
        table.render() + &lines.join("\n") + "\n"
    }
}
