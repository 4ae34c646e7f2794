//! Cases: what somebody has to look at.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use coupon::case::{CaseRow, CaseState, CaseStep, CaseStepped, LEAD_QUEUE, MOST_DECISIONS, Opening, Priority, QUEUE};
use coupon::command::Command;
use coupon::id::{CaseId, DecisionId, MerchantId, PLATFORM};
use coupon::state::Read;
use coupon::terms::Millis;
use coupon_api::dto::case::{CaseView, case_view, whole_case};
use coupon_api::listing::newest as newest_of;
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::List;
use http_api::problem::{Code, Problem};
use http_api::time::{Timestamp, format_ms};
use projection::index::List as Index;
use projection::ledger::Ledger;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::across::{Place, merchants, newest, page, seen};
use super::subject::SubjectRequest;
use super::{RiskApi, decided, whose};

/// Closed cases that are looked at for similar ones, and shown.
const SIMILAR_AMONG: usize = 5_000;
const SIMILAR: usize = 20;

#[derive(OpenApi)]
#[openapi(paths(open, list, case, similar, queues))]
pub(super) struct Document;

pub(super) fn router() -> Router<RiskApi> {
    Router::new()
        .route("/v1/risk/cases", get(list).post(open))
        .route("/v1/risk/cases/{id}", get(case))
        .route("/v1/risk/cases/{id}/similar", get(similar))
        .route("/v1/risk/queues", get(queues))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseRequest {
    /// 1..=64 of a-z, 0-9, `_` and `-`; `review` where left out.
    queue: Option<String>,
    /// Decisions of one merchant; the case is about the user of the first, else its device, else its address.
    #[serde(default)]
    decision_ids: Vec<String>,
    /// Or whom it is about.
    subject: Option<SubjectRequest>,
    /// `normal`, due in a day, or `high`, due in four hours.
    #[serde(default)]
    priority: PriorityName,
    /// What to look at.
    #[serde(default)]
    note: String,
    /// Whose subject it is; may be left out by keys that belong to a merchant.
    merchant_id: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum PriorityName {
    #[default]
    Normal,
    High,
}

/// Open a case
///
/// A subject has one open case: where it has one already, the decisions are added to that, and the answer is 200 with its id.
#[utoipa::path(post, path = "/v1/risk/cases", tag = "Risk", request_body = CaseRequest,
    responses((status = 201, body = CaseView)))]
pub(super) async fn open(State(state): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let parsed = call.parse::<CaseRequest>()?;
    let body = parsed.body;
    let queue = body.queue.as_deref().unwrap_or(QUEUE);
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    Check::new()
        .field("/queue", (1..=64).contains(&queue.len()) && queue.bytes().all(plain), "must be 1 to 64 of a-z0-9_-")
        .field("/decision_ids", body.decision_ids.len() <= MOST_DECISIONS, "may have at most 100 ids")
        .present("/decision_ids", !body.decision_ids.is_empty() || body.subject.is_some())
        .length("/note", &body.note, 0..=2_000)
        .done()?;
    let (merchant, mut opening) = about(&state, &call, &body).await?;
    opening.queue = body.queue;
    opening.priority = match body.priority {
        PriorityName::Normal => Priority::Normal,
        PriorityName::High => Priority::High,
    };
    opening.note = body.note;
    let stepped = CaseStepped { case: 0, by: call.caller.key_id.to_string(), step: CaseStep::Open(opening) };
    let command = Command::StepCase(Box::new(stepped), Vec::new());
    state.backend.write(&call, merchant, parsed.fingerprint, command).await
}

