//! Snoozes: one rule says nothing about one subject, until a time.

use axum::Router;
use axum::extract::State;
use axum::routing::{delete, post};
use coupon::command::Command;
use coupon::id::{PLATFORM, RuleSetId, SnoozeId};
use coupon::snooze::{SnoozeStep, SnoozeStepped, Snoozed};
use coupon::state::Read;
use coupon_api::dto::snooze::{SnoozeEndedView, SnoozeView, snooze_view};
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::{Cursor, List};
use http_api::problem::{Code, Problem};
use http_api::time::Timestamp;
use projection::index::List as Index;
use risk::feature::Plan;
use risk::rules;
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

use super::across::{self, Place, foreign, merchants, newest, seen};
use super::subject::SubjectRequest;
use super::{RiskApi, whose};

#[derive(OpenApi)]
#[openapi(paths(begin, list, end))]
pub(super) struct Document;

pub(super) fn router() -> Router<RiskApi> {
    Router::new().route("/v1/risk/snoozes", post(begin).get(list)).route("/v1/risk/snoozes/{id}", delete(end))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SnoozeRequest {
    /// The rule's name, in whichever set it is, also in one that is pushed later; or `rls_.../name`.
    rule_id: String,
    /// For whom.
    subject: SubjectRequest,
    /// Not from here on.
    #[schema(value_type = String, format = DateTime)]
    until: Timestamp,
    /// Why.
    reason: String,
    /// At which merchant; may be left out by keys that belong to one.
    merchant_id: Option<String>,
}

/// Silence a rule for a subject
#[utoipa::path(post, path = "/v1/risk/snoozes", tag = "Risk", request_body = SnoozeRequest,
    responses((status = 201, body = SnoozeView)))]
pub(super) async fn begin(State(state): State<RiskApi>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let parsed = call.parse::<SnoozeRequest>()?;
    let SnoozeRequest { rule_id, subject, until: Timestamp(until), reason, merchant_id } = parsed.body;
    Check::new().length("/rule_id", &rule_id, 1..=200).length("/reason", &reason, 1..=500).done()?;
    let merchant = whose(&call, merchant_id.as_deref())?;
    if let Some(first) = state.backend.repeated(&call, merchant, parsed.fingerprint).await? {
        return Ok(first);
    }
    let now = state.backend.ledger.now();
    Check::new().field("/until", until > now, "must be in the future").done()?;
    let subject = subject.at(merchant, &state.backend.secrets)?;
    let (ruleset, rule) = rule(&state, &rule_id).await?;
    let what = Snoozed { rule, ruleset, subject, until, reason };
    let stepped = SnoozeStepped { by: call.caller.key_id.to_string(), step: SnoozeStep::Begin(what) };
    state.backend.write(&call, merchant, parsed.fingerprint, Command::StepSnooze(Box::new(stepped))).await
}

/// The set, where one is named, and the rule's name. A set that is named must have the rule in some version.
async fn rule(state: &RiskApi, rule_id: &str) -> Result<(Option<u64>, String), Problem> {
    let Some((set, rule)) = rule_id.split_once('/') else { return Ok((None, rule_id.to_owned())) };
    let missing = || Problem::of(Code::RuleNotFound).pointer("/rule_id");
    let set: RuleSetId = set.parse().map_err(|_| missing())?;
    let row = state.backend.look(PLATFORM, move |shard, _, _| shard.ruleset(PLATFORM, set.number).cloned()).await?;
    let row = row.filter(|_| set.merchant == PLATFORM).ok_or_else(missing)?;
    let has = row.versions.iter().any(|version| {
        let rules = rules::compile(&version.text, &mut Plan::default());
        rules.is_ok_and(|set| set.rules.iter().any(|one| one.name == rule))
    });
    if has { Ok((Some(set.number), rule.to_owned())) } else { Err(missing()) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    merchant_id: Option<String>,
}

/// List snoozes, active ones first, newest first
#[utoipa::path(get, path = "/v1/risk/snoozes", tag = "Risk",
    params(("merchant_id" = Option<String>, Query), ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query),
        ("from" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<SnoozeView>)))]
pub(super) async fn list(State(state): State<RiskApi>, call: Call) -> Result<List<SnoozeView>, Problem> {
    call.require(&[Role::Analyst])?;
    let (Filter { merchant_id }, asked) = call.list()?;
    let one = seen(&call, merchant_id.as_deref())?;
    let after = match &asked.cursor {
        None => (true, None),
        Some(cursor) => {
            let (active, place) = cursor.as_bytes().split_first().ok_or_else(foreign)?;
            (*active == 1, Some(Place::read(place).ok_or_else(foreign)?))
        }
    };
    state
        .backend
        .look(PLATFORM, move |_, ledger, now| {
            let merchants = merchants(ledger, one);
            let part = |active: bool, after: Option<Place>, limit: usize| {
                let asked = http_api::page::Page { limit, ..asked.clone() };
                let places = newest(ledger, &merchants, Index::Snoozes, after);
                let found = across::page(places, &asked, |place| {
                    let row = ledger.of(place.merchant).snooze(place.merchant, place.number)?;
                    let id = SnoozeId::new(place.merchant, place.number);
                    (row.is_active(now) == active).then(|| snooze_view(id, row, now))
                });
                let place = found.next_cursor.as_deref().and_then(Cursor::decode);
                let next_cursor = place.and_then(|it| Place::read(it.as_bytes())).map(|it| cursor(active, it));
                List { next_cursor, ..found }
            };
            let (active, place) = after;
            let mut found = part(active, place, asked.limit);
            if !active || found.next_cursor.is_some() {
                return found;
            }
            if found.data.len() == asked.limit {
                found.next_cursor = Some(cursor(false, Place::NEWEST));
            } else {
                let rest = part(false, None, asked.limit - found.data.len());
                found.data.extend(rest.data);
                found.next_cursor = rest.next_cursor;
            }
            found
        })
        .await
}

fn cursor(active: bool, place: Place) -> String {
    Cursor::new([&[u8::from(active)][..], place.cursor().as_bytes()].concat()).encode()
}

/// End a snooze before its time
#[utoipa::path(delete, path = "/v1/risk/snoozes/{id}", tag = "Risk", params(("id" = String, Path)),
    responses((status = 200, body = SnoozeEndedView)))]
pub(super) async fn end(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst])?;
    let id: SnoozeId = path.id(Code::SnoozeNotFound)?;
    if !call.sees(id.merchant) {
        return Err(Problem::of(Code::SnoozeNotFound));
    }
    let stepped = SnoozeStepped { by: call.caller.key_id.to_string(), step: SnoozeStep::End(id.number) };
    let command = Command::StepSnooze(Box::new(stepped));
    state.backend.write(&call, id.merchant, call.raw_fingerprint(), command).await
}
