//! Cases.

use std::sync::Arc;

use crate::case::{CaseRow, CaseState, CaseStep, CaseStepped, Opening, Stage};
use crate::fold::Scope;
use crate::state::{Key, Read, Row, Rows};

impl<R: Rows> Scope<'_, R> {
    /// Gives the case's number where it is an opening, and otherwise the number of its state.
    pub(super) fn case_stepped(&mut self, stepped: &CaseStepped) -> u64 {
        let CaseStepped { case, by, step } = stepped;
        if let CaseStep::Open(opening) = step {
            return self.open_or_append(opening, by);
        }
        let Some(before) = self.rows.case(self.merchant, *case).cloned() else { return 0 };
        // A step that is not to be taken does nothing; its guards have seen to that before.
        let Ok(after) = before.after(step, by, self.at.time, self.at.sequence) else { return 0 };
        if let (CaseStep::Undo, Stage::Closed(_, closed_by)) = (step, &before.stage) {
            for decision in &before.facts.decisions {
                self.labels_withdrawn(*decision, *closed_by);
            }
        }
        let state = after.stage.at(self.at.time);
        self.clear(after.facts.subject, &before.stage, &after.stage);
        self.put_case(*case, after);
        state.number()
    }

    /// Opens a case for a subject, or adds to the one that is open for it; without a subject every opening is a case.
    /// Gives the case's number.
    pub(super) fn open_or_append(&mut self, opening: &Opening, by: &str) -> u64 {
        let open = opening.subject.and_then(|subject| self.rows.open_case(self.merchant, subject).copied());
        let known = open.and_then(|number| Some((number, self.rows.case(self.merchant, number)?)));
        let (number, mut row) = known.map_or_else(
            || (self.at.sequence, CaseRow::opened(opening, self.at.sequence, self.at.time)),
            |(number, row)| (number, CaseRow::clone(row)),
        );
        row.add(opening, by, self.at.time);
        self.put_case(number, row);
        number
    }

    fn put_case(&mut self, number: u64, row: CaseRow) {
        if let Some(subject) = row.facts.subject {
            let key = Key::OpenCase(self.merchant, subject);
            let open = self.rows.open_case(self.merchant, subject).copied();
            match row.stage.at(self.at.time) {
                CaseState::Closed if open == Some(number) => self.rows.remove(&key),
                CaseState::Closed => {}
                _ if open.is_none() => self.rows.put(key, Row::OpenCase(number)),
                _ => {}
            }
        }
        let row = CaseRow { version: self.at.sequence, ..row };
        self.rows.put(Key::Case(self.merchant, number), Row::Case(Arc::new(row)));
    }
}
