//! Who is let in when more comes than can be done: what changes coupons before queries, queries before bulk work.
//!
//! After DAGOR (Zhou et al., "Overload Control for Scaling `WeChat` Microservices", `SoCC` 2018): overload is told from how
//! long requests wait before they are begun, and not from how long they take; what cannot be done is refused at the
//! door, before anything is spent on it; and how much is let in follows from how much was let in before.
//!
//! One meter (the generic cell rate algorithm) serves all classes: each admission moves it one interval ahead, time moves
//! it back, and each class may move it ahead so far and no further. While redemptions keep it at their own end, it is
//! beyond that of the others.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::{Duration, Instant};

use http::Method;
use prometheus::{IntCounter, IntGauge, register_int_counter_vec, register_int_gauge};
use tokio::runtime::Handle;

/// How often the rate is looked at.
const EVERY: Duration = Duration::from_millis(100);
/// So many looks in a row with long waits are an overload; a pause that is over is none.
const LONG: u32 = 3;
/// A longer wait need not be known more exactly.
const LONGEST_LOOK: Duration = Duration::from_millis(500);
/// What was let in is averaged over so many looks.
const LOOKS: usize = 10;
/// Under overload, this share of what was let in is let in next.
const DECREASE: f64 = 0.9;
/// Otherwise so much more each time: it doubles in about 1.5 s.
const INCREASE: f64 = 1.05;
/// Never less than this is let in for long waits, per second: what every machine bears.
const FLOOR: f64 = 2_000.0;
/// A limit that is so many times what comes limits nothing, and is taken away.
const SLACK: f64 = 2.0;

const DEFINED_ONCE: &str = "each metric is defined once";

static REFUSED: LazyLock<[IntCounter; 3]> = LazyLock::new(|| {
    let name = "counterfoil_requests_refused_total";
    let refused = register_int_counter_vec!(name, "Requests refused at the door for overload", &["class"]);
    let refused = refused.expect(DEFINED_ONCE);
    Class::ALL.map(|class| refused.with_label_values(&[class.name()]))
});

static RATE: LazyLock<IntGauge> = LazyLock::new(|| {
    let name = "counterfoil_admission_limit_per_second";
    register_int_gauge!(name, "Requests per second that are let in; 0 where they are not limited").expect(DEFINED_ONCE)
});

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It changes coupons, or asks what became of a request that did.
    Change,
    /// It reads.
    Query,
    /// It is one of those that stand for thousands.
    Bulk,
}

/// Told how long requests have waited for their turn elsewhere, such as for the thread that decides.
pub type Waited = Box<dyn Fn() -> Duration + Send + Sync>;

/// How much is let in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdmissionLimits {
    /// Requests per second that this instance takes; as many as it can where left out.
    pub per_second: Option<u32>,
    /// With a longer wait before a request is begun, less is let in.
    pub longest_wait: Duration,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self { per_second: None, longest_wait: Duration::from_millis(100) }
    }
}

/// Lets requests in, or does not. Clones are the same one.
#[derive(Clone)]
pub struct Admission {
    shared: Arc<Shared>,
}

struct Shared {
    limits: AdmissionLimits,
    begun: Instant,
    /// From one admission to the next, nanoseconds; 0 where nothing is limited.
    interval: AtomicU64,
    /// The meter: where the last admission left it, nanoseconds since it began.
    meter: AtomicU64,
    admitted: AtomicU64,
    watched: AtomicBool,
    waited: OnceLock<Waited>,
}

impl Class {
    /// All of them, the most important first.
    pub const ALL: [Self; 3] = [Self::Change, Self::Query, Self::Bulk];

    /// As metrics spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Query => "query",
            Self::Bulk => "bulk",
        }
    }

    /// What a request is for, by its method and path.
    pub fn of(method: &Method, path: &str) -> Self {
        let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        let last = path.rsplit('/').next().unwrap_or_default();
        match last {
            "codes" | "code-imports" | "sends" | "result" => Self::Bulk,
            "validations" | "lookup" | "signature-checks" => Self::Query,
            _ if path.starts_with("/v1/requests/") => Self::Change,
            _ if reads => Self::Query,
            _ => Self::Change,
        }
    }

    /// How far ahead the meter may be moved by this class, nanoseconds.
    fn reach(self) -> u64 {
        match self {
            Self::Change => 100_000_000,
            Self::Query => 50_000_000,
            Self::Bulk => 10_000_000,
        }
    }
}

