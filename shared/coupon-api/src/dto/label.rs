//! Labels.

use coupon::fold::At;
use coupon::id::{DecisionId, LabelId, LedgerRef, MerchantId};
use coupon::label::{self, Label, LabelRow, LabelSet};
use http_api::time::format_ms;
use serde::Serialize;
use utoipa::ToSchema;

/// The answer to a label.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LabelSetView {
    /// `lbl_...`
    pub id: String,
    /// The label that stood before; absent where an order's decisions were labelled together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<String>,
    /// When.
    pub known_at: String,
    /// Of which decision.
    pub decision_id: String,
    /// `fraud` or `honest`.
    pub label: &'static str,
    /// `analyst`, `merchant`, `chargeback` or `appeal`.
    pub source: &'static str,
    /// All that were set together, this one first; absent where it is the only one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<LabelOf>,
    /// Its place in what happened.
    pub ledger_ref: String,
}

/// A label and its decision.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LabelOf {
    /// `lbl_...`
    pub id: String,
    /// Of which decision.
    pub decision_id: String,
}

/// A label.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LabelView {
    /// `lbl_...`
    pub id: String,
    /// Whose decision it is of.
    pub merchant_id: String,
    /// Of which decision.
    pub decision_id: String,
    /// `fraud` or `honest`.
    pub label: &'static str,
    /// Of which kind, in the words of who set it.
    pub kind: Option<String>,
    /// `analyst`, `merchant`, `chargeback` or `appeal`.
    pub source: &'static str,
    /// Why.
    pub reason: String,
    /// By which key.
    pub created_by: String,
    /// When.
    pub known_at: String,
    /// `standing`, `superseded`, or `withdrawn`.
    pub state: &'static str,
    /// The label that stood before.
    pub supersedes: Option<String>,
    /// Taken back at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn_at: Option<String>,
}

/// As the API spells it.
pub fn label_name(fraud: bool) -> &'static str {
    if fraud { "fraud" } else { "honest" }
}

fn label_id(merchant: MerchantId, number: u64) -> String {
    LabelId::new(merchant, number).to_string()
}

/// The labels of a record, with their ids, in order.
pub fn labels_of<'a>(merchant: MerchantId, at: At, sets: impl Iterator<Item = &'a LabelSet>) -> Vec<LabelOf> {
    (0..)
        .zip(sets)
        .map(|(n, set)| LabelOf {
            id: label_id(merchant, label::number(at.sequence, n)),
            decision_id: DecisionId::new(merchant, set.decision).to_string(),
        })
        .collect()
}

/// What setting labels came to; the number is that of the label that stood before, or 0.
pub fn label_set(merchant: MerchantId, first: &LabelSet, all: Vec<LabelOf>, number: u64, at: At) -> LabelSetView {
    let alone = all.len() == 1;
    LabelSetView {
        id: label_id(merchant, label::number(at.sequence, 0)),
        supersedes: (alone && number > 0).then(|| label_id(merchant, number)),
        known_at: format_ms(at.time),
        decision_id: DecisionId::new(merchant, first.decision).to_string(),
        label: label_name(first.fraud),
        source: first.source.name(),
        labels: if alone { Vec::new() } else { all },
        ledger_ref: LedgerRef(at.sequence).to_string(),
    }
}

/// A label as it is, among those of its decision.
pub fn label_view(merchant: MerchantId, row: &LabelRow, label: &Label) -> LabelView {
    let standing = row.standing().is_some_and(|standing| standing.number == label.number);
    LabelView {
        id: label_id(merchant, label.number),
        merchant_id: merchant.to_string(),
        decision_id: DecisionId::new(merchant, label.set.decision).to_string(),
        label: label_name(label.set.fraud),
        kind: label.set.kind.clone(),
        source: label.set.source.name(),
        reason: label.set.reason.clone(),
        created_by: label.set.by.clone(),
        known_at: format_ms(label.known_at),
        state: match label.withdrawn_at {
            Some(_) => "withdrawn",
            None if standing => "standing",
            None => "superseded",
        },
        supersedes: label.supersedes.map(|number| label_id(merchant, number)),
        withdrawn_at: label.withdrawn_at.map(format_ms),
    }
}
