//! What happened, asked for by a query: events, how many over time, and whom or what they are most about.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http_api::auth::Role;
use http_api::call::Call;
use http_api::idempotency::Answer;
use http_api::problem::{Code, Problem};
use http_api::time::{Timestamp, format_ms};
use risk::query::{self, Field, FieldType};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa::OpenApi;

use super::RiskApi;
use super::decisions::{caught_up, cursor, spot};
use super::marks::{self, Labels};
use super::subjects::scope;

mod event;
mod scan;
mod series;
mod terms;
mod top;
mod view;

use scan::{Bounds, Scan};
use terms::{Matcher, uses};

#[derive(OpenApi)]
#[openapi(paths(list, series, top, fields))]
pub(super) struct Document;

pub(super) fn router() -> Router<RiskApi> {
    Router::new()
        .route("/v1/risk/events", get(list))
        .route("/v1/risk/events/series", get(series))
        .route("/v1/risk/events/top", get(top))
        .route("/v1/risk/events/fields", get(fields))
}

/// Looks at the past that this process takes at once; who comes then waits.
const AT_ONCE: usize = 2;
/// And so long, at most.
const WAITS: Duration = Duration::from_secs(5);
/// How far a series and a top reach back unless told, milliseconds.
const BACK_MS: i64 = 3_600_000;

/// Who may look at the past.
pub(super) type Turns = Arc<Semaphore>;

/// A turn for each look that is taken at once.
pub(super) fn turns() -> Turns {
    Arc::new(Semaphore::new(AT_ONCE))
}

/// A query that was understood, and all that it needs.
struct Looking {
    query: query::Query<Matcher>,
    labels: Labels,
    _turn: OwnedSemaphorePermit,
}

impl Looking {
    /// Understands the query for the caller and waits for a turn.
    async fn new(state: &RiskApi, call: &Call, text: Option<&str>, by: Option<Field>) -> Result<Self, Problem> {
        let merchant = scope(call, None)?;
        let parsed = query::parse(text.unwrap_or_default()).map_err(invalid)?;
        let needs_labels = by == Some(Field::Label) || uses(&parsed, Field::Label);
        let query = terms::understand(state, merchant, parsed).map_err(invalid)?;
        let waiting = tokio::time::timeout(WAITS, state.turns.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = waiting else {
            let detail = "Others look at the past; this look was not begun.";
            return Err(Problem::new(Code::Overloaded, detail).retry_after(2));
        };
        caught_up(state, merchant).await?;
        let labels = if needs_labels { marks::labels(state, merchant).await? } else { Labels::new() };
        Ok(Self { query, labels, _turn: turn })
    }

    /// Works on the history, away from those who answer.
    async fn work<T: Send + 'static>(
        self,
        state: &RiskApi,
        bounds: Bounds,
        work: impl FnOnce(Scan<'_>) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, Problem> {
        let history = state.scorer.history.clone();
        let work = move || {
            let Self { query, labels, _turn } = self;
            work(Scan { history: &history, query: &query, labels: &labels, bounds })
        };
        tokio::task::spawn_blocking(work).await.map_err(Problem::internal)?.map_err(Problem::internal)
    }
}

fn invalid(problems: Vec<query::Problem>) -> Problem {
    let first = problems.first().cloned().unwrap_or_else(|| query::Problem::new(1, "the query is wrong", "see above"));
    let detail = format!("Column {}: {}; {}.", first.column, first.message, first.hint);
    Problem::new(Code::QueryInvalid, detail).pointer("/query/query").with("problems", problems)
}

fn wrong(name: &str, must: &str) -> Problem {
    Problem::new(Code::InvalidField, format!("/query/{name} {must}.")).pointer(format!("/query/{name}"))
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    query: Option<String>,
}

/// List events, newest first
///
/// Decisions with what became of them, and attempts that were refused without one. The language of `query` is that of
/// `GET /v1/risk/events/fields`. Where `complete` is false, `next_cursor` goes on.
#[utoipa::path(get, path = "/v1/risk/events", tag = "Risk",
    params(("query" = Option<String>, Query), ("from" = Option<String>, Query), ("until" = Option<String>, Query),
        ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = serde_json::Value)))]
