//! What a folded record means for those who wait.

use coupon::fold::{At, Outcome};
use coupon::id::Shard;
use coupon::record::Entry;
use coupon::state::{Done, RequestOutcome, live_request};
use coupon::terms::Millis;

use super::{ATTEMPT_MS, MAX_ATTEMPTS, Answer, Applied, Engine, Pending, Refused, Submission, Waits, What, decides_again};

/// The answer to a key that was used.
pub(super) fn replayed(what: &What, done: Done, fingerprint: [u8; 16]) -> Answer {
    match what {
        What::Command(_) if done.fingerprint != fingerprint => Answer::KeyReused,
        _ => Answer::Replayed(done),
    }
}

impl Engine {
    /// A record of `shard` was folded, the own one with `number` or somebody else's.
    pub(super) fn settle(&mut self, shard: Shard, number: Option<u64>, at: At, outcome: Outcome, wall: Millis) {
        let Some(pending) = number.and_then(|number| self.pending.remove(&number)) else {
            // Somebody else's record, or an own one that landed twice: what was speculated may be wrong.
            return self.diverged(shard, wall);
        };
        let number = number.unwrap_or(0);
        self.forget_order(number, &pending);
        let lane = self.lane(shard);
        lane.pending.remove(&number);
        if pending.expected == (at.sequence, outcome) {
            lane.overlay.settle(number, &pending.wrote);
            if lane.pending.is_empty() {
                lane.overlay.clear();
            }
        } else {
            self.diverged(shard, wall);
        }
        self.answer(pending, number, at, outcome, wall);
        self.release_held(shard, wall);
    }

    /// The overlay no longer stands on what was folded: everything that is under way is folded onto it anew.
    fn diverged(&mut self, shard: Shard, wall: Millis) {
        let now = self.now(shard, wall);
        let lane = self.lane(shard);
        lane.overlay.clear();
        if lane.pending.is_empty() && lane.fences.is_empty() && lane.held.is_empty() {
            return;
        }
        lane.generation += 1;
        let numbers: Vec<u64> = lane.pending.keys().copied().collect();
        for number in numbers {
            let Some(entry) = self.pending.get(&number).map(|pending| pending.entry.clone()) else { continue };
            let (expected, wrote) = self.speculate(&entry, shard, now, number);
            if let Some(pending) = self.pending.get_mut(&number) {
                pending.expected = expected;
                pending.wrote = wrote;
            }
        }
    }

    fn forget_order(&mut self, number: u64, pending: &Pending) {
        let partition = self.partition(pending.shard);
        if let Some(i) = self.order[partition].iter().position(|n| *n == number) {
            self.order[partition].remove(i);
        }
    }

    fn answer(&mut self, pending: Pending, number: u64, at: At, outcome: Outcome, wall: Millis) {
        match pending.waits {
            Waits::Nobody => {}
            Waits::Tick(due) => {
                if matches!(outcome, Outcome::Void(_)) {
                    self.ledger.due_again(wall + 1_000, due);
                }
            }
            Waits::Refused(refused) => {
                for refused in refused {
                    self.lane(pending.shard).held.push_back((number, refused));
                }
            }
            Waits::Submission(submission) => self.answer_submission(submission, pending.entry, at, outcome, wall),
        }
    }

    fn answer_submission(
        &mut self,
        mut submission: Box<Submission>,
        entry: std::sync::Arc<Entry>,
        at: At,
        outcome: Outcome,
        wall: Millis,
    ) {
        submission.attempts += 1;
        if decides_again(outcome) && submission.attempts < MAX_ATTEMPTS {
            if let Some((key, _)) = submission.request {
                // Those who wait for the key go on waiting for this attempt.
                let waiting = self.in_flight.remove(&key).unwrap_or_default();
                self.submit(submission, wall);
                for other in waiting {
                    self.submit(other, wall);
                }
                return;
            }
            return self.submit(submission, wall);
        }
        let fingerprint = submission.request.map_or([0; 16], |(_, fingerprint)| fingerprint);
        let answer = match outcome {
            Outcome::Applied(number) => Answer::Applied(Applied { at, number, entry }),
            Outcome::Replayed(done) => replayed(&submission.what, done, fingerprint),
            Outcome::Cancelled => Answer::Cancelled,
            Outcome::Fenced(code) => Answer::RefusedElsewhere(code),
            Outcome::Noted | Outcome::Void(_) => Answer::Unknown,
        };
        self.finish(submission, answer, wall);
    }

