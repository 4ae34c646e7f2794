//! Operations: how far they are, and what became of each row.

use std::sync::Arc;

use std::fmt::Write;
use std::ops::Range;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use coupon::event::OperationKind;
use coupon::id::{BatchId, CouponId, MerchantId, OperationId, StockId};
use coupon::state::{OperationRow, Read, RowResult};
use coupon_api::listing::{in_time, newest, page, read_of};
use coupon_api::render::operation_kind;
use futures_util::StreamExt;
use http_api::auth::Role;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::List;
use http_api::problem::{Code, Problem};
use http_api::time::format_ms;
use projection::index::List as Index;
use projection::ledger::Ledger;
use projection::shard::ShardState;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::state::{Issuer, owner};

/// Chunks of one piece of a result.
const PIECE: u64 = 20;

/// A piece of a file; after an error nothing more comes, and the caller sees that the file broke off.
type Piece = Result<Bytes, std::io::Error>;

/// Work on many rows.
#[derive(Serialize, ToSchema)]
pub(super) struct OperationView {
    /// `op_...`
    id: String,
    /// `make_codes`, `import_codes` or `send`.
    kind: &'static str,
    /// `stk_...`
    stock_id: String,
    /// `running`, `done` or `failed`.
    state: &'static str,
    /// Rows.
    total: u64,
    /// Rows that were looked at, good or bad.
    done: u64,
    /// Rows that came to nothing; the result says why.
    failed: u64,
    /// Where the file with a row per input is, once it is done.
    result_url: String,
    /// When it was accepted.
    created_at: String,
    /// Of a live merchant.
    livemode: bool,
}

fn view(id: OperationId, row: &OperationRow, livemode: bool) -> OperationView {
    let result_url = match row.kind {
        OperationKind::MakeCodes => {
            format!("/v1/code-batches/{}/codes?format=csv", BatchId::new(id.merchant, id.number))
        }
        OperationKind::ImportCodes | OperationKind::Send => format!("/v1/operations/{id}/result"),
    };
    OperationView {
        id: id.to_string(),
        kind: operation_kind(row.kind),
        stock_id: StockId::new(id.merchant, row.stock).to_string(),
        state: if row.finished { "done" } else { "running" },
        total: row.total,
        done: row.done,
        failed: row.failed,
        result_url,
        created_at: format_ms(row.created_at),
        livemode,
    }
}

fn operation_id(call: &Call, path: &Segment) -> Result<OperationId, Problem> {
    // Codes made ahead are a batch and an operation, made by one record.
    let batch = path.text().parse::<BatchId>().map(|batch| OperationId::new(batch.merchant, batch.number));
    let id = batch.or_else(|_| path.id(Code::OperationNotFound))?;
    owner(call, id.merchant, Code::OperationNotFound).map(|_| id)
}

async fn read(state: &Issuer, id: OperationId) -> Result<Arc<OperationRow>, Problem> {
    let look = move |shard: &ShardState, _: &Ledger, _| shard.operation(id.merchant, id.number).cloned();
    state.backend.look(id.merchant, look).await?.ok_or_else(|| Problem::of(Code::OperationNotFound))
}

/// Read an operation
#[utoipa::path(get, path = "/v1/operations/{id}", tag = "Operations", params(("id" = String, Path)),
    responses((status = 200, body = OperationView)))]
pub(super) async fn get(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Developer, Role::Operator, Role::Analyst])?;
    let id = operation_id(&call, &path)?;
    Answer::ok(&view(id, &*read(&state, id).await?, state.backend.livemode(&call, id.merchant)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    merchant_id: Option<String>,
}

/// List operations, newest first
///
/// Analysts and the platform say whose with `merchant_id`.
#[utoipa::path(get, path = "/v1/operations", tag = "Operations",
    params(("merchant_id" = Option<String>, Query), ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query), ("from" = Option<String>, Query),
        ("until" = Option<String>, Query)),
    responses((status = 200, body = List<OperationView>)))]
