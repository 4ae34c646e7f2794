//! What the edge counts, looked at once a second: refusals by code, and how long answers took.

use std::collections::{BTreeMap, VecDeque};

use coupon::id::MerchantId;
use http_api::problem::Code;
use http_api::traffic::{Buckets, Operation, Traffic};
use inline_risk::live::{RATE_SECONDS, Ring, SERIES_SECONDS};

/// Latencies are of so many seconds.
const LATENCY_SECONDS: usize = 10;
/// Minutes of refusals by code.
const MINUTES: usize = 60;

/// What was seen so far.
#[derive(Default)]
pub(super) struct Samples {
    /// The second that was looked at last.
    second: i64,
    all: Ring<1>,
    merchants: BTreeMap<MerchantId, Ring<1>>,
    codes: BTreeMap<(Option<MerchantId>, Code), Refused>,
    /// Latencies of each operation at the end of each of the last seconds.
    latencies: VecDeque<[Buckets; 3]>,
    /// Of all operations together, in each second, oldest first; milliseconds.
    p99_ms: VecDeque<(i64, Option<f64>)>,
}

/// How often something was refused, at the end of the last seconds and minutes.
#[derive(Default)]
struct Refused {
    total: u64,
    seconds: VecDeque<u64>,
    minutes: VecDeque<u64>,
}

/// A code with how often it was answered.
pub(super) struct Refusal {
    pub(super) code: Code,
    pub(super) per_second: f64,
    pub(super) last_hour: u64,
}

impl Refused {
    /// Takes the total at the end of a second; what is gone.
    fn next(&mut self, total: u64, minute_ends: bool) -> u64 {
        let more = total - self.total;
        if self.seconds.len() == RATE_SECONDS {
            self.seconds.pop_front();
        }
        self.seconds.push_back(self.total);
        if minute_ends {
            if self.minutes.len() == MINUTES {
                self.minutes.pop_front();
            }
            self.minutes.push_back(self.total);
        }
        self.total = total;
        more
    }

    fn per_second(&self) -> f64 {
        let before = self.seconds.front().copied().unwrap_or_default();
        (self.total - before) as f64 / RATE_SECONDS as f64
    }

    fn last_hour(&self) -> u64 {
        let before = if self.minutes.len() < MINUTES { None } else { self.minutes.front().copied() };
        self.total - before.unwrap_or_default()
    }
}

impl Samples {
    /// Looks at what was counted up to the beginning of a second.
    pub(super) fn look(&mut self, traffic: &Traffic, second: i64) {
        if second <= self.second {
            return;
        }
        let minute_ends = second.div_euclid(60) > self.second.div_euclid(60);
        let ended = second - 1;
        self.second = second;
        for ((merchant, code), total) in traffic.refusals() {
            let refused = self.codes.entry((merchant, code)).or_default();
            let more = u32::try_from(refused.next(total, minute_ends)).unwrap_or(u32::MAX);
            if more > 0 {
                self.all.add(ended, 0, more);
                if let Some(merchant) = merchant {
                    self.merchants.entry(merchant).or_default().add(ended, 0, more);
                }
            }
        }
        let latencies = Operation::ALL.map(|operation| traffic.latencies(operation).now());
        let since = self.latencies.back().map(|before| together(&latencies, before));
        self.p99_ms.push_back((ended, since.and_then(|buckets| buckets.quantile_ms(0.99))));
        self.latencies.push_back(latencies);
        while self.latencies.len() > LATENCY_SECONDS + 1 {
            self.latencies.pop_front();
        }
        while self.p99_ms.len() > SERIES_SECONDS {
            self.p99_ms.pop_front();
        }
    }

    /// Refusals, at one merchant or at all.
    pub(super) fn refusals(&self, merchant: Option<MerchantId>) -> &Ring<1> {
        static NONE: std::sync::LazyLock<Ring<1>> = std::sync::LazyLock::new(Ring::default);
        merchant.map_or(&self.all, |merchant| self.merchants.get(&merchant).unwrap_or(&NONE))
    }

