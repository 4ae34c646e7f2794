//! Load tests on file: what a promotion was shown to bear.

use std::io::{Read as _, Write as _};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use coupon::command::Command;
use coupon::event::{Event, LoadTest};
use coupon::id::{LoadTestId, StockId};
use coupon::record::Entry;
use coupon::state::Read;
use coupon_api::dto::context::note;
use coupon_api::dto::load_test::{LoadTestView, load_test_view};
use coupon_api::listing::{in_time, newest, page, read_of};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::List;
use http_api::problem::{Code, Problem};
use http_api::quota::QuotaClass;
use projection::index::List as Index;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::state::{Issuer, owner};

/// How results of `loadtest run --json` begin.
const FORMAT: &str = "counterfoil-loadtest/1";
/// The longest verdict that is kept, characters.
const VERDICT: usize = 1_000;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LoadTestRequest {
    /// `stk_...`: whose promotion it is of.
    stock_id: Option<String>,
    /// What `loadtest run --json` wrote, whole.
    #[schema(value_type = Object)]
    report: Value,
    /// The caller's.
    reference: Option<String>,
    /// The caller's.
    metadata: Option<std::collections::BTreeMap<String, String>>,
}

/// Store a load test's report
///
/// Where it passed, the stock may be activated whatever it expects.
#[utoipa::path(post, path = "/v1/load-tests", tag = "Load tests", request_body = LoadTestRequest,
    responses((status = 201, body = LoadTestView)))]
pub(super) async fn store(State(state): State<Issuer>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Developer])?;
    let merchant = call.merchant()?;
    call.limit(QuotaClass::Create)?;
    let parsed = call.parse::<LoadTestRequest>()?;
    let body = parsed.body;
    let stock = match body.stock_id.as_deref() {
        None => None,
        Some(id) => {
            let id = id.parse::<StockId>().ok().filter(|id| id.merchant == merchant);
            Some(id.ok_or_else(|| Problem::of(Code::StockNotFound).pointer("/stock_id"))?.number)
        }
    };
    let report = &body.report;
    let (outcome, line) = (report["verdict"]["outcome"].as_str(), report["verdict"]["line"].as_str());
    let (profile, peak) = (report["profile"].as_str(), report["load"]["peak_per_second"].as_f64());
    Check::new()
        .field("/report/format", report["format"] == FORMAT, "must be counterfoil-loadtest/1")
        .field(
            "/report/verdict/outcome",
            matches!(outcome, Some("PASS" | "FAIL" | "INVALID")),
            "must be PASS, FAIL or INVALID",
        )
        .field("/report/verdict/line", line.is_some(), "must be a text")
        .length("/report/profile", profile.unwrap_or_default(), 1..=200)
        .field(
            "/report/load/peak_per_second",
            peak.is_some_and(|peak| (0.0..=1e9).contains(&peak)),
            "must be a rate per second",
        )
        .done()?;
    let test = LoadTest {
        stock,
        passed: outcome == Some("PASS") && report["audit"]["sound"] == true,
        profile: profile.unwrap_or_default().to_owned(),
        verdict: line.unwrap_or_default().chars().take(VERDICT).collect(),
        peak_per_second: peak.unwrap_or_default().round() as u64,
        report: deflated(report)?,
        note: note(body.reference, body.metadata)?,
    };
    state.backend.write(&call, merchant, parsed.fingerprint, Command::StoreLoadTest(Box::new(test))).await
}

fn deflated(report: &Value) -> Result<Vec<u8>, Problem> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(report.to_string().as_bytes()).map_err(Problem::internal)?;
    encoder.finish().map_err(Problem::internal)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    stock_id: Option<String>,
    passed: Option<bool>,
    merchant_id: Option<String>,
}

/// List load tests, newest first
///
/// Analysts and the platform say whose with `merchant_id`.
#[utoipa::path(get, path = "/v1/load-tests", tag = "Load tests",
    params(("stock_id" = Option<String>, Query), ("passed" = Option<bool>, Query),
        ("merchant_id" = Option<String>, Query), ("limit" = Option<u16>, Query),
        ("cursor" = Option<String>, Query), ("from" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<LoadTestView>)))]
pub(super) async fn list(State(state): State<Issuer>, call: Call) -> Result<List<LoadTestView>, Problem> {
    call.require(&[Role::Developer, Role::Operator, Role::Analyst])?;
    let (filter, asked) = call.list::<Filter>()?;
    let merchant = read_of(&state.backend, &call, filter.merchant_id.as_deref())?;
    let stock = match filter.stock_id.as_deref().map(str::parse::<StockId>) {
        None => None,
        Some(Ok(id)) if id.merchant == merchant => Some(id.number),
        Some(_) => return Ok(List { data: Vec::new(), next_cursor: None }),
    };
    let (after, wanted) = (asked.after()?, asked.clone());
    let rows = state
        .backend
        .look(merchant, move |shard, ledger, _| {
            newest(ledger.index.list(merchant, Index::LoadTests), after)
                .filter_map(|(place, number)| Some((place, number, shard.load_test(merchant, number)?)))
                .filter(|(_, _, row)| stock.is_none() || row.stock == stock)
                .filter(|(_, _, row)| filter.passed.is_none_or(|passed| passed == row.passed))
                .filter(|(_, _, row)| in_time(&wanted, row.created_at))
                .take(wanted.limit + 1)
                .map(|(place, number, row)| (place, load_test_view(LoadTestId::new(merchant, number), row)))
                .collect()
        })
        .await?;
    Ok(page(rows, &asked))
}

fn load_test_id(call: &Call, path: &Segment) -> Result<LoadTestId, Problem> {
    let id: LoadTestId = path.id(Code::LoadTestNotFound)?;
    owner(call, id.merchant, Code::LoadTestNotFound).map(|_| id)
}

/// Read a load test
#[utoipa::path(get, path = "/v1/load-tests/{id}", tag = "Load tests", params(("id" = String, Path)),
    responses((status = 200, body = LoadTestView)))]
pub(super) async fn get(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Developer, Role::Operator, Role::Analyst])?;
    let id = load_test_id(&call, &path)?;
    let row = state.backend.look(id.merchant, move |shard, _, _| shard.load_test(id.merchant, id.number).cloned());
    let row = row.await?.ok_or_else(|| Problem::of(Code::LoadTestNotFound))?;
    Answer::ok(&load_test_view(id, &row))
}

/// A load test's whole report, as `loadtest run --json` wrote it
#[utoipa::path(get, path = "/v1/load-tests/{id}/report", tag = "Load tests", params(("id" = String, Path)),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn report(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Response, Problem> {
    call.require(&[Role::Developer, Role::Operator, Role::Analyst])?;
    let id = load_test_id(&call, &path)?;
    let missing = || Problem::of(Code::LoadTestNotFound);
    let look = move |shard: &projection::shard::ShardState, _: &projection::ledger::Ledger, _| {
        shard.load_test(id.merchant, id.number).is_some()
    };
    if !state.backend.look(id.merchant, look).await? {
        return Err(missing());
    }
    let record = state.backend.ledger.record(id.merchant.shard(), id.number).await.map_err(Problem::internal)?;
    let Some((_, Entry::Guarded(record))) = record else { return Err(missing()) };
    let stored = record.events.iter().find_map(|event| match event {
        Event::LoadTestStored(test) => Some(&test.report),
        _ => None,
    });
    let mut text = String::new();
    let inflated = ZlibDecoder::new(stored.ok_or_else(missing)?.as_slice()).read_to_string(&mut text);
    inflated.map_err(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}
