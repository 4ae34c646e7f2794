//! Attempts per device and address: token buckets, bounded in number.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use coupon::event::Pseudonym;
use coupon::id::MerchantId;
use coupon::risk_settings::RiskSettings;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use parking_lot::RwLock;

use crate::InlineConfig;

/// Buckets that are full again are let go after so many attempts.
const SWEEP_EVERY: u32 = 65_536;

/// An attempt too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    /// Of a device.
    Device {
        /// When the next may be made.
        retry_after_ms: u64,
    },
    /// Of an address.
    Ip {
        /// When the next may be made.
        retry_after_ms: u64,
    },
}

/// Merchants with limits of their own; those beyond have the common ones.
const MOST_OWN: usize = 1_000;

/// Attempts per second that are regained, and attempts at once.
type Rate = (u32, u32);

/// The common limits, and those of merchants that set their own.
pub(crate) struct Limits {
    common: Limiter,
    own: RwLock<BTreeMap<MerchantId, Limiter>>,
    /// Devices and addresses that are followed at once, each: by the common limits, and once more by all the others.
    most: usize,
}

struct Limiter {
    rates: [Rate; 2],
    devices: Arc<Buckets>,
    addresses: Arc<Buckets>,
    attempts: AtomicU32,
}

/// Token buckets of devices, or of addresses.
struct Buckets {
    limiter: DefaultKeyedRateLimiter<Pseudonym>,
    clock: DefaultClock,
    attempts: AtomicU32,
    is_full: AtomicBool,
}

impl Limits {
    pub(crate) fn new(config: &InlineConfig) -> Self {
        let rates = [(config.device_per_second, config.device_burst), (config.ip_per_second, config.ip_burst)];
        Self { common: Limiter::new(rates), own: RwLock::default(), most: config.max_keys.max(1) }
    }

    /// Takes over a merchant's settings. Whoever was limited is not any more when its limits change.
    pub(crate) fn set(&self, merchant: MerchantId, settings: &RiskSettings) {
        let [device, ip] = self.common.rates;
        let own =
            |(per_second, burst): Rate, set: [Option<u32>; 2]| (set[0].unwrap_or(per_second), set[1].unwrap_or(burst));
        let rates = [
            own(device, [settings.device_per_second, settings.device_burst]),
            own(ip, [settings.ip_per_second, settings.ip_burst]),
        ];
        let mut all = self.own.write();
        if rates == self.common.rates {
            all.remove(&merchant);
            return;
        }
        let is_known = all.get(&merchant).is_some_and(|known| known.rates == rates);
        if !is_known && all.len() >= MOST_OWN && !all.contains_key(&merchant) {
            tracing::warn!(%merchant, "too many merchants have limits of their own, so the common ones hold");
        } else if !is_known {
            all.insert(merchant, Limiter::new(rates));
        }
    }

    /// Takes one attempt of a device and an address at a merchant.
    pub(crate) fn take(
        &self,
        merchant: MerchantId,
        device: Option<Pseudonym>,
        ip: Option<Pseudonym>,
    ) -> Result<(), Limited> {
        let own = self.own.read();
        match own.get(&merchant.real()) {
            Some(limiter) => limiter.take(device, ip, (self.most / own.len()).max(1)),
            None => self.common.take(device, ip, self.most),
        }
    }
}

impl Limiter {
    fn new([device, ip]: [Rate; 2]) -> Self {
        let buckets = |rate| Arc::new(Buckets::new(rate));
        Self { rates: [device, ip], devices: buckets(device), addresses: buckets(ip), attempts: AtomicU32::new(0) }
    }

    fn take(&self, device: Option<Pseudonym>, ip: Option<Pseudonym>, most: usize) -> Result<(), Limited> {
        if self.attempts.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.sweep();
        }
        if let Some(retry_after_ms) = device.and_then(|key| self.devices.check(key, most)) {
            return Err(Limited::Device { retry_after_ms });
        }
        match ip.and_then(|key| self.addresses.check(key, most)) {
            Some(retry_after_ms) => Err(Limited::Ip { retry_after_ms }),
            None => Ok(()),
        }
    }

    /// Looks at each bucket there is, on a thread of its own: it would hold a request up for milliseconds.
    fn sweep(&self) {
        let (devices, addresses) = (Arc::clone(&self.devices), Arc::clone(&self.addresses));
        let sweep = move || {
            devices.limiter.retain_recent();
            addresses.limiter.retain_recent();
        };
        if let Err(error) = std::thread::Builder::new().name("limits-sweep".to_owned()).spawn(sweep) {
            tracing::warn!(%error, "no thread to let buckets go");
        }
    }
}