/// Whose case it is, whom it is about, and what hit.
async fn about(state: &RiskApi, call: &Call, body: &CaseRequest) -> Result<(MerchantId, Opening), Problem> {
    let mut opening = Opening::default();
    let mut of = None;
    for (i, id) in body.decision_ids.iter().enumerate() {
        let missing = || Problem::of(Code::DecisionNotFound).pointer(format!("/decision_ids/{i}"));
        let id: DecisionId = id.parse().map_err(|_| missing())?;
        if !call.sees(id.merchant) || of.is_some_and(|of| of != id.merchant) {
            return Err(missing());
        }
        let found = decided::find(state, id).await?.ok_or_else(missing)?;
        opening.subject = opening.subject.or(found.subject());
        opening.reasons.extend(found.decision.reasons.into_iter().map(|reason| reason.code));
        opening.decisions.push(id.number);
        of = Some(id.merchant);
    }
    let merchant = match (of, &body.merchant_id) {
        (Some(of), None) => of,
        _ => whose(call, body.merchant_id.as_deref())?,
    };
    if of.is_some_and(|of| of != merchant) {
        return Err(Problem::of(Code::DecisionNotFound).pointer("/decision_ids/0"));
    }
    if let Some(subject) = &body.subject {
        opening.subject = Some(subject.at(merchant, &state.backend.secrets)?);
    }
    Ok((merchant, opening))
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    state: Option<StateName>,
    queue: Option<String>,
    assignee: Option<String>,
    due_before: Option<Timestamp>,
    merchant_id: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StateName {
    Open,
    Claimed,
    Snoozed,
    Closed,
}

impl From<StateName> for CaseState {
    fn from(name: StateName) -> Self {
        match name {
            StateName::Open => Self::Open,
            StateName::Claimed => Self::Claimed,
            StateName::Snoozed => Self::Snoozed,
            StateName::Closed => Self::Closed,
        }
    }
}

impl Filter {
    fn fits(&self, row: &CaseRow, now: Millis) -> bool {
        let state = row.stage.at(now);
        self.state.is_none_or(|wanted| CaseState::from(wanted) == state)
            && self.queue.as_ref().is_none_or(|queue| *queue == row.facts.queue)
            && self.assignee.as_ref().is_none_or(|who| row.stage.claimed_by(now) == Some(who))
            && self.due_before.is_none_or(|Timestamp(due)| row.facts.due_at < due)
    }
}

/// List cases, newest first
#[utoipa::path(get, path = "/v1/risk/cases", tag = "Risk",
    params(("state" = Option<String>, Query), ("queue" = Option<String>, Query), ("assignee" = Option<String>, Query),
        ("due_before" = Option<String>, Query), ("merchant_id" = Option<String>, Query),
        ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query), ("from" = Option<String>, Query),
        ("until" = Option<String>, Query)),
    responses((status = 200, body = List<CaseView>)))]
pub(super) async fn list(State(state): State<RiskApi>, call: Call) -> Result<List<CaseView>, Problem> {
    call.require(&[Role::Analyst])?;
    let (filter, asked) = call.list::<Filter>()?;
    let one = seen(&call, filter.merchant_id.as_deref())?;
    let after = Place::after(&asked)?;
    // Most cases are closed sooner or later.
    let index =
        if filter.state.is_some_and(|state| state != StateName::Closed) { Index::OpenCases } else { Index::Cases };
    state
        .backend
        .look(PLATFORM, move |_, ledger, now| {
            let merchants = merchants(ledger, one);
            page(newest(ledger, &merchants, index, after), &asked, |Place { merchant, number, .. }| {
                let (row, now) = read(ledger, merchant, number, now)?;
                filter.fits(row, now).then(|| case_view(CaseId::new(merchant, number), row, now))
            })
        })
        .await
}

/// A case, and the time of the log where it is.
pub(super) fn read(ledger: &Ledger, merchant: MerchantId, number: u64, now: Millis) -> Option<(&CaseRow, Millis)> {
    let shard = ledger.of(merchant);
    Some((shard.case(merchant, number)?, shard.time.max(now)))
}

/// The case that a path names, if the caller may know of it.
pub(super) fn case_id(call: &Call, path: &Segment) -> Result<CaseId, Problem> {
    let id: CaseId = path.id(Code::CaseNotFound)?;
    if call.sees(id.merchant) { Ok(id) } else { Err(Problem::of(Code::CaseNotFound)) }
}

/// Read a case, with all that was done
#[utoipa::path(get, path = "/v1/risk/cases/{id}", tag = "Risk", params(("id" = String, Path)),
    responses((status = 200, body = CaseView)))]
pub(super) async fn case(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let id = case_id(&call, &path)?;
    let view = state.backend.look(id.merchant, move |shard, _, now| {
        shard.case(id.merchant, id.number).map(|row| whole_case(shard, id, row, now))
    });
    Answer::ok(&view.await?.ok_or_else(|| Problem::of(Code::CaseNotFound))?)
}

