//! What happened, as risk counts it and as it is kept: decisions with what became of them, attempts without a record, and
//! what was said afterwards.

use coupon::decision::{Asked, Decision, DecisionKept, Who};
use coupon::event::{Actor, Claim, Event, Lock, Part, Pseudonym, Redemption};
use coupon::fold::{At, Outcome};
use coupon::id::{MerchantId, Sequence};
use coupon::record::{Entry, Record};
use projection::feed::Folded;
use risk::graph::Sighting;
use serde::{Deserialize, Serialize};

use crate::counts::AsDecision;
use crate::graph_of::Seen;
use crate::rule_book::Occasion;
use crate::signals::Signal;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past<D = Decision> {
    /// The merchant.
    pub merchant: MerchantId,
    /// The time of the log, milliseconds.
    pub time_ms: i64,
    /// What.
    pub what: What<D>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What<D = Decision> {
    /// A request was decided, and a record says so.
    Decided(Box<Decided<D>>),
    /// A claim or a redemption turned out to be fraud, or not to be after all.
    Labelled(Box<Labelled>),
    /// An attempt left no record in the ledger.
    Refused {
        /// Its offset in the partition of the signals.
        offset: u64,
        /// Of whom.
        signal: Signal,
    },
}

impl<D> What<D> {
    /// Where its record stands in the merchant's shard, if it has one.
    pub fn sequence(&self) -> Option<Sequence> {
        match self {
            Self::Decided(decided) => Some(decided.sequence),
            Self::Labelled(labelled) => Some(labelled.sequence),
            Self::Refused { .. } => None,
        }
    }
}

/// What was said afterwards of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labelled {
    /// The label's record.
    pub sequence: Sequence,
    /// When what is labelled happened, milliseconds of the log's time.
    pub event_at_ms: i64,
    /// 1 for fraud, -1 where that is taken back.
    pub fraud: i64,
    /// The device.
    pub device: Option<Pseudonym>,
    /// The address.
    pub ip: Option<Pseudonym>,
    /// With whom and what it had to do.
    pub who: Who,
}

/// A request that was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided<D = Decision> {
    /// Where its record stands in the merchant's shard.
    pub sequence: Sequence,
    /// Under which number its decision is known.
    pub number: u64,
    /// What was asked for.
    pub asked: Asked,
    /// It came about; otherwise it was refused for risk, or was only asked about.
    pub done: bool,
    /// With whom and what it has to do.
    pub who: Who,
    /// The order's amount, minor units.
    pub amount: i64,
    /// What was taken off, minor units.
    pub discount: i64,
    /// What was decided, and on what it rested.
    pub decision: D,
}

impl<D: AsDecision> Past<D> {
    /// Who was seen together, where something came about.
    pub(crate) fn sighting(&self) -> Option<Seen> {
        let What::Decided(decided) = &self.what else { return None };
        let Decision { device, ip, .. } = *decided.decision.as_decision();
        let sighting = Sighting { merchant: self.merchant.0, user: decided.who.user, device, address: ip };
        decided.done.then_some((self.time_ms, sighting))
    }
}

/// Whose a record is.
pub(crate) fn merchant_of(entry: &Entry) -> Option<MerchantId> {
    match entry {
        Entry::Guarded(record) => Some(record.merchant),
        Entry::Fences(_) | Entry::Cancel(_) => None,
    }
}

/// What a record says of decisions: their numbers, and whether they are fraud.
pub(crate) fn labels_of(folded: &Folded) -> Vec<(u64, bool)> {
    let (Outcome::Applied(_), Some(Entry::Guarded(record))) = (folded.outcome, folded.entry.as_deref()) else {
        return Vec::new();
    };
    let labels = record.events.iter().filter_map(|event| match event {
        Event::LabelSet(set) => Some((set.decision, set.fraud)),
        _ => None,
    });
    labels.collect()
}

