//! Labels as a file of rows: those that name a decision are set together in one record; each row is answered.

use coupon::command::Command;
use coupon::id::{DecisionId, MerchantId};
use coupon::label::{LABELS_PER_RECORD, LabelSet, LabelSource};
use http_api::auth::Role;
use http_api::call::Call;
use http_api::idempotency::Answer;
use http_api::problem::{Code, Problem};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::RiskApi;
use super::labelled::{Named, decisions};
use super::labels::{SourceName, source};

/// The most rows of a file.
const MOST_ROWS: usize = 1_000;
/// The longest file, bytes: its labels stand in one record.
const LONGEST: usize = 256 * 1_024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    source: Option<SourceName>,
    merchant_id: Option<String>,
}

/// A row of the file.
#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    decision_id: String,
    #[serde(default)]
    redemption_id: String,
    #[serde(default)]
    order_id: String,
    label: String,
    #[serde(default)]
    kind: String,
    reason: String,
}

/// What became of a row.
#[derive(Serialize)]
struct RowView {
    /// Counted from 1, without the header.
    row: usize,
    /// `set` or `failed`.
    result: &'static str,
    /// The labels that it set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<Value>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Serialize)]
struct FileView {
    total: usize,
    set: usize,
    failed: usize,
    data: Vec<RowView>,
}

/// Sets what the rows say. A decision that stands in several rows gets the last one's label last.
pub(super) async fn set(state: &RiskApi, call: &Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst, Role::Operator])?;
    let query: Query = call.query_as()?;
    let missing = || Problem::new(Code::MissingField, "source is required.").pointer("/query/source");
    let source = source(call, query.source.ok_or_else(missing)?, "/query/source")?;
    let merchant = super::whose(call, query.merchant_id.as_deref())?;
    let rows = rows(&call.body)?;
    let mut labels = Vec::new();
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let result = read(state, call, merchant, (source, row)).await;
        if let Ok(of_row) = &result {
            labels.extend(of_row.iter().cloned());
        }
        let id = |label: &LabelSet| DecisionId::new(merchant, label.decision).to_string();
        found.push(result.map(|of_row| of_row.iter().map(id).collect()));
    }
    if labels.len() as u64 > LABELS_PER_RECORD {
        let detail = format!("The rows name more than {LABELS_PER_RECORD} decisions: send them in parts.");
        return Err(Problem::new(Code::BodyTooLarge, detail));
    }
    if labels.is_empty() {
        return Answer::ok(&view(found, &[]));
    }
    let command = Command::SetLabels(labels);
    let written = state.backend.write(call, merchant, call.raw_fingerprint(), command).await?;
    let body: Value = serde_json::from_slice(&written.body).map_err(Problem::internal)?;
    let alone = [body.clone()];
    let set = body["labels"].as_array().map_or(&alone[..], Vec::as_slice);
    Ok(Answer::ok(&view(found, set))?.replayed(written.replayed))
}

fn rows(body: &[u8]) -> Result<Vec<Row>, Problem> {
    if body.len() > LONGEST {
        return Err(Problem::new(Code::BodyTooLarge, format!("A file may have at most {LONGEST} bytes.")));
    }
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let rows: Result<Vec<Row>, _> =
        csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(body).deserialize().collect();
    let rows = rows.map_err(|error| Problem::new(Code::InvalidField, format!("The file cannot be read: {error}.")))?;
    match rows.len() {
        0 => Err(Problem::new(Code::InvalidField, "The file has no rows.")),
        1..=MOST_ROWS => Ok(rows),
        _ => Err(Problem::new(Code::BodyTooLarge, format!("A file may have at most {MOST_ROWS} rows."))),
    }
}

async fn read(
    state: &RiskApi,
    call: &Call,
    merchant: MerchantId,
    (source, row): (LabelSource, Row),
) -> Result<Vec<LabelSet>, Problem> {
    let wrong = |detail: &str| Err(Problem::new(Code::InvalidField, detail));
    let fraud = match row.label.as_str() {
        "fraud" => true,
        "honest" => false,
        _ => return wrong("label must be fraud or honest."),
    };
    if !(1..=500).contains(&row.reason.chars().count()) || row.kind.chars().count() > 64 {
        return wrong("reason must have 1 to 500 characters, and kind at most 64.");
    }
    let given = |text: String| (!text.is_empty()).then_some(text);
    let named =
        Named { decision: given(row.decision_id), redemption: given(row.redemption_id), order: given(row.order_id) };
    let own = merchant.to_string();
    let (of, decisions) = decisions(state, call, &named, Some(&own)).await?;
    if of != merchant {
        return Err(Problem::of(Code::DecisionNotFound));
    }
    let (kind, by) = (given(row.kind), call.caller.key_id.to_string());
    let label =
        |decision| LabelSet { decision, fraud, kind: kind.clone(), source, reason: row.reason.clone(), by: by.clone() };
    Ok(decisions.into_iter().map(label).collect())
}

/// Each row's labels are the next ones of those that were set; where a file is sent again, a row that names something by
/// now that it did not the first time has set nothing.
fn view(found: Vec<Result<Vec<String>, Problem>>, set: &[Value]) -> FileView {
    let mut rest = set.iter().peekable();
    let mut data = Vec::with_capacity(found.len());
    for (row, found) in (1..).zip(found) {
        let labels = found.map(|decisions| {
            let next = decisions.iter().filter_map(|id| rest.next_if(|label| label["decision_id"] == **id));
            next.map(|label| json!({"id": label["id"], "decision_id": label["decision_id"]})).collect::<Vec<_>>()
        });
        data.push(match labels {
            Ok(labels) if !labels.is_empty() => RowView { row, result: "set", labels, code: None, detail: None },
            other => {
                let problem = other.err().unwrap_or_else(|| Problem::of(Code::DecisionNotFound));
                let (code, detail) = (Some(problem.code.as_str()), Some(problem.detail));
                RowView { row, result: "failed", labels: Vec::new(), code, detail }
            }
        });
    }
    let set = data.iter().filter(|row| row.result == "set").count();
    FileView { total: data.len(), set, failed: data.len() - set, data }
}
