//! The merchant's own codes, and direct sends: accepted as operations.

use std::collections::HashSet;

use axum::extract::State;
use coupon::code::is_importable;
use coupon::event::{ImportRow, Operation, OperationKind, SendRow};
use coupon::id::{MerchantId, StockId};
use coupon_api::dto::context::is_phone_number;
use coupon_api::secrets::Personal;
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment, Upload, UploadFormat};
use http_api::idempotency::Answer;
use http_api::problem::{Code, Problem};
use http_api::quota::QuotaClass;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::operations::OperationView;
use crate::api::stocks::stock_id;
use crate::state::{Issuer, blocking};
use crate::{bulk, spool};

/// The most rows of one import.
const MAX_ROWS: usize = 1_000_000;

/// Import the merchant's own codes
///
/// CSV with one code a line, or with a header that names a column `code`; or NDJSON of strings or `{"code": "..."}`. Each row becomes `accepted`, `exists`,
/// `duplicate`, `malformed` or `stock_sold_out`.
#[utoipa::path(post, path = "/v1/stocks/{id}/code-imports", tag = "Codes", params(("id" = String, Path)),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 202, body = OperationView)))]
pub(super) async fn import(State(state): State<Issuer>, path: Segment, upload: Upload) -> Result<Answer, Problem> {
    let Upload { call, format } = upload;
    call.require(&[Role::Admin])?;
    call.merchant()?;
    call.require_idempotency_key()?;
    call.limit(QuotaClass::Import)?;
    let id = stock_id(&call, &path)?;
    let merchant = id.merchant;
    let fingerprint = call.raw_fingerprint();
    if let Some(first) = state.backend.repeated(&call, merchant, fingerprint).await? {
        return Ok(first);
    }
    let body = call.body.clone();
    let (rows, total) = spooled(&state, move || rows(&body, format)).await?;
    let operation =
        Operation { kind: OperationKind::ImportCodes, stock: id.number, total, label: "imported".to_owned(), rows };
    start(&state, &call, merchant, fingerprint, operation).await
}

fn rows(body: &[u8], format: UploadFormat) -> Result<Vec<ImportRow>, Problem> {
    let text = std::str::from_utf8(body)
        .map_err(|error| Problem::new(Code::InvalidField, format!("The body is not UTF-8: {error}.")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).peekable();
    let column = match format {
        UploadFormat::Csv => lines.peek().and_then(|line| header(line)),
        UploadFormat::Ndjson => None,
    };
    if column.is_some() {
        lines.next();
    }
    let mut seen = HashSet::new();
    let mut rows = Vec::new();
    for line in lines {
        let code = match format {
            UploadFormat::Csv => csv_cell(line, column.unwrap_or(0)),
            UploadFormat::Ndjson => ndjson_cell(line),
        };
        rows.push(if !is_importable(&code) {
            ImportRow::Malformed(code.chars().take(64).collect())
        } else if seen.insert(code.clone()) {
            ImportRow::Code(code)
        } else {
            ImportRow::Duplicate(code)
        });
        if rows.len() > MAX_ROWS {
            return Err(Problem::new(Code::BodyTooLarge, "An import takes at most 1,000,000 rows."));
        }
    }
    if rows.is_empty() {
        return Err(Problem::new(Code::InvalidField, "The body has no rows."));
    }
    Ok(rows)
}

/// In which column the codes are, if the first line says so.
fn header(line: &str) -> Option<usize> {
    let names = ["code", "codes", "券码"];
    cells(line)?.iter().position(|cell| names.contains(&cell.to_lowercase().as_str()))
}

/// A cell of a line; empty, which is no code, where there is none.
fn csv_cell(line: &str, column: usize) -> String {
    cells(line).and_then(|cells| cells.into_iter().nth(column)).unwrap_or_default()
}

/// The cells of a line. Each line is read by itself, so that a stray quotation mark costs one row and not the rest.
fn cells(line: &str) -> Option<Vec<String>> {
    if !line.contains('"') {
        return Some(line.split(',').map(|cell| cell.trim().to_owned()).collect());
    }
    if line.matches('"').count() % 2 == 1 {
        return None;
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line.as_bytes());
    let record = reader.records().next()?.ok()?;
    Some(record.iter().map(|cell| cell.trim().to_owned()).collect())
}

fn ndjson_cell(line: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(line) {
        Ok(serde_json::Value::String(code)) => code,
        Ok(value) => value["code"].as_str().unwrap_or_default().to_owned(),
        Err(_) => String::new(),
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SendRequest {
    /// `stk_...`
    stock_id: String,
    /// 1..=10,000 opaque ids.
    user_ids: Vec<String>,
    /// The caller's, 1..=128 characters.
    reference: Option<String>,
}

/// Send coupons to users
///
/// Each row becomes `sent`, `user_limit_reached`, `day_limit_reached`, `stock_sold_out` or `stock_not_active`.
#[utoipa::path(post, path = "/v1/sends", tag = "Claims", request_body = SendRequest,
    responses((status = 202, body = OperationView)))]
pub(super) async fn send(State(state): State<Issuer>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Operator])?;
    let merchant = call.merchant()?;
    call.require_idempotency_key()?;
    call.limit(QuotaClass::Import)?;
    let parsed = call.parse::<SendRequest>()?;
    let body = parsed.body;
    let mut check = Check::new()
        .field("/user_ids", (1..=10_000).contains(&body.user_ids.len()), "must have 1 to 10,000 ids")
        .length("/reference", body.reference.as_deref().unwrap_or("-"), 1..=128);
    for (i, user) in body.user_ids.iter().enumerate() {
        check = check.length(&format!("/user_ids/{i}"), user, 1..=128).field_at(
            || format!("/user_ids/{i}"),
            !is_phone_number(user),
            "must be an opaque id, not a phone number",
        );
    }
    check.done()?;
    let id = body.stock_id.parse::<StockId>().ok().filter(|id| id.merchant.real() == merchant);
    let id = id.ok_or_else(|| Problem::of(Code::StockNotFound).pointer("/stock_id"))?;
    let merchant = id.merchant;
    if let Some(first) = state.backend.repeated(&call, merchant, parsed.fingerprint).await? {
        return Ok(first);
    }
    let secrets = state.backend.secrets.clone();
    let (rows, total) = spooled(&state, move || {
        let row = |user_id: String| {
            let user = secrets.user(merchant, &user_id);
            let personal = Personal { user_id: Some(user_id), ..Personal::default() };
            SendRow { user, sealed: secrets.seal(merchant, user, &personal) }
        };
        Ok(body.user_ids.into_iter().map(row).collect::<Vec<_>>())
    })
    .await?;
    let label = body.reference.unwrap_or_default();
    let operation = Operation { kind: OperationKind::Send, stock: id.number, total, label, rows };
    start(&state, &call, merchant, parsed.fingerprint, operation).await
}

