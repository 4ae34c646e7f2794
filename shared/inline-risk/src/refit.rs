//! New rules on old counts: what they look at is first counted from the history, so that a feature is the same whether its
//! rule is old or new. Until then the rules that were evaluated before still are.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coupon::decision::SetUsed;
use risk::feature::{Plan, Table};

use crate::InlineRisk;
use crate::counts::observe;
use crate::history::{History, Spot};
use crate::rule_book::{ModelVersion, RuleBook, live_model, versions};

/// For so long a caller waits for new rules to be in use.
const FITTED_WITHIN: Duration = Duration::from_secs(5);

/// Counts that were made from the history for rules that are new.
pub(crate) struct Fitted {
    plan: Plan,
    table: Table,
    reached: Spot,
}

impl InlineRisk {
    /// Takes the present rules into use, if all that they look at is counted; otherwise asks for it to be.
    pub(crate) fn fit(&self) {
        let book = self.wanted();
        let refits = self.refits.lock().clone();
        let mut counts = self.counts.write();
        let missing = counts.plan.lacking(&book.plan);
        if missing.features().is_empty() || refits.is_none() {
            counts.plan.extend(&missing);
            counts.book = Arc::new(book);
            drop(counts);
            return self.tell_fitted();
        }
        drop(counts);
        // Full: somebody is going to look anyway.
        let _ = refits.map(|refits| refits.try_send(()));
    }

    fn wanted(&self) -> RuleBook {
        RuleBook::of(&versions(&self.rule_sets.lock()), live_model(&self.models.lock()).as_ref())
    }

    /// What the present rules look at that is not counted yet.
    pub(crate) fn lacking(&self) -> Plan {
        self.counts().read().plan.lacking(&self.wanted().plan)
    }

    /// Waits until a version of a rule set is evaluated here, or until it will not be so soon.
    pub fn evaluates(&self, number: u64, version: u32) {
        let is_it = |used: &SetUsed| (used.number, used.version) == (number, version);
        self.wait(FITTED_WITHIN, |book| book.used().iter().any(is_it));
    }

    /// The same of a version of a model.
    pub fn scores_by(&self, number: u64, version: u32) {
        let is_it = |model: &ModelVersion| (model.number, model.version) == (number, version);
        self.wait(FITTED_WITHIN, |book| book.model().is_some_and(is_it));
    }

    /// Waits until all rules that are live or in the shadow are evaluated here: after a start that may take as long as
    /// counting the history does.
    pub fn settle(&self, within: Duration) {
        let wanted = self.wanted();
        self.wait(within, |book| book.used() == wanted.used() && book.model() == wanted.model());
    }

    fn wait(&self, within: Duration, is_so: impl Fn(&RuleBook) -> bool) {
        let deadline = Instant::now() + within;
        let mut changes = self.fitted.0.lock();
        while !is_so(&self.counts().read().book) {
            // Too late is no error: it is going to be.
            if self.fitted.1.wait_until(&mut changes, deadline).timed_out() {
                return;
            }
        }
    }

    fn tell_fitted(&self) {
        drop(self.fitted.0.lock());
        self.fitted.1.notify_all();
    }

    /// Takes counts over that were made from the history, with what was counted meanwhile; called by the one who counts.
    pub(crate) fn take_over(&self, mut fitted: Fitted, history: &History) -> std::io::Result<()> {
        fitted.go_on(history)?;
        let mut counts = self.counts().write();
        counts.plan.extend(&fitted.plan);
        counts.table.adopt(fitted.table);
        drop(counts);
        self.fit();
        Ok(())
    }
}

impl Fitted {
    /// Counts all of the history that there is by now.
    pub(crate) fn of(plan: Plan, most: usize, history: &History) -> std::io::Result<Self> {
        let mut fitted = Self { plan, table: Table::new(most), reached: history.spot_at(i64::MIN) };
        fitted.go_on(history)?;
        Ok(fitted)
    }

    fn go_on(&mut self, history: &History) -> std::io::Result<()> {
        let Self { plan, table, reached } = self;
        *reached = history.forward(*reached, |_, past| {
            observe(table, plan, &past);
            ControlFlow::Continue(())
        })?;
        Ok(())
    }
}
