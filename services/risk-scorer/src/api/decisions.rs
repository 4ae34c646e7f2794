//! Decisions: each with what it rested on, and derived again from it.

use std::ops::ControlFlow;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use chrono_tz::Tz;
use coupon::decision::{Asked, Decision, DecisionKept, REFUSED};
use coupon::event::{Event, Pseudonym};
use coupon::fold::At;
use coupon::id::{DecisionId, MerchantId, Shard, StockId};
use coupon::record::Entry;
use coupon::subject::Subject;
use coupon::terms::Zone;
use http_api::auth::Role;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::{Cursor, List, Page};
use http_api::problem::{Code, Problem};
use inline_risk::{Decided, History, Past, Spot, What, derive};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::marks::{self, Labels, Marks};
use super::{RiskApi, ask, books, subjects};

mod filter;
mod view;

use filter::Filter;
pub(super) use filter::Wanted as WantedAction;
pub(super) use view::Shown;

#[derive(OpenApi)]
#[openapi(paths(super::ask::ask, list, decision, derive_again))]
pub(super) struct Document;

pub(super) fn router() -> Router<RiskApi> {
    Router::new()
        .route("/v1/risk/decisions", get(list).post(ask::ask))
        .route("/v1/risk/decisions/{id}", get(decision))
        .route("/v1/risk/decisions/{id}/derive", post(derive_again))
}

/// A decision with where it was found.
pub(super) struct Found {
    /// At which merchant.
    pub(super) merchant: MerchantId,
    /// Under which number.
    pub(super) number: u64,
    /// Its record's time of the log, milliseconds.
    pub(super) time_ms: i64,
    /// Its record.
    pub(super) sequence: u64,
    /// What was asked for.
    pub(super) asked: Asked,
    /// It came about.
    pub(super) done: bool,
    /// It.
    pub(super) decision: Decision,
    /// The user.
    pub(super) user: Option<Pseudonym>,
    /// The end user's data, encrypted.
    pub(super) sealed: Vec<u8>,
    /// What people came to about it.
    pub(super) marks: Marks,
}

impl Found {
    pub(super) fn id(&self) -> DecisionId {
        DecisionId::new(self.merchant, self.number)
    }

    pub(super) fn of_past(merchant: MerchantId, time_ms: i64, decided: Decided) -> Self {
        Self {
            merchant,
            number: decided.number,
            time_ms,
            sequence: decided.sequence,
            asked: decided.asked,
            done: decided.done,
            decision: decided.decision,
            user: decided.who.user,
            sealed: Vec::new(),
            marks: Marks::default(),
        }
    }

    /// Whom it is about.
    pub(super) fn about(&self) -> Option<Subject> {
        Subject::of(self.user, &self.decision)
    }

    fn of_record(id: DecisionId, at: At, event: &Event) -> Option<Self> {
        let (asked, decision, user, sealed) = match event {
            Event::CouponClaimed(claim) => (Asked::Claim, &claim.decision, Some(claim.user), &claim.sealed),
            Event::CouponsLocked(lock) => (Asked::Lock, &lock.decision, lock.actor.user, &lock.sealed),
            Event::CouponsRedeemed(it) => (Asked::Redemption, &it.decision, it.actor.user, &it.sealed),
            Event::Decided(kept) => return Self::of_kept(id, at, kept),
            _ => return None,
        };
        Some(Self {
            merchant: id.merchant,
            number: id.number,
            time_ms: at.time,
            sequence: at.sequence,
            asked,
            done: true,
            decision: decision.clone(),
            user,
            sealed: sealed.clone(),
            marks: Marks::default(),
        })
    }

    fn of_kept(id: DecisionId, at: At, kept: &DecisionKept) -> Option<Self> {
        let basis = kept.decision.basis.as_deref()?;
        Some(Self {
            merchant: id.merchant,
            number: id.number,
            time_ms: at.time,
            sequence: at.sequence,
            asked: basis.asked,
            done: false,
            decision: kept.decision.clone(),
            user: basis.who.user,
            sealed: kept.sealed.clone(),
            marks: Marks::default(),
        })
    }
}

/// A decision by its id, for a caller who may see it.
pub(super) async fn find(state: &RiskApi, call: &Call, id: DecisionId) -> Result<Found, Problem> {
    let missing = || Problem::of(Code::DecisionNotFound);
    if !call.sees(id.merchant) {
        return Err(missing());
    }
    if id.number & REFUSED != 0 {
        return refused(state, id).await?.ok_or_else(missing);
    }
    recorded(state, id).await?.ok_or_else(missing)
}

/// A decision that has a record, with all that it holds.
pub(super) async fn recorded(state: &RiskApi, id: DecisionId) -> Result<Option<Found>, Problem> {
    let record = state.backend.ledger.record(id.merchant.shard(), id.number).await.map_err(Problem::internal)?;
    let Some((at, Entry::Guarded(record))) = record else { return Ok(None) };
    if record.merchant != id.merchant {
        return Ok(None);
    }
    Ok(record.events.iter().find_map(|event| Found::of_record(id, at, event)))
}

