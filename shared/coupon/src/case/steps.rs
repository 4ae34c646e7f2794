//! What steps do to a case.

use super::{
    CLAIM_MS, CaseFacts, CaseRow, CaseState, CaseStep, LEAD_QUEUE, MOST_DECISIONS, MOST_STEPS, NoCaseStep, Opening,
    Priority, QUEUE, Stage, StepName, StepTaken, UNDO_MS, Undoable,
};
use crate::id::Sequence;
use crate::terms::Millis;

/// Codes of rules that a case names.
const MOST_REASONS: usize = 20;

impl CaseStep {
    /// As deeds are called.
    pub fn deed(&self) -> &'static str {
        match self {
            Self::Open(_) => "case.open",
            Self::Claim(_) => "case.claim",
            Self::Release => "case.release",
            Self::Snooze(..) => "case.snooze",
            Self::Escalate(_) => "case.escalate",
            Self::Note(_) => "case.note",
            Self::Close(_) => "case.close",
            Self::Reopen(_) => "case.reopen",
            Self::Undo => "case.undo",
        }
    }
}

impl Stage {
    /// The state that it means at a time.
    pub fn at(&self, now: Millis) -> CaseState {
        match self {
            Self::Claimed(_, until) if *until > now => CaseState::Claimed,
            Self::Snoozed(until) if *until > now => CaseState::Snoozed,
            Self::Open | Self::Claimed(..) | Self::Snoozed(_) => CaseState::Open,
            Self::Closed(..) => CaseState::Closed,
        }
    }

    /// Who works on it at a time.
    pub fn claimed_by(&self, now: Millis) -> Option<&String> {
        match self {
            Self::Claimed(by, until) if *until > now => Some(by),
            _ => None,
        }
    }

    /// Whether it is decided.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(..))
    }
}

impl CaseRow {
    /// A case as its opening leaves it, without decisions.
    pub fn opened(opening: &Opening, sequence: Sequence, at: Millis) -> Self {
        Self {
            version: sequence,
            facts: CaseFacts {
                opened_at: at,
                due_at: at + opening.priority.time_ms(),
                queue: opening.queue.clone().unwrap_or_else(|| QUEUE.to_owned()),
                priority: opening.priority,
                subject: opening.subject,
                ..CaseFacts::default()
            },
            stage: Stage::Open,
            steps: Vec::new(),
            last: None,
        }
    }

    /// Adds what an opening brings: decisions that it did not have, rules, and urgency.
    pub fn add(&mut self, opening: &Opening, by: &str, at: Millis) {
        for decision in &opening.decisions {
            if self.facts.decisions.contains(decision) {
                continue;
            }
            self.facts.decision_count += 1;
            if self.facts.decisions.len() < MOST_DECISIONS {
                self.facts.decisions.push(*decision);
            }
        }
        for reason in &opening.reasons {
            if self.facts.reasons.len() < MOST_REASONS && !self.facts.reasons.contains(reason) {
                self.facts.reasons.push(reason.clone());
            }
        }
        if opening.priority > self.facts.priority {
            self.urge(at);
            // Taking back what was done before would take the urgency back too.
            self.last = None;
        }
        let what = if self.steps.is_empty() { StepName::Opened } else { StepName::Added };
        // However much the ledger adds by itself, what people did stays.
        let is_more = |last: &&mut StepTaken| what == StepName::Added && last.what == what && last.by == by;
        if let (true, Some(last)) = (by.is_empty(), self.steps.last_mut().filter(is_more)) {
            last.at = at;
            return;
        }
        self.took(what, opening.note.clone(), by, at);
    }

    /// What the case is after a step at a time; the sequence is that of the record in which it stands.
    pub fn after(&self, step: &CaseStep, by: &str, at: Millis, sequence: Sequence) -> Result<Self, NoCaseStep> {
        self.may(step, by, at)?;
        let mut row = self.clone();
        match step {
            CaseStep::Undo => {
                row.undo(by, at);
                return Ok(row);
            }
            CaseStep::Open(opening) => {
                row.add(opening, by, at);
                return Ok(row);
            }
            _ => {}
        }
        row.last = Some(Box::new(self.undoable(by, at)));
        let (what, text) = row.go(step, by, at, sequence);
        row.took(what, text, by, at);
        Ok(row)
    }

