//! What this process answered: how long claims, locks and redemptions took, and what was refused to whom. It is counted
//! where the answers leave, without a lock, and read by those who show it.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use coupon::id::MerchantId;
use dashmap::DashMap;
use http::Method;

use crate::problem::Code;

/// Eight buckets for each power of two: a time is known to an eighth.
const PER_OCTAVE: usize = 8;
/// From 16 µs on buckets grow; shorter times have one for each microsecond.
const FIRST_OCTAVE: u32 = 4;
/// Longer than 134 s counts as that.
const LAST_OCTAVE: u32 = 26;
/// Buckets of a histogram.
const BUCKETS: usize = 16 + (LAST_OCTAVE - FIRST_OCTAVE + 1) as usize * PER_OCTAVE;
/// So many pairs of merchant and code are told apart; what comes then counts as nobody's.
const MOST_REFUSALS: usize = 16_384;

static TRAFFIC: LazyLock<Traffic> = LazyLock::new(Traffic::default);

/// What this process has answered since it started.
pub fn traffic() -> &'static Traffic {
    &TRAFFIC
}

/// What changes coupons at a shop's counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A claim.
    Claim,
    /// A lock.
    Lock,
    /// A redemption.
    Redeem,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Claim, Self::Lock, Self::Redeem];

    /// As answers spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Lock => "lock",
            Self::Redeem => "redeem",
        }
    }

    /// What a request is, if it is one of them.
    pub fn of(method: &Method, path: &str) -> Option<Self> {
        match path {
            _ if *method != Method::POST => None,
            "/v1/claims" => Some(Self::Claim),
            "/v1/locks" => Some(Self::Lock),
            "/v1/redemptions" => Some(Self::Redeem),
            _ => None,
        }
    }
}

/// How long things took, by buckets; counts only grow.
#[derive(Debug)]
pub struct Latencies([AtomicU64; BUCKETS]);

/// Counts of each bucket at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets(Vec<u64>);

/// Everything that is counted.
#[derive(Debug, Default)]
pub struct Traffic {
    latencies: [Latencies; 3],
    refusals: DashMap<(Option<MerchantId>, Code), AtomicU64>,
}

impl Default for Latencies {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Latencies {
    /// Counts one.
    pub fn add(&self, took: Duration) {
        self.0[bucket(took.as_micros() as u64)].fetch_add(1, Ordering::Relaxed);
    }

    /// The counts now.
    pub fn now(&self) -> Buckets {
        Buckets(self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect())
    }
}

impl Default for Buckets {
    fn default() -> Self {
        Self(vec![0; BUCKETS])
    }
}

impl Buckets {
    /// What was counted since an earlier time.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self(self.0.iter().zip(&earlier.0).map(|(now, before)| now.saturating_sub(*before)).collect())
    }

    /// Both together.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| one + other).collect())
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The time in milliseconds that a share of them (0 to 1) did not exceed, to an eighth; `None` where there are none.
    pub fn quantile_ms(&self, share: f64) -> Option<f64> {
        let count = self.count();
        let rank = ((share * count as f64).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        let bucket = self.0.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(upper_us(bucket) as f64 / 1_000.0)
    }
}

impl Traffic {
    /// Counts an answer.
    pub fn answered(&self, operation: Operation, took: Duration, refused: Option<(Option<MerchantId>, Code)>) {
        self.latencies[operation as usize].add(took);
        let Some((merchant, code)) = refused else { return };
        if let Some(known) = self.refusals.get(&(merchant, code)) {
            known.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let merchant = merchant.filter(|_| self.refusals.len() < MOST_REFUSALS);
        self.refusals.entry((merchant, code)).or_default().fetch_add(1, Ordering::Relaxed);
    }

    /// How long an operation took.
    pub fn latencies(&self, operation: Operation) -> &Latencies {
        &self.latencies[operation as usize]
    }

    /// How often what was refused to whom since the start; `None` where the caller was nobody's or not known.
    pub fn refusals(&self) -> Vec<((Option<MerchantId>, Code), u64)> {
        self.refusals.iter().map(|entry| (*entry.key(), entry.load(Ordering::Relaxed))).collect()
    }
}

fn bucket(micros: u64) -> usize {
    if micros < 16 {
        return micros as usize;
    }
    let octave = micros.ilog2();
    if octave > LAST_OCTAVE {
        return BUCKETS - 1;
    }
    let eighth = (micros >> (octave - 3)) as usize & (PER_OCTAVE - 1);
    16 + (octave - FIRST_OCTAVE) as usize * PER_OCTAVE + eighth
}

/// The first microsecond beyond a bucket.
fn upper_us(bucket: usize) -> u64 {
    if bucket < 16 {
        return bucket as u64 + 1;
    }
    let (octave, eighth) = ((bucket - 16) / PER_OCTAVE, (bucket - 16) % PER_OCTAVE);
    (PER_OCTAVE + eighth + 1) as u64 * (1 << (octave as u32 + FIRST_OCTAVE - 3))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_time_is_known_to_an_eighth(micros in 0_u64..134_000_000) {
            let upper = upper_us(bucket(micros));
            prop_assert!(upper > micros && upper <= micros + micros / 8 + 1, "{micros}: {upper}");
        }

        #[test]
        fn longer_times_are_in_no_lower_bucket(a in any::<u64>(), b in any::<u64>()) {
            prop_assert!((a <= b) == (a.min(b) == a));
            prop_assert!(bucket(a.min(b)) <= bucket(a.max(b)));
        }
    }

    #[test]
    fn quantiles_are_of_what_came_since() {
        let latencies = Latencies::default();
        assert_eq!(latencies.now().quantile_ms(0.5), None);
        (0..100).for_each(|_| latencies.add(Duration::from_secs(1)));
        let before = latencies.now();
        (0..98).for_each(|_| latencies.add(Duration::from_millis(1)));
        (0..2).for_each(|_| latencies.add(Duration::from_millis(100)));
        let since = latencies.now().since(&before);
        let (p50, p99) = (since.quantile_ms(0.5).expect("some"), since.quantile_ms(0.99).expect("some"));
        assert!((1.0..1.2).contains(&p50) && (100.0..113.0).contains(&p99), "{p50} {p99}");
        assert_eq!(since.count(), 100);
    }

    #[test]
    fn refusals_are_counted_by_whom_and_what() {
        let traffic = Traffic::default();
        let tea = Some(MerchantId(7));
        let answered = |refused| traffic.answered(Operation::Redeem, Duration::from_millis(1), refused);
        answered(None);
        answered(Some((tea, Code::AlreadyRedeemed)));
        answered(Some((tea, Code::AlreadyRedeemed)));
        answered(Some((None, Code::AlreadyRedeemed)));
        let mut refusals = traffic.refusals();
        refusals.sort_unstable();
        assert_eq!(refusals, [((None, Code::AlreadyRedeemed), 1), ((tea, Code::AlreadyRedeemed), 2)]);
        assert_eq!(traffic.latencies(Operation::Redeem).now().count(), 4);
    }

    #[test]
    fn only_what_changes_coupons_at_the_counter_is_counted() {
        assert_eq!(Operation::of(&Method::POST, "/v1/redemptions"), Some(Operation::Redeem));
        assert_eq!(Operation::of(&Method::GET, "/v1/redemptions"), None);
        assert_eq!(Operation::of(&Method::POST, "/v1/redemptions/red_1/reversals"), None);
    }
}
