//! What the handlers share.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::FromRef;
use coupon::command::Command;
use coupon::event::MerchantProfile;
use coupon::id::MerchantId;
use coupon::state::Read;
use coupon_api::backend::Backend;
use http_api::Code;
use http_api::call::{Call, Gate};
use http_api::problem::Problem;
use parking_lot::Mutex;
use projection::engine::{Answer, What};
use storage::Storage;

/// Operations, by merchant and number.
pub type Working = Arc<Mutex<HashSet<(MerchantId, u64)>>>;

/// The issuer's handlers' state.
#[derive(Clone)]
pub struct Issuer {
    /// The ledger and all around it.
    pub backend: Arc<Backend>,
    /// Lets callers in.
    pub gate: Arc<Gate>,
    /// Where the rows of operations lie until they are done, for all instances.
    pub spool: Arc<Storage>,
    /// Operations that this instance works on.
    pub working: Working,
    /// A stock that expects more redemptions a day needs a load test that passed; nothing asks for none.
    pub tested_above: Option<u64>,
}

impl FromRef<Issuer> for Arc<Gate> {
    fn from_ref(state: &Issuer) -> Self {
        state.gate.clone()
    }
}

/// The second step of making a merchant: its own shard gets to know it. Offered again it does nothing.
pub(crate) async fn open_merchant(backend: &Backend, id: MerchantId, profile: MerchantProfile) -> Result<(), Problem> {
    match backend.submit(id, None, What::Command(Command::OpenMerchant(profile))).await {
        Answer::Applied(_) | Answer::Nothing => Ok(()),
        other => Err(backend.refused(id, other)),
    }
}

/// Takes up merchants whose making was interrupted between its two steps.
pub async fn open_all(backend: &Backend) {
    for (id, row) in backend.directory.merchants() {
        let open = backend.look(id, move |shard, _, _| shard.merchant_row(id, id).is_some()).await;
        if matches!(open, Ok(false))
            && let Err(problem) = open_merchant(backend, id, row.profile.clone()).await
        {
            tracing::warn!(merchant = %id, %problem, "merchant is not open in its own shard");
        }
    }
}

/// Work that waits for the disk or takes long, away from the threads that serve.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(Problem::internal)
}

/// An object's merchant, if the caller may know of it.
pub(crate) fn owner(call: &Call, of: MerchantId, missing: Code) -> Result<MerchantId, Problem> {
    if call.sees(of) { Ok(of) } else { Err(Problem::of(missing)) }
}
