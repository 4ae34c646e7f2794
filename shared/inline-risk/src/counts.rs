//! All that is counted, under one lock: a decision sees all of a record or nothing of it, and can say what it saw.

use std::sync::Arc;

use coupon::decision::{Asked, Basis, Cut, Decision, Who};
use coupon::event::Pseudonym;
use coupon::id::{MerchantId, Sequence, Shard};
use risk::feature::{Happening, Labelled, Observation, Place, Plan, Table};
use risk::{Counted, Subject, SubjectCounts, SubjectKind, Velocity};

use crate::past::{self, Decided, Past, What};
use crate::rule_book::{RuleBook, happening, subject_of};
use crate::signals::Signal;

/// Counts that rules may ask for of one device or address, on the average.
const COUNTS_PER_KEY: usize = 4;

/// Counts, and how far the log is in them.
pub struct Counts {
    /// Counts that are kept for rules at most.
    most: usize,
    /// Of devices, addresses and users: fixed features.
    pub velocity: Velocity,
    /// Of what rules and models look at.
    pub(crate) table: Table,
    /// What of that is counted.
    pub(crate) plan: Plan,
    /// The rules that are evaluated on it.
    pub(crate) book: Arc<RuleBook>,
    /// The last record of each shard of the ledger.
    pub(crate) ledger: Vec<Sequence>,
    /// The next signal of each partition.
    pub(crate) signals: Vec<u64>,
    /// The time of the log up to which that is, milliseconds.
    pub watermark_ms: i64,
}

impl Counts {
    /// Of at most so many subjects of each kind.
    pub(crate) fn new(max_keys: usize) -> Self {
        Self {
            most: COUNTS_PER_KEY * max_keys,
            velocity: Velocity::new(max_keys),
            table: Table::new(COUNTS_PER_KEY * max_keys),
            plan: Plan::default(),
            book: Arc::default(),
            ledger: vec![0; 256],
            signals: Vec::new(),
            watermark_ms: 0,
        }
    }

    /// The rules that are evaluated.
    pub fn book(&self) -> &Arc<RuleBook> {
        &self.book
    }

    /// Whether all of the ledger up to these records is counted, each the last of its shard.
    pub fn has_reached(&self, last: &[(Shard, Sequence)]) -> bool {
        let reached = |shard: u8| self.ledger.get(usize::from(shard)).copied().unwrap_or_default();
        last.iter().all(|(Shard(shard), sequence)| reached(*shard) >= *sequence)
    }

    /// Records of the ledger that are counted.
    pub fn applied(&self) -> u64 {
        self.ledger.iter().sum()
    }

    /// How many partitions signals have.
    pub fn partitions(&self) -> usize {
        self.signals.len()
    }

    /// How many counts are kept for rules at most.
    pub fn most(&self) -> usize {
        self.most
    }

    /// How far the log is counted that a merchant's decisions rest on.
    pub(crate) fn cut(&self, merchant: MerchantId) -> Cut {
        let Shard(shard) = merchant.shard();
        let partition = usize::from(shard) % self.signals.len().max(1);
        Cut {
            ledger: self.ledger.get(usize::from(shard)).copied().unwrap_or_default(),
            signals: self.signals.get(partition).copied().unwrap_or_default(),
        }
    }

    /// How many counts for rules were let go for want of room.
    pub fn evicted(&self) -> u64 {
        self.table.evicted()
    }

    /// Counts what happened.
    pub fn add(&mut self, past: &Past) {
        self.count(past, |_, _| {});
    }

    /// Counts what happened; tells of each subject whose fixed features changed.
    pub(crate) fn count<D: AsDecision>(&mut self, past: &Past<D>, mut each: impl FnMut(Subject, &SubjectCounts)) {
        let counted = match &past.what {
            What::Decided(decided) if decided.done => match decided.asked {
                Asked::Claim => Some(Counted::Claims),
                Asked::Redemption => Some(Counted::Redemptions),
                Asked::Lock => None,
            },
            What::Refused { .. } => Some(Counted::Refused),
            What::Decided(_) | What::Labelled(_) => None,
        };
        for subject in counted.iter().flat_map(|_| subjects(past)) {
            let Some(counted) = counted else { break };
            each(subject, self.velocity.add(subject, counted, past.time_ms));
        }
        observe(&mut self.table, &self.plan, past);
    }
}