    /// Answers, and lets those go on who wait for the same key.
    fn finish(&mut self, submission: Box<Submission>, answer: Answer, wall: Millis) {
        let request = submission.request;
        (submission.reply)(answer);
        let waiting = request.and_then(|(key, _)| self.in_flight.remove(&key)).unwrap_or_default();
        for other in waiting {
            self.submit(other, wall);
        }
    }

    /// Refusals whose fence and everything before it is folded.
    fn release_held(&mut self, shard: Shard, wall: Millis) {
        loop {
            let lane = self.lane(shard);
            let oldest = lane.pending.first_key_value().map_or(u64::MAX, |(number, ())| *number);
            let Some(i) = lane.held.iter().position(|(number, _)| *number <= oldest) else { return };
            let Some((_, refused)) = lane.held.remove(i) else { return };
            let generation = lane.generation;
            self.answer_refused(shard, refused, generation, wall);
        }
    }

    fn answer_refused(&mut self, shard: Shard, refused: Refused, generation: u64, wall: Millis) {
        let Refused { submission, refusal, generation: decided_in } = refused;
        let now = self.now(shard, wall);
        let row = submission
            .request
            .and_then(|(key, _)| live_request(self.ledger.shard(shard), shard, key, now))
            .map(|row| row.outcome.clone());
        match row {
            Some(RequestOutcome::Done(done)) => {
                let fingerprint = submission.request.map_or([0; 16], |(_, fingerprint)| fingerprint);
                let answer = replayed(&submission.what, done, fingerprint);
                self.finish(submission, answer, wall);
            }
            Some(RequestOutcome::Cancelled) => self.finish(submission, Answer::Cancelled, wall),
            // What it was decided on did not come about: it is decided again, under the fences that stand now.
            _ if decided_in != generation => {
                let waiting = submission.request.and_then(|(key, _)| self.in_flight.remove(&key)).unwrap_or_default();
                self.submit(submission, wall);
                for other in waiting {
                    self.submit(other, wall);
                }
            }
            _ => self.finish(submission, Answer::Refused(refusal), wall),
        }
    }

    /// Doubtful records whose deadline the shard's time has passed can apply no more, and those who wait for them
    /// are told so. Where a shard is quiet, an empty fence moves its time. A fence or a cancel that lands after
    /// that does no harm.
    pub fn sweep(&mut self, wall: Millis) {
        let doubtful: Vec<u64> = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.doubtful && wall > pending.deadline)
            .map(|(number, _)| *number)
            .collect();
        for number in doubtful {
            let Some(pending) = self.pending.get(&number) else { continue };
            let (shard, deadline) = (pending.shard, pending.deadline);
            let guarded = matches!(*pending.entry, Entry::Guarded(_));
            if guarded && self.ledger.shard(shard).time < deadline {
                let fences = coupon::record::Fences { origin: self.origin(), fences: Vec::new() };
                let now = self.now(shard, wall);
                self.propose(Entry::Fences(fences), shard, now, now + ATTEMPT_MS, Waits::Nobody);
                continue;
            }
            self.give_up(number, &Answer::Unknown, wall);
        }
    }

    /// The log refused a batch before it queued any of it: nothing of it will ever land.
    pub fn refused_by_log(&mut self, numbers: &[u64], wall: Millis) {
        for number in numbers {
            self.give_up(*number, &Answer::Overloaded, wall);
        }
    }

    fn give_up(&mut self, number: u64, answer: &Answer, wall: Millis) {
        let Some(pending) = self.pending.remove(&number) else { return };
        self.forget_order(number, &pending);
        let shard = pending.shard;
        self.lane(shard).pending.remove(&number);
        self.diverged(shard, wall);
        match pending.waits {
            Waits::Nobody => {}
            Waits::Tick(due) => self.ledger.due_again(wall + 1_000, due),
            Waits::Submission(submission) => self.finish(submission, answer.clone(), wall),
            Waits::Refused(refused) => {
                for refused in refused {
                    self.finish(refused.submission, answer.clone(), wall);
                }
            }
        }
        self.release_held(shard, wall);
    }

    /// A batch's answer was lost: it may have landed, or may yet.
    pub fn doubt(&mut self, numbers: &[u64]) {
        for number in numbers {
            if let Some(pending) = self.pending.get_mut(number) {
                pending.doubtful = true;
            }
        }
    }
}
