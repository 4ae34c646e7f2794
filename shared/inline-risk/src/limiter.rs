//! Attempts per device and address: token buckets, bounded in number.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use coupon::event::Pseudonym;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

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

pub(crate) struct Limiter {
    devices: DefaultKeyedRateLimiter<Pseudonym>,
    addresses: DefaultKeyedRateLimiter<Pseudonym>,
    most: usize,
    attempts: AtomicU32,
    clock: DefaultClock,
}

impl Limiter {
    pub(crate) fn new(config: &InlineConfig) -> Self {
        let quota = |per_second: u32, burst: u32| {
            let at_least_one = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
            Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst))
        };
        Self {
            devices: RateLimiter::keyed(quota(config.device_per_second, config.device_burst)),
            addresses: RateLimiter::keyed(quota(config.ip_per_second, config.ip_burst)),
            most: config.max_keys.max(1),
            attempts: AtomicU32::new(0),
            clock: DefaultClock::default(),
        }
    }

    pub(crate) fn take(&self, device: Option<Pseudonym>, ip: Option<Pseudonym>) -> Result<(), Limited> {
        if self.attempts.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.devices.retain_recent();
            self.addresses.retain_recent();
        }
        if let Some(retry_after_ms) = device.and_then(|key| self.check(&self.devices, key)) {
            return Err(Limited::Device { retry_after_ms });
        }
        match ip.and_then(|key| self.check(&self.addresses, key)) {
            Some(retry_after_ms) => Err(Limited::Ip { retry_after_ms }),
            None => Ok(()),
        }
    }

    /// How long to wait. Past the bound newcomers share one of 256 buckets: memory stays bounded, and a flood of made-up
    /// ids limits itself.
    fn check(&self, limiter: &DefaultKeyedRateLimiter<Pseudonym>, key: Pseudonym) -> Option<u64> {
        let key = if limiter.len() < self.most {
            key
        } else {
            let mut shared = [0; 16];
            shared[0] = key[0];
            shared
        };
        let refused = limiter.check_key(&key).err()?;
        let wait = refused.wait_time_from(self.clock.now());
        Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_no_more() {
        let config = InlineConfig { device_per_second: 1, device_burst: 3, ip_burst: 5, ..InlineConfig::default() };
        let limiter = Limiter::new(&config);
        let (device, ip) = ([1; 16], [2; 16]);
        for _ in 0..3 {
            assert_eq!(limiter.take(Some(device), Some(ip)), Ok(()));
        }
        assert!(matches!(limiter.take(Some(device), Some(ip)), Err(Limited::Device { retry_after_ms: 1.. })));
        assert_eq!(limiter.take(Some([3; 16]), None), Ok(()), "another device is not limited");
        assert_eq!(limiter.take(None, None), Ok(()), "what is not told is not limited");
    }

    #[test]
    fn keys_are_bounded() {
        let limiter = Limiter::new(&InlineConfig { max_keys: 100, ..InlineConfig::default() });
        for n in 0..10_000_u32 {
            let mut key = [9; 16];
            key[..4].copy_from_slice(&n.to_le_bytes());
            let _ = limiter.take(Some(key), None);
        }
        assert!(limiter.devices.len() <= 100 + 256);
    }
}
