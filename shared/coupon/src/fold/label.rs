//! Labels.

use std::sync::Arc;

use crate::fold::Scope;
use crate::id::Sequence;
use crate::label::{LABELS_PER_RECORD, Label, LabelRow, LabelSet, MOST_LABELS, number, record_of};
use crate::state::{Key, Read, Row, Rows};

impl<R: Rows> Scope<'_, R> {
    /// Gives the number of the label that stood before, or 0.
    pub(super) fn label_set(&mut self, set: &LabelSet) -> u64 {
        if self.labels >= LABELS_PER_RECORD {
            return 0;
        }
        let number = number(self.at.sequence, self.labels);
        self.labels += 1;
        let mut row = self.labels_of(set.decision);
        let supersedes = row.standing().map(|label| label.number);
        if row.labels.len() == MOST_LABELS {
            let oldest = row.labels.remove(0);
            self.rows.remove(&Key::LabelId(self.merchant, oldest.number));
        }
        let (set, known_at) = (set.clone(), self.at.time);
        self.rows.put(Key::LabelId(self.merchant, number), Row::LabelId(set.decision));
        let decision = set.decision;
        row.labels.push(Label { number, set, known_at, supersedes, withdrawn_at: None });
        self.put_labels(decision, row);
        supersedes.unwrap_or(0)
    }

    /// Takes back the labels that a record gave a decision; what stood before stands again.
    pub(super) fn labels_withdrawn(&mut self, decision: u64, set_by: Sequence) {
        let mut row = self.labels_of(decision);
        let now = self.at.time;
        let own = |label: &&mut Label| record_of(label.number) == set_by && label.withdrawn_at.is_none();
        let taken_back = row.labels.iter_mut().filter(own).map(|label| label.withdrawn_at = Some(now)).count();
        if taken_back > 0 {
            self.put_labels(decision, row);
        }
    }

    fn labels_of(&self, decision: u64) -> LabelRow {
        self.rows.label(self.merchant, decision).map(|row| LabelRow::clone(row)).unwrap_or_default()
    }

    fn put_labels(&mut self, decision: u64, row: LabelRow) {
        let row = LabelRow { version: self.at.sequence, ..row };
        self.rows.put(Key::Label(self.merchant, decision), Row::Label(Arc::new(row)));
    }
}
