//! Codes made ahead.

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use coupon::command::Command;
use coupon::id::{BatchId, CouponId, StockId};
use coupon::state::{Batch, Range, Read};
use coupon_api::listing::{in_time, newest, page};
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::{List, NoFilter};
use http_api::problem::{Code, Problem};
use http_api::quota::QuotaClass;
use http_api::time::format_ms;
use projection::index::List as Index;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::stocks::stock_id;
use crate::state::{Issuer, owner};

/// Codes of one piece of the stream.
const PIECE: u64 = 2_000;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CodesRequest {
    /// 1..=10,000,000.
    count: u64,
    /// At most 128 characters.
    #[serde(default)]
    label: String,
}

/// Make codes ahead
///
/// One record, whatever the count; they can be claimed and redeemed at once.
#[utoipa::path(post, path = "/v1/stocks/{id}/codes", tag = "Codes", request_body = CodesRequest,
    params(("id" = String, Path)), responses((status = 202, body = serde_json::Value)))]
pub(super) async fn make(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Developer])?;
    call.merchant()?;
    call.require_idempotency_key()?;
    call.limit(QuotaClass::Create)?;
    let parsed = call.parse::<CodesRequest>()?;
    Check::new()
        .field("/count", (1..=10_000_000).contains(&parsed.body.count), "must be 1 to 10,000,000")
        .length("/label", &parsed.body.label, 0..=128)
        .done()?;
    let id = stock_id(&call, &path)?;
    let command = Command::MakeCodes(id.number, parsed.body.count, parsed.body.label);
    state.backend.write(&call, id.merchant, parsed.fingerprint, command).await
}

/// Codes made ahead, or imported.
#[derive(Serialize, ToSchema)]
pub(super) struct BatchView {
    /// `bat_...`
    id: String,
    /// `stk_...`
    stock_id: String,
    /// How many codes.
    count: u64,
    /// How many of them are in nobody's hands no more.
    taken: u64,
    /// As the merchant calls it.
    label: String,
    /// `ready` or `voided`.
    state: &'static str,
    /// When it was made.
    created_at: String,
    /// When what was left of it was voided.
    voided_at: Option<String>,
    /// Of a live merchant.
    livemode: bool,
}

fn view(id: BatchId, batch: &Batch, livemode: bool) -> BatchView {
    BatchView {
        id: id.to_string(),
        stock_id: StockId::new(id.merchant, batch.stock).to_string(),
        count: batch.count,
        taken: batch.taken,
        label: batch.label.to_string(),
        state: if batch.voided_at.is_some() { "voided" } else { "ready" },
        created_at: format_ms(batch.created_at),
        voided_at: batch.voided_at.map(format_ms),
        livemode,
    }
}

/// List a stock's batches, newest first
#[utoipa::path(get, path = "/v1/stocks/{id}/code-batches", tag = "Codes",
    params(("id" = String, Path), ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query),
        ("from" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<BatchView>)))]
pub(super) async fn list(State(state): State<Issuer>, path: Segment, call: Call) -> Result<List<BatchView>, Problem> {
    call.require(&[Role::Developer, Role::Analyst])?;
    let (NoFilter {}, asked) = call.list()?;
    let id = stock_id(&call, &path)?;
    let (after, wanted, livemode) = (asked.after()?, asked.clone(), state.backend.livemode(&call, id.merchant));
    let rows: Option<Vec<_>> = state
        .backend
        .look(id.merchant, move |shard, ledger, _| {
            shard.stock(id.merchant, id.number)?;
            let rows = newest(ledger.index.list(id.merchant, Index::Batches(id.number)), after)
                .map(|(place, n)| (place, BatchId::new(id.merchant, n)))
                .filter_map(|(place, batch)| Some((place, batch, shard.batch(batch.merchant, batch.number)?)))
                .filter(|(_, _, row)| in_time(&wanted, row.created_at))
                .take(wanted.limit + 1)
                .map(|(place, batch, row)| (place, view(batch, row, livemode)));
            Some(rows.collect())
        })
        .await?;
    let rows = rows.ok_or_else(|| Problem::of(Code::StockNotFound))?;
    Ok(page(rows, &asked))
}

fn batch_id(call: &Call, path: &Segment) -> Result<BatchId, Problem> {
    let id: BatchId = path.id(Code::BatchNotFound)?;
    owner(call, id.merchant, Code::BatchNotFound).map(|_| id)
}

/// Read a batch
#[utoipa::path(get, path = "/v1/code-batches/{id}", tag = "Codes", params(("id" = String, Path)),
    responses((status = 200, body = BatchView)))]
