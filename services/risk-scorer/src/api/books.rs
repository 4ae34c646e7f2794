//! The rules that a decision was made by, from the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;

use coupon::decision::{Decision, ListHit, SetUsed};
use coupon::id::PLATFORM;
use coupon::state::Read;
use http_api::problem::Problem;
use inline_risk::{Listed, ModelVersion, RuleBook, Version};
use projection::ledger::Ledger;

use super::RiskApi;

/// More than are in use at the same time.
const MOST_KNOWN: usize = 64;

/// Books by the versions in them: of many decisions few differ.
#[derive(Default)]
pub(super) struct Books {
    known: BTreeMap<Made, Arc<RuleBook>>,
}

/// The rule sets in their order, and the model.
type Made = (Vec<(u64, u32, bool)>, Option<(u64, u32)>);

impl Books {
    /// Forgets all where there are many: those that are in use come back.
    pub(super) fn keep_few(&mut self) {
        if self.known.len() > MOST_KNOWN {
            self.known.clear();
        }
    }

    pub(super) async fn of(&mut self, state: &RiskApi, decision: &Decision) -> Result<Arc<RuleBook>, Problem> {
        let basis = decision.basis.as_deref();
        let sets = basis.map(|basis| basis.sets.clone()).unwrap_or_default();
        let model = basis.and_then(|basis| basis.model).map(|model| (model.number, model.version));
        let key = (sets.iter().map(|used| (used.number, used.version, used.live)).collect(), model);
        if let Some(book) = self.known.get(&key) {
            return Ok(book.clone());
        }
        let book = Arc::new(compile(state, sets, model).await?);
        self.known.insert(key, book.clone());
        Ok(book)
    }
}

/// The rules of one decision.
pub(super) async fn of(state: &RiskApi, decision: &Decision) -> Result<Arc<RuleBook>, Problem> {
    Books::default().of(state, decision).await
}

async fn compile(state: &RiskApi, sets: Vec<SetUsed>, model: Option<(u64, u32)>) -> Result<RuleBook, Problem> {
    if sets.is_empty() && model.is_none() {
        return Ok(RuleBook::default());
    }
    let (versions, model): (Vec<Version>, _) = state
        .backend
        .look(PLATFORM, move |shard, _, _| {
            let text =
                |used: &SetUsed| Some(shard.ruleset(PLATFORM, used.number)?.numbered(used.version)?.text.clone());
            let sets = sets.iter().filter_map(|used| Some(Version { used: *used, text: text(used)? })).collect();
            let model = model.and_then(|(number, version)| {
                let artifact = shard.model(PLATFORM, number)?.numbered(version)?.text.clone();
                Some(ModelVersion { number, version, artifact })
            });
            (sets, model)
        })
        .await?;
    Ok(RuleBook::of(&versions, model.as_ref()))
}

/// The lists that a decision met, by their names and modes, which never change.
pub(super) async fn listed(state: &RiskApi, decision: &Decision) -> Result<Vec<Listed>, Problem> {
    let hits = decision.basis.as_ref().map(|basis| basis.lists.clone()).unwrap_or_default();
    if hits.is_empty() {
        return Ok(Vec::new());
    }
    let look = move |ledger: &Ledger| {
        let of = |hit: &ListHit| {
            let row = ledger.of(hit.owner).list(hit.owner, hit.number)?;
            Some(Listed { hit: *hit, name: row.profile.name.clone(), mode: row.profile.mode })
        };
        hits.iter().filter_map(of).collect()
    };
    state.backend.look(PLATFORM, move |_, ledger, _| look(ledger)).await
}
