//! What other rules would have done: the history is counted again, each decision is met at the very cut of the log that it
//! rested on, and its features are read there, as they were.

use std::collections::{BTreeSet, VecDeque};
use std::ops::ControlFlow;

use coupon::decision::{Basis, Decision, ListHit};
use coupon::id::{MerchantId, Shard};
use risk::feature::{Feature, Happening, Measure, Plan, Table};
use rustc_hash::FxHashMap;

use crate::counts::{observe, values};
use crate::decide::again;
use crate::history::{History, Spot};
use crate::list_book::Listed;
use crate::past::{Decided, Past, What};
use crate::rule_book::{ModelVersion, RuleBook, Version};

/// A decision's record stands so long after its cut at most: no attempt is under way for longer.
const AHEAD_MS: i64 = 60_000;

/// Which past is gone through, and with what.
pub struct Ask<'a> {
    /// The rules in question.
    pub book: &'a RuleBook,
    /// Not before this time of the log, milliseconds.
    pub from_ms: i64,
    /// Before this time.
    pub until_ms: i64,
    /// Of this merchant only.
    pub merchant: Option<MerchantId>,
    /// Signals' partitions.
    pub partitions: usize,
    /// Counts that are kept at most.
    pub most_counts: usize,
    /// The rules by which decisions say that they were made.
    pub known: &'a mut dyn FnMut(&Basis) -> std::sync::Arc<RuleBook>,
    /// The lists that they say that they met.
    pub listed: &'a dyn Fn(&[ListHit]) -> Vec<Listed>,
    /// The zone of a merchant.
    pub zone: &'a dyn Fn(MerchantId) -> Option<chrono_tz::Tz>,
}

/// A decision of the past, and what would have been decided.
pub struct Met {
    /// At which merchant.
    pub merchant: MerchantId,
    /// When its record was written, milliseconds of the log's time.
    pub time_ms: i64,
    /// What it was about, and what was decided.
    pub decided: Box<Decided>,
    /// What the rules in question say.
    pub again: Decision,
    /// The features that were counted again are those that the decision saw, to the bit.
    pub features_equal: bool,
}

/// A decision on its way to its cut.
struct Task {
    merchant: MerchantId,
    time_ms: i64,
    decided: Box<Decided>,
    known: std::sync::Arc<RuleBook>,
    values: Option<Values>,
    /// At which of its cuts it was met.
    read: Option<Cut>,
}

/// Which cut: of the ledger, or of the signals.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Ledger,
    Signals,
}

/// The features of the rules in question, and of those that were.
struct Values {
    new: Vec<f64>,
    old: Vec<f64>,
}

struct Replay<'a, 'b> {
    ask: &'a mut Ask<'b>,
    table: Table,
    plan: Plan,
    ahead: VecDeque<Past>,
    tasks: FxHashMap<u64, Task>,
    next_task: u64,
    /// By shard and by the last record that was counted.
    by_ledger: BTreeSet<(u8, u64, u64)>,
    /// By partition and by the next signal.
    by_signals: BTreeSet<(usize, u64, u64)>,
    /// Those that were met at both.
    ready: Vec<u64>,
}

/// Goes through the past; `each` is told of every decision that is asked for, and says whether to go on. `progress` is told
/// of the time that was reached.
pub fn backtest(
    history: &History,
    ask: &mut Ask<'_>,
    each: &mut dyn FnMut(Met) -> ControlFlow<()>,
    progress: &mut dyn FnMut(i64) -> ControlFlow<()>,
) -> std::io::Result<()> {
    let plan = Plan::of(ask.book.plan.features());
    let table = Table::new(ask.most_counts);
    let mut replay = Replay {
        ask,
        table,
        plan,
        ahead: VecDeque::new(),
        tasks: FxHashMap::default(),
        next_task: 0,
        by_ledger: BTreeSet::new(),
        by_signals: BTreeSet::new(),
        ready: Vec::new(),
    };
    // Rules that decisions name are counted from the beginning too: they are all found first.
    replay.find_plans(history)?;
    let mut stopped = false;
    history.forward(Spot::default(), |_, past| {
        let went = replay.read(past, each, progress);
        stopped = went.is_break();
        went
    })?;
    if !stopped {
        let _ = replay.finish(each);
    }
    Ok(())
}

