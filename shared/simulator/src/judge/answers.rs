//! I2, I3 and I5 over the answers that clients got.

use std::collections::BTreeMap;

use coupon::command::{Claimed, Command};
use coupon::id::{Sequence, Shard};
use coupon::record::RequestKey;
use coupon::rejection::Rejection;
use projection::engine::Answer;

use crate::judge::Judge;
use crate::judge::book::{Book, Standing};
use crate::world::{Attempt, Wish};

impl Judge {
    /// Compares all answers with what happened. The log has come to rest.
    pub fn answers(&mut self, attempts: &[Attempt]) {
        let mut by_key: BTreeMap<RequestKey, Vec<&Attempt>> = BTreeMap::new();
        for (id, attempt) in attempts.iter().enumerate() {
            if let Some((answer, folded)) = &attempt.answer {
                self.answered(id, attempt, answer);
                if attempt.key.is_some() {
                    self.refused(id, attempt, answer, *folded);
                }
            }
            if let Some(key) = attempt.key {
                by_key.entry(key).or_default().push(attempt);
            }
        }
        for (key, attempts) in by_key {
            self.key(key, &attempts);
        }
    }

    /// I2: what was answered as applied stands in the log, as it was answered.
    fn answered(&mut self, id: usize, attempt: &Attempt, answer: &Answer) {
        let shard = attempt.merchant.shard();
        let (sequence, number, origin) = match answer {
            Answer::Applied(applied) => (applied.at.sequence, applied.number, Some(applied.entry.origin())),
            Answer::Replayed(done) => (done.sequence, done.number, None),
            _ => return,
        };
        let effect = self.effects.get(&(shard, sequence)).copied();
        let found = effect.is_some_and(|effect| {
            effect.number == number && effect.key == attempt.key && origin.is_none_or(|origin| origin == effect.origin)
        });
        if !found {
            self.violated("I2", format!("attempt {id} was answered {answer:?}, and the log has {effect:?}"));
        }
    }

    /// I3: the last word for a key holds.
    fn key(&mut self, key: RequestKey, attempts: &[&Attempt]) {
        let effects: Vec<(Shard, Sequence)> = self.effects_of(key).to_vec();
        if effects.is_empty() {
            return;
        }
        let cancelled = attempts.iter().any(|attempt| matches!(attempt.answer, Some((Answer::Cancelled, _))));
        if cancelled {
            self.violated("I3", format!("{key:?} was cancelled, and yet it happened by {effects:?}"));
        }
        let last = attempts.last().and_then(|attempt| attempt.answer.as_ref());
        if let Some((Answer::Refused(..) | Answer::RefusedElsewhere(_), _)) = last {
            let answers: Vec<_> =
                attempts.iter().map(|a| (a.since, a.answer.as_ref().map(|(answer, _)| short(answer)))).collect();
            self.violated("I3", format!("{key:?} was refused, and yet it happened by {effects:?}: {answers:?}"));
        }
    }

    /// I5: where a cap was reported as reached, it was so at some record between the question and the answer. Every
    /// record of that span may be the one: a refusal may rest on proposals that come before its fence.
    fn refused(&mut self, id: usize, attempt: &Attempt, answer: &Answer, folded: Sequence) {
        let (Answer::Refused(refusal, _), Wish::Do(command)) = (answer, &attempt.wish) else { return };
        let Some(book) = self.books.get(&attempt.merchant) else { return };
        let span = (attempt.since, folded);
        let sound = match (&refusal.rejection, &**command) {
            (Rejection::StockSoldOut, Command::Claim(claim)) => match claim.what {
                Claimed::Stock(stock) => book.was(stock, span, |standing| standing.claimable == 0),
                Claimed::Printed(_) => false,
            },
            (Rejection::StockSoldOut, Command::MakeCodes(stock, count, _)) => {
                book.was(*stock, span, |standing| standing.unissued < i128::from(*count))
            }
            (Rejection::BudgetExhausted { left }, _) => book
                .past
                .keys()
                .any(|stock| book.was(*stock, span, |standing| standing.budget_left == Some(left.amount))),
            (Rejection::UserLimitReached { limit, today: false }, Command::Claim(claim)) => {
                book.past.keys().any(|stock| {
                    book.was(*stock, span, |standing| standing.per_user == Some(*limit))
                        && book.claims_reached(*stock, claim.user, span, *limit)
                })
            }
            (Rejection::AlreadyRedeemed { redemption, order_id, redeemed_at, .. }, _) => book
                .redemptions
                .get(redemption)
                .is_some_and(|row| row.order == **order_id && row.at == *redeemed_at && *redemption <= folded),
            _ => true,
        };
        if !sound {
            let what = format!("attempt {id} was answered {:?}, which was not so in {span:?}", refusal.rejection);
            self.violated("I5", what);
        }
    }
}

impl Book {
    /// Whether something stood at a stock at any record of a span.
    fn was(&self, stock: u64, span: (Sequence, Sequence), is: impl Fn(&Standing) -> bool) -> bool {
        during(self.past.get(&stock).map_or(&[], Vec::as_slice), span).any(is)
    }

    fn claims_reached(&self, stock: u64, user: [u8; 16], span: (Sequence, Sequence), limit: u64) -> bool {
        let past = self.past_claims.get(&(stock, user)).map_or(&[][..], Vec::as_slice);
        limit == 0 || during(past, span).any(|count| *count >= limit)
    }
}

/// What held at any record of a span: what began in it, and what it began with.
fn during<T>(past: &[(Sequence, T)], (from, until): (Sequence, Sequence)) -> impl Iterator<Item = &T> {
    let first = past.iter().rposition(|(sequence, _)| *sequence <= from).unwrap_or(0);
    past[first..].iter().filter(move |(sequence, _)| *sequence <= until).map(|(_, held)| held)
}

/// An answer in a few words.
pub(super) fn short(answer: &Answer) -> String {
    match answer {
        Answer::Applied(applied) => format!("applied by {}", applied.at.sequence),
        Answer::Replayed(done) => format!("replayed {}", done.sequence),
        Answer::Refused(refusal, _) => format!("refused {:?}", refusal.rejection),
        other => format!("{other:?}"),
    }
}