impl Buckets {
    fn new((per_second, burst): Rate) -> Self {
        let at_least_one = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst));
        let (attempts, is_full) = (AtomicU32::new(0), AtomicBool::new(false));
        Self { limiter: RateLimiter::keyed(quota), clock: DefaultClock::default(), attempts, is_full }
    }

    /// How long to wait. Past the bound newcomers share one of 256 buckets: memory stays bounded, and a flood of made-up
    /// ids limits itself.
    fn check(&self, key: Pseudonym, most: usize) -> Option<u64> {
        let key = if self.has_room(most) {
            key
        } else {
            let mut shared = [0; 16];
            shared[0] = key[0];
            shared
        };
        let refused = self.limiter.check_key(&key).err()?;
        let wait = refused.wait_time_from(self.clock.now());
        Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1))
    }

    /// Counting the buckets takes every lock that there is to them, so it is done now and then, with room for those that
    /// come until the next time.
    fn has_room(&self, most: usize) -> bool {
        let every = (most / 16).clamp(1, 64);
        if (self.attempts.fetch_add(1, Ordering::Relaxed) as usize).is_multiple_of(every) {
            self.is_full.store(self.limiter.len() + every > most, Ordering::Relaxed);
        }
        !self.is_full.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: MerchantId = MerchantId(7);
    const OTHER: MerchantId = MerchantId(8);

    #[test]
    fn a_burst_is_let_through_and_then_no_more() {
        let config = InlineConfig { device_per_second: 1, device_burst: 3, ip_burst: 5, ..InlineConfig::default() };
        let limits = Limits::new(&config);
        let (device, ip) = ([1; 16], [2; 16]);
        for _ in 0..3 {
            assert_eq!(limits.take(SHOP, Some(device), Some(ip)), Ok(()));
        }
        assert!(matches!(limits.take(SHOP, Some(device), Some(ip)), Err(Limited::Device { retry_after_ms: 1.. })));
        assert_eq!(limits.take(SHOP, Some([3; 16]), None), Ok(()), "another device is not limited");
        assert_eq!(limits.take(SHOP, None, None), Ok(()), "what is not told is not limited");
    }

    #[test]
    fn keys_are_bounded() {
        let limits = Limits::new(&InlineConfig { max_keys: 100, ..InlineConfig::default() });
        for merchant in [SHOP, OTHER] {
            limits.set(merchant, &RiskSettings { device_burst: Some(9), ..RiskSettings::default() });
        }
        for n in 0..10_000_u32 {
            let mut key = [9; 16];
            key[..4].copy_from_slice(&n.to_le_bytes());
            for merchant in [SHOP, MerchantId(9)] {
                let _ = limits.take(merchant, Some(key), None);
            }
        }
        assert!(limits.common.devices.limiter.len() <= 100 + 256);
        assert!(limits.own.read()[&SHOP].devices.limiter.len() <= 50 + 256, "they share what there is");
    }

    #[test]
    fn a_merchant_may_have_limits_of_its_own() {
        let limits = Limits::new(&InlineConfig { device_burst: 100, ..InlineConfig::default() });
        let settings = RiskSettings { device_per_second: Some(1), device_burst: Some(2), ..RiskSettings::default() };
        limits.set(SHOP, &settings);
        let attempts = |merchant: MerchantId, device: u8| {
            (0..50).filter(|_| limits.take(merchant, Some([device; 16]), None).is_ok()).count()
        };
        assert_eq!((attempts(SHOP, 1), attempts(OTHER, 2)), (2, 50));
        assert_eq!(attempts(SHOP.rehearsals(), 3), 2, "as where they are rehearsed for");
        limits.set(SHOP, &RiskSettings { review_holds: true, ..settings });
        assert_eq!(attempts(SHOP, 1), 0, "as long as its limits stay, nothing begins anew");
        limits.set(SHOP, &RiskSettings::default());
        assert_eq!(attempts(SHOP, 1), 50);
    }

    #[test]
    fn merchants_with_limits_of_their_own_are_bounded() {
        let limits = Limits::new(&InlineConfig::default());
        for merchant in 1..=1_500 {
            limits.set(MerchantId(merchant), &RiskSettings { ip_burst: Some(3), ..RiskSettings::default() });
        }
        assert_eq!(limits.own.read().len(), MOST_OWN);
    }
}
