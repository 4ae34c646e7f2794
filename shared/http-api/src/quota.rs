//! Quotas per merchant and class of calls, as token buckets, with the `RateLimit` fields of
//! draft-ietf-httpapi-ratelimit-headers.
//!
//! The buckets are this process's own: n instances allow up to n times the quota, which protects the machine but is no
//! accounting.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use coupon::id::MerchantId;
use dashmap::DashMap;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::arrival;
use crate::problem::{Code, Problem, Result};

/// The field that says what is left.
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The field that says what the quota is.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The highest value that a quota may be set to.
pub const MAX_QUOTA: u32 = 1_000_000;

/// After so long without use every bucket is full again, so that forgetting it changes nothing.
const IDLE_SECONDS: u64 = 120;

/// A merchant's quotas. 0 closes a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// Stocks, codes and other things made, per second.
    pub create_per_second: u32,
    /// Claims, locks, redemptions and reversals per second.
    pub redeem_per_second: u32,
    /// Imports and other bulk work per minute.
    pub import_per_minute: u32,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { create_per_second: 50, redeem_per_second: 200, import_per_minute: 10 }
    }
}

/// Which quota a call draws on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuotaClass {
    /// `create_per_second`.
    Create,
    /// `redeem_per_second`.
    Redeem,
    /// `import_per_minute`.
    Import,
}

impl QuotaClass {
    /// The name in the `RateLimit` fields.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Redeem => "redeem",
            Self::Import => "import",
        }
    }

    /// The length of its window.
    pub const fn window_seconds(self) -> u32 {
        match self {
            Self::Create | Self::Redeem => 1,
            Self::Import => 60,
        }
    }

    const fn allowed(self, quotas: &Quotas) -> u32 {
        match self {
            Self::Create => quotas.create_per_second,
            Self::Redeem => quotas.redeem_per_second,
            Self::Import => quotas.import_per_minute,
        }
    }
}

/// The `RateLimit` fields of one answer.
#[derive(Clone, Debug)]
pub struct RateFields {
    policy: HeaderValue,
    limit: HeaderValue,
}

impl RateFields {
    /// Puts them on an answer.
    pub fn insert_into(self, headers: &mut HeaderMap) {
        headers.insert(RATE_LIMIT_POLICY, self.policy);
        headers.insert(RATE_LIMIT, self.limit);
    }
}

/// The buckets of all merchants that called lately.
pub struct Limiters {
    buckets: DashMap<(MerchantId, QuotaClass), Arc<Bucket>>,
    capacity: usize,
    started: Instant,
    clock: DefaultClock,
}

struct Bucket {
    allowed: u32,
    limiter: Option<RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>>,
    policy: HeaderValue,
    used_at_seconds: AtomicU64,
}

impl Default for Limiters {
    /// Room for 100,000 buckets, about 25 MB when full.
    fn default() -> Self {
        Self::new(100_000)
    }
}

impl Limiters {
    /// Room for so many buckets.
    pub fn new(capacity: usize) -> Self {
        Self { buckets: DashMap::new(), capacity, started: Instant::now(), clock: DefaultClock::default() }
    }

    /// Takes one call from the merchant's bucket. The fields for the answer are left for the edge.
    pub fn take(&self, merchant: MerchantId, class: QuotaClass, quotas: &Quotas) -> Result<()> {
        let bucket = self.bucket(merchant, class, class.allowed(quotas))?;
        let window = class.window_seconds();
        let outcome = bucket.limiter.as_ref().map(RateLimiter::check);
        let (left, reset_seconds) = match &outcome {
            Some(Ok(state)) => {
                let left = state.remaining_burst_capacity();
                let used = u64::from(bucket.allowed.saturating_sub(left));
                (left, (used * u64::from(window)).div_ceil(u64::from(bucket.allowed.max(1))).max(1) as u32)
            }
            Some(Err(not_until)) => {
                (0, not_until.wait_time_from(self.clock.now()).as_secs_f64().ceil().max(1.0) as u32)
            }
            None => (0, window),
        };
        arrival::leave_rate(bucket.fields(class, left, reset_seconds));
        if matches!(outcome, Some(Ok(_))) {
            return Ok(());
        }
        let detail = format!("The quota is {} {} calls per {window} s.", bucket.allowed, class.as_str());
        Err(Problem::new(Code::QuotaExceeded, detail).with("scope", "merchant").retry_after(reset_seconds))
    }

