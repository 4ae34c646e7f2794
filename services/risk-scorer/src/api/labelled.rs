//! From what a caller has at hand, a decision, a redemption or an order, to the decisions that are meant.

use coupon::hash::id_hash;
use coupon::id::{DecisionId, MerchantId, RedemptionId, StoreId};
use coupon::state::Read;
use http_api::call::Call;
use http_api::problem::{Code, Problem};

use super::{RiskApi, decided, whose};

/// What is named; one of the three.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// `dec_...`
    pub(super) decision: Option<String>,
    /// `rdm_...`
    pub(super) redemption: Option<String>,
    /// The merchant's own.
    pub(super) order: Option<String>,
}

/// The decisions that are meant, and whose they are. A redemption's decision has the redemption's number.
pub(super) async fn decisions(
    state: &RiskApi,
    call: &Call,
    named: &Named,
    merchant_id: Option<&str>,
) -> Result<(MerchantId, Vec<u64>), Problem> {
    match (&named.decision, &named.redemption, &named.order) {
        (Some(id), None, None) => decision(state, call, id).await,
        (None, Some(id), None) => {
            let missing = || Problem::of(Code::RedemptionNotFound).pointer("/redemption_id");
            let id: RedemptionId = id.parse().map_err(|_| missing())?;
            if !call.sees(id.merchant) || id.merchant.is_rehearsals() {
                return Err(missing());
            }
            redemptions(state, call, id.merchant, vec![id.number]).await?.ok_or_else(missing)
        }
        (None, None, Some(order)) => {
            let merchant = whose(call, merchant_id)?;
            let hash = id_hash(order);
            let numbers = state.backend.look(merchant, move |shard, _, _| {
                shard.order(merchant, hash).map(|row| row.redemptions.clone()).unwrap_or_default()
            });
            let missing = || Problem::of(Code::RedemptionNotFound).pointer("/order_id");
            redemptions(state, call, merchant, numbers.await?).await?.ok_or_else(missing)
        }
        (None, None, None) => {
            let detail = "One of decision_id, redemption_id and order_id is required.";
            Err(Problem::new(Code::MissingField, detail).pointer("/decision_id"))
        }
        _ => {
            let detail = "Only one of decision_id, redemption_id and order_id may be given.";
            Err(Problem::new(Code::InvalidField, detail).pointer("/decision_id"))
        }
    }
}

async fn decision(state: &RiskApi, call: &Call, id: &str) -> Result<(MerchantId, Vec<u64>), Problem> {
    let missing = || Problem::of(Code::DecisionNotFound).pointer("/decision_id");
    let id: DecisionId = id.parse().map_err(|_| missing())?;
    if !call.sees(id.merchant) {
        return Err(missing());
    }
    let found = decided::find(state, id).await?.ok_or_else(missing)?;
    in_reach(call, id.merchant, found.store)?;
    Ok((id.merchant, vec![id.number]))
}

async fn redemptions(
    state: &RiskApi,
    call: &Call,
    merchant: MerchantId,
    numbers: Vec<u64>,
) -> Result<Option<(MerchantId, Vec<u64>)>, Problem> {
    let stores = state.backend.look(merchant, move |shard, _, _| {
        let store = |number: u64| Some((number, shard.redemption(merchant, number)?.store));
        numbers.into_iter().map(store).collect::<Option<Vec<_>>>()
    });
    let Some(found) = stores.await?.filter(|found| !found.is_empty()) else { return Ok(None) };
    for (_, store) in &found {
        in_reach(call, merchant, *store)?;
    }
    Ok(Some((merchant, found.into_iter().map(|(number, _)| number).collect())))
}

/// A key that is bound to stores speaks of what happened there only.
fn in_reach(call: &Call, merchant: MerchantId, store: Option<u64>) -> Result<(), Problem> {
    if call.reaches_store(store.map(|number| StoreId::new(merchant, number))) {
        return Ok(());
    }
    Err(Problem::of(Code::StoreForbidden))
}