/// The values of features for whom and what a decision has to do with: device, address, and what it rests on.
pub(crate) fn values(
    table: &Table,
    plan: &Plan,
    ([device, ip], basis): ([Option<Pseudonym>; 2], &Basis),
    at_ms: i64,
) -> Vec<f64> {
    let subject = &subject_of(basis.merchant, device, ip, &basis.who);
    let place = basis.place.map(place);
    table.values(plan, &risk::feature::Asked { subject, at_ms, now_ms: basis.at, place })
}

/// A decision, owned or not.
pub trait AsDecision {
    /// It.
    fn as_decision(&self) -> &Decision;
}

impl AsDecision for Decision {
    fn as_decision(&self) -> &Decision {
        self
    }
}

impl AsDecision for &Decision {
    fn as_decision(&self) -> &Decision {
        self
    }
}

/// Counts what happened in a table.
pub(crate) fn observe<D: AsDecision>(table: &mut Table, plan: &Plan, past: &Past<D>) {
    if plan.features().is_empty() {
        return;
    }
    match &past.what {
        What::Decided(decided) if decided.done => {
            let observation = observation(past, decided);
            if is_on_threshold(decided) {
                table.observe(plan, &Observation { happening: Happening::OnThreshold, ..observation.clone() });
            }
            table.observe(plan, &observation);
        }
        What::Decided(_) => {}
        What::Labelled(labelled) => table.label(plan, &label(past.merchant, labelled)),
        What::Refused { signal, .. } => table.observe(plan, &refused(past.merchant, signal)),
    }
}

/// A redemption whose order comes to what its coupons ask for, and to less than a hundredth more.
fn is_on_threshold<D: AsDecision>(decided: &Decided<D>) -> bool {
    let margin = decided.decision.as_decision().basis.as_ref().and_then(|basis| basis.margin);
    decided.asked == Asked::Redemption && margin.is_some_and(|margin| (0..=decided.amount / 100).contains(&margin))
}

fn observation<D: AsDecision>(past: &Past<D>, decided: &Decided<D>) -> Observation {
    let decision = decided.decision.as_decision();
    Observation {
        happening: happening(decided.asked),
        at_ms: past.time_ms,
        subject: subject_of(past.merchant, decision.device, decision.ip, &decided.who),
        amount: decided.amount,
        place: decision.basis.as_ref().and_then(|basis| basis.place).map(place),
    }
}

fn label(merchant: MerchantId, labelled: &past::Labelled) -> Labelled {
    let past::Labelled { device, ip, who, event_at_ms, fraud, .. } = labelled;
    Labelled { subject: subject_of(merchant, *device, *ip, who), event_at_ms: *event_at_ms, fraud: *fraud }
}

fn refused(merchant: MerchantId, signal: &Signal) -> Observation {
    let who = Who { user: signal.user, ..Who::default() };
    Observation {
        happening: Happening::Refused,
        at_ms: signal.time_ms,
        subject: subject_of(merchant, signal.device, signal.ip, &who),
        amount: 0,
        place: None,
    }
}

fn place(place: coupon::decision::Place) -> Place {
    Place { latitude_microdegrees: place.latitude, longitude_microdegrees: place.longitude }
}

/// Who is behind it, as far as was told.
fn subjects<D: AsDecision>(past: &Past<D>) -> impl Iterator<Item = Subject> + use<D> {
    let told: [(SubjectKind, Option<Pseudonym>); 3] = match &past.what {
        What::Decided(decided) => {
            let decision = decided.decision.as_decision();
            let (device, ip) = (decision.device, decision.ip);
            [(SubjectKind::Device, device), (SubjectKind::Ip, ip), (SubjectKind::User, decided.who.user)]
        }
        What::Refused { signal, .. } => {
            [(SubjectKind::Device, signal.device), (SubjectKind::Ip, signal.ip), (SubjectKind::User, None)]
        }
        What::Labelled(_) => [SubjectKind::Device, SubjectKind::Ip, SubjectKind::User].map(|kind| (kind, None)),
    };
    let merchant = past.merchant.0;
    told.into_iter().filter_map(move |(kind, pseudonym)| Some(Subject { kind, merchant, pseudonym: pseudonym? }))
}