impl Admission {
    /// Lets in what the limits say.
    pub fn new(limits: AdmissionLimits) -> Self {
        let shared = Shared {
            limits,
            begun: Instant::now(),
            interval: AtomicU64::new(interval(limits.per_second.map(f64::from))),
            meter: AtomicU64::new(0),
            admitted: AtomicU64::new(0),
            watched: AtomicBool::new(false),
            waited: OnceLock::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Says where else requests wait. The first one counts.
    pub fn also_waits(&self, waited: Waited) {
        let _ = self.shared.waited.set(waited);
    }

    /// Whether a request may come in now.
    pub fn admit(&self, class: Class) -> bool {
        let admitted = self.shared.admit(class, self.shared.begun.elapsed());
        if admitted {
            self.shared.admitted.fetch_add(1, Ordering::Relaxed);
        } else {
            REFUSED[class as usize].inc();
        }
        admitted
    }

    /// Watches how long requests wait, until what this gives is dropped. One of all that are started does.
    pub(super) fn watch(&self, runtime: Handle) -> Option<Watching> {
        if self.shared.watched.swap(true, Ordering::AcqRel) {
            return None;
        }
        let (watching, ended) = mpsc::channel();
        let shared = self.shared.clone();
        let watch = move || shared.watch(&runtime, &ended);
        // Without it nothing is limited but by what is configured.
        std::thread::Builder::new().name("admission".into()).spawn(watch).ok()?;
        Some(Watching(watching))
    }
}

/// Ends the watch with its own end.
pub(super) struct Watching(#[expect(dead_code, reason = "its end is what counts")] mpsc::Sender<()>);

impl Shared {
    fn watch(&self, runtime: &Handle, ended: &mpsc::Receiver<()>) {
        let mut detector = Detector { limits: self.limits, rates: VecDeque::new(), long: 0 };
        let (mut looked, mut before) = (Instant::now(), self.admitted.load(Ordering::Relaxed));
        while matches!(ended.recv_timeout(EVERY), Err(RecvTimeoutError::Timeout)) {
            let waited = waits_for_a_turn(runtime);
            let elsewhere = self.waited.get().map_or(Duration::ZERO, |waited| waited());
            let admitted = self.admitted.load(Ordering::Relaxed);
            let rate = (admitted - before) as f64 / looked.elapsed().as_secs_f64();
            (looked, before) = (Instant::now(), admitted);
            let current = per_second(self.interval.load(Ordering::Relaxed));
            let next = detector.next(current, rate, waited.max(elsewhere));
            self.interval.store(interval(next), Ordering::Relaxed);
            RATE.set(next.unwrap_or_default() as i64);
        }
    }

    fn admit(&self, class: Class, now: Duration) -> bool {
        let interval = self.interval.load(Ordering::Relaxed);
        if interval == 0 {
            return true;
        }
        let now = now.as_nanos() as u64;
        let move_on = |meter: u64| {
            let next = meter.max(now) + interval;
            // One request is always within reach.
            (next - now <= class.reach().max(interval)).then_some(next)
        };
        self.meter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, move_on).is_ok()
    }
}

/// Tells overload, and how much is let in next.
struct Detector {
    limits: AdmissionLimits,
    rates: VecDeque<f64>,
    long: u32,
}

impl Detector {
    /// What is let in next, of what was let in since the last look and how long that waited.
    fn next(&mut self, current: Option<f64>, rate: f64, waited: Duration) -> Option<f64> {
        if self.rates.len() == LOOKS {
            self.rates.pop_front();
        }
        self.rates.push_back(rate);
        let rate = self.rates.iter().sum::<f64>() / self.rates.len() as f64;
        self.long = if waited > self.limits.longest_wait { self.long + 1 } else { 0 };
        let next = if self.long >= LONG {
            Some((current.map_or(rate, |current| current.min(rate)) * DECREASE).max(FLOOR))
        } else if self.long > 0 {
            current
        } else {
            current.map(|current| current * INCREASE).filter(|next| *next < (rate * SLACK).max(FLOOR * SLACK))
        };
        let most = self.limits.per_second.map(f64::from);
        match (next, most) {
            (Some(next), Some(most)) => Some(next.min(most)),
            (next, most) => next.or(most),
        }
    }
}

/// How long a task that comes from outside waits until it is begun: it stands in line behind all connections that have
/// something to be read.
fn waits_for_a_turn(runtime: &Handle) -> Duration {
    let (begun, turns) = mpsc::channel();
    let asked = Instant::now();
    runtime.spawn(async move {
        // Nobody may be waiting any more.
        let _ = begun.send(asked.elapsed());
    });
    turns.recv_timeout(LONGEST_LOOK).unwrap_or(LONGEST_LOOK)
}

fn interval(per_second: Option<f64>) -> u64 {
    per_second.map_or(0, |rate| (1e9 / rate).ceil() as u64)
}

fn per_second(interval: u64) -> Option<f64> {
    (interval > 0).then(|| 1e9 / interval as f64)
}

#[cfg(test)]
mod tests;
