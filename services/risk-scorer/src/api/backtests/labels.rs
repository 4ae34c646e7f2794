//! The labels that were known at a time.

use std::collections::BTreeMap;

use coupon::id::MerchantId;
use coupon::label::LabelRow;
use coupon::state::Read;
use coupon::terms::Millis;
use http_api::problem::Problem;
use projection::index::List as Index;
use projection::ledger::Ledger;

use crate::api::RiskApi;
use crate::api::across::merchants;

/// Whether a decision is labelled fraud, by merchant and number.
pub(super) type Labels = BTreeMap<(MerchantId, u64), bool>;

/// All labels that stood at a time.
pub(super) async fn known(state: &RiskApi, merchant: Option<MerchantId>, at: Millis) -> Result<Labels, Problem> {
    let look = move |ledger: &Ledger| {
        let mut labels = Labels::new();
        for merchant in merchants(ledger, merchant) {
            let shard = ledger.of(merchant);
            for label in ledger.index.list(merchant, Index::Labels) {
                let Some(decision) = shard.label_id(merchant, *label) else { continue };
                let standing = shard.label(merchant, *decision).and_then(|row| standing(row, at));
                labels.extend(standing.map(|fraud| ((merchant, *decision), fraud)));
            }
        }
        labels
    };
    state.backend.look(coupon::id::PLATFORM, move |_, ledger, _| look(ledger)).await
}

fn standing(row: &LabelRow, at: Millis) -> Option<bool> {
    let stood = |label: &&coupon::label::Label| {
        label.known_at <= at && label.withdrawn_at.is_none_or(|withdrawn| withdrawn > at)
    };
    row.labels.iter().rev().find(stood).map(|label| label.set.fraud)
}
