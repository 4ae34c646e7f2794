//! Snoozes.

use std::sync::Arc;

use crate::fold::Scope;
use crate::snooze::{SnoozeRow, SnoozeStep, SnoozeStepped};
use crate::state::{Key, Read, Row, Rows};

impl<R: Rows> Scope<'_, R> {
    pub(super) fn snooze_stepped(&mut self, stepped: &SnoozeStepped) {
        let version = self.at.sequence;
        let (number, row) = match &stepped.step {
            SnoozeStep::Begin(what) => {
                let (what, by) = (what.clone(), stepped.by.clone());
                (version, SnoozeRow { version, what, by, created_at: self.at.time, ended: None })
            }
            SnoozeStep::End(number) => {
                let Some(row) = self.rows.snooze(self.merchant, *number) else { return };
                let ended = Some((self.at.time, stepped.by.clone()));
                (*number, SnoozeRow { version, ended, ..SnoozeRow::clone(row) })
            }
        };
        self.rows.put(Key::Snooze(self.merchant, number), Row::Snooze(Arc::new(row)));
    }
}