/// A closed case that shares something with another.
#[derive(Serialize, ToSchema)]
pub(super) struct SimilarView {
    /// What became of it.
    case: CaseView,
    /// `subject`, and codes of rules that hit in both.
    shared: Vec<String>,
}

/// What became of similar cases
///
/// Closed ones of the same merchant that are about the same subject, or in which the same rules hit; newest first.
#[utoipa::path(get, path = "/v1/risk/cases/{id}/similar", tag = "Risk", params(("id" = String, Path)),
    responses((status = 200, body = List<SimilarView>)))]
pub(super) async fn similar(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let CaseId { merchant, number } = case_id(&call, &path)?;
    let found = state.backend.look(merchant, move |shard, ledger, now| {
        let own = shard.case(merchant, number)?;
        let others = newest_of(ledger.index.list(merchant, Index::Cases), None).take(SIMILAR_AMONG);
        let closed = others
            .filter(|(_, other)| *other != number)
            .filter_map(|(_, other)| Some((other, shard.case(merchant, other)?)))
            .filter(|(_, row)| row.stage.is_closed());
        let alike = closed.filter_map(|(other, row)| {
            let shared = shared(own, row);
            let case = case_view(CaseId::new(merchant, other), row, now);
            (!shared.is_empty()).then_some(SimilarView { case, shared })
        });
        Some(alike.take(SIMILAR).collect())
    });
    let data: Vec<SimilarView> = found.await?.ok_or_else(|| Problem::of(Code::CaseNotFound))?;
    Answer::ok(&List { data, next_cursor: None })
}

fn shared(own: &CaseRow, other: &CaseRow) -> Vec<String> {
    let (own, other) = (&own.facts, &other.facts);
    let subject = own.subject.is_some() && own.subject == other.subject;
    let rules = own.reasons.iter().filter(|rule| other.reasons.contains(rule)).cloned();
    subject.then(|| "subject".to_owned()).into_iter().chain(rules).collect()
}

/// A queue: its cases that are not closed.
#[derive(Default, Serialize, ToSchema)]
pub(super) struct QueueView {
    /// Its name.
    queue: String,
    /// For anybody.
    open: u64,
    /// Somebody works on them.
    claimed: u64,
    /// Not now.
    snoozed: u64,
    /// Late, of all these.
    overdue: u64,
    /// When the oldest was opened.
    oldest: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QueuesFilter {
    merchant_id: Option<String>,
}

/// What waits in each queue
#[utoipa::path(get, path = "/v1/risk/queues", tag = "Risk", params(("merchant_id" = Option<String>, Query)),
    responses((status = 200, body = List<QueueView>)))]
pub(super) async fn queues(State(state): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let one = seen(&call, call.query_as::<QueuesFilter>()?.merchant_id.as_deref())?;
    let queues = state.backend.look(PLATFORM, move |_, ledger, now| {
        // These two are always there.
        let mut queues: BTreeMap<String, (QueueView, Millis)> =
            [QUEUE, LEAD_QUEUE].map(|name| (name.to_owned(), (QueueView::default(), Millis::MAX))).into();
        for merchant in merchants(ledger, one) {
            for number in ledger.index.list(merchant, Index::OpenCases) {
                let Some((row, now)) = read(ledger, merchant, *number, now) else { continue };
                let (view, oldest) =
                    queues.entry(row.facts.queue.clone()).or_insert((QueueView::default(), Millis::MAX));
                match row.stage.at(now) {
                    CaseState::Claimed => view.claimed += 1,
                    CaseState::Snoozed => view.snoozed += 1,
                    CaseState::Open | CaseState::Closed => view.open += 1,
                }
                view.overdue += u64::from(row.facts.due_at <= now);
                *oldest = (*oldest).min(row.facts.opened_at);
            }
        }
        queues
    });
    let with_name = |(queue, (view, oldest)): (String, (QueueView, Millis))| {
        let oldest = (oldest < Millis::MAX).then(|| format_ms(oldest));
        QueueView { queue, oldest, ..view }
    };
    let data: Vec<QueueView> = queues.await?.into_iter().map(with_name).collect();
    Answer::ok(&List { data, next_cursor: None })
}
