//! Proofs: a list of requests from the oldest to the newest, of which the old end is taken away as the new one grows.

use crate::challenge::{ChallengeAnswered, FORGOTTEN_AT_ONCE, PASSED_MS, PassedEnds, PassedRow};
use crate::fold::Scope;
use crate::state::{Key, Read, Row, Rows};

impl<R: Rows> Scope<'_, R> {
    pub(super) fn challenge_answered(&mut self, answered: &ChallengeAnswered) {
        if !answered.passed {
            return;
        }
        // A request's key is the merchant's, also where it is about its rehearsals.
        let (merchant, request) = (self.merchant.real(), answered.challenge.request);
        let until = self.at.time + PASSED_MS;
        if let Some(known) = self.rows.passed(merchant, request).copied() {
            self.rows.put(Key::Passed(merchant, request), Row::Passed(PassedRow { until, ..known }));
            return;
        }
        self.rows.put(Key::Passed(merchant, request), Row::Passed(PassedRow { until, next: None }));
        let known = self.rows.passed_ends(merchant).copied();
        if let Some(ends) = known
            && let Some(newest) = self.rows.passed(merchant, ends.newest).copied()
        {
            let newest = PassedRow { next: Some(request), ..newest };
            self.rows.put(Key::Passed(merchant, ends.newest), Row::Passed(newest));
        }
        let mut oldest = known.map_or(request, |ends| ends.oldest);
        for _ in 0..FORGOTTEN_AT_ONCE {
            let over = self.rows.passed(merchant, oldest).filter(|row| row.until <= self.at.time);
            let Some(next) = over.and_then(|row| row.next) else { break };
            self.rows.remove(&Key::Passed(merchant, oldest));
            oldest = next;
        }
        self.rows.put(Key::PassedEnds(merchant), Row::PassedEnds(PassedEnds { oldest, newest: request }));
    }
}
