//! What happens now, for those who watch: counts by the second, who is seen most, cases that are open, and decisions as
//! they are made. The thread that follows the log counts here too, so that no request waits for it; all of it is in
//! memory, bounded, and begins anew with the process.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use coupon::decision::{Action, Asked, Decision};
use coupon::event::{Event, Pseudonym};
use coupon::id::MerchantId;
use coupon::record::Entry;
use parking_lot::Mutex;
use projection::feed::Folded;
use rustc_hash::FxHashMap;

use crate::past::{Decided, Past, What};
use crate::signals::Signal;

mod open;
mod ring;
mod top;

use open::{Cases, Instances};
pub use open::{CasesNow, Heard};
pub use ring::{RATE_SECONDS, Ring, SERIES_SECONDS};
pub use top::{Ranked, Top};

/// Devices, addresses, stores and stocks that are kept, each; see [`Top`].
const MOST_KEYS: usize = 4_096;
/// Merchants that are counted by themselves at once: those that did nothing for longest are let go.
const MOST_MERCHANTS: usize = 4_096;
/// Decisions that wait to be shown.
const MOST_FRESH: usize = 4_096;

/// What is counted by the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tallied {
    /// Coupons were redeemed.
    Redemptions,
    /// One was claimed.
    Claims,
    /// Some were locked.
    Locks,
    /// Risk refused.
    Blocks,
    /// Somebody shall look at it.
    Reviews,
    /// Proof was asked for.
    Challenges,
}

/// How many kinds of [`Tallied`] there are.
pub const TALLIED: usize = 6;

/// A pseudonym, or the number of something, at a merchant.
pub type Key<T> = (u32, T);

/// Personal data of somebody, as it stands in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Under whose key it is sealed.
    pub subject: Pseudonym,
    /// The data.
    pub bytes: Arc<[u8]>,
}

/// A decision that was just made.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// At which merchant.
    pub merchant: MerchantId,
    /// The time of the log, milliseconds.
    pub time_ms: i64,
    /// The decision.
    pub decided: Decided,
    /// The end user's data, encrypted; none where the request was refused.
    pub sealed: Vec<u8>,
}

/// What happens now.
pub struct Live {
    started_ms: AtomicI64,
    counted: Mutex<Counted>,
    cases: Mutex<Cases>,
    instances: Mutex<Instances>,
    /// How many watch decisions.
    watchers: AtomicUsize,
    fresh: Mutex<Waiting>,
}

/// Decisions that wait to be shown.
#[derive(Default)]
struct Waiting {
    queue: VecDeque<Fresh>,
    left_out: u64,
}

/// Counts.
pub struct Counted {
    /// Of all merchants.
    pub all: Ring<TALLIED>,
    merchants: FxHashMap<MerchantId, Ring<TALLIED>>,
    /// Devices, by their pseudonyms.
    pub devices: Top<Key<Pseudonym>, Sealed>,
    /// Addresses.
    pub ips: Top<Key<Pseudonym>, Sealed>,
    /// Stores, by their numbers.
    pub stores: Top<Key<u64>, ()>,
    /// Stocks.
    pub stocks: Top<Key<u64>, ()>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            started_ms: AtomicI64::new(0),
            counted: Mutex::new(Counted {
                all: Ring::default(),
                merchants: FxHashMap::default(),
                devices: Top::new(MOST_KEYS),
                ips: Top::new(MOST_KEYS),
                stores: Top::new(MOST_KEYS),
                stocks: Top::new(MOST_KEYS),
            }),
            cases: Mutex::default(),
            instances: Mutex::default(),
            watchers: AtomicUsize::new(0),
            fresh: Mutex::default(),
        }
    }
}

/// Watches decisions as long as it lives.
pub struct Watching(Arc<crate::InlineRisk>);