/// A decision that refused has no record of its own; it stands in what happened.
async fn refused(state: &RiskApi, id: DecisionId) -> Result<Option<Found>, Problem> {
    caught_up(state, Some(id.merchant)).await?;
    let history = state.scorer.history.clone();
    let search = move || {
        let mut found = None;
        history.backward(None, |_, past| {
            let Past { merchant, time_ms, what: What::Decided(decided) } = past else {
                return ControlFlow::Continue(());
            };
            if (merchant, decided.number) != (id.merchant, id.number) {
                return ControlFlow::Continue(());
            }
            found = Some(Found::of_past(merchant, time_ms, *decided));
            ControlFlow::Break(())
        })?;
        Ok::<_, std::io::Error>(found)
    };
    tokio::task::spawn_blocking(search).await.map_err(Problem::internal)?.map_err(Problem::internal)
}

/// The merchant's zone.
pub(super) fn zone(state: &RiskApi, merchant: MerchantId) -> Option<Tz> {
    state.backend.directory.merchant(merchant).map(|row| {
        let Zone(zone) = row.profile.zone;
        zone
    })
}

/// A decision with all that it rested on
#[utoipa::path(get, path = "/v1/risk/decisions/{id}", tag = "Risk", params(("id" = String, Path)),
    responses((status = 200, body = serde_json::Value)))]
async fn decision(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let mut found = find(&state, &call, path.id(Code::DecisionNotFound)?).await?;
    marks::mark(&state, std::slice::from_mut(&mut found)).await?;
    let book = books::of(&state, &found.decision).await?;
    Answer::ok(&Shown { state: &state, found: &found, book: &book }.whole())
}

/// Derive a decision again
///
/// From what it says that it rested on, and the versions of rules that it names, whatever is live by now.
#[utoipa::path(post, path = "/v1/risk/decisions/{id}/derive", tag = "Risk", params(("id" = String, Path)),
    responses((status = 200, body = serde_json::Value)))]
async fn derive_again(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let found = find(&state, &call, path.id(Code::DecisionNotFound)?).await?;
    let book = books::of(&state, &found.decision).await?;
    let listed = books::listed(&state, &found.decision).await?;
    let Some(again) = derive(&found.decision, &book, zone(&state, found.merchant), &listed) else {
        let detail = "This decision was made by a release that did not keep what it rested on.";
        return Err(Problem::new(Code::DecisionNotDerivable, detail));
    };
    let (recorded, derived) = (plain(&found.decision)?, plain(&again)?);
    let differences = differences(&recorded, &derived);
    Answer::ok(&json!({
        "id": found.id().to_string(),
        "equal": differences.is_empty(),
        "differences": differences,
        "action": coupon_api::dto::answer::action_name(again.action),
        "score": again.basis.as_ref().map(|basis| basis.score),
    }))
}

/// All fields of a decision by their names.
fn plain(decision: &Decision) -> Result<Map<String, Value>, Problem> {
    let Value::Object(mut whole) = json!({
        "action": decision.action, "watermark": decision.watermark, "slots": decision.slots, "missing": decision.missing,
        "reasons": decision.reasons, "degraded": decision.degraded, "evaluator": decision.evaluator,
    }) else {
        return Err(Problem::internal("a decision is an object"));
    };
    if let Some(Value::Object(basis)) = decision.basis.as_ref().map(|basis| json!(basis)) {
        whole.extend(basis);
    }
    Ok(whole)
}

fn differences(recorded: &Map<String, Value>, derived: &Map<String, Value>) -> Vec<Value> {
    let fields = recorded.iter().filter(|(field, value)| derived.get(*field) != Some(value));
    fields.map(|(field, value)| json!({"field": field, "recorded": value, "derived": derived.get(field)})).collect()
}

/// What of the past is looked at for one page; then the caller gets what there is, and a cursor to go on.
const LOOK_AT: usize = 200_000;

/// List decisions, newest first
///
/// `subject` is `kind:value` with a device, user, ip, store or cashier; `rule` names one that hit; `label` is `fraud`,
/// `honest` or `none`, by the newest 50,000 labels.
#[utoipa::path(get, path = "/v1/risk/decisions", tag = "Risk",
    params(("subject" = Option<String>, Query), ("action" = Option<String>, Query), ("event" = Option<String>, Query),
        ("rule" = Option<String>, Query), ("merchant_id" = Option<String>, Query), ("stock_id" = Option<String>, Query),
        ("degraded" = Option<bool>, Query), ("label" = Option<String>, Query), ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query),
        ("from" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = serde_json::Value)))]
