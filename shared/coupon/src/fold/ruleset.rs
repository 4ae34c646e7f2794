//! Rule sets.

use std::sync::Arc;

use crate::fold::Scope;
use crate::ruleset::{RuleSetRow, RuleState, RuleVersion, RulesMoved, RulesPushed};
use crate::state::{Key, Read, Row, Rows};

impl<R: Rows> Scope<'_, R> {
    /// Gives the version's number.
    pub(super) fn rules_pushed(&mut self, pushed: &RulesPushed) -> u64 {
        let number = pushed.ruleset.unwrap_or(self.at.sequence);
        let known = self.rows.ruleset(self.merchant, number).map(|row| RuleSetRow::clone(row));
        let mut row = known.unwrap_or_else(|| RuleSetRow {
            version: self.at.sequence,
            name: pushed.name.clone(),
            created_at: self.at.time,
            versions: Vec::new(),
        });
        row.version = self.at.sequence;
        row.versions.push(RuleVersion {
            text: pushed.text.clone(),
            comment: pushed.comment.clone(),
            by: pushed.by.clone(),
            created_at: self.at.time,
            state: RuleState::Draft,
            since: self.at.time,
            was_live: false,
            proposed: None,
        });
        let version = row.versions.len() as u64;
        self.rows.put(Key::RuleSet(self.merchant, number), Row::RuleSet(Arc::new(row)));
        version
    }

    /// Gives the number of the state in which the version is then. A step that is not to be taken does nothing; its guard has seen to that before.
    pub(super) fn rules_moved(&mut self, moved: &RulesMoved) -> u64 {
        let row = self.rows.ruleset(self.merchant, moved.ruleset);
        let Some(Ok(row)) = row.map(|row| row.after(moved, self.at.time)) else { return 0 };
        let state = row.numbered(moved.version).map_or(0, |version| version.state.number());
        let row = RuleSetRow { version: self.at.sequence, ..row };
        self.rows.put(Key::RuleSet(self.merchant, moved.ruleset), Row::RuleSet(Arc::new(row)));
        state
    }
}
