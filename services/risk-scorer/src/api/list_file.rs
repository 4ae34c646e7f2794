//! Many items of a list in one file: CSV with a header, or one value in a line.

use axum::http::{HeaderMap, StatusCode, header};
use coupon::id::ListId;
use coupon::list::ListRow;
use http_api::call::Call;
use http_api::idempotency::Answer;
use http_api::problem::{Code, Problem};
use http_api::time::Timestamp;
use inline_risk::type_of;
use risk::lists::{Item, ItemProblem, parse_feed};
use serde::Deserialize;
use serde_json::{Value, json};

use super::RiskApi;
use super::lists::{add_all, added};

/// The problems that are told one by one.
const MOST_PROBLEMS: usize = 100;
/// The most items of a file.
const MOST_ITEMS: usize = 200_000;

/// Whether the content type names a file.
pub(super) fn is_file(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|of| of.as_bytes().starts_with(b"text/csv"))
}

/// Whether a file begins with the names of its columns; otherwise it is one value in a line.
fn has_header(text: &str) -> bool {
    let first = text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default();
    first.split(',').any(|column| column.trim().trim_matches('"').eq_ignore_ascii_case("value"))
}

#[derive(Deserialize)]
struct Row {
    value: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    expires_at: String,
}

/// What of a file can be added, and what cannot.
#[derive(Default)]
struct Read {
    items: Vec<(Item, String, Option<i64>)>,
    total: usize,
    problems: Vec<Value>,
    failed: usize,
}

impl Read {
    fn fail(&mut self, line: usize, problem: &ItemProblem) {
        self.failed += 1;
        if self.problems.len() < MOST_PROBLEMS {
            let (code, message, hint) = (problem.code, &problem.message, &problem.hint);
            self.problems.push(json!({"line": line, "code": code, "message": message, "hint": hint}));
        }
    }
}

/// Adds what can be added.
pub(super) async fn add(state: &RiskApi, call: &Call, (id, row): (ListId, &ListRow)) -> Result<Answer, Problem> {
    let text = std::str::from_utf8(&call.body)
        .map_err(|_| Problem::new(Code::InvalidField, "The file must be UTF-8.").pointer(""))?;
    let kind = row.profile.item_type;
    let read = if has_header(text) { csv(text, type_of(kind))? } else { lines(text, type_of(kind)) };
    if read.items.len() > MOST_ITEMS {
        let detail = format!("A file may have at most {MOST_ITEMS} items.");
        return Err(Problem::new(Code::BodyTooLarge, detail));
    }
    let Read { items, total, problems, failed } = read;
    let items: Vec<_> =
        items.into_iter().map(|(item, reason, until)| added(state, id.merchant, kind, &item, reason, until)).collect();
    add_all(state, call, id, &items).await?;
    let body = json!({"list_id": id.to_string(), "state": "done", "total": total, "done": items.len(), "failed": failed,
        "problems": problems});
    Answer::json(StatusCode::ACCEPTED, &body)
}

fn lines(text: &str, of: risk::lists::ItemType) -> Read {
    let (items, problems) = parse_feed(text, of);
    let mut read = Read { total: items.len() + problems.len(), ..Read::default() };
    read.items = items.into_iter().map(|item| (item, "imported".to_owned(), None)).collect();
    for (line, problem) in &problems {
        read.fail(*line, problem);
    }
    read
}

fn csv(text: &str, of: risk::lists::ItemType) -> Result<Read, Problem> {
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let mut read = Read::default();
    for (n, row) in reader.deserialize::<Row>().enumerate() {
        let line = n + 2;
        let row = row.map_err(|error| {
            let detail = format!("Line {line}: {error}. The columns are value, reason and expires_at.");
            Problem::new(Code::InvalidField, detail).pointer("")
        })?;
        read.total += 1;
        let expires_at = match row.expires_at.as_str() {
            "" => None,
            text => {
                let time: Timestamp = serde_json::from_value(text.into()).map_err(|_| {
                    let detail = format!("Line {line}: expires_at must be a time such as 2026-12-31T00:00:00Z.");
                    Problem::new(Code::InvalidField, detail).pointer("")
                })?;
                Some(time.0)
            }
        };
        let reason = if row.reason.is_empty() { "imported".to_owned() } else { row.reason };
        match Item::parse(of, &row.value) {
            Ok(item) => read.items.push((item, reason, expires_at)),
            Err(problem) => read.fail(line, &problem),
        }
    }
    Ok(read)
}