impl Watching {
    /// From now on decisions are kept until they are taken.
    pub fn new(inline: Arc<crate::InlineRisk>) -> Self {
        inline.live().watchers.fetch_add(1, Ordering::AcqRel);
        Self(inline)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let live = self.0.live();
        if live.watchers.fetch_sub(1, Ordering::AcqRel) == 1 {
            *live.fresh.lock() = Waiting::default();
        }
    }
}

impl Live {
    /// Counts what happens from this time on, milliseconds: what is read of the past is none of it.
    pub(crate) fn start(&self, now_ms: i64) {
        self.started_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Since when it counts, milliseconds since 1970.
    pub fn started_ms(&self) -> i64 {
        self.started_ms.load(Ordering::Relaxed)
    }

    fn is_past(&self, time_ms: i64) -> bool {
        time_ms < self.started_ms()
    }

    /// Counts what a record tells.
    pub(crate) fn record(&self, folded: &Folded, past: &[Past<&Decision>]) {
        if past.is_empty() || self.is_past(folded.at.time) {
            return;
        }
        let watched = self.watchers.load(Ordering::Acquire) > 0;
        let mut counted = self.counted.lock();
        for past in past {
            let What::Decided(decided) = &past.what else { continue };
            let event = event_of(folded.entry.as_deref(), decided.decision);
            counted.decided(past, decided, event);
            if watched {
                self.show(past, decided, event);
            }
        }
    }

    fn show(&self, past: &Past<&Decision>, decided: &Decided<&Decision>, event: Option<&Event>) {
        let mut fresh = self.fresh.lock();
        if fresh.queue.len() >= MOST_FRESH {
            fresh.left_out += 1;
            return;
        }
        let sealed = event.map(sealed_in).unwrap_or_default().to_vec();
        fresh.queue.push_back(Fresh {
            merchant: past.merchant,
            time_ms: past.time_ms,
            decided: owned(decided),
            sealed,
        });
    }

    /// Counts an attempt that left no record.
    pub(crate) fn signal(&self, signal: &Signal) {
        if self.is_past(signal.time_ms) {
            return;
        }
        let minute = signal.time_ms.div_euclid(60_000);
        let mut counted = self.counted.lock();
        counted.seen(MerchantId(signal.merchant), (signal.device, signal.ip), minute, || None);
    }

    /// Looks at the counts.
    pub fn look<T>(&self, look: impl FnOnce(&Counted) -> T) -> T {
        look(&self.counted.lock())
    }

    /// Decisions that were made since this was last asked, oldest first, and how many more there were.
    pub fn take_fresh(&self) -> (Vec<Fresh>, u64) {
        let Waiting { queue, left_out } = std::mem::take(&mut *self.fresh.lock());
        (queue.into(), left_out)
    }

    /// The cases.
    pub(crate) fn cases(&self) -> &Mutex<Cases> {
        &self.cases
    }

    /// How many cases wait, at one merchant or at all.
    pub fn cases_now(&self, merchant: Option<MerchantId>, now_ms: i64) -> CasesNow {
        self.cases.lock().now(merchant, now_ms)
    }

    /// Cases that changed since this was last asked.
    pub fn take_changed_cases(&self) -> Vec<(MerchantId, u64)> {
        self.cases.lock().take_changed()
    }

    /// The instances that were heard of.
    pub(crate) fn instances(&self) -> &Mutex<Instances> {
        &self.instances
    }

    /// Instances that were heard of, by service.
    pub fn heard(&self) -> Vec<Heard> {
        self.instances.lock().heard()
    }
}

impl Counted {
    /// A merchant's counts; none where nothing was counted lately.
    pub fn of(&self, merchant: MerchantId) -> Option<&Ring<TALLIED>> {
        self.merchants.get(&merchant)
    }

