//! What is known of a request before any handler runs, and what a handler leaves for the answer on its way out.
//! It travels in a task-local, so that problems get their request id and quotas their fields without every handler
//! passing them along.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use coupon::id::MerchantId;
use http::Uri;
use tokio::sync::watch;

use crate::call::TestOutcome;
use crate::quota::RateFields;
use crate::request_id::RequestId;

tokio::task_local! {
    pub(crate) static ARRIVAL: Arrival;
}

/// The request as it arrived.
pub(crate) struct Arrival {
    pub(crate) request_id: RequestId,
    /// As sent: a nested router strips its prefix from the request's own.
    pub(crate) uri: Uri,
    pub(crate) rate: RefCell<Option<RateFields>>,
    pub(crate) test_outcome: Cell<Option<TestOutcome>>,
    /// Whose key it came with, once that is known.
    merchant: Cell<Option<MerchantId>>,
    /// Told when the server ends.
    ending: Option<Arc<watch::Sender<bool>>>,
    nonce_taken: Cell<bool>,
}

impl Arrival {
    pub(crate) fn new(request_id: RequestId, uri: Uri) -> Self {
        Self {
            request_id,
            uri,
            rate: RefCell::new(None),
            test_outcome: Cell::new(None),
            merchant: Cell::new(None),
            ending: None,
            nonce_taken: Cell::new(false),
        }
    }

    /// At a server that tells when it ends.
    pub(crate) fn ending(self, ending: Arc<watch::Sender<bool>>) -> Self {
        Self { ending: Some(ending), ..self }
    }
}

/// The id of the request that this task serves, if it serves one.
pub(crate) fn request_id() -> Option<RequestId> {
    ARRIVAL.try_with(|arrival| arrival.request_id.clone()).ok()
}

/// The target of the request that this task serves, as sent.
pub(crate) fn sent_uri() -> Option<Uri> {
    ARRIVAL.try_with(|arrival| arrival.uri.clone()).ok()
}

/// Leaves rate-limit fields for the answer; without an edge around the router they are lost, which harms nobody.
pub(crate) fn leave_rate(fields: RateFields) {
    let _ = ARRIVAL.try_with(|arrival| arrival.rate.replace(Some(fields)));
}

/// Whose key the request came with, where that is known.
pub(crate) fn merchant() -> Option<MerchantId> {
    ARRIVAL.try_with(|arrival| arrival.merchant.get()).ok().flatten()
}

/// Notes whose key the request came with.
pub(crate) fn leave_merchant(merchant: Option<MerchantId>) {
    let _ = ARRIVAL.try_with(|arrival| arrival.merchant.set(merchant));
}

/// Tells when the server that took a request begins to end: an answer that goes on for long ends with it.
#[derive(Clone, Debug)]
pub struct Ending(Option<watch::Receiver<bool>>);

impl Ending {
    /// Of the server that took the request of this task; without a server around the handler nothing ends.
    pub fn of_this_server() -> Self {
        let ending = ARRIVAL.try_with(|arrival| arrival.ending.as_ref().map(|ending| ending.subscribe()));
        Self(ending.ok().flatten())
    }

    /// Waits until it begins to end.
    pub async fn begun(&mut self) {
        match &mut self.0 {
            // An error means that the server is gone altogether.
            Some(ending) => drop(ending.wait_for(|&ending| ending).await),
            None => std::future::pending().await,
        }
    }
}

/// Whether this request's nonce was remembered already: a request may be answered twice inside, where the first answer was
/// given from an old state.
pub(crate) fn nonce_taken() -> bool {
    ARRIVAL.try_with(|arrival| arrival.nonce_taken.get()).unwrap_or(false)
}

/// Notes that this request's nonce is remembered.
pub(crate) fn take_nonce() {
    let _ = ARRIVAL.try_with(|arrival| arrival.nonce_taken.set(true));
}

/// Leaves a forced outcome for the edge to carry out.
pub(crate) fn leave_test_outcome(outcome: TestOutcome) {
    let _ = ARRIVAL.try_with(|arrival| arrival.test_outcome.set(Some(outcome)));
}
