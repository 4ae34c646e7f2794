//! Labels: what somebody found out about a decision afterwards.

use axum::Router;
use axum::extract::{FromRequest, Request, State};
use axum::routing::get;
use coupon::command::Command;
use coupon::id::{DecisionId, LabelId, PLATFORM};
use coupon::label::{Label, LabelSet, LabelSource};
use coupon::state::Read;
use coupon_api::dto::label::{LabelSetView, LabelView, label_view};
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment, Upload};
use http_api::idempotency::Answer;
use http_api::page::List;
use http_api::problem::{Code, Problem};
use projection::index::List as Index;
use projection::ledger::Ledger;
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

use super::across::{Place, merchants, newest, page, seen};
use super::labelled::{Named, decisions};
use super::{RiskApi, label_file};

#[derive(OpenApi)]
#[openapi(paths(set, list, label))]
pub(super) struct Document;

pub(super) fn router() -> Router<RiskApi> {
    Router::new().route("/v1/risk/labels", get(list).post(set)).route("/v1/risk/labels/{id}", get(label))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelRequest {
    /// One of these three: a decision,
    decision_id: Option<String>,
    /// a redemption, for its decision,
    redemption_id: Option<String>,
    /// or an order, for the decisions of all its redemptions.
    order_id: Option<String>,
    /// Whose order it is; may be left out by keys that belong to a merchant.
    merchant_id: Option<String>,
    /// What it was.
    label: LabelName,
    /// Of which kind, in your words.
    kind: Option<String>,
    /// Where it is known from.
    source: SourceName,
    /// Why.
    reason: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum LabelName {
    Fraud,
    Honest,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum SourceName {
    Analyst,
    Merchant,
    Chargeback,
    Appeal,
}

impl From<SourceName> for LabelSource {
    fn from(name: SourceName) -> Self {
        match name {
            SourceName::Analyst => Self::Analyst,
            SourceName::Merchant => Self::Merchant,
            SourceName::Chargeback => Self::Chargeback,
            SourceName::Appeal => Self::Appeal,
        }
    }
}

/// What a merchant's own people may say of its decisions.
const MERCHANTS: [LabelSource; 2] = [LabelSource::Merchant, LabelSource::Chargeback];

/// The source, if the caller may name it.
pub(super) fn source(call: &Call, source: SourceName, pointer: &str) -> Result<LabelSource, Problem> {
    if source == SourceName::Appeal {
        let detail = "Labels of appeals come with the appeal's resolution.";
        return Err(Problem::new(Code::InvalidField, detail).pointer(pointer));
    }
    let source = LabelSource::from(source);
    if MERCHANTS.contains(&source) {
        call.require(&[Role::Analyst, Role::Operator])?;
    } else {
        call.require(&[Role::Analyst])?;
    }
    Ok(source)
}

/// Label a decision
///
/// The last label stands; the one before it is named in `supersedes`. With `text/csv` and the columns `decision_id`, `redemption_id` or `order_id`, `label`,
/// `kind` and `reason`, and `source` in the query, up to 1,000 rows are set at once: 200 with a result for each row.
#[utoipa::path(post, path = "/v1/risk/labels", tag = "Risk", request_body = LabelRequest,
    params(("source" = Option<String>, Query, description = "Of a file's rows."),
        ("merchant_id" = Option<String>, Query, description = "Of a file's rows.")),
    responses((status = 201, body = LabelSetView)))]
pub(super) async fn set(State(state): State<RiskApi>, request: Request) -> Result<Answer, Problem> {
    let content_type = request.headers().get(axum::http::header::CONTENT_TYPE);
    let is_csv = content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/csv"));
    if is_csv {
        let upload = Upload::from_request(request, &state).await?;
        return label_file::set(&state, &upload.call).await;
    }
    let call = Call::from_request(request, &state).await?;
    call.require(&[Role::Analyst, Role::Operator])?;
    let parsed = call.parse::<LabelRequest>()?;
    let it = parsed.body;
    Check::new()
        .length("/reason", &it.reason, 1..=500)
        .length("/kind", it.kind.as_deref().unwrap_or("-"), 1..=64)
        .done()?;
    let source = source(&call, it.source, "/source")?;
    let named = Named { decision: it.decision_id, redemption: it.redemption_id, order: it.order_id };
    let (merchant, decisions) = decisions(&state, &call, &named, it.merchant_id.as_deref()).await?;
    let labels = decisions
        .into_iter()
        .map(|decision| LabelSet {
            decision,
            fraud: it.label == LabelName::Fraud,
            kind: it.kind.clone(),
            source,
            reason: it.reason.clone(),
            by: call.caller.key_id.to_string(),
        })
        .collect();
    state.backend.write(&call, merchant, parsed.fingerprint, Command::SetLabels(labels)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    decision_id: Option<String>,
    label: Option<LabelName>,
    source: Option<SourceName>,
    merchant_id: Option<String>,
}

/// What a caller may see of a label: a merchant's own people see what the merchant says.
fn may_see(call: &Call, source: LabelSource) -> bool {
    call.require(&[Role::Analyst]).is_ok() || MERCHANTS.contains(&source)
}

/// List labels, newest first
///
/// Those that were superseded or taken back too.
#[utoipa::path(get, path = "/v1/risk/labels", tag = "Risk",
    params(("decision_id" = Option<String>, Query), ("label" = Option<String>, Query),
        ("source" = Option<String>, Query), ("merchant_id" = Option<String>, Query), ("limit" = Option<u16>, Query),
        ("cursor" = Option<String>, Query), ("from" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<LabelView>)))]
