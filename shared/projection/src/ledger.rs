//! All shards, folded: what queries read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use coupon::fold::{At, Outcome, Rules, fold, record_time};
use coupon::id::{MerchantId, SHARDS, Shard};
use coupon::record::Entry;
use coupon::state::{Key, Row, View};
use coupon::terms::Millis;
use event_log::envelope::Header;
use event_log::{Offset, Stored};

use crate::codec::{Control, Decoded, known_semantics};
use crate::index::Index;
use crate::shard::ShardState;

/// Something that a tick has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// A lock's time is up.
    Lock(MerchantId, u64),
    /// A stock's coupons with this end are over.
    Coupons(MerchantId, u64, Millis),
    /// A rehearsal's date has come.
    Rehearsal(MerchantId, u64),
}

/// Called with merchants', keys', stores', imported codes', rehearsals', rule sets', snoozes' and risk settings' rows as
/// they change.
pub type Watcher = Box<dyn FnMut(&Key, &Row) + Send>;

/// The log switched to rules that this release does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the log has switched to the fold's rules number {number} (shard {}), and this release knows them up to {} only: \
     start a newer release",
    shard.0,
    known_semantics()
)]
pub struct Newer {
    /// Where.
    pub shard: Shard,
    /// To which.
    pub number: u16,
}

/// The folded ledger.
pub struct Ledger {
    shards: Vec<ShardState>,
    /// Lists for queries.
    pub index: Index,
    due: BinaryHeap<Reverse<(Millis, Due)>>,
    requests: usize,
    watcher: Option<Watcher>,
    rules: Rules,
    /// Kept for its room.
    changes: Vec<(Key, Option<Row>)>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

impl Ledger {
    /// An empty ledger.
    pub fn new() -> Self {
        let shards = (0..SHARDS).map(|n| ShardState::new(Shard(n as u8))).collect();
        Self {
            shards,
            index: Index::default(),
            due: BinaryHeap::new(),
            requests: 0,
            watcher: None,
            rules: Rules::default(),
            changes: Vec::new(),
        }
    }

    /// An empty ledger that leaves one kind of guard out, for the tests that show what it is for.
    pub fn without(rules: Rules) -> Self {
        Self { rules, ..Self::new() }
    }

    /// By which rules a shard is folded now.
    pub fn rules_of(&self, shard: Shard) -> Rules {
        Rules { semantics: self.shard(shard).semantics, ..self.rules }
    }

    /// Tells `watcher` of every merchant, key, store, imported code, rehearsal, rule set, snooze, case and risk settings, now
    /// and as they change.
    pub fn watch(&mut self, mut watcher: Watcher) {
        for (key, row) in self.shards.iter().flat_map(ShardState::rows) {
            if watched(key) {
                watcher(key, row);
            }
        }
        self.watcher = Some(watcher);
    }

    /// One shard.
    pub fn shard(&self, shard: Shard) -> &ShardState {
        &self.shards[usize::from(shard.0)]
    }

    /// One shard, to be written.
    pub fn shard_mut(&mut self, shard: Shard) -> &mut ShardState {
        &mut self.shards[usize::from(shard.0)]
    }

    /// All shards.
    pub fn shards(&self) -> impl Iterator<Item = &ShardState> {
        self.shards.iter()
    }

    /// The state of a merchant.
    pub fn of(&self, merchant: MerchantId) -> &ShardState {
        self.shard(merchant.shard())
    }

    /// The rows that are in memory.
    pub fn len(&self) -> usize {
        self.shards.iter().map(ShardState::len).sum()
    }

    /// From here on it is noted which rows change, for whoever writes them behind.
    pub fn note_changes(&mut self) {
        self.shards.iter_mut().for_each(ShardState::note_changes);
    }

    /// Changes of rows that were not written behind yet.
    pub fn dirty(&self) -> usize {
        self.shards.iter().map(ShardState::dirty).sum()
    }

    /// Nothing was ever folded.
    pub fn is_empty(&self) -> bool {
        self.shards.iter().all(ShardState::is_empty)
    }

    /// How many keys of requests are remembered, over all shards.
    pub fn requests(&self) -> usize {
        self.requests
    }

    /// Folds the next record of a partition, as it was read.
    pub fn take(&mut self, header: &Header, decoded: &Decoded, stored: &Stored) -> Result<(At, Outcome), Newer> {
        let entry = match decoded {
            Decoded::Entry(entry) => Some(&**entry),
            Decoded::Foreign | Decoded::Control(_) => None,
        };
        let control = match decoded {
            Decoded::Control(control) => Some(*control),
            Decoded::Entry(_) | Decoded::Foreign => None,
        };
        self.take_entry(header, entry, control, stored)
    }