async fn list(State(state): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let (Asked { query }, page) = call.list()?;
    let before = page.cursor.as_ref().map(spot).transpose()?;
    let looking = Looking::new(&state, &call, query.as_deref(), None).await?;
    let (from, until) = (page.from_ms.unwrap_or(i64::MIN), page.until_ms.unwrap_or(i64::MAX));
    let found = looking.work(&state, Bounds { from, until, before }, move |scan| scan.page(page.limit)).await?;
    Answer::ok(&json!({
        "data": view::rows(&state, found.rows).await?, "next_cursor": found.next.map(|spot| cursor(spot).encode()),
        "scanned": found.scanned.count, "complete": found.scanned.complete(),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeriesAsked {
    query: Option<String>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    step_seconds: Option<u32>,
    by: Option<String>,
}

/// The time that is looked at, an hour unless told.
fn time(state: &RiskApi, from: Option<&Timestamp>, until: Option<&Timestamp>) -> Result<(i64, i64), Problem> {
    let until = until.map_or_else(|| state.backend.ledger.now(), |Timestamp(until)| *until);
    let from = from.map_or(until - BACK_MS, |Timestamp(from)| *from);
    if from >= until {
        return Err(wrong("from", "must be before until"));
    }
    Ok((from, until))
}

/// The fields that counts can be told apart by.
fn group(name: &str, given: Option<&str>) -> Result<Option<Field>, Problem> {
    let Some(text) = given else { return Ok(None) };
    let field = Field::named(text).filter(|field| field.kind() != FieldType::Number);
    field.map(Some).ok_or_else(|| wrong(name, "must be one of the fields that is no number"))
}

/// How many events there were, over time
///
/// In steps of `step_seconds` that begin at whole multiples of it (UTC), at most 2,000 of them; `from` is the first one's
/// beginning. `by` tells them apart by a field: the twelve most frequent values, and `other`. `complete` is false where so
/// much happened that the oldest steps were not looked at; `reached` says from when on all was.
#[utoipa::path(get, path = "/v1/risk/events/series", tag = "Risk",
    params(("query" = Option<String>, Query), ("from" = Option<String>, Query), ("until" = Option<String>, Query),
        ("step_seconds" = Option<u32>, Query), ("by" = Option<String>, Query)),
    responses((status = 200, body = serde_json::Value)))]
async fn series(State(state): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let asked: SeriesAsked = call.query_as()?;
    let (from, until) = time(&state, asked.from.as_ref(), asked.until.as_ref())?;
    let by = group("by", asked.by.as_deref())?;
    let step = asked.step_seconds.map_or_else(|| series::step_for(until - from), |step| i64::from(step) * 1_000);
    let steps = series::Steps::new(from, until, step).ok_or_else(|| {
        wrong("step_seconds", &format!("must be at least 1 and give at most {} steps", series::MOST_STEPS))
    })?;
    let looking = Looking::new(&state, &call, asked.query.as_deref(), by).await?;
    let bounds = Bounds { from: steps.from, until, before: None };
    let (counted, scanned) = looking.work(&state, bounds, move |scan| scan.series(steps, by)).await?;
    let series: Vec<Value> =
        counted.into_iter().map(|(name, counts)| json!({"name": name, "counts": counts})).collect();
    Answer::ok(&json!({
        "step_seconds": step / 1_000, "from": format_ms(steps.from), "until": format_ms(until), "series": series,
        "scanned": scanned.count, "complete": scanned.complete(), "reached": scanned.reached.map(format_ms),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TopAsked {
    query: Option<String>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    field: String,
    limit: Option<usize>,
}

/// Whom or what events are most about
///
/// The values of `field` with the most events, how many there were in the same length of time just before, and by which
/// share that changed. Devices, users and addresses are in clear where some record of theirs is.
#[utoipa::path(get, path = "/v1/risk/events/top", tag = "Risk",
    params(("query" = Option<String>, Query), ("from" = Option<String>, Query), ("until" = Option<String>, Query),
        ("field" = String, Query), ("limit" = Option<u16>, Query)),
    responses((status = 200, body = serde_json::Value)))]
async fn top(State(state): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let asked: TopAsked = call.query_as()?;
    let (from, until) = time(&state, asked.from.as_ref(), asked.until.as_ref())?;
    let by = group("field", Some(&asked.field))?.unwrap_or(Field::Kind);
    let limit = asked.limit.unwrap_or(10);
    if !(1..=top::MOST_ROWS).contains(&limit) {
        return Err(wrong("limit", &format!("must be 1 to {}", top::MOST_ROWS)));
    }
    let looking = Looking::new(&state, &call, asked.query.as_deref(), Some(by)).await?;
    let before = from.saturating_sub(until.saturating_sub(from));
    let bounds = Bounds { from: before, until, before: None };
    let (counted, scanned) = looking.work(&state, bounds, move |scan| scan.top(by, from, limit)).await?;
    let data = top::shown(&state, by, counted).await?;
    Answer::ok(&json!({
        "field": by.name(), "data": data, "scanned": scanned.count, "complete": scanned.complete(),
        "reached": scanned.reached.map(format_ms),
    }))
}

/// What queries can ask for
///
/// `field:value`, `field:(one,other)`, `score>500`; blanks mean and; `or`, `not` or `-`, brackets and `"quotes"`.
#[utoipa::path(get, path = "/v1/risk/events/fields", tag = "Risk", responses((status = 200, body = serde_json::Value)))]
async fn fields(call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let field = |field: &Field| {
        let values = Some(field.values()).filter(|values| !values.is_empty());
        json!({"name": field.name(), "type": field.kind(), "values": values, "about": field.about()})
    };
    Answer::ok(&json!({"fields": Field::ALL.iter().map(field).collect::<Vec<_>>()}))
}
