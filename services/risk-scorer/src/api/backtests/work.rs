//! Back-tests under way and done, of this instance.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use coupon::id::MerchantId;
use http_api::time::format_ms;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// So many are remembered; the oldest that are done go.
const MOST: usize = 100;

/// All of them.
#[derive(Default)]
pub(in crate::api) struct Backtests {
    all: Mutex<VecDeque<Arc<Backtest>>>,
}

/// One.
pub(in crate::api) struct Backtest {
    pub(super) id: String,
    /// Of which merchant; of all where left out.
    pub(super) merchant: Option<MerchantId>,
    /// The key and the idempotency key that asked for it.
    pub(super) key: Option<(String, String)>,
    /// What is tried, for people.
    pub(super) what: Value,
    pub(super) created_at_ms: i64,
    pub(super) from_ms: i64,
    pub(super) until_ms: i64,
    /// The time of the log that was reached.
    pub(super) reached_ms: AtomicI64,
    /// Decisions that were gone through.
    pub(super) decisions: AtomicU64,
    pub(super) state: Mutex<State>,
}

/// Where it is.
#[derive(Debug, Default)]
pub(super) enum State {
    #[default]
    Running,
    Cancelled,
    Failed(String),
    Done(Value),
}

impl Backtests {
    pub(super) fn add(&self, backtest: Arc<Backtest>) {
        let mut all = self.all.lock();
        if all.len() >= MOST
            && let Some(done) = all.iter().position(|one| !one.is_running())
        {
            all.remove(done);
        }
        all.push_back(backtest);
    }

    /// The one that was asked for under a key.
    pub(super) fn asked(&self, key: &(String, String)) -> Option<Arc<Backtest>> {
        self.all.lock().iter().find(|one| one.key.as_ref() == Some(key)).cloned()
    }

    /// How many run.
    pub(super) fn running(&self) -> usize {
        self.all.lock().iter().filter(|one| one.is_running()).count()
    }

    /// One that a caller may see: bound to a merchant, its own only.
    pub(super) fn get(&self, id: &str, scope: Option<MerchantId>) -> Option<Arc<Backtest>> {
        self.all.lock().iter().find(|one| one.id == id && one.is_seen_by(scope)).cloned()
    }

    /// Newest first, without their results.
    pub(super) fn list(&self, scope: Option<MerchantId>) -> Vec<Value> {
        let all = self.all.lock();
        all.iter().rev().filter(|one| one.is_seen_by(scope)).map(|one| one.head()).collect()
    }
}

impl Backtest {
    fn is_seen_by(&self, scope: Option<MerchantId>) -> bool {
        scope.is_none() || self.merchant == scope
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(*self.state.lock(), State::Running)
    }

    /// Ends it, unless it has ended.
    pub(super) fn end(&self, state: State) {
        let mut now = self.state.lock();
        if matches!(*now, State::Running) {
            *now = state;
        }
    }

    /// Whether it was still running.
    pub(super) fn cancel(&self) -> bool {
        let was_running = self.is_running();
        self.end(State::Cancelled);
        was_running
    }

    fn head(&self) -> Value {
        let (state, error) = match &*self.state.lock() {
            State::Running => ("running", None),
            State::Cancelled => ("cancelled", None),
            State::Failed(why) => ("failed", Some(why.clone())),
            State::Done(_) => ("done", None),
        };
        let length = (self.until_ms - self.from_ms).max(1);
        let reached = self.reached_ms.load(Ordering::Relaxed).clamp(self.from_ms, self.until_ms) - self.from_ms;
        let progress = if state == "done" { 1.0 } else { reached as f64 / length as f64 };
        json!({
            "id": self.id, "tried": self.what, "state": state, "error": error, "progress": progress,
            "done": self.decisions.load(Ordering::Relaxed), "from": format_ms(self.from_ms),
            "until": format_ms(self.until_ms), "created_at": format_ms(self.created_at_ms),
            "merchant_id": self.merchant.map(|merchant| merchant.to_string()),
            "result_url": format!("/v1/risk/backtests/{}", self.id),
        })
    }

    /// With its result, once there is one.
    pub(super) fn view(&self) -> Value {
        let mut view = self.head();
        if let State::Done(result) = &*self.state.lock() {
            view["result"] = result.clone();
        }
        view
    }
}
