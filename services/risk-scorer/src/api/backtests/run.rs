//! A back-test on a thread of its own.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use chrono_tz::Tz;
use coupon::decision::{Basis, ListHit};
use coupon::id::{MerchantId, PLATFORM};
use coupon::state::Read;
use http_api::call::Call;
use http_api::problem::{Code, Problem};
use inline_risk::{Ask, Listed, ModelVersion, RuleBook, Version, backtest};
use parking_lot::Mutex;
use projection::index::List as Index;
use projection::ledger::Ledger;
use serde_json::Value;

use super::Tried;
use super::labels::{self, Labels};
use super::report::Report;
use super::work::{Backtest, State};
use crate::api::RiskApi;
use crate::api::decisions::{caught_up, zone};

/// So many run at once.
const AT_ONCE: usize = 2;

/// Everything that a back-test needs of the ledger.
struct Needs {
    tried: Tried,
    labels: Labels,
    /// Texts of all versions of all rule sets, and artifacts of models.
    texts: BTreeMap<(u64, u32), String>,
    models: BTreeMap<(u64, u32), String>,
    lists: BTreeMap<(MerchantId, u64), (String, coupon::list::ListMode)>,
    zones: BTreeMap<MerchantId, Tz>,
    partitions: usize,
    most_counts: usize,
}

/// Starts one, or finds the one that was started under the same key.
pub(super) async fn start(
    state: &RiskApi,
    call: &Call,
    tried: Tried,
    key: Option<(String, String)>,
) -> Result<Value, Problem> {
    if let Some(known) = key.as_ref().and_then(|key| state.backtests.asked(key)) {
        return Ok(known.view());
    }
    if state.backtests.running() >= AT_ONCE {
        let detail = format!("{AT_ONCE} back-tests are under way here. Wait for one of them, or cancel it.");
        return Err(Problem::new(Code::Overloaded, detail).retry_after(10));
    }
    let now = state.backend.ledger.now();
    let backtest = Arc::new(Backtest {
        id: format!("bkt_{:016x}", rand::random::<u64>()),
        merchant: call.scope().or(tried.merchant),
        key,
        what: tried.what.clone(),
        created_at_ms: now,
        from_ms: tried.from_ms,
        until_ms: tried.until_ms.min(now.max(tried.from_ms + 1)),
        reached_ms: AtomicI64::new(tried.from_ms),
        decisions: AtomicU64::new(0),
        state: Mutex::new(State::Running),
    });
    state.backtests.add(backtest.clone());
    caught_up(state, tried.merchant).await?;
    let needs = needs(state, tried).await?;
    let (history, it) = (state.scorer.history.clone(), backtest.clone());
    let work = move || {
        let state = match go_through(&history, &needs, &it) {
            Ok(result) => State::Done(result),
            Err(error) => State::Failed(error.to_string()),
        };
        it.end(state);
    };
    projection::background::spawn("back-test", work).map_err(Problem::internal)?;
    Ok(backtest.view())
}

async fn needs(state: &RiskApi, tried: Tried) -> Result<Needs, Problem> {
    let labels = labels::known(state, tried.merchant, tried.labels_as_of_ms).await?;
    let zones = state.backend.directory.merchants().into_iter().filter_map(|(id, _)| Some((id, zone(state, id)?)));
    let zones = zones.collect();
    let (partitions, most_counts) = {
        let counts = state.scorer.inline.counts().read();
        (counts.partitions(), counts.most())
    };
    let look = |ledger: &Ledger| {
        let shard = ledger.of(PLATFORM);
        let versions = |list, row: &dyn Fn(u64) -> Option<Arc<coupon::ruleset::RuleSetRow>>| {
            let mut texts = BTreeMap::new();
            for number in ledger.index.list(PLATFORM, list) {
                for (version, it) in (1..).zip(row(*number).iter().flat_map(|row| &row.versions)) {
                    texts.insert((*number, version), it.text.clone());
                }
            }
            texts
        };
        let texts = versions(Index::RuleSets, &|number| shard.ruleset(PLATFORM, number).cloned());
        let models = versions(Index::Models, &|number| shard.model(PLATFORM, number).cloned());
        let mut lists = BTreeMap::new();
        for owner in crate::api::across::merchants(ledger, None).into_iter().chain([PLATFORM]) {
            for number in ledger.index.list(owner, Index::RiskLists) {
                let row = ledger.of(owner).list(owner, *number);
                lists.extend(row.map(|row| ((owner, *number), (row.profile.name.clone(), row.profile.mode))));
            }
        }
        (texts, models, lists)
    };
    let (texts, models, lists) = state.backend.look(PLATFORM, move |_, ledger, _| look(ledger)).await?;
    Ok(Needs { tried, labels, texts, models, lists, zones, partitions, most_counts })
}

fn go_through(history: &inline_risk::History, needs: &Needs, it: &Backtest) -> std::io::Result<Value> {
    let book = needs.tried.book();
    let mut report = Report::default();
    let mut books = Known { needs, known: BTreeMap::new() };
    let mut known = |basis: &Basis| books.of(basis);
    let listed = |hits: &[ListHit]| needs.listed(hits);
    let zone = |merchant: MerchantId| needs.zones.get(&merchant.real()).copied();
    let mut ask = Ask {
        book: &book,
        from_ms: needs.tried.from_ms,
        until_ms: needs.tried.until_ms,
        merchant: needs.tried.merchant,
        partitions: needs.partitions,
        most_counts: needs.most_counts,
        known: &mut known,
        listed: &listed,
        zone: &zone,
    };
    let goes_on = || if it.is_running() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
    let mut each = |met: inline_risk::Met| {
        let fraud = needs.labels.get(&(met.merchant, met.decided.number)).copied();
        report.add(&met, fraud);
        it.decisions.fetch_add(1, Ordering::Relaxed);
        goes_on()
    };
    let mut progress = |reached_ms: i64| {
        it.reached_ms.fetch_max(reached_ms, Ordering::Relaxed);
        ControlFlow::Continue(())
    };
    backtest(history, &mut ask, &mut each, &mut progress)?;
    Ok(report.view(&book))
}

/// The rules that decisions name, each set of them compiled once.
struct Known<'a> {
    needs: &'a Needs,
    known: BTreeMap<Made, Arc<RuleBook>>,
}

type Made = (Vec<(u64, u32, bool)>, Option<(u64, u32)>);

impl Known<'_> {
    fn of(&mut self, basis: &Basis) -> Arc<RuleBook> {
        let model = basis.model.map(|model| (model.number, model.version));
        let key = (basis.sets.iter().map(|used| (used.number, used.version, used.live)).collect(), model);
        let needs = self.needs;
        let make = || {
            let text = |number: u64, version: u32| needs.texts.get(&(number, version)).cloned();
            let sets = basis.sets.iter();
            let versions =
                sets.filter_map(|used| Some(Version { used: *used, text: text(used.number, used.version)? }));
            let model = model.and_then(|(number, version)| {
                let artifact = needs.models.get(&(number, version)).cloned()?;
                Some(ModelVersion { number, version, artifact })
            });
            Arc::new(RuleBook::of(&versions.collect::<Vec<_>>(), model.as_ref()))
        };
        self.known.entry(key).or_insert_with(make).clone()
    }
}

impl Needs {
    fn listed(&self, hits: &[ListHit]) -> Vec<Listed> {
        let of = |hit: &ListHit| {
            let (name, mode) = self.lists.get(&(hit.owner, hit.number))?.clone();
            Some(Listed { hit: *hit, name, mode })
        };
        hits.iter().filter_map(of).collect()
    }
}