pub(super) async fn list(State(state): State<RiskApi>, call: Call) -> Result<List<LabelView>, Problem> {
    call.require(&[Role::Analyst, Role::Operator])?;
    let (filter, asked) = call.list::<Filter>()?;
    let one = seen(&call, filter.merchant_id.as_deref())?;
    let after = Place::after(&asked)?;
    let decision = match filter.decision_id.as_deref().map(str::parse::<DecisionId>) {
        // What is no id of a decision that the caller sees has no labels.
        Some(Err(_)) => return Ok(List { data: Vec::new(), next_cursor: None }),
        Some(Ok(id)) if one.is_some_and(|one| one != id.merchant) => {
            return Ok(List { data: Vec::new(), next_cursor: None });
        }
        Some(Ok(id)) => Some(id),
        None => None,
    };
    let fits = move |label: &Label| {
        filter.label.is_none_or(|name| label.set.fraud == (name == LabelName::Fraud))
            && filter.source.is_none_or(|name| label.set.source == LabelSource::from(name))
            && may_see(&call, label.set.source)
    };
    let look = move |ledger: &Ledger| {
        let Some(id) = decision else {
            let merchants = merchants(ledger, one);
            return page(
                newest(ledger, &merchants, Index::Labels, after),
                &asked,
                |Place { merchant, number, .. }| {
                    let shard = ledger.of(merchant);
                    let row = shard.label(merchant, *shard.label_id(merchant, number)?)?;
                    row.numbered(number).filter(|label| fits(label)).map(|label| label_view(merchant, row, label))
                },
            );
        };
        // Its own labels are few, so that they need not be looked for among all.
        let place = |label: &Label| Place { at: label.known_at, merchant: id.merchant, number: label.number };
        let row = ledger.of(id.merchant).label(id.merchant, id.number);
        let labels = row.map_or(&[][..], |row| row.labels.as_slice()).iter().rev();
        let places = labels.map(place).filter(|place| after.is_none_or(|after| *place < after));
        page(places, &asked, |Place { number, .. }| {
            let row = row?;
            row.numbered(number).filter(|label| fits(label)).map(|label| label_view(id.merchant, row, label))
        })
    };
    state.backend.look(PLATFORM, move |_, ledger, _| look(ledger)).await
}

/// Read a label
#[utoipa::path(get, path = "/v1/risk/labels/{id}", tag = "Risk", params(("id" = String, Path)),
    responses((status = 200, body = LabelView)))]
pub(super) async fn label(State(state): State<RiskApi>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Analyst, Role::Operator])?;
    let missing = || Problem::of(Code::LabelNotFound);
    let id: LabelId = path.id(Code::LabelNotFound)?;
    if !call.sees(id.merchant) {
        return Err(missing());
    }
    let row = state.backend.look(id.merchant, move |shard, _, _| {
        shard.label(id.merchant, *shard.label_id(id.merchant, id.number)?).cloned()
    });
    let row = row.await?.ok_or_else(missing)?;
    let label = row.numbered(id.number).filter(|label| may_see(&call, label.set.source)).ok_or_else(missing)?;
    Answer::ok(&label_view(id.merchant, &row, label))
}