pub(super) async fn get(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Developer, Role::Analyst])?;
    let id = batch_id(&call, &path)?;
    let livemode = state.backend.livemode(&call, id.merchant);
    let found = state
        .backend
        .look(id.merchant, move |shard, _, _| shard.batch(id.merchant, id.number).map(|b| view(id, b, livemode)))
        .await?;
    Answer::ok(&found.ok_or_else(|| Problem::of(Code::BatchNotFound))?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Format {
    format: Option<String>,
}

/// A batch's codes as CSV
#[utoipa::path(get, path = "/v1/code-batches/{id}/codes", tag = "Codes",
    params(("id" = String, Path), ("format" = Option<String>, Query)),
    responses((status = 200, content_type = "text/csv", body = String)))]
pub(super) async fn codes(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Response, Problem> {
    call.require(&[Role::Admin])?;
    let Format { format } = call.query_as()?;
    if format.as_deref().is_some_and(|format| format != "csv") {
        return Err(Problem::new(Code::InvalidField, "/query/format must be csv.").pointer("/query/format"));
    }
    let id = batch_id(&call, &path)?;
    let ranges: Option<Vec<Range>> = state
        .backend
        .look(id.merchant, move |shard, _, _| {
            shard.batch(id.merchant, id.number)?;
            let all = shard.ranges(id.merchant)?;
            Some(all.iter().filter(|range| range.batch == id.number).copied().collect())
        })
        .await?;
    let ranges = ranges.ok_or_else(|| Problem::of(Code::BatchNotFound))?;
    tracing::info!(key_id = &*call.caller.key_id, batch = %id, request_id = %call.request_id, "codes exported");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.csv\"")),
    ];
    Ok((headers, Body::from_stream(stream(state, id, ranges))).into_response())
}

/// A piece of the file; after an error nothing more comes, and the caller sees that the file broke off.
type Piece = Result<Bytes, std::io::Error>;

/// The file piece by piece: at no time is more than one of them in memory.
fn stream(state: Issuer, id: BatchId, ranges: Vec<Range>) -> impl futures_util::Stream<Item = Piece> {
    let pieces = ranges.into_iter().flat_map(|range| {
        let end = range.start + range.count;
        (range.start..end).step_by(PIECE as usize).map(move |first| (first, end.min(first + PIECE)))
    });
    let header = std::iter::once((0, 0));
    futures_util::stream::unfold((header.chain(pieces), state), move |(mut pieces, state)| async move {
        let (first, end) = pieces.next()?;
        if end == 0 {
            return Some((Ok(Bytes::from_static(b"code,coupon_id\n")), (pieces, state)));
        }
        let piece = piece(&state, id, first, end).await.map_err(std::io::Error::other);
        Some((piece, (pieces, state)))
    })
}

async fn piece(state: &Issuer, id: BatchId, first: u64, end: u64) -> Result<Bytes, Problem> {
    let own = state
        .backend
        .look(id.merchant, move |shard, _, _| {
            (first..end).map(|n| shard.code_text(id.merchant, n).cloned()).collect::<Vec<_>>()
        })
        .await?;
    let codes = state.backend.secrets.codes(id.merchant);
    let mut text = String::with_capacity(64 * (end - first) as usize);
    for (n, own) in (first..end).zip(own) {
        match own {
            Some(own) => text.push_str(&cell(&own)),
            None => text.push_str(&codes.encode(n).to_string()),
        }
        text.push(',');
        text.push_str(&CouponId::new(id.merchant, n).to_string());
        text.push('\n');
    }
    Ok(text.into())
}

/// A merchant's own code as a cell: what a spreadsheet would take for a formula is escaped.
fn cell(code: &str) -> String {
    if code.starts_with('-') { format!("'{code}") } else { code.to_owned() }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VoidRequest {
    /// 1..=200 characters.
    reason: String,
}

/// Void what is left of a batch
///
/// Codes that are claimed, locked or redeemed already stay what they are.
#[utoipa::path(post, path = "/v1/code-batches/{id}/void", tag = "Codes", request_body = VoidRequest,
    params(("id" = String, Path)), responses((status = 200, body = serde_json::Value)))]
pub(super) async fn void(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Developer])?;
    call.merchant()?;
    call.require_idempotency_key()?;
    let parsed = call.parse::<VoidRequest>()?;
    Check::new().length("/reason", &parsed.body.reason, 1..=200).done()?;
    let id = batch_id(&call, &path)?;
    let command = Command::VoidBatch(id.number, parsed.body.reason);
    state.backend.write(&call, id.merchant, parsed.fingerprint, command).await
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_code_is_no_formula() {
        assert_eq!(cell("-1+2"), "'-1+2");
        assert_eq!(cell("A-1"), "A-1");
    }
}
