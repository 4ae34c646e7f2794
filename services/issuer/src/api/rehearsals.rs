//! Twins of stocks to rehearse on: their traffic goes the way of all traffic, and is counted with nothing that is real.

use axum::extract::State;
use coupon::command::{Command, RehearsalTerms};
use coupon::id::StockId;
use coupon::state::Read;
use coupon::terms::Millis;
use coupon_api::dto::stock::{CodeModeName, StockView, stock_view};
use coupon_api::listing::{in_time, newest, page};
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Segment};
use http_api::idempotency::Answer;
use http_api::page::{List, NoFilter};
use http_api::problem::Problem;
use http_api::quota::QuotaClass;
use http_api::time::Timestamp;
use projection::index::List as Index;
use serde::Deserialize;
use utoipa::ToSchema;

use super::stocks::stock_id;
use crate::state::Issuer;

const DAY_MS: Millis = 24 * 3_600_000;
/// How long a twin may be there.
const LONGEST_DAYS: Millis = 30;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RehearsalRequest {
    /// 1..=1,000,000,000 coupons; as many as the stock itself has where left out.
    total: Option<u64>,
    /// When it is closed and forgotten, within 30 days; in a day where left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// Where its codes come from: `generated` or `pool`; as for the stock itself where left out, and `pool` where the
    /// merchant's own codes are imported.
    code_mode: Option<CodeModeName>,
}

/// Make a twin of a stock to rehearse on
///
/// It promises the same, but is open at once and at any time, and everything of it is counted apart: budgets, limits,
/// lists, orders, risk. At `until` it is closed, and all of it forgotten.
#[utoipa::path(post, path = "/v1/stocks/{id}/rehearsals", tag = "Load tests", request_body = RehearsalRequest,
    params(("id" = String, Path)), responses((status = 201, body = StockView)))]
pub(super) async fn create(State(state): State<Issuer>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Developer])?;
    let merchant = call.merchant()?;
    call.limit(QuotaClass::Create)?;
    let parsed = call.parse_optional::<RehearsalRequest>()?;
    let RehearsalRequest { total, until, code_mode } = parsed.body;
    let id = stock_id(&call, &path)?;
    if let Some(first) = state.backend.repeated(&call, merchant, parsed.fingerprint).await? {
        return Ok(first);
    }
    let now = state.backend.ledger.now();
    let until = until.map_or(now + DAY_MS, |Timestamp(until)| until);
    Check::new()
        .field("/total", total.is_none_or(|total| (1..=1_000_000_000).contains(&total)), "must be 1 to 1,000,000,000")
        .field("/until", (now..=now + LONGEST_DAYS * DAY_MS).contains(&until), "must be within the next 30 days")
        .field("/code_mode", code_mode != Some(CodeModeName::Imported), "must be generated or pool")
        .done()?;
    let terms = RehearsalTerms { of: id.number, total, code_mode: code_mode.map(Into::into), until };
    // A twin has no twins: that is for the decision to say.
    let place = if id.merchant.is_rehearsals() { id.merchant.real() } else { id.merchant.rehearsals() };
    state.backend.write(&call, place, parsed.fingerprint, Command::OpenRehearsal(terms)).await
}

/// List a stock's rehearsals, newest first
#[utoipa::path(get, path = "/v1/stocks/{id}/rehearsals", tag = "Load tests",
    params(("id" = String, Path), ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query),
        ("from" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<StockView>)))]
pub(super) async fn list(State(state): State<Issuer>, path: Segment, call: Call) -> Result<List<StockView>, Problem> {
    call.require(&[Role::Developer, Role::Operator])?;
    let (NoFilter {}, asked) = call.list()?;
    let id = stock_id(&call, &path)?;
    state.backend.stock(id).await?;
    let (after, wanted, there) = (asked.after()?, asked.clone(), id.merchant.rehearsals());
    let livemode = state.backend.livemode(&call, id.merchant);
    let rows = state
        .backend
        .look(id.merchant, move |shard, ledger, _| {
            newest(ledger.index.list(there, Index::Rehearsals), after)
                .filter_map(|(place, number)| Some((place, number, shard.rehearsal(there, number)?)))
                .filter(|(_, _, row)| row.of == id.number && in_time(&wanted, row.created_at))
                .filter_map(|(place, number, row)| {
                    let stock = shard.stock(there, number)?;
                    let view = stock_view(StockId::new(there, number), stock, livemode);
                    Some((place, view.twin_of(id, row.until)))
                })
                .take(wanted.limit + 1)
                .collect()
        })
        .await?;
    Ok(page(rows, &asked))
}