    /// The same of one whose entry is known already.
    pub(crate) fn take_entry(
        &mut self,
        header: &Header,
        entry: Option<&Entry>,
        control: Option<Control>,
        stored: &Stored,
    ) -> Result<(At, Outcome), Newer> {
        let shard = Shard(header.shard);
        let state = &mut self.shards[usize::from(shard.0)];
        let original = header.original_time_ms.filter(|_| !state.sealed);
        if let Some(Control::SemanticsActivated(number)) = control
            && number == state.semantics + 1
        {
            if number > known_semantics() {
                return Err(Newer { shard, number });
            }
            state.semantics = number;
        }
        state.sealed |= original.is_none();
        Ok(self.fold(shard, entry, stored.offset, original.unwrap_or(stored.append_time_ms)))
    }

    /// Folds the next record of a shard; a foreign one (`None`) counts and does nothing.
    pub fn fold(&mut self, shard: Shard, entry: Option<&Entry>, offset: Offset, append_time: Millis) -> (At, Outcome) {
        let rules = self.rules_of(shard);
        let state = &mut self.shards[usize::from(shard.0)];
        let proposed_at = entry.map(Entry::proposed_at);
        let at = At { shard, sequence: state.sequence + 1, time: record_time(state.time, append_time, proposed_at) };
        let requests = state.live_requests();
        let outcome = match entry {
            Some(entry) => fold(state, entry, at, rules),
            None => Outcome::Noted,
        };
        self.requests = self.requests - requests + state.live_requests();
        state.sequence = at.sequence;
        state.time = at.time;
        state.positions_mut().push(offset, at.time);
        state.checkpoint();
        state.swap_changes(&mut self.changes);
        for (key, before) in self.changes.drain(..) {
            let Some(row) = state.get(&key) else {
                if let Some(before) = &before {
                    self.index.removed(&key, before);
                }
                continue;
            };
            self.index.changed(&key, before.as_ref(), row);
            schedule(&mut self.due, &key, before.as_ref(), row);
            if let (true, Some(watcher)) = (watched(&key), &mut self.watcher) {
                watcher(&key, row);
            }
        }
        (at, outcome)
    }

    /// After rows were read from disk: lists, and what is due.
    pub fn restored(&mut self) {
        let Self { shards, index, due, requests, .. } = self;
        // Coupons are listed as they came into somebody's hands, everything else by its number.
        let mut coupons = Vec::new();
        for shard in shards.iter_mut() {
            *requests += shard.live_requests();
            for (key, row) in shard.rows() {
                schedule(due, key, None, row);
                match (key, row) {
                    (Key::Coupon(_, number), Row::Coupon(coupon)) => coupons.push((coupon.claim, *number, *key)),
                    _ => index.changed(key, None, row),
                }
            }
        }
        index.sort();
        coupons.sort_unstable();
        for (_, _, key) in coupons {
            if let Some(row) = shards[usize::from(key.shard().0)].get(&key) {
                index.changed(&key, None, row);
            }
        }
    }

    /// What is due at `now`, each once.
    pub fn take_due(&mut self, now: Millis) -> Option<Due> {
        if self.due.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            return self.due.pop().map(|Reverse((_, due))| due);
        }
        None
    }

    /// When something is due next.
    pub fn next_due(&self) -> Option<Millis> {
        self.due.peek().map(|Reverse((at, _))| *at)
    }

    /// Offers something again later, since an attempt may have come to nothing.
    pub fn due_again(&mut self, at: Millis, due: Due) {
        self.due.push(Reverse((at, due)));
    }
}

fn watched(key: &Key) -> bool {
    matches!(
        key,
        Key::Merchant(..)
            | Key::ApiKey(..)
            | Key::Store(..)
            | Key::CodeText(..)
            | Key::Rehearsal(..)
            | Key::RuleSet(..)
            | Key::Snooze(..)
            | Key::List(..)
            | Key::ListItem(..)
            | Key::Model(..)
            | Key::RiskSettings(..)
            | Key::Breaker(..)
            | Key::Passed(..)
            | Key::User(..)
            | Key::Case(..)
    )
}

fn schedule(due: &mut BinaryHeap<Reverse<(Millis, Due)>>, key: &Key, before: Option<&Row>, row: &Row) {
    match (*key, row) {
        (Key::Lock(merchant, number), Row::Lock(lock)) if lock.end.is_none() => {
            due.push(Reverse((lock.lock.expires_at, Due::Lock(merchant, number))));
        }
        (Key::Counts(merchant, stock), Row::Counts(counts)) => {
            let known = match before {
                Some(Row::Counts(old)) => old.claimed.as_slice(),
                _ => &[],
            };
            for (until, _) in &counts.claimed {
                if !known.iter().any(|(end, _)| end == until) {
                    due.push(Reverse((*until, Due::Coupons(merchant, stock, *until))));
                }
            }
        }
        (Key::Rehearsal(merchant, stock), Row::Rehearsal(row)) => {
            due.push(Reverse((row.until, Due::Rehearsal(merchant, stock))));
        }
        _ => {}
    }
}