/// Makes rows and puts them on disk: under which name, and how many. They are durable before the operation is
/// accepted, so that it can go on after any crash.
async fn spooled<T: Serialize + 'static>(
    state: &Issuer,
    rows: impl FnOnce() -> Result<Vec<T>, Problem> + Send + 'static,
) -> Result<(String, u64), Problem> {
    let folder = state.spool.clone();
    let write = move || {
        let rows = rows()?;
        let name = spool::write(&folder, &rows).map_err(Problem::internal)?;
        Ok((name, rows.len() as u64))
    };
    blocking(write).await?
}

async fn start(
    state: &Issuer,
    call: &Call,
    merchant: MerchantId,
    fingerprint: [u8; 16],
    operation: Operation,
) -> Result<Answer, Problem> {
    let key = call.require_idempotency_key()?;
    let request = (state.backend.secrets.request_key(merchant, key.as_str()), fingerprint);
    let answer = bulk::begin(state, merchant, request, (call, operation)).await?;
    state.backend.answer(call, merchant, answer).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_apart() {
        let rows = rows("code\nA-1\n\"B_2\"\nA-1\n坏\n\nC3,more\n".as_bytes(), UploadFormat::Csv).expect("rows");
        let code = |code: &str| ImportRow::Code(code.to_owned());
        assert_eq!(
            rows,
            [
                code("A-1"),
                code("B_2"),
                ImportRow::Duplicate("A-1".into()),
                ImportRow::Malformed("坏".into()),
                code("C3")
            ]
        );
        let rows = super::rows(b"\"A\"\n{\"code\":\"B\"}\n{}\nnonsense", UploadFormat::Ndjson).expect("rows");
        let malformed = || ImportRow::Malformed(String::new());
        assert_eq!(rows, [code("A"), code("B"), malformed(), malformed()]);
        assert!(super::rows(b"code\n", UploadFormat::Csv).is_err());
        let rows = super::rows("id,券码\n1,B6\n2,\"unterminated\n".as_bytes(), UploadFormat::Csv).expect("rows");
        assert_eq!(rows, [code("B6"), malformed()], "the header says which column");
        let rows = super::rows(b"Code\nB1\n", UploadFormat::Csv).expect("rows");
        assert_eq!(rows, [code("B1")]);
    }
}
