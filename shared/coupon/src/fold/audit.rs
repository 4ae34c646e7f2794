//! Deeds of people: a list from the oldest to the newest, of which the old end is taken away as the new one grows.

use std::sync::Arc;

use crate::audit::{AuditEnds, AuditObject, AuditRow, Audited, FORGOTTEN_AT_ONCE, KEPT_MS};
use crate::fold::Scope;
use crate::id;
use crate::state::{Key, Read, Row, Rows};

impl<R: Rows> Scope<'_, R> {
    pub(super) fn audited(&mut self, deed: &Audited) {
        // What is done at rehearsals is found at the merchant.
        let (merchant, sequence) = (self.merchant.real(), self.at.sequence);
        if self.rows.audit(merchant, sequence).is_some() {
            return;
        }
        let object = match &deed.object {
            AuditObject::Id(id) => id.clone(),
            AuditObject::Made(prefix) => id::text(prefix, self.merchant, sequence),
        };
        let (by, what) = (deed.by.clone(), deed.what.clone());
        let row = AuditRow { at: self.at.time, by, what, object, next: 0 };
        self.rows.put(Key::Audit(merchant, sequence), Row::Audit(Arc::new(row)));
        let known = self.rows.audit_ends(merchant).copied();
        if let Some(newest) = known.and_then(|ends| self.rows.audit(merchant, ends.newest).cloned()) {
            let before = AuditRow { next: sequence, ..AuditRow::clone(&newest) };
            let key = Key::Audit(merchant, known.map_or(0, |ends| ends.newest));
            self.rows.put(key, Row::Audit(Arc::new(before)));
        }
        let mut oldest = known.map_or(sequence, |ends| ends.oldest);
        for _ in 0..FORGOTTEN_AT_ONCE {
            let old = self.rows.audit(merchant, oldest).filter(|row| row.at < self.at.time - KEPT_MS);
            let Some(next) = old.map(|row| row.next) else { break };
            self.rows.remove(&Key::Audit(merchant, oldest));
            oldest = next;
        }
        self.rows.put(Key::AuditEnds(merchant), Row::AuditEnds(AuditEnds { oldest, newest: sequence }));
    }
}
