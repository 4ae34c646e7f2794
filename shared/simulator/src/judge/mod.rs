//! An independent look at what happened: events of applied records go into naive books, whose rules are checked.

mod answers;
mod book;
mod conserve;
mod events;
mod uses;

use std::collections::{BTreeMap, HashMap};

use coupon::event::Event;
use coupon::fold::{At, Outcome};
use coupon::id::{MerchantId, Sequence, Shard};
use coupon::record::{Entry, Guard, Origin, Record, RequestKey};
use projection::ledger::Ledger;

pub use book::{Book, CouponBook, LockBook, StockBook};

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant's id, as the design numbers them.
    pub id: &'static str,
    /// What was seen.
    pub what: String,
}

/// An applied record, as far as answers are compared with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Who wrote it.
    pub origin: Origin,
    /// Its request.
    pub key: Option<RequestKey>,
    /// The running number that it gave.
    pub number: u64,
}

/// Who looks at what happened.
#[derive(Debug, Default)]
pub struct Judge {
    /// By merchant.
    pub books: BTreeMap<MerchantId, Book>,
    /// What was wrong so far.
    pub violations: Vec<Violation>,
    /// Records that were seen, and those of them that were void.
    pub seen: (u64, u64),
    /// By outcome's or event's name: shows that a run reached what it should.
    pub tally: BTreeMap<&'static str, u64>,
    effects: HashMap<(Shard, Sequence), Effect>,
    by_key: HashMap<RequestKey, Vec<(Shard, Sequence)>>,
}

/// Where a record stands, for those who look at its events.
#[derive(Clone, Copy)]
struct Scene<'a> {
    at: At,
    record: &'a Record,
    number: u64,
}

impl Scene<'_> {
    fn token(&self, lock: u64) -> Option<[u8; 16]> {
        self.record.guards.iter().find_map(|guard| match guard {
            Guard::LockToken(number, token) if *number == lock => Some(*token),
            _ => None,
        })
    }
}

impl Judge {
    /// Notes a violation.
    pub fn violated(&mut self, id: &'static str, what: String) {
        self.violations.push(Violation { id, what });
    }

    /// The records that became of a key.
    pub fn effects_of(&self, key: RequestKey) -> &[(Shard, Sequence)] {
        self.by_key.get(&key).map_or(&[], Vec::as_slice)
    }

    /// A record landed; `ledger` has folded it.
    pub fn record(&mut self, at: At, entry: &Entry, outcome: Outcome, ledger: &Ledger) {
        self.seen.0 += 1;
        let (Entry::Guarded(record), Outcome::Applied(number)) = (entry, outcome) else {
            if matches!(entry, Entry::Guarded(_)) {
                self.seen.1 += 1;
            }
            *self.tally.entry(name_of(outcome)).or_default() += 1;
            return;
        };
        let key = record.request.map(|request| request.key);
        self.effects.insert((at.shard, at.sequence), Effect { origin: record.origin, key, number });
        if let Some(key) = key {
            let effects = self.by_key.entry(key).or_default();
            effects.push((at.shard, at.sequence));
            if effects.len() > 1 {
                self.violated("I3", format!("{key:?} has two effects, the second at {}", at.sequence));
            }
        }
        let mut book = self.books.remove(&record.merchant).unwrap_or_default();
        let mut wrong = Vec::new();
        for event in &record.events {
            *self.tally.entry(name_of_event(event)).or_default() += 1;
            events::note(&mut book, event, Scene { at, record, number }, &mut wrong);
        }
        conserve::check(&book, record.merchant, at, ledger, &mut wrong);
        book.remember(at.sequence);
        self.books.insert(record.merchant, book);
        for Violation { id, what } in wrong {
            self.violated(id, format!("{what} (record {} of {:?} at {})", at.sequence, record.merchant, at.time));
        }
    }
}

fn name_of(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied(_) => "applied",
        Outcome::Replayed(_) => "replayed",
        Outcome::Cancelled => "cancelled",
        Outcome::Fenced(_) => "fenced",
        Outcome::Void(kind) => kind.name(),
        Outcome::Noted => "noted",
    }
}

fn name_of_event(event: &Event) -> &'static str {
    match event {
        Event::CouponClaimed(claim) if claim.printed.is_some() => "printed code claimed",
        Event::CouponClaimed(_) => "claimed",
        Event::CouponsLocked(_) => "locked",
        Event::LockExtended(..) => "lock extended",
        Event::LockReleased(..) => "lock released",
        Event::LockExpired(_) => "lock expired",
        Event::CouponsRedeemed(redemption) if redemption.lock.is_some() => "redeemed under a lock",
        Event::CouponsRedeemed(redemption) if redemption.parts.len() > 1 => "stack redeemed",
        Event::CouponsRedeemed(_) => "redeemed",
        Event::RedemptionReversed(_) => "reversed",
        Event::CouponVoided(_) => "voided",
        Event::BatchVoided(..) => "batch voided",
        Event::CouponsExpired(..) => "expired",
        Event::CodesMade(_) => "codes made",
        Event::TotalSet(..) => "total set",
        Event::BudgetSet(..) => "budget set",
        Event::LimitsSet(..) => "limits set",
        Event::StockMoved(..) => "stock moved",
        _ => "other",
    }
}
