//! Events as they are shown.

use coupon::id::DecisionId;
use coupon_api::secrets::Personal;
use http_api::problem::Problem;
use http_api::time::format_ms;
use inline_risk::{Past, What};
use serde_json::{Value, json};

use super::event::Event;
use crate::api::RiskApi;
use crate::api::books::Books;
use crate::api::decisions::{Found, Shown, recorded};
use crate::api::marks::{label_name, mark};

/// The rows of a page, with the end users' data in clear where a record has them.
pub(super) async fn rows(state: &RiskApi, past: Vec<Past>) -> Result<Vec<Value>, Problem> {
    let (mut rows, mut books) = (Vec::with_capacity(past.len()), Books::default());
    for past in past {
        let Some(event) = Event::of(&past) else { continue };
        let tried = event.tried();
        let code = event.code;
        let mut row = match &past.what {
            What::Decided(decided) => {
                let sealed =
                    if decided.done { sealed(state, past.merchant, decided.number).await? } else { Vec::new() };
                let found = Found::of_past(past.merchant, past.time_ms, decided.as_ref().clone());
                let mut found = Found { sealed, ..found };
                mark(state, std::slice::from_mut(&mut found)).await?;
                let book = books.of(state, &found.decision).await?;
                let mut row = Shown { state, found: &found, book: &book }.summary();
                row["label"] = json!(found.marks.label.map(label_name));
                row["case"] = json!(found.marks.case.map(|case| case.to_string()));
                row
            }
            What::Refused { .. } | What::Labelled(_) => json!({
                "id": null,
                "merchant_id": past.merchant.real().to_string(),
                "at": format_ms(past.time_ms),
                "done": false,
                "subject": {"user": event.user.map(hex::encode), "device": event.device.map(hex::encode),
                    "address": event.ip.map(hex::encode)},
            }),
        };
        row["kind"] = json!(if code.is_some() { Some("refusal") } else { tried });
        row["event"] = json!(tried);
        row["code"] = json!(code);
        rows.push(row);
    }
    Ok(rows)
}

async fn sealed(state: &RiskApi, merchant: coupon::id::MerchantId, number: u64) -> Result<Vec<u8>, Problem> {
    let found = recorded(state, DecisionId::new(merchant, number)).await?;
    Ok(found.map(|found| found.sealed).unwrap_or_default())
}

/// The end user's data of a decision, where a record has them.
pub(super) async fn personal(state: &RiskApi, id: DecisionId) -> Result<Personal, Problem> {
    let Some(found) = recorded(state, id).await? else { return Ok(Personal::default()) };
    let subject = found.user.or(found.decision.device).or(found.decision.ip).unwrap_or_default();
    Ok(state.backend.secrets.open(id.merchant, subject, &found.sealed))
}
