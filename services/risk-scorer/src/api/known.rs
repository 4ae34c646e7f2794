//! What else is known of a subject: lists, labels, cases and penalties.

use std::collections::HashSet;
use std::sync::Arc;

use coupon::id::{CaseId, ListId, MerchantId, PLATFORM, PenaltyId};
use coupon::penalty;
use coupon::state::Read;
use coupon::subject::{Subject, SubjectKind};
use http_api::page::Page;
use http_api::problem::Problem;
use projection::index::List as Index;
use projection::ledger::Ledger;
use risk::lists::Request;
use serde_json::{Value, json};

use super::RiskApi;
use super::decisions::{Found, search};
use super::marks::{label_name, mark};
use super::subjects::{Kind, Named};

/// Decisions whose labels are looked up, and which penalties may rest on: the newest ones.
const DECISIONS: usize = 50;

/// All of it.
pub(super) async fn of(state: &RiskApi, merchant: MerchantId, named: Arc<Named>) -> Result<Value, Problem> {
    let lists = lists(state, merchant, &named);
    let mut newest = newest(state, merchant, named.clone()).await?;
    mark(state, &mut newest).await?;
    let labels = newest.iter().filter_map(|found| {
        let label = found.marks.label.map(label_name)?;
        Some(json!({"decision_id": found.id().to_string(), "label": label}))
    });
    let labels: Vec<Value> = labels.collect();
    let mut cases: Vec<CaseId> = newest.iter().filter_map(|found| found.marks.case).collect();
    let decisions = newest.iter().map(|found| found.number).collect();
    let subject = subject(&named, merchant);
    let look = move |ledger: &Ledger| (open_case(ledger, merchant, subject), penalties(ledger, merchant, &decisions));
    let (own, penalties) = state.backend.look(PLATFORM, move |_, ledger, _| look(ledger)).await?;
    cases.extend(own);
    cases.sort_by_key(|case| case.number);
    cases.dedup();
    let cases: Vec<String> = cases.iter().map(ToString::to_string).collect();
    Ok(json!({"lists": lists, "labels": labels, "cases": cases, "penalties": penalties}))
}

fn lists(state: &RiskApi, merchant: MerchantId, named: &Named) -> Vec<Value> {
    let value = Some(named.value.as_str());
    let of = |kind: Kind| value.filter(|_| named.kind == kind);
    let told = Request {
        user: of(Kind::User),
        device: of(Kind::Device),
        ip: of(Kind::Ip).and_then(|ip| ip.parse().ok()),
        store: of(Kind::Store),
        cashier: of(Kind::Cashier),
        ..Request::default()
    };
    let listed = state.scorer.inline.lists().read().matches(merchant, &told, state.backend.ledger.now());
    let one = |it: inline_risk::Listed| {
        let id = ListId::new(it.hit.owner, it.hit.number).to_string();
        json!({"id": id, "name": it.name, "mode": it.mode.name()})
    };
    listed.into_iter().map(one).collect()
}

async fn newest(state: &RiskApi, merchant: MerchantId, named: Arc<Named>) -> Result<Vec<Found>, Problem> {
    let (history, page) = (state.scorer.history.clone(), Page { limit: DECISIONS, ..Page::default() });
    let look = move || {
        search(&history, None, &page, |past, decided| {
            past.merchant.real() == merchant && named.is_of(past.merchant, decided)
        })
    };
    let found = tokio::task::spawn_blocking(look).await.map_err(Problem::internal)?;
    Ok(found.map_err(Problem::internal)?.rows)
}

/// As the ledger knows it.
fn subject(named: &Named, merchant: MerchantId) -> Option<Subject> {
    let kind = match named.kind {
        Kind::User => SubjectKind::User,
        Kind::Device => SubjectKind::Device,
        Kind::Ip => SubjectKind::Ip,
        Kind::Store | Kind::Cashier => return None,
    };
    Some(Subject { kind, pseudonym: named.pseudonym(merchant)? })
}

fn open_case(ledger: &Ledger, merchant: MerchantId, subject: Option<Subject>) -> Option<CaseId> {
    let case = ledger.of(merchant).open_case(merchant, subject?)?;
    Some(CaseId::new(merchant, *case))
}

/// The merchant's penalties whose evidence names one of the decisions.
fn penalties(ledger: &Ledger, merchant: MerchantId, newest: &HashSet<u64>) -> Vec<String> {
    let rests_on = |number: &&u64| {
        let row = ledger.of(merchant).penalty(merchant, **number);
        row.is_some_and(|row| penalty::decisions(merchant, &row.imposed.evidence).any(|it| newest.contains(&it)))
    };
    let numbers = ledger.index.list(merchant, Index::Penalties).iter().filter(rests_on);
    numbers.map(|number| PenaltyId::new(merchant, *number).to_string()).collect()
}
