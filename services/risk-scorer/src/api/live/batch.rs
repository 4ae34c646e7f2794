//! Decisions as they are made, a few at once, for those who watch.

use std::collections::VecDeque;

use coupon::decision::Action;
use coupon::id::MerchantId;
use inline_risk::live::Fresh;
use serde_json::Value;

use crate::api::RiskApi;
use crate::api::books::Books;
use crate::api::decisions::{Found, Shown, WantedAction};
use crate::api::subjects::Named;

/// Decisions of one batch.
const MOST: usize = 50;

/// What a subscriber wants to see. Those who want the same get the same bytes.
pub(super) struct Wanted {
    /// One merchant, or all.
    pub(super) merchant: Option<MerchantId>,
    action: Option<WantedAction>,
    /// As it was asked for, and understood.
    subject: Option<(String, Named)>,
}

/// Whoever wants the same has the same key.
pub(super) type Key = (Option<MerchantId>, Option<Action>, Option<String>);

impl Wanted {
    pub(super) fn new(
        merchant: Option<MerchantId>,
        action: Option<WantedAction>,
        subject: Option<(String, Named)>,
    ) -> Self {
        Self { merchant, action, subject }
    }

    pub(super) fn key(&self) -> Key {
        (self.merchant, self.action.map(WantedAction::action), self.subject.as_ref().map(|(text, _)| text.clone()))
    }

    fn fits(&self, fresh: &Fresh) -> bool {
        self.merchant.is_none_or(|merchant| fresh.merchant.real() == merchant)
            && self.action.is_none_or(|action| fresh.decided.decision.action == action.action())
            && self.subject.as_ref().is_none_or(|(_, named)| named.is_of(fresh.merchant, &fresh.decided))
    }

    /// Of what was decided, what shall be shown, oldest first, and how many of it are too many. Where there are too
    /// many, those that say something come first, then the newest.
    pub(super) fn choose<'a>(&self, fresh: &'a [Fresh]) -> (Vec<&'a Fresh>, u64) {
        let fits: Vec<&Fresh> = fresh.iter().filter(|fresh| self.fits(fresh)).collect();
        if fits.len() <= MOST {
            return (fits, 0);
        }
        let left_out = (fits.len() - MOST) as u64;
        let (mut chosen, mut plain) = (VecDeque::new(), MOST.saturating_sub(fits.iter().filter(|it| says(it)).count()));
        for fresh in fits.into_iter().rev() {
            let is_chosen = says(fresh) || plain > 0;
            plain -= usize::from(is_chosen && !says(fresh));
            if is_chosen && chosen.len() < MOST {
                chosen.push_front(fresh);
            }
        }
        (chosen.into(), left_out)
    }
}

fn says(fresh: &Fresh) -> bool {
    fresh.decided.decision.action != Action::Allow
}

/// The decisions as analysts see them in a list, with the end user's data in clear where they are known.
pub(super) async fn shown(state: &RiskApi, books: &mut Books, chosen: Vec<&Fresh>) -> Vec<Value> {
    let mut shown = Vec::with_capacity(chosen.len());
    for fresh in chosen {
        let found = Found::of_past(fresh.merchant, fresh.time_ms, fresh.decided.clone());
        let found = Found { sealed: fresh.sealed.clone(), ..found };
        // The ledger may have ended; then nobody watches any more.
        let Ok(book) = books.of(state, &found.decision).await else { continue };
        shown.push(Shown { state, found: &found, book: &book }.summary());
    }
    shown
}

#[cfg(test)]
mod tests {
    use coupon::decision::{Asked, Decision, Who};
    use inline_risk::Decided;

    use super::*;

    fn fresh(number: u64, action: Action) -> Fresh {
        let decision = Decision { action, ..Decision::default() };
        let (asked, who) = (Asked::Claim, Who::default());
        let decided = Decided { sequence: number, number, asked, done: true, who, amount: 0, discount: 0, decision };
        Fresh { merchant: MerchantId(1 + (number % 2) as u32), time_ms: number as i64, decided, sealed: Vec::new() }
    }

    #[test]
    fn of_too_many_those_that_say_something_are_shown_and_the_newest() {
        let blocked = |number: u64| if number.is_multiple_of(10) { Action::Block } else { Action::Allow };
        let all: Vec<Fresh> = (0..200).map(|number| fresh(number, blocked(number))).collect();
        let wanted = Wanted::new(None, None, None);
        let (chosen, left_out) = wanted.choose(&all);
        assert_eq!((chosen.len(), left_out), (50, 150));
        assert!(chosen.windows(2).all(|pair| pair[0].decided.number < pair[1].decided.number), "oldest first");
        assert_eq!(chosen.iter().filter(|it| says(it)).count(), 20, "all that were blocked");
        assert_eq!(chosen.last().map(|it| it.decided.number), Some(199));
        let all: Vec<Fresh> = (0..200).map(|number| fresh(number, Action::Block)).collect();
        let (chosen, left_out) = wanted.choose(&all);
        assert_eq!((chosen.len(), left_out, chosen[0].decided.number), (50, 150, 150), "the newest");
    }

    #[test]
    fn only_what_is_wanted_is_chosen() {
        let all = [fresh(1, Action::Block), fresh(2, Action::Allow), fresh(3, Action::Allow)];
        let numbers = |wanted: &Wanted| wanted.choose(&all).0.iter().map(|it| it.decided.number).collect::<Vec<_>>();
        assert_eq!(numbers(&Wanted::new(Some(MerchantId(2)), None, None)), [1, 3]);
        assert_eq!(numbers(&Wanted::new(None, Some(WantedAction::Block), None)), [1]);
        assert_eq!(numbers(&Wanted::new(Some(MerchantId(1)), Some(WantedAction::Block), None)), [0_u64; 0]);
    }
}
