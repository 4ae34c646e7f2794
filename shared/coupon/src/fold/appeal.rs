//! Appeals.

use std::sync::Arc;

use crate::appeal::{About, AppealResolved, AppealRow, AppealStep};
use crate::fold::Scope;
use crate::penalty::Act;
use crate::state::{Key, Read, Row, Rows};

impl<R: Rows> Scope<'_, R> {
    pub(super) fn appeal(&mut self, step: &AppealStep) {
        match step {
            AppealStep::Made(made) => {
                self.put_appeal(AppealRow::new(made.clone(), self.at.sequence, self.at.time));
            }
            AppealStep::Resolved(resolved) => self.appeal_resolved(resolved),
        }
    }

    /// A penalty that is lifted already stays as it is.
    fn appeal_resolved(&mut self, resolved: &AppealResolved) {
        let Some(row) = self.rows.appeal(self.merchant, resolved.appeal) else { return };
        let resolution = &resolved.resolution;
        let row = AppealRow { version: self.at.sequence, ..row.resolved(resolution, self.at.time) };
        if let (About::Penalty(penalty), true) = (row.made.about, resolution.granted) {
            self.move_penalty(penalty, &Act::Lift(resolution.reason.clone()), &resolution.by);
        }
        self.put_appeal(row);
    }

    fn put_appeal(&mut self, row: AppealRow) {
        let row = Arc::new(row);
        for number in [row.number, row.made.about.number()] {
            self.rows.put(Key::Appeal(self.merchant, number), Row::Appeal(row.clone()));
        }
    }
}
