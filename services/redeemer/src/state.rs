//! What the handlers share.

use std::sync::Arc;

use axum::extract::FromRef;
use coupon::id::MerchantId;
use coupon::terms::Millis;
use coupon_api::backend::Backend;
use http_api::call::{Call, Gate};
use http_api::problem::Problem;
use projection::ledger::Ledger;
use projection::shard::ShardState;

use crate::receipt::Receipts;

/// The redeemer's handlers' state.
#[derive(Clone)]
pub struct Redeemer {
    /// The ledger and all around it.
    pub backend: Arc<Backend>,
    /// Lets callers in.
    pub gate: Arc<Gate>,
    /// Signs receipts.
    pub receipts: Arc<Receipts>,
}

impl FromRef<Redeemer> for Arc<Gate> {
    fn from_ref(state: &Redeemer) -> Self {
        state.gate.clone()
    }
}

impl Redeemer {
    /// Looks at the merchant's folded state, with the log's time there.
    pub async fn look<T: Send + 'static>(
        &self,
        merchant: MerchantId,
        look: impl FnOnce(&ShardState, &Ledger, Millis) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        self.backend.look(merchant, look).await
    }

    /// An object's merchant, if the caller may know of it.
    pub fn owner(call: &Call, of: MerchantId, missing: http_api::Code) -> Result<MerchantId, Problem> {
        if call.sees(of) { Ok(of) } else { Err(Problem::of(missing)) }
    }
}