async fn list(State(state): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let (filter, asked) = call.list::<Filter>()?;
    let stock =
        filter.stock_id.as_deref().map(|id| id.parse::<StockId>().map_err(|_| stock_not_found())).transpose()?;
    let merchant = subjects::scope(&call, filter.merchant_id.as_deref())?.or(stock.map(|stock| stock.merchant.real()));
    let subject = filter.subject.as_deref().map(|text| subjects::Named::parse(&state, text)).transpose()?;
    let before = asked.cursor.as_ref().map(spot).transpose()?;
    caught_up(&state, merchant).await?;
    let labels = if filter.label.is_some() { marks::labels(&state, merchant).await? } else { Labels::new() };
    let history = state.scorer.history.clone();
    let (wanted, page) = (filter, asked.clone());
    let search = move || {
        search(&history, before, &page, |past, decided| {
            merchant.is_none_or(|merchant| past.merchant.real() == merchant)
                && subject.as_ref().is_none_or(|subject| subject.is_of(past.merchant, decided))
                && stock.is_none_or(|stock| (past.merchant, decided.who.stock) == (stock.merchant, Some(stock.number)))
                && wanted.fits(decided, labels.get(&(past.merchant, decided.number)).copied())
        })
    };
    let mut found = tokio::task::spawn_blocking(search).await.map_err(Problem::internal)?.map_err(Problem::internal)?;
    marks::mark(&state, &mut found.rows).await?;
    let mut data = Vec::with_capacity(found.rows.len());
    let mut books = books::Books::default();
    for found in &found.rows {
        let book = books.of(&state, &found.decision).await?;
        data.push(Shown { state: &state, found, book: &book }.whole());
    }
    Answer::ok(&List { data, next_cursor: found.next.map(|spot| cursor(spot).encode()) })
}

fn stock_not_found() -> Problem {
    Problem::of(Code::StockNotFound).pointer("/query/stock_id")
}

/// Waits until what was answered before is in the history too: it follows the ledger by a moment.
pub(super) async fn caught_up(state: &RiskApi, merchant: Option<MerchantId>) -> Result<(), Problem> {
    let look = move |ledger: &projection::ledger::Ledger| {
        let shards: std::collections::BTreeSet<Shard> =
            super::across::merchants(ledger, merchant).into_iter().map(MerchantId::shard).collect();
        shards.into_iter().map(|shard| (shard, ledger.shard(shard).sequence)).collect::<Vec<_>>()
    };
    let last = state.backend.look(coupon::id::PLATFORM, move |_, ledger, _| look(ledger)).await?;
    let deadline = tokio::time::Instant::now() + CAUGHT_UP_WITHIN;
    while !state.scorer.inline.counts().read().has_reached(&last) && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Later than this, what there is is told: the next time there is more.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(2);

/// What a look at the past found.
pub(super) struct Looked {
    pub(super) rows: Vec<Found>,
    /// Where to go on.
    pub(super) next: Option<Spot>,
}

/// Looks at decisions, newest first, until a page is full or enough were looked at.
pub(super) fn search(
    history: &History,
    before: Option<Spot>,
    page: &Page,
    fits: impl Fn(&Past, &Decided) -> bool,
) -> std::io::Result<Looked> {
    let mut looked = Looked { rows: Vec::new(), next: None };
    let (mut count, mut last) = (0, None);
    history.backward(before, |spot, past| {
        if page.from_ms.is_some_and(|from| past.time_ms < from - CLOCKS_APART_MS) {
            return ControlFlow::Break(());
        }
        count += 1;
        if count > LOOK_AT {
            looked.next = last;
            return ControlFlow::Break(());
        }
        let Past { what: What::Decided(decided), .. } = &past else {
            last = Some(spot);
            return ControlFlow::Continue(());
        };
        let in_time = coupon_api::listing::in_time(page, past.time_ms);
        if in_time && fits(&past, decided) {
            if looked.rows.len() == page.limit {
                looked.next = last;
                return ControlFlow::Break(());
            }
            looked.rows.push(Found::of_past(past.merchant, past.time_ms, Decided::clone(decided)));
        }
        last = Some(spot);
        ControlFlow::Continue(())
    })?;
    Ok(looked)
}

/// Shards' times of the log are not one: what is so much older may still be followed by what is wanted.
pub(super) const CLOCKS_APART_MS: i64 = 3_600_000;

pub(super) fn cursor(spot: Spot) -> Cursor {
    Cursor::number(u64::from(spot.segment) << 32 | u64::from(spot.offset))
}

pub(super) fn spot(cursor: &Cursor) -> Result<Spot, Problem> {
    let foreign = || Problem::new(Code::InvalidField, "/query/cursor must be a next_cursor of this list.");
    let number = cursor.to_number().ok_or_else(|| foreign().pointer("/query/cursor"))?;
    Ok(Spot { segment: (number >> 32) as u32, offset: number as u32 })
}