    fn decided(&mut self, past: &Past<&Decision>, decided: &Decided<&Decision>, event: Option<&Event>) {
        let (second, minute) = (past.time_ms.div_euclid(1_000), past.time_ms.div_euclid(60_000));
        let decision = decided.decision;
        let happened = decided.done.then_some(match decided.asked {
            Asked::Claim => Tallied::Claims,
            Asked::Lock => Tallied::Locks,
            Asked::Redemption => Tallied::Redemptions,
        });
        let said = match decision.action {
            Action::Allow => None,
            Action::Review => Some(Tallied::Reviews),
            Action::Challenge => Some(Tallied::Challenges),
            Action::Block => Some(Tallied::Blocks),
        };
        for kind in [happened, said].into_iter().flatten() {
            self.all.add(second, kind as usize, 1);
            self.merchant(past.merchant.real()).add(second, kind as usize, 1);
        }
        let subject = decided.who.user.or(decision.device).or(decision.ip).unwrap_or_default();
        // One copy for both.
        let kept = OnceCell::new();
        self.seen(past.merchant, (decision.device, decision.ip), minute, || {
            let bytes = sealed_in(event?);
            let copy = || Sealed { subject, bytes: bytes.into() };
            (!bytes.is_empty()).then(|| kept.get_or_init(copy).clone())
        });
        if let Some(store) = decided.who.store {
            self.stores.add((past.merchant.real().0, store), minute, || Some(()));
        }
        for stock in event.into_iter().flat_map(stocks_of) {
            self.stocks.add((past.merchant.0, stock), minute, || Some(()));
        }
    }

    fn seen(
        &mut self,
        merchant: MerchantId,
        (device, ip): (Option<Pseudonym>, Option<Pseudonym>),
        minute: i64,
        sealed: impl Fn() -> Option<Sealed>,
    ) {
        if let Some(device) = device {
            self.devices.add((merchant.0, device), minute, &sealed);
        }
        if let Some(ip) = ip {
            self.ips.add((merchant.0, ip), minute, &sealed);
        }
    }

    fn merchant(&mut self, merchant: MerchantId) -> &mut Ring<TALLIED> {
        if self.merchants.len() >= MOST_MERCHANTS && !self.merchants.contains_key(&merchant) {
            let idle = self.merchants.iter().min_by_key(|(id, ring)| (ring.newest(), **id)).map(|(id, _)| *id);
            idle.and_then(|idle| self.merchants.remove(&idle));
        }
        self.merchants.entry(merchant).or_default()
    }
}

/// The event that a decision is of; none for one that refused.
fn event_of<'a>(entry: Option<&'a Entry>, decision: &Decision) -> Option<&'a Event> {
    let Some(Entry::Guarded(record)) = entry else { return None };
    record.events.iter().find(|event| decision_of(event).is_some_and(|own| std::ptr::eq(own, decision)))
}

fn decision_of(event: &Event) -> Option<&Decision> {
    match event {
        Event::CouponClaimed(claim) => Some(&claim.decision),
        Event::CouponsLocked(lock) => Some(&lock.decision),
        Event::CouponsRedeemed(redemption) => Some(&redemption.decision),
        Event::Decided(kept) => Some(&kept.decision),
        _ => None,
    }
}

fn sealed_in(event: &Event) -> &[u8] {
    match event {
        Event::CouponClaimed(claim) => &claim.sealed,
        Event::CouponsLocked(lock) => &lock.sealed,
        Event::CouponsRedeemed(redemption) => &redemption.sealed,
        Event::Decided(kept) => &kept.sealed,
        _ => &[],
    }
}

fn stocks_of(event: &Event) -> Vec<u64> {
    match event {
        Event::CouponClaimed(claim) => vec![claim.stock],
        Event::CouponsLocked(lock) => lock.parts.iter().map(|part| part.stock).collect(),
        Event::CouponsRedeemed(redemption) => redemption.parts.iter().map(|part| part.stock).collect(),
        _ => Vec::new(),
    }
}

fn owned(decided: &Decided<&Decision>) -> Decided {
    let Decided { sequence, number, asked, done, who, amount, discount, decision } = *decided;
    Decided { sequence, number, asked, done, who, amount, discount, decision: decision.clone() }
}
