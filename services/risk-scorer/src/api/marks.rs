//! What people came to about decisions: their labels, and the cases that they stand in.

use std::collections::HashMap;

use coupon::id::{CaseId, MerchantId, PLATFORM};
use coupon::state::Read;
use coupon::subject::Subject;
use http_api::problem::Problem;
use projection::index::List as Index;
use projection::ledger::Ledger;

use super::RiskApi;
use super::across::{Place, merchants, newest};
use super::decisions::Found;

/// Labels that decisions are looked up in: the newest ones. What was labelled before counts as not labelled.
const MOST_LABELS: usize = 50_000;
/// Labels that are read in one go: nothing is written meanwhile.
const AT_ONCE: usize = 5_000;

/// Whether decisions are fraud, where somebody says so, by their merchants and numbers.
pub(super) type Labels = HashMap<(MerchantId, u64), bool>;

/// What people came to about a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// The label that stands: whether fraud.
    pub(super) label: Option<bool>,
    /// The open case of whom it is about, where the decision stands in it.
    pub(super) case: Option<CaseId>,
}

/// Looks up the marks of decisions.
pub(super) async fn mark(state: &RiskApi, found: &mut [Found]) -> Result<(), Problem> {
    let wanted: Vec<_> = found.iter().map(|one| (one.merchant, one.number, one.about())).collect();
    let look = move |ledger: &Ledger| -> Vec<Marks> {
        wanted.iter().map(|(merchant, number, about)| marks(ledger, *merchant, *number, *about)).collect()
    };
    let marks = state.backend.look(PLATFORM, move |_, ledger, _| look(ledger)).await?;
    found.iter_mut().zip(marks).for_each(|(one, marks)| one.marks = marks);
    Ok(())
}

fn marks(ledger: &Ledger, merchant: MerchantId, number: u64, about: Option<Subject>) -> Marks {
    let shard = ledger.of(merchant);
    let standing = shard.label(merchant, number).and_then(|row| row.standing());
    let case = about.and_then(|subject| {
        let case = *shard.open_case(merchant, subject)?;
        let is_in = shard.case(merchant, case)?.facts.decisions.contains(&number);
        is_in.then(|| CaseId::new(merchant, case))
    });
    Marks { label: standing.map(|label| label.set.fraud), case }
}

/// The labels that stand at a merchant, or at all of them.
pub(super) async fn labels(state: &RiskApi, one: Option<MerchantId>) -> Result<Labels, Problem> {
    let (mut all, mut after) = (Labels::new(), None);
    for _ in 0..MOST_LABELS / AT_ONCE {
        let look = move |ledger: &Ledger| part(ledger, one, after);
        let (part, last) = state.backend.look(PLATFORM, move |_, ledger, _| look(ledger)).await?;
        all.extend(part);
        if last.is_none() {
            break;
        }
        after = last;
    }
    Ok(all)
}

/// Some labels after a place; the last place, where there may be more.
fn part(ledger: &Ledger, one: Option<MerchantId>, after: Option<Place>) -> (Labels, Option<Place>) {
    let (mut labels, mut last, mut count) = (Labels::new(), None, 0);
    for place in newest(ledger, &merchants(ledger, one), Index::Labels, after).take(AT_ONCE) {
        (last, count) = (Some(place), count + 1);
        let shard = ledger.of(place.merchant);
        let Some(decision) = shard.label_id(place.merchant, place.number) else { continue };
        let standing = shard.label(place.merchant, *decision).and_then(|row| row.standing());
        if let Some(label) = standing {
            labels.insert((place.merchant, *decision), label.set.fraud);
        }
    }
    (labels, last.filter(|_| count == AT_ONCE))
}

/// As the API spells a label.
pub(super) fn label_name(fraud: bool) -> &'static str {
    if fraud { "fraud" } else { "honest" }
}