    fn undoable(&self, by: &str, at: Millis) -> Undoable {
        Undoable {
            by: by.to_owned(),
            at,
            stage: self.stage.clone(),
            queue: self.facts.queue.clone(),
            priority: self.facts.priority,
            due_at: self.facts.due_at,
        }
    }

    fn go(&mut self, step: &CaseStep, by: &str, at: Millis, sequence: Sequence) -> (StepName, String) {
        match step {
            CaseStep::Claim(_) => {
                self.stage = Stage::Claimed(by.to_owned(), at + CLAIM_MS);
                (StepName::Claimed, String::new())
            }
            CaseStep::Release => {
                self.stage = Stage::Open;
                (StepName::Released, String::new())
            }
            CaseStep::Snooze(until, reason) => {
                self.stage = Stage::Snoozed(*until);
                (StepName::Snoozed, reason.clone())
            }
            CaseStep::Escalate(reason) => {
                self.stage = Stage::Open;
                LEAD_QUEUE.clone_into(&mut self.facts.queue);
                self.urge(at);
                (StepName::Escalated, reason.clone())
            }
            CaseStep::Note(text) => (StepName::Noted, text.clone()),
            CaseStep::Close(closing) => {
                self.stage = Stage::Closed(closing.outcome, sequence);
                // What is void stays void, so the close stands.
                self.last = self.last.take().filter(|_| closing.voided == 0);
                (StepName::Closed, closing.reason.clone())
            }
            CaseStep::Reopen(reason) => {
                self.stage = Stage::Open;
                (StepName::Reopened, reason.clone())
            }
            // These two have ways of their own.
            CaseStep::Open(_) => (StepName::Added, String::new()),
            CaseStep::Undo => (StepName::Undone, String::new()),
        }
    }

    /// When a step is possible, which depends on others' claims and on how long ago the last step was.
    pub fn possible(&self, step: &CaseStep, by: &str) -> (Millis, Millis) {
        match (step, &self.stage, &self.last) {
            (CaseStep::Undo, _, Some(last)) => (Millis::MIN, last.at + UNDO_MS),
            (CaseStep::Note(_) | CaseStep::Open(_) | CaseStep::Reopen(_), ..) => (Millis::MIN, Millis::MAX),
            (_, Stage::Claimed(owner, until), _) if owner != by => (*until, Millis::MAX),
            _ => (Millis::MIN, Millis::MAX),
        }
    }

    fn may(&self, step: &CaseStep, by: &str, at: Millis) -> Result<(), NoCaseStep> {
        let closed = self.stage.is_closed();
        match step {
            CaseStep::Undo => {
                let own = self.last.as_ref().is_some_and(|last| last.by == by && at < last.at + UNDO_MS);
                return if own { Ok(()) } else { Err(NoCaseStep::NothingToUndo) };
            }
            CaseStep::Reopen(_) => return if closed { Ok(()) } else { Err(NoCaseStep::NotClosed) },
            _ if closed => return Err(NoCaseStep::Closed),
            CaseStep::Note(_) | CaseStep::Open(_) => return Ok(()),
            _ => {}
        }
        match &self.stage {
            Stage::Claimed(owner, until) if owner != by && *until > at => {
                Err(NoCaseStep::Claimed(owner.clone(), *until))
            }
            Stage::Claimed(owner, _) if owner == by => Ok(()),
            _ if *step == CaseStep::Release => Err(NoCaseStep::NotClaimed),
            _ => Ok(()),
        }
    }

    fn undo(&mut self, by: &str, at: Millis) {
        let Some(last) = self.last.take() else { return };
        let Undoable { stage, queue, priority, due_at, .. } = *last;
        (self.stage, self.facts.queue, self.facts.priority, self.facts.due_at) = (stage, queue, priority, due_at);
        let mut taken = self.steps.iter_mut().rev();
        if let Some(step) = taken.find(|step| step.by == by && step.at == last.at) {
            step.undone = true;
        }
        self.took(StepName::Undone, String::new(), by, at);
    }

    /// From now on as urgent as can be; what was due earlier stays so.
    fn urge(&mut self, at: Millis) {
        self.facts.priority = Priority::High;
        self.facts.due_at = self.facts.due_at.min(at + Priority::High.time_ms());
    }

    fn took(&mut self, what: StepName, text: String, by: &str, at: Millis) {
        if self.steps.len() == MOST_STEPS {
            self.steps.remove(0);
        }
        self.steps.push(StepTaken { at, by: by.to_owned(), what, text, undone: false });
    }
}