    fn bucket(&self, merchant: MerchantId, class: QuotaClass, allowed: u32) -> Result<Arc<Bucket>> {
        let now_seconds = self.started.elapsed().as_secs();
        if let Some(bucket) = self.buckets.get(&(merchant, class)).filter(|bucket| bucket.allowed == allowed) {
            bucket.used_at_seconds.store(now_seconds, Ordering::Relaxed);
            return Ok(Arc::clone(&bucket));
        }
        if self.buckets.len() >= self.capacity && !self.buckets.contains_key(&(merchant, class)) {
            self.buckets
                .retain(|_, bucket| bucket.used_at_seconds.load(Ordering::Relaxed) + IDLE_SECONDS > now_seconds);
            if self.buckets.len() >= self.capacity {
                return Err(Problem::new(Code::Overloaded, "Too many merchants are calling at once."));
            }
        }
        let mut entry = self.buckets.entry((merchant, class)).or_insert_with(|| Arc::new(Bucket::new(class, allowed)));
        if entry.allowed != allowed {
            *entry = Arc::new(Bucket::new(class, allowed));
        }
        entry.used_at_seconds.store(now_seconds, Ordering::Relaxed);
        Ok(Arc::clone(&entry))
    }
}

impl Bucket {
    fn new(class: QuotaClass, allowed: u32) -> Self {
        let window = class.window_seconds();
        let quota = NonZeroU32::new(allowed).map(|burst| match class {
            QuotaClass::Create | QuotaClass::Redeem => Quota::per_second(burst),
            QuotaClass::Import => Quota::per_minute(burst),
        });
        Self {
            allowed,
            limiter: quota.map(|quota| RateLimiter::direct(quota).with_middleware()),
            policy: value(&format!("\"{}\";q={allowed};w={window}", class.as_str())),
            used_at_seconds: AtomicU64::new(0),
        }
    }

    fn fields(&self, class: QuotaClass, left: u32, reset_seconds: u32) -> RateFields {
        let limit = value(&format!("\"{}\";r={left};t={reset_seconds}", class.as_str()));
        RateFields { policy: self.policy.clone(), limit }
    }
}

/// Digits and names of ours always make a header value.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: MerchantId = MerchantId(7);

    #[test]
    fn a_quota_holds_per_merchant_and_class() {
        let limiters = Limiters::default();
        let quotas = Quotas { import_per_minute: 3, create_per_second: 2, ..Quotas::default() };
        for _ in 0..3 {
            assert_eq!(limiters.take(SHOP, QuotaClass::Import, &quotas), Ok(()));
        }
        let problem = limiters.take(SHOP, QuotaClass::Import, &quotas).expect_err("used up");
        assert_eq!(problem.code, Code::QuotaExceeded);
        let wait = problem.retry_after_seconds.expect("says when");
        assert!((1..=20).contains(&wait), "a third of a minute at most, not {wait}");
        assert_eq!(limiters.take(MerchantId(8), QuotaClass::Import, &quotas), Ok(()));
        assert_eq!(limiters.take(SHOP, QuotaClass::Create, &quotas), Ok(()));
    }

    #[test]
    fn a_changed_quota_counts_at_once_and_zero_closes() {
        let limiters = Limiters::default();
        let quotas = Quotas { import_per_minute: 1, ..Quotas::default() };
        assert!(limiters.take(SHOP, QuotaClass::Import, &quotas).is_ok());
        assert!(limiters.take(SHOP, QuotaClass::Import, &quotas).is_err());
        let raised = Quotas { import_per_minute: 2, ..quotas };
        assert!(limiters.take(SHOP, QuotaClass::Import, &raised).is_ok());
        let closed = Quotas { import_per_minute: 0, ..quotas };
        assert!(limiters.take(SHOP, QuotaClass::Import, &closed).is_err());
    }

    #[test]
    fn the_number_of_buckets_is_bounded() {
        let limiters = Limiters::new(2);
        let quotas = Quotas::default();
        assert!(limiters.take(MerchantId(1), QuotaClass::Redeem, &quotas).is_ok());
        assert!(limiters.take(MerchantId(2), QuotaClass::Redeem, &quotas).is_ok());
        let problem = limiters.take(MerchantId(3), QuotaClass::Redeem, &quotas).expect_err("no room");
        assert_eq!(problem.code, Code::Overloaded);
        assert!(limiters.take(MerchantId(1), QuotaClass::Redeem, &quotas).is_ok());
    }
}