/// All that a folded record tells.
pub(crate) fn of_record(folded: &Folded) -> Vec<Past<&Decision>> {
    match (folded.outcome, folded.entry.as_deref()) {
        (Outcome::Applied(number), Some(Entry::Guarded(record))) => applied(record, folded.at, number),
        (_, Some(Entry::Fences(fences))) => {
            let decisions = fences.fences.iter().filter_map(|fence| fence.decision.as_deref());
            decisions.filter_map(|decision| refused(decision, folded.at)).collect()
        }
        _ => Vec::new(),
    }
}

fn refused(decision: &Decision, at: At) -> Option<Past<&Decision>> {
    let basis = decision.basis.as_deref()?;
    let decided = Decided {
        sequence: at.sequence,
        number: basis.number,
        asked: basis.asked,
        done: false,
        who: basis.who,
        amount: basis.amount.unwrap_or_default(),
        discount: 0,
        decision,
    };
    Some(Past { merchant: basis.merchant, time_ms: at.time, what: What::Decided(Box::new(decided)) })
}

fn applied(record: &Record, at: At, number: u64) -> Vec<Past<&Decision>> {
    let past = |decided| Past { merchant: record.merchant, time_ms: at.time, what: What::Decided(Box::new(decided)) };
    let decided = record.events.iter().filter_map(|event| match event {
        Event::CouponClaimed(claim) => Some(of_claim(claim, at, number)),
        Event::CouponsLocked(lock) => Some(of_lock(lock, at)),
        Event::CouponsRedeemed(redemption) => Some(of_redemption(redemption, at)),
        Event::Decided(kept) => of_kept(kept, at),
        _ => None,
    });
    decided.map(past).collect()
}

fn of_claim(claim: &Claim, at: At, number: u64) -> Decided<&Decision> {
    let ip24 = claim.decision.basis.as_ref().and_then(|basis| basis.who.ip24);
    let coupon = Some(claim.printed.unwrap_or(number));
    let channel = claim.channel.as_deref().map(Occasion::channel);
    let who = Who { user: Some(claim.user), ip24, stock: Some(claim.stock), coupon, channel, ..Who::default() };
    decided(at, Asked::Claim, who, &claim.decision)
}

fn of_lock(lock: &Lock, at: At) -> Decided<&Decision> {
    let who = of_use(&lock.decision, &lock.actor, &lock.parts);
    Decided {
        amount: lock.order.amount,
        discount: lock.order.discount,
        ..decided(at, Asked::Lock, who, &lock.decision)
    }
}

fn of_redemption(redemption: &Redemption, at: At) -> Decided<&Decision> {
    let who = of_use(&redemption.decision, &redemption.actor, &redemption.parts);
    Decided {
        amount: redemption.order.amount,
        discount: redemption.order.discount,
        ..decided(at, Asked::Redemption, who, &redemption.decision)
    }
}

/// Nothing came about with it, so that nothing is counted.
fn of_kept(kept: &DecisionKept, at: At) -> Option<Decided<&Decision>> {
    let basis = kept.decision.basis.as_deref()?;
    let amount = basis.amount.unwrap_or_default();
    Some(Decided { done: false, amount, ..decided(at, basis.asked, basis.who, &kept.decision) })
}

fn of_use(decision: &Decision, actor: &Actor, parts: &[Part]) -> Who {
    Who {
        user: actor.user,
        ip24: decision.basis.as_ref().and_then(|basis| basis.who.ip24),
        store: actor.store,
        cashier: actor.cashier.as_deref().map(Occasion::cashier),
        stock: None,
        coupon: parts.first().map(|part| part.coupon),
        channel: None,
    }
}

fn decided(at: At, asked: Asked, who: Who, decision: &Decision) -> Decided<&Decision> {
    let number = at.sequence;
    Decided { sequence: number, number, asked, done: true, who, amount: 0, discount: 0, decision }
}
