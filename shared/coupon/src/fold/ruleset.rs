//! Rule sets, and models, which have the same life.

use std::sync::Arc;

use crate::fold::{At, Scope};
use crate::ruleset::{RuleSetRow, RuleState, RuleVersion, RulesMoved, RulesPushed};
use crate::state::{Key, Read, Row, Rows};

impl<R: Rows> Scope<'_, R> {
    /// Gives the version's number.
    pub(super) fn rules_pushed(&mut self, pushed: &RulesPushed) -> u64 {
        let number = pushed.ruleset.unwrap_or(self.at.sequence);
        let row = with_version(self.rows.ruleset(self.merchant, number).map(AsRef::as_ref), pushed, self.at);
        let version = row.versions.len() as u64;
        self.rows.put(Key::RuleSet(self.merchant, number), Row::RuleSet(Arc::new(row)));
        version
    }

    /// Gives the version's number.
    pub(super) fn model_pushed(&mut self, pushed: &RulesPushed) -> u64 {
        let number = pushed.ruleset.unwrap_or(self.at.sequence);
        let row = with_version(self.rows.model(self.merchant, number).map(AsRef::as_ref), pushed, self.at);
        let version = row.versions.len() as u64;
        self.rows.put(Key::Model(self.merchant, number), Row::Model(Arc::new(row)));
        version
    }

    /// Gives the number of the state in which the version is then. A step that is not to be taken does nothing; its
    /// guard has seen to that before.
    pub(super) fn rules_moved(&mut self, moved: &RulesMoved) -> u64 {
        let row = self.rows.ruleset(self.merchant, moved.ruleset).and_then(|row| stepped(row, moved, self.at));
        let Some((row, state)) = row else { return 0 };
        self.rows.put(Key::RuleSet(self.merchant, moved.ruleset), Row::RuleSet(Arc::new(row)));
        state
    }

    /// As of rules.
    pub(super) fn model_moved(&mut self, moved: &RulesMoved) -> u64 {
        let row = self.rows.model(self.merchant, moved.ruleset).and_then(|row| stepped(row, moved, self.at));
        let Some((row, state)) = row else { return 0 };
        self.rows.put(Key::Model(self.merchant, moved.ruleset), Row::Model(Arc::new(row)));
        state
    }
}

fn with_version(known: Option<&RuleSetRow>, pushed: &RulesPushed, at: At) -> RuleSetRow {
    let mut row = known.cloned().unwrap_or_else(|| RuleSetRow {
        version: at.sequence,
        name: pushed.name.clone(),
        created_at: at.time,
        versions: Vec::new(),
    });
    row.version = at.sequence;
    row.versions.push(RuleVersion {
        text: pushed.text.clone(),
        comment: pushed.comment.clone(),
        by: pushed.by.clone(),
        created_at: at.time,
        state: RuleState::Draft,
        since: at.time,
        was_live: false,
        proposed: None,
    });
    row
}

fn stepped(row: &RuleSetRow, moved: &RulesMoved, at: At) -> Option<(RuleSetRow, u64)> {
    let row = row.after(moved, at.time).ok()?;
    let state = row.numbered(moved.version).map_or(0, |version| version.state.number());
    Some((RuleSetRow { version: at.sequence, ..row }, state))
}
