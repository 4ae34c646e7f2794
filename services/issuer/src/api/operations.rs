//! Operations: how far they are, and what became of each row.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use coupon::event::OperationKind;
use coupon::id::{BatchId, CouponId, OperationId, StockId};
use coupon::state::{OperationRow, Read, RowResult};
use coupon_api::listing::{newest, page};
use http_api::auth::Role;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::{List, NoFilter};
use http_api::problem::{Code, Problem};
use http_api::time::format_ms;
use projection::index::List as Index;
use serde_json::{Value, json};

use crate::state::{Issuer, owner};

fn view(id: OperationId, row: &OperationRow) -> Value {
    let (kind, result_url) = match row.kind {
        OperationKind::MakeCodes => {
            let batch = BatchId::new(id.merchant, id.number);
            ("make_codes", format!("/v1/code-batches/{batch}/codes?format=csv"))
        }
        OperationKind::ImportCodes => ("import_codes", format!("/v1/operations/{id}/result")),
        OperationKind::Send => ("send", format!("/v1/operations/{id}/result")),
    };
    json!({
        "id": id.to_string(),
        "kind": kind,
        "stock_id": StockId::new(id.merchant, row.stock).to_string(),
        "state": if row.finished { "done" } else { "running" },
        "total": row.total,
        "done": row.done,
        "failed": row.failed,
        "result_url": result_url,
        "created_at": format_ms(row.created_at),
    })
}

fn operation_id(call: &Call, path: &Segment) -> Result<OperationId, Problem> {
    let id: OperationId = path.id(Code::OperationNotFound)?;
    owner(call, id.merchant, Code::OperationNotFound).map(|_| id)
}

async fn read(state: &Issuer, id: OperationId) -> Result<OperationRow, Problem> {
    let look = move |shard: &projection::shard::ShardState, _: &projection::ledger::Ledger, _| {
        shard.operation(id.merchant, id.number).cloned()
    };
    state.backend.look(id.merchant, look).await?.ok_or_else(|| Problem::of(Code::OperationNotFound))
}

/// Read an operation
#[utoipa::path(get, path = "/v1/operations/{id}", tag = "Operations", params(("id" = String, Path)),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn get(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Developer, Role::Operator])?;
    let id = operation_id(&call, &path)?;
    Answer::ok(&view(id, &read(&state, id).await?))
}

/// List operations, newest first
#[utoipa::path(get, path = "/v1/operations", tag = "Operations",
    params(("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn list(State(state): State<Issuer>, call: Call) -> Result<List<Value>, Problem> {
    call.require(&[Role::Developer, Role::Operator])?;
    let merchant = call.merchant()?;
    let (NoFilter {}, asked) = call.list()?;
    let (after, limit) = (asked.after()?, asked.limit);
    let rows = state
        .backend
        .look(merchant, move |shard, ledger, _| {
            newest(ledger.index.list(merchant, Index::Operations), after)
                .filter_map(|(place, n)| {
                    Some((place, view(OperationId::new(merchant, n), shard.operation(merchant, n)?)))
                })
                .take(limit + 1)
                .collect()
        })
        .await?;
    Ok(page(rows, &asked))
}

/// What became of each row, as CSV
#[utoipa::path(get, path = "/v1/operations/{id}/result", tag = "Operations", params(("id" = String, Path)),
    responses((status = 200, content_type = "text/csv", body = String)))]
pub(super) async fn result(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Response, Problem> {
    call.require(&[Role::Developer, Role::Operator])?;
    let id = operation_id(&call, &path)?;
    let row = read(&state, id).await?;
    if !row.finished {
        return Err(Problem::of(Code::OperationRunning));
    }
    let look = move |shard: &projection::shard::ShardState, _: &projection::ledger::Ledger, _| {
        let chunks = (0..row.chunks).filter_map(|chunk| shard.results(id.merchant, id.number, chunk));
        chunks.flat_map(|chunk| chunk.iter().copied()).collect::<Vec<RowResult>>()
    };
    let results = state.backend.look(id.merchant, look).await?;
    let import = row.kind == OperationKind::ImportCodes;
    let mut text = String::from("row,result,coupon_id\n");
    for (i, result) in results.iter().enumerate() {
        let coupon = match result {
            RowResult::Done(number) => CouponId::new(id.merchant, *number).to_string(),
            _ => String::new(),
        };
        text.push_str(&format!("{},{},{coupon}\n", i + 1, name(*result, import)));
    }
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], text).into_response())
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
