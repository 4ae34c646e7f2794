//! What a folded record means for those who wait.

use coupon::decide::{Proposal, Scene, decide};
use coupon::fold::{At, Outcome};
use coupon::id::Shard;
use coupon::record::{Entry, GuardKind};
use coupon::rejection::Refusal;
use coupon::state::{Done, RequestOutcome, live_request};
use coupon::terms::Millis;

use super::{ATTEMPT_MS, Answer, Applied, Attempt, Engine, MAX_ATTEMPTS, Pending, Waits, What, decides_again};

/// Instead of the number of a refusal's code, where nothing stands against the attempt any more.
const NO_LONGER: u16 = 0;

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
            return self.diverged(shard);
        };
        let number = number.unwrap_or(0);
        self.forget_order(number, &pending);
        let lane = self.lane(shard);
        lane.pending.remove(&number);
        if lane.stale {
            // Expected of another base.
        } else if pending.expected == (at.sequence, outcome) {
            lane.overlay.settle(number, &pending.wrote);
            if lane.pending.is_empty() {
                lane.overlay.clear();
            }
        } else {
            self.diverged(shard);
        }
        self.answer(pending, number, at, outcome, wall);
        self.release_held(shard, wall);
    }

    /// The overlay no longer stands on what was folded. Where others write to the shard too this happens with every
    /// record of theirs, so what is under way is folded onto it anew only when something is to rest on it again.
    fn diverged(&mut self, shard: Shard) {
        let lane = self.lane(shard);
        lane.overlay.clear();
        lane.stale = !lane.pending.is_empty();
    }

    /// Folds what is under way onto the overlay anew, if it has to be.
    pub(super) fn refresh(&mut self, shard: Shard, now: Millis) {
        let lane = self.lane(shard);
        if !std::mem::take(&mut lane.stale) {
            return;
        }
        let numbers: Vec<u64> = lane.pending.iter().copied().collect();
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
                self.lane(pending.shard).held.extend(refused.into_iter().map(|attempt| (number, attempt)));
            }
            Waits::Submission(attempt) => self.answer_attempt(attempt, pending.entry, at, outcome, wall),
        }
    }

    fn answer_attempt(
        &mut self,
        mut attempt: Attempt,
        entry: std::sync::Arc<Entry>,
        at: At,
        outcome: Outcome,
        wall: Millis,
    ) {
        let submission = &mut attempt.submission;
        submission.attempts += 1;
        // Past its deadline, every further record would be void too.
        let too_late = outcome == Outcome::Void(GuardKind::Time)
            && submission.request.is_some()
            && self.now(at.shard, wall) >= submission.deadline;
        if decides_again(outcome) && !too_late && submission.attempts < MAX_ATTEMPTS {
            return self.again(attempt, wall);
        }
        let fingerprint = submission.request.map_or([0; 16], |(_, fingerprint)| fingerprint);
        let answer = match outcome {
            Outcome::Applied(number) => Answer::Applied(Applied { at, number, entry }),
            Outcome::Replayed(done) => replayed(&submission.what, done, fingerprint),
            Outcome::Cancelled => Answer::Cancelled,
            Outcome::Fenced(code) => self.refused_elsewhere(at.shard, &attempt, code, wall),
            Outcome::Noted | Outcome::Void(_) => Answer::Unknown,
        };
        self.finish(attempt, answer, wall);
    }

    /// Another attempt's refusal may have been decided by an instance that was behind, and be wrong by now. Then it is not
    /// told as if it stood; but this attempt is void all the same.
    fn refused_elsewhere(&self, shard: Shard, attempt: &Attempt, code: u16, wall: Millis) -> Answer {
        let submission = &attempt.submission;
        let scene = Scene { view: self.ledger.shard(shard), merchant: submission.merchant, now: self.now(shard, wall) };
        let stands = match &submission.what {
            What::Command(command) => decide(scene, command).is_err(),
            What::Cancel => true,
        };
        Answer::RefusedElsewhere(if stands { code } else { NO_LONGER })
    }

    /// Decides again. Those who wait for the key go on waiting for this attempt.
    fn again(&mut self, attempt: Attempt, wall: Millis) {
        let request = attempt.submission.request;
        let waiting = request.and_then(|(key, _)| self.in_flight.remove(&key)).unwrap_or_default();
        self.resume(attempt, wall);
        for other in waiting {
            self.resume(other, wall);
        }
    }

    /// Answers, and lets those go on who wait for the same key.
    pub(super) fn finish(&mut self, attempt: Attempt, answer: Answer, wall: Millis) {
        let request = attempt.submission.request;
        (attempt.submission.reply)(answer);
        let waiting = request.and_then(|(key, _)| self.in_flight.remove(&key)).unwrap_or_default();
        for other in waiting {
            self.resume(other, wall);
        }
    }

    /// Refuses, and with it those who wait for the same and came before the fence with this number was proposed. To
    /// one who came later its fence may be older than an attempt elsewhere that counted it and may yet succeed.
    fn refuse_all(&mut self, attempt: Attempt, refusal: &Refusal, fence: u64, wall: Millis) {
        let request = attempt.submission.request;
        let as_of = self.ledger.of(attempt.submission.merchant).sequence;
        let waiting = request.and_then(|(key, _)| self.in_flight.remove(&key)).unwrap_or_default();
        let (same, others): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|other| {
            let what = &other.submission.what;
            other.came <= fence && other.submission.request == request && matches!(what, What::Command(_))
        });
        for attempt in std::iter::once(attempt).chain(same) {
            (attempt.submission.reply)(Answer::Refused(Box::new(refusal.clone()), as_of));
        }
        for other in others {
            self.resume(other, wall);
        }
    }

    /// Refusals whose fence and everything before it is folded, and attempts that waited for what they rest on.
    fn release_held(&mut self, shard: Shard, wall: Millis) {
        loop {
            let lane = self.lane(shard);
            let oldest = lane.pending.first().copied().unwrap_or(u64::MAX);
            let Some(i) = lane.held.iter().position(|(number, _)| *number <= oldest) else { break };
            let Some((fence, attempt)) = lane.held.remove(i) else { break };
            self.answer_refused(shard, attempt, fence, wall);
        }
        // Those that are blocked anew by one before them wait behind it.
        for _ in 0..self.lane(shard).blocked.len() {
            let lane = self.lane(shard);
            let oldest = lane.pending.first().copied().unwrap_or(u64::MAX);
            if lane.blocked.front().is_none_or(|(number, _)| *number > oldest) {
                return;
            }
            let Some((_, attempt)) = lane.blocked.pop_front() else { return };
            self.again(attempt, wall);
        }
    }

    /// The refusal of an attempt may have rested on proposals, or on a state that others changed since. So it is
    /// told as it is on what is folded by now, with the times and numbers that things really got. Where nothing
    /// stands against the attempt any more, it goes on; but not past the fence of another.
    fn answer_refused(&mut self, shard: Shard, mut attempt: Attempt, fence: u64, wall: Millis) {
        let submission = &attempt.submission;
        let now = self.now(shard, wall);
        let view = self.ledger.shard(shard);
        let row = submission.request.and_then(|(key, _)| live_request(view, shard, key, now));
        let fenced = row.filter(|row| row.fences != attempt.fences + 1).map(|row| row.refusal);
        match row.map(|row| &row.outcome) {
            Some(RequestOutcome::Done(done)) => {
                let fingerprint = submission.request.map_or([0; 16], |(_, fingerprint)| fingerprint);
                let answer = replayed(&submission.what, *done, fingerprint);
                return self.finish(attempt, answer, wall);
            }
            Some(RequestOutcome::Cancelled) => return self.finish(attempt, Answer::Cancelled, wall),
            Some(RequestOutcome::Open) | None => {}
        }
        let decided = match &submission.what {
            What::Command(command) => decide(Scene { view, merchant: submission.merchant, now }, command),
            What::Cancel => Ok(Proposal::default()),
        };
        match (decided, fenced) {
            (Err(refusal), _) => self.refuse_all(attempt, &refusal, fence, wall),
            (Ok(_), Some(_)) => self.finish(attempt, Answer::RefusedElsewhere(NO_LONGER), wall),
            (Ok(_), None) => {
                attempt.fences += u32::from(row.is_some());
                self.again(attempt, wall);
            }
        }
    }

    /// Doubtful records whose deadline the shard's time has passed can apply no more, and those who wait for them
    /// are told so. Where nothing else is on its way to move a quiet shard's time, an empty fence is sent. A fence or
    /// a cancel that lands after that does no harm.
    pub fn sweep(&mut self, wall: Millis) {
        self.wall = wall;
        let doubtful = std::mem::take(&mut self.doubtful);
        for number in doubtful {
            let Some(pending) = self.pending.get(&number) else { continue };
            let (shard, deadline) = (pending.shard, pending.deadline);
            let guarded = matches!(*pending.entry, Entry::Guarded(_));
            let over = !guarded || self.ledger.shard(shard).time >= deadline;
            if wall > deadline && over {
                self.give_up(number, &Answer::Unknown, wall);
                continue;
            }
            self.doubtful.push(number);
            let last = self.lane(shard).pending.last().copied();
            if wall > deadline && last.is_some_and(|last| self.doubtful.contains(&last)) {
                let fences = coupon::record::Fences { origin: self.origin(), proposed_at: wall, fences: Vec::new() };
                let now = self.now(shard, wall);
                self.propose(Entry::Fences(fences), shard, now, now + ATTEMPT_MS, Waits::Nobody);
            }
        }
    }

    /// The log refused a batch before it queued any of it: nothing of it will ever land.
    pub fn refused_by_log(&mut self, numbers: &[u64], wall: Millis) {
        self.wall = wall;
        for number in numbers {
            self.give_up(*number, &Answer::Overloaded, wall);
        }
    }

    fn give_up(&mut self, number: u64, answer: &Answer, wall: Millis) {
        let Some(pending) = self.pending.remove(&number) else { return };
        self.forget_order(number, &pending);
        let shard = pending.shard;
        self.lane(shard).pending.remove(&number);
        self.diverged(shard);
        match pending.waits {
            Waits::Nobody => {}
            Waits::Tick(due) => self.ledger.due_again(wall + 1_000, due),
            Waits::Submission(attempt) => self.finish(attempt, answer.clone(), wall),
            Waits::Refused(refused) => {
                for attempt in refused {
                    self.finish(attempt, answer.clone(), wall);
                }
            }
        }
        self.release_held(shard, wall);
    }

    /// A batch's answer was lost: it may have landed, or may yet.
    pub fn doubt(&mut self, numbers: &[u64]) {
        for number in numbers {
            if self.pending.contains_key(number) {
                self.doubtful.push(*number);
            }
        }
    }
}