pub(super) async fn list(State(state): State<Issuer>, call: Call) -> Result<List<OperationView>, Problem> {
    call.require(&[Role::Developer, Role::Operator, Role::Analyst])?;
    let (Whose { merchant_id }, asked) = call.list()?;
    let merchant = read_of(&state.backend, &call, merchant_id.as_deref())?;
    let (after, wanted, livemode) = (asked.after()?, asked.clone(), state.backend.livemode(&call, merchant));
    let rows = state
        .backend
        .look(merchant, move |shard, ledger, _| {
            newest(ledger.index.list(merchant, Index::Operations), after)
                .filter_map(|(place, n)| Some((place, n, shard.operation(merchant, n)?)))
                .filter(|(_, _, row)| in_time(&wanted, row.created_at))
                .take(wanted.limit + 1)
                .map(|(place, n, row)| (place, view(OperationId::new(merchant, n), row, livemode)))
                .collect()
        })
        .await?;
    Ok(page(rows, &asked))
}

/// What became of each row, as CSV
#[utoipa::path(get, path = "/v1/operations/{id}/result", tag = "Operations", params(("id" = String, Path)),
    responses((status = 200, content_type = "text/csv", body = String)))]
pub(super) async fn result(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Response, Problem> {
    call.require(&[Role::Developer, Role::Operator, Role::Analyst])?;
    let id = operation_id(&call, &path)?;
    let row = read(&state, id).await?;
    if !row.finished {
        return Err(Problem::of(Code::OperationRunning));
    }
    let headers = [(header::CONTENT_TYPE, "text/csv; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(stream(state, id, &row))).into_response())
}

/// The file piece by piece: at no time is more than one of them in memory.
fn stream(state: Issuer, id: OperationId, row: &OperationRow) -> impl futures_util::Stream<Item = Piece> + use<> {
    let chunks = row.chunks;
    let import = row.kind == OperationKind::ImportCodes;
    let header = futures_util::stream::iter([Ok(Bytes::from_static(b"row,result,coupon_id\n"))]);
    let pieces = futures_util::stream::unfold((0, 1), move |(chunk, number)| {
        let state = state.clone();
        async move {
            if chunk >= chunks {
                return None;
            }
            let end = chunks.min(chunk + PIECE);
            match results(&state, id, chunk..end).await {
                Ok(results) => {
                    let next = (end, number + results.len() as u64);
                    Some((Ok(lines(id.merchant, number, &results, import).into()), next))
                }
                Err(problem) => Some((Err(std::io::Error::other(problem)), (chunks, number))),
            }
        }
    });
    header.chain(pieces)
}

async fn results(state: &Issuer, id: OperationId, chunks: Range<u64>) -> Result<Vec<RowResult>, Problem> {
    let look = move |shard: &ShardState, _: &Ledger, _| {
        let chunks = chunks.filter_map(|chunk| shard.results(id.merchant, id.number, chunk));
        chunks.flat_map(|chunk| chunk.iter().copied()).collect()
    };
    state.backend.look(id.merchant, look).await
}

fn lines(merchant: MerchantId, first: u64, results: &[RowResult], import: bool) -> String {
    let mut text = String::with_capacity(48 * results.len());
    for (number, result) in (first..).zip(results) {
        let coupon = match result {
            RowResult::Done(coupon) => CouponId::new(merchant, *coupon).to_string(),
            _ => String::new(),
        };
        // Writing to memory cannot fail.
        let _ = writeln!(text, "{number},{},{coupon}", name(*result, import));
    }
    text
}

fn name(result: RowResult, import: bool) -> &'static str {
    match result {
        RowResult::Done(_) if import => "accepted",
        RowResult::Done(_) => "sent",
        RowResult::Exists => "exists",
        RowResult::Duplicate => "duplicate",
        RowResult::Malformed => "malformed",
        RowResult::SoldOut => "stock_sold_out",
        RowResult::UserLimit => "user_limit_reached",
        RowResult::DayLimit => "day_limit_reached",
        RowResult::NotActive => "stock_not_active",
    }
}
