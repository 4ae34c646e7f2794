//! Cases.

use coupon::case::{CaseFacts, CaseRow, CaseState, CaseStep, CaseStepped, Opening, Stage, StepName, StepTaken};
use coupon::fold::At;
use coupon::id::{CaseId, DecisionId, LabelId, LedgerRef, MerchantId, Sequence};
use coupon::label::record_of;
use coupon::state::{Read, View};
use coupon::subject::Subject;
use coupon::terms::Millis;
use http_api::axum::http::StatusCode;
use http_api::time::format_ms;
use serde::Serialize;
use utoipa::ToSchema;

/// A case.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CaseView {
    /// `case_...`
    pub id: String,
    /// Whose it is.
    pub merchant_id: String,
    /// `open`, `claimed`, `snoozed` or `closed`.
    pub state: &'static str,
    /// In which queue.
    pub queue: String,
    /// `normal` or `high`.
    pub priority: &'static str,
    /// Since when.
    pub opened_at: String,
    /// To be closed by then.
    pub due_at: String,
    /// It is late.
    pub overdue: bool,
    /// Whom it is about.
    pub subject: Option<SubjectView>,
    /// The first hundred decisions.
    pub decision_ids: Vec<String>,
    /// How many there are.
    pub decision_count: u64,
    /// Codes of the rules that hit.
    pub reasons: Vec<String>,
    /// Who works on it, by key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_by: Option<String>,
    /// The case is open again from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim_expires_at: Option<String>,
    /// It comes back then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snoozed_until: Option<String>,
    /// `fraud`, `honest` or `unclear`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'static str>,
    /// The labels that its close set; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// Its place in what happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger_ref: Option<String>,
    /// What was done, oldest first; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<StepView>>,
    /// What was noted, oldest first; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<Vec<StepView>>,
}

/// A subject by its pseudonym, which is the merchant's own.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SubjectView {
    /// `user`, `device` or `ip`.
    pub kind: &'static str,
    /// Hexadecimal.
    pub pseudonym: String,
}

/// A step of a case.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StepView {
    /// When.
    pub at: String,
    /// By which key; empty where a decision opened it.
    pub by: String,
    /// What was done.
    pub step: &'static str,
    /// Why, or what was noted.
    pub text: String,
    /// It was taken back.
    pub undone: bool,
}

/// The answer to a step.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CaseStepView {
    /// `case_...`
    pub id: String,
    /// What it is now; absent where decisions were added to a case that was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    /// It comes back then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snoozed_until: Option<String>,
    /// What it came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'static str>,
    /// The labels that the close set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// How many coupons the close voided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voided_coupons: Option<u64>,
    /// Its place in what happened.
    pub ledger_ref: String,
}

/// A subject.
pub fn subject_view(subject: &Subject) -> SubjectView {
    SubjectView { kind: subject.kind.name(), pseudonym: hex::encode(subject.pseudonym) }
}

/// What a step came to. The number is what its record gave: the case's of an opening, otherwise its state's.
pub fn case_stepped(
    merchant: MerchantId,
    stepped: &CaseStepped,
    number: u64,
    at: At,
    labels: Vec<String>,
) -> (StatusCode, serde_json::Result<serde_json::Value>) {
    let state = CaseState::numbered(number).map(CaseState::name);
    let ledger_ref = LedgerRef(at.sequence).to_string();
    let id = CaseId::new(merchant, stepped.case).to_string();
    let plain = CaseStepView {
        id,
        state,
        snoozed_until: None,
        outcome: None,
        labels: None,
        voided_coupons: None,
        ledger_ref: ledger_ref.clone(),
    };
    let view = match &stepped.step {
        CaseStep::Open(opening) if number == at.sequence => {
            let view = CaseView { ledger_ref: Some(ledger_ref), ..opened(merchant, opening, at) };
            return (StatusCode::CREATED, serde_json::to_value(view));
        }
        CaseStep::Open(_) => CaseStepView { id: CaseId::new(merchant, number).to_string(), state: None, ..plain },
        CaseStep::Claim(facts) => {
            let stage = Stage::Claimed(stepped.by.clone(), at.time + coupon::case::CLAIM_MS);
            let view = facts_view(CaseId::new(merchant, stepped.case), facts, &stage, at.time);
            return (StatusCode::OK, serde_json::to_value(CaseView { ledger_ref: Some(ledger_ref), ..view }));
        }
        CaseStep::Snooze(until, _) => CaseStepView { snoozed_until: Some(format_ms(*until)), ..plain },
        CaseStep::Close(closing) => CaseStepView {
            outcome: Some(closing.outcome.name()),
            labels: Some(labels),
            voided_coupons: Some(closing.voided),
            ..plain
        },
        _ => plain,
    };
    (StatusCode::OK, serde_json::to_value(view))
}

