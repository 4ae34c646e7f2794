//! Penalties, their ladder, and a merchant's risk settings.

use std::sync::Arc;

use crate::fold::Scope;
use crate::penalty::{Act, Ladder, PenaltyRow, PenaltyStep};
use crate::risk_settings::{Kept, RiskSettings, Set};
use crate::state::{Key, Merchant, Read, Row, Rows};

impl<R: Rows> Scope<'_, R> {
    pub(super) fn penalty(&mut self, step: &PenaltyStep) {
        match step {
            PenaltyStep::Imposed(imposed) => {
                let row = PenaltyRow::new(imposed.clone(), self.at.sequence, self.at.time);
                self.put_penalty(self.at.sequence, row);
            }
            PenaltyStep::Moved(moved) => self.move_penalty(moved.penalty, &moved.act, &moved.by),
        }
    }

    /// A step that is not to be taken does nothing; its guard has seen to that before.
    pub(super) fn move_penalty(&mut self, penalty: u64, act: &Act, by: &str) {
        let row = self.rows.penalty(self.merchant, penalty);
        let Some(Ok(row)) = row.map(|row| row.after(act, by, self.at.time)) else { return };
        self.put_penalty(penalty, PenaltyRow { version: self.at.sequence, ..row });
    }

    /// It bites from here on, or no longer does.
    fn put_penalty(&mut self, penalty: u64, row: PenaltyRow) {
        if let Some(merchant) = self.rows.merchant_row(self.merchant, self.merchant) {
            let mut standing = merchant.standing.clone().unwrap_or_default();
            standing.changed(penalty, &row, self.at.time);
            let merchant = Merchant { standing: Some(standing), ..Merchant::clone(merchant) };
            self.rows.put(Key::Merchant(self.merchant, self.merchant), Row::Merchant(Arc::new(merchant)));
        }
        self.rows.put(Key::Penalty(self.merchant, penalty), Row::Penalty(Arc::new(row)));
    }

    pub(super) fn risk_settings_set(&mut self, set: &Set<RiskSettings>) {
        let row = Row::RiskSettings(Arc::new(self.kept(set)));
        self.rows.put(Key::RiskSettings(self.merchant), row);
    }

    pub(super) fn penalty_ladder_set(&mut self, set: &Set<Ladder>) {
        let row = Row::PenaltyLadder(Arc::new(self.kept(set)));
        self.rows.put(Key::PenaltyLadder(self.merchant), row);
    }

    fn kept<T: Clone>(&self, set: &Set<T>) -> Kept<T> {
        Kept { version: self.at.sequence, at: self.at.time, set: set.clone() }
    }
}
