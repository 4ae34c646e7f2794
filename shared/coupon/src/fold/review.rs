//! What follows from decisions of risk: cases of what is to be reviewed, and the merchant's breaker. Decisions of the
//! first form, which do not say what they rested on, are followed by nothing.

use crate::breaker::{BreakerRow, CLEARED_MS};
use crate::case::{CaseOutcome, Opening, Priority, Stage};
use crate::decision::{Action, Asked, Basis, Decision};
use crate::event::{Event, Pseudonym};
use crate::fold::{At, Scope};
use crate::risk_settings::RiskSettings;
use crate::state::{Key, Read, Row, Rows};
use crate::subject::Subject;

/// A refusal for risk, at the merchant that its decision names.
pub(super) fn refused<R: Rows>(rows: &mut R, decision: &Decision, at: At) {
    let Some(basis) = decision.basis.as_deref() else { return };
    let merchant = basis.merchant;
    let is_known = merchant.shard() == at.shard && rows.merchant_row(merchant, merchant).is_some();
    if merchant.is_rehearsals() || !is_known {
        return;
    }
    let mut scope = Scope { rows, merchant, at, labels: 0 };
    scope.judged(basis, decision);
    // Without a subject nobody could be let through afterwards, and each repetition would be a case of its own.
    let subject = Subject::of(basis.who.user, decision);
    if decision.action == Action::Review && subject.is_some() {
        scope.review(basis.number, subject, Priority::High, decision);
    }
}

impl<R: Rows> Scope<'_, R> {
    /// Looks at the decision behind a claim, lock or redemption.
    pub(super) fn decided(&mut self, event: &Event) {
        let (user, decision): (Option<Pseudonym>, &Decision) = match event {
            Event::CouponClaimed(claim) => (Some(claim.user), &claim.decision),
            Event::CouponsLocked(lock) => (lock.actor.user, &lock.decision),
            Event::CouponsRedeemed(redemption) => (redemption.actor.user, &redemption.decision),
            _ => return,
        };
        let Some(basis) = decision.basis.as_deref().filter(|_| !self.merchant.is_rehearsals()) else { return };
        self.judged(basis, decision);
        if decision.action == Action::Review {
            self.review(self.at.sequence, Subject::of(user, decision), Priority::Normal, decision);
        }
    }

    fn review(&mut self, number: u64, subject: Option<Subject>, priority: Priority, decision: &Decision) {
        let reasons = decision.reasons.iter().map(|reason| reason.code.clone()).collect();
        let opening = Opening { subject, decisions: vec![number], reasons, priority, ..Opening::default() };
        self.open_or_append(&opening, "");
    }

    /// Counts a redemption that was decided.
    fn judged(&mut self, basis: &Basis, decision: &Decision) {
        if basis.asked != Asked::Redemption {
            return;
        }
        let settings = self.rows.risk_settings(self.merchant).map_or_else(RiskSettings::default, |row| row.set.value);
        let breaker = self.rows.breaker(self.merchant).copied().unwrap_or_default().on(self.day());
        let breaker = breaker.after(decision.action != Action::Allow, self.at.time, &settings);
        self.rows.put(Key::Breaker(self.merchant), Row::Breaker(breaker));
    }

    /// Begins to count anew, so that what tripped it does not trip it again.
    pub(super) fn breaker_reset(&mut self) {
        let anew = BreakerRow { day: self.day(), ..BreakerRow::default() };
        self.rows.put(Key::Breaker(self.merchant), Row::Breaker(anew));
    }

    /// Whoever's case is closed as honest is let through for a while; until it is opened again, or another is closed
    /// otherwise.
    pub(super) fn clear(&mut self, subject: Option<Subject>, before: &Stage, after: &Stage) {
        let Some(subject) = subject.filter(|_| before.is_closed() != after.is_closed()) else { return };
        let key = Key::Cleared(self.merchant, subject);
        match after {
            Stage::Closed(CaseOutcome::Honest, _) => self.rows.put(key, Row::Cleared(self.at.time + CLEARED_MS)),
            _ => self.rows.remove(&key),
        }
    }
}