fn opened(merchant: MerchantId, opening: &Opening, at: At) -> CaseView {
    let mut row = CaseRow::opened(opening, at.sequence, at.time);
    row.add(opening, "", at.time);
    facts_view(CaseId::new(merchant, at.sequence), &row.facts, &row.stage, at.time)
}

fn facts_view(id: CaseId, facts: &CaseFacts, stage: &Stage, now: Millis) -> CaseView {
    let state = stage.at(now);
    let (claimed_by, claim_expires_at) = match stage {
        Stage::Claimed(by, until) if state == CaseState::Claimed => (Some(by.clone()), Some(format_ms(*until))),
        _ => (None, None),
    };
    CaseView {
        id: id.to_string(),
        merchant_id: id.merchant.to_string(),
        state: state.name(),
        queue: facts.queue.clone(),
        priority: facts.priority.name(),
        opened_at: format_ms(facts.opened_at),
        due_at: format_ms(facts.due_at),
        overdue: state != CaseState::Closed && facts.due_at <= now,
        subject: facts.subject.as_ref().map(subject_view),
        decision_ids: facts.decisions.iter().map(|n| DecisionId::new(id.merchant, *n).to_string()).collect(),
        decision_count: facts.decision_count,
        reasons: facts.reasons.clone(),
        claimed_by,
        claim_expires_at,
        snoozed_until: match stage {
            Stage::Snoozed(until) if state == CaseState::Snoozed => Some(format_ms(*until)),
            _ => None,
        },
        outcome: match stage {
            Stage::Closed(outcome, _) => Some(outcome.name()),
            _ => None,
        },
        labels: None,
        ledger_ref: None,
        steps: None,
        notes: None,
    }
}

/// A case as lists show it.
pub fn case_view(id: CaseId, row: &CaseRow, now: Millis) -> CaseView {
    facts_view(id, &row.facts, &row.stage, now)
}

/// A case with all that was done.
pub fn whole_case<V: View + ?Sized>(view: &V, id: CaseId, row: &CaseRow, now: Millis) -> CaseView {
    let noted = |step: &&StepTaken| {
        let says = matches!(step.what, StepName::Noted | StepName::Opened | StepName::Added);
        says && !step.undone && !step.text.is_empty()
    };
    let notes = row.steps.iter().filter(noted).map(step_view).collect();
    let steps = row.steps.iter().map(step_view).collect();
    let ledger_ref = Some(LedgerRef(row.version).to_string());
    let labels = match row.stage {
        Stage::Closed(_, closed_by) => Some(labels_by(view, id.merchant, &row.facts.decisions, closed_by)),
        _ => None,
    };
    CaseView { labels, steps: Some(steps), notes: Some(notes), ledger_ref, ..case_view(id, row, now) }
}

/// The labels that a record gave these decisions.
fn labels_by<V: View + ?Sized>(view: &V, merchant: MerchantId, decisions: &[u64], set_by: Sequence) -> Vec<String> {
    let rows = decisions.iter().filter_map(|decision| view.label(merchant, *decision));
    let set = rows.flat_map(|row| row.labels.iter()).filter(|label| record_of(label.number) == set_by);
    set.map(|label| LabelId::new(merchant, label.number).to_string()).collect()
}

fn step_view(step: &StepTaken) -> StepView {
    StepView {
        at: format_ms(step.at),
        by: step.by.clone(),
        step: step.what.name(),
        text: step.text.clone(),
        undone: step.undone,
    }
}