    /// By their codes, the most frequent of the last hour first.
    pub(super) fn by_code(&self, merchant: Option<MerchantId>) -> Vec<Refusal> {
        let mut found: BTreeMap<Code, Refusal> = BTreeMap::new();
        let own = self.codes.iter().filter(|((of, _), _)| merchant.is_none() || *of == merchant);
        for ((_, code), refused) in own {
            let sum = found.entry(*code).or_insert(Refusal { code: *code, per_second: 0.0, last_hour: 0 });
            sum.per_second += refused.per_second();
            sum.last_hour += refused.last_hour();
        }
        let mut found: Vec<Refusal> = found.into_values().filter(|it| it.last_hour > 0).collect();
        found.sort_by(|a, b| b.last_hour.cmp(&a.last_hour).then(a.code.cmp(&b.code)));
        found
    }

    /// Half of the answers, and 99 of 100, took no longer, milliseconds; `None` where there were none.
    pub(super) fn latency(&self, operation: Operation) -> Option<(f64, f64)> {
        let (first, last) = (self.latencies.front()?, self.latencies.back()?);
        let buckets = last[operation as usize].since(&first[operation as usize]);
        Some((buckets.quantile_ms(0.5).filter(|_| buckets.count() > 0)?, buckets.quantile_ms(0.99)?))
    }

    /// What 99 of 100 answers did not exceed in each of the last whole seconds before `now`, oldest first.
    pub(super) fn p99_ms(&self, now: i64) -> Vec<Option<f64>> {
        let known: BTreeMap<i64, Option<f64>> = self.p99_ms.iter().copied().collect();
        (now - SERIES_SECONDS as i64..now).map(|second| known.get(&second).copied().flatten()).collect()
    }
}

fn together(now: &[Buckets; 3], before: &[Buckets; 3]) -> Buckets {
    now.iter().zip(before).fold(Buckets::default(), |sum, (now, before)| sum.with(&now.since(before)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TEA: Option<MerchantId> = Some(MerchantId(7));

    #[test]
    fn refusals_are_told_by_the_second_and_by_the_hour() {
        let (traffic, mut samples) = (Traffic::default(), Samples::default());
        let refuse = |merchant| {
            traffic.answered(Operation::Redeem, Duration::from_millis(1), Some((merchant, Code::AlreadyRedeemed)));
        };
        let begin = 1_773_144_000;
        samples.look(&traffic, begin);
        (0..10).for_each(|_| refuse(TEA));
        refuse(None);
        samples.look(&traffic, begin + 1);
        let all = samples.by_code(None);
        assert_eq!((all.len(), all[0].per_second, all[0].last_hour), (1, 2.2, 11));
        assert_eq!(samples.by_code(TEA)[0].last_hour, 10);
        assert_eq!(samples.refusals(TEA).series(begin + 1, 0).last(), Some(&10));
        assert_eq!(samples.refusals(Some(MerchantId(8))).totals(begin), [0]);
        (2..3_000).for_each(|n| samples.look(&traffic, begin + n));
        let all = samples.by_code(None);
        assert_eq!((all[0].per_second, all[0].last_hour), (0.0, 11), "of the last hour still");
        (3_000..3_700).for_each(|n| samples.look(&traffic, begin + n));
        assert!(samples.by_code(None).is_empty(), "an hour ago");
        assert_eq!(samples.refusals(None).totals(begin + 3_700), [11]);
    }

    #[test]
    fn latencies_are_of_the_last_ten_seconds() {
        let (traffic, mut samples) = (Traffic::default(), Samples::default());
        samples.look(&traffic, 100);
        assert_eq!(samples.latency(Operation::Claim), None);
        traffic.answered(Operation::Claim, Duration::from_millis(8), None);
        samples.look(&traffic, 101);
        let (p50, p99) = samples.latency(Operation::Claim).expect("one was answered");
        assert!((8.0..9.1).contains(&p50) && (8.0..9.1).contains(&p99), "{p50} {p99}");
        assert_eq!(samples.latency(Operation::Lock), None);
        let series = samples.p99_ms(101);
        assert_eq!((series.len(), series.last().copied().flatten()), (SERIES_SECONDS, Some(p99)));
        (102..112).for_each(|second| samples.look(&traffic, second));
        assert_eq!(samples.latency(Operation::Claim), None, "too long ago");
    }
}