impl Replay<'_, '_> {
    fn find_plans(&mut self, history: &History) -> std::io::Result<()> {
        let mut seen = BTreeSet::new();
        history.forward(Spot::default(), |_, past| {
            if let What::Decided(decided) = &past.what
                && self.is_asked_for(&past, decided)
                && let Some(basis) = decided.decision.basis.as_deref()
            {
                let sets: Vec<_> = basis.sets.iter().map(|used| (used.number, used.version)).collect();
                if seen.insert((sets, basis.model.map(|model| (model.number, model.version)))) {
                    self.plan.extend(&(self.ask.known)(basis).plan);
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok(())
    }

    fn is_asked_for(&self, past: &Past, decided: &Decided) -> bool {
        let Ask { from_ms, until_ms, merchant, .. } = *self.ask;
        (from_ms..until_ms).contains(&past.time_ms)
            && merchant.is_none_or(|merchant| past.merchant.real() == merchant)
            && decided.decision.basis.is_some()
    }

    fn read(
        &mut self,
        past: Past,
        each: &mut dyn FnMut(Met) -> ControlFlow<()>,
        progress: &mut dyn FnMut(i64) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let now = past.time_ms;
        if let What::Decided(decided) = &past.what
            && self.is_asked_for(&past, decided)
        {
            self.add_task(past.merchant, now, decided.clone());
        }
        self.ahead.push_back(past);
        while self.ahead.front().is_some_and(|first| now - first.time_ms > AHEAD_MS) {
            self.apply_first(each)?;
        }
        progress(now)
    }

    fn finish(&mut self, each: &mut dyn FnMut(Met) -> ControlFlow<()>) -> ControlFlow<()> {
        while !self.ahead.is_empty() {
            self.apply_first(each)?;
        }
        for (.., task) in std::mem::take(&mut self.by_ledger) {
            self.read_at(task, Cut::Ledger);
        }
        for (.., task) in std::mem::take(&mut self.by_signals) {
            self.read_at(task, Cut::Signals);
        }
        self.end_tasks(each)
    }

    fn add_task(&mut self, merchant: MerchantId, time_ms: i64, decided: Box<Decided>) {
        let Some(basis) = decided.decision.basis.as_deref() else { return };
        let known = (self.ask.known)(basis);
        let (Shard(shard), cut, number) = (merchant.shard(), basis.cut, self.next_task);
        self.by_ledger.insert((shard, cut.ledger, number));
        self.by_signals.insert((self.partition(shard), cut.signals, number));
        self.next_task += 1;
        self.tasks.insert(number, Task { merchant, time_ms, decided, known, values: None, read: None });
    }

    /// Counts the oldest happening, after everything was read that rests on what was before it.
    fn apply_first(&mut self, each: &mut dyn FnMut(Met) -> ControlFlow<()>) -> ControlFlow<()> {
        let Some(past) = self.ahead.pop_front() else { return ControlFlow::Continue(()) };
        let Shard(shard) = past.merchant.shard();
        if let Some(sequence) = past.what.sequence() {
            let due: Vec<_> = self.by_ledger.range((shard, 0, 0)..(shard, sequence, 0)).copied().collect();
            for due in due {
                self.by_ledger.remove(&due);
                self.read_at(due.2, Cut::Ledger);
            }
        }
        if let What::Refused { offset, .. } = &past.what {
            let partition = self.partition(shard);
            let due = self.by_signals.range((partition, 0, 0)..=(partition, *offset, u64::MAX));
            for due in due.copied().collect::<Vec<_>>() {
                self.by_signals.remove(&due);
                self.read_at(due.2, Cut::Signals);
            }
        }
        observe(&mut self.table, &self.plan, &past);
        self.end_tasks(each)
    }

    fn values_of(&self, task: &Task) -> Values {
        let decision = &task.decided.decision;
        let read = |plan: &Plan| {
            let basis = decision.basis.as_deref();
            let told = [decision.device, decision.ip];
            basis.map_or_else(Vec::new, |basis| values(&self.table, plan, (told, basis), decision.watermark))
        };
        Values { new: read(&self.ask.book.plan), old: read(&task.known.plan) }
    }

    /// Reads the features at one of a decision's cuts: those of signals count at theirs, all others at the ledger's.
    fn read_at(&mut self, number: u64, cut: Cut) {
        let Some(task) = self.tasks.get(&number) else { return };
        let mut found = self.values_of(task);
        let (new, known) = (&self.ask.book.plan, task.known.clone());
        let Some(task) = self.tasks.get_mut(&number) else { return };
        if let Some(mut before) = task.values.take() {
            let (ledger, signals) = match cut {
                Cut::Ledger => (&mut found, &before),
                Cut::Signals => (&mut before, &found),
            };
            take_signals(new, &mut ledger.new, &signals.new);
            take_signals(&known.plan, &mut ledger.old, &signals.old);
            if cut == Cut::Signals {
                found = before;
            }
        }
        task.values = Some(found);
        if task.read.replace(cut).is_some() {
            self.ready.push(number);
        }
    }

    /// Tells of those that were met at both of their cuts.
    fn end_tasks(&mut self, each: &mut dyn FnMut(Met) -> ControlFlow<()>) -> ControlFlow<()> {
        for number in std::mem::take(&mut self.ready) {
            if let Some(task) = self.tasks.remove(&number) {
                each(self.met(task))?;
            }
        }
        ControlFlow::Continue(())
    }

    fn partition(&self, shard: u8) -> usize {
        usize::from(shard) % self.ask.partitions.max(1)
    }

    fn met(&self, task: Task) -> Met {
        let Task { merchant, time_ms, decided, known, values, .. } = task;
        let Values { new, old } = values.unwrap_or(Values { new: Vec::new(), old: Vec::new() });
        let basis = decided.decision.basis.as_deref();
        let listed = (self.ask.listed)(basis.map_or(&[], |basis| &basis.lists));
        let features_equal = basis.is_some_and(|basis| RuleBook::kept(&old) == basis.features) || known.is_empty();
        let again = again(&decided.decision, self.ask.book, &new, (self.ask.zone)(merchant), &listed);
        Met { merchant, time_ms, decided, again, features_equal }
    }
}

/// What is counted of signals, from values that were read at another time.
fn take_signals(plan: &Plan, values: &mut [f64], from: &[f64]) {
    for (number, feature) in plan.features().iter().enumerate() {
        if let (true, Some(value), Some(from)) = (is_of_signals(*feature), values.get_mut(number), from.get(number)) {
            *value = *from;
        }
    }
}

fn is_of_signals(feature: Feature) -> bool {
    use Measure::{Burst, Count, GapVariation, Sum};
    let (Count(of) | Sum(of) | Burst(of) | GapVariation(of)) = feature.measure else { return false };
    of == Happening::Refused
}

/// Rules that are tried as if they were live.
pub fn tried(texts: &[(u64, u32, String)], model: Option<&ModelVersion>) -> RuleBook {
    let versions: Vec<Version> = texts
        .iter()
        .map(|(number, version, text)| {
            let used = coupon::decision::SetUsed { number: *number, version: *version, live: true };
            Version { used, text: text.clone() }
        })
        .collect();
    RuleBook::of(&versions, model)
}
