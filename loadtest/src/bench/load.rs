//! A closed loop: so many connections, each with the next request as soon as the last one is answered. Or an open one:
//! requests are due by a schedule, and what a request waits for a free connection counts as the server's time.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::LocalSet;

use super::prepare::Shop;
use super::report::Phase;
use crate::wire::Wire;
use crate::{Failure, Result};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Redeem,
    Claim,
    Validate,
}

/// A measurement.
pub(super) struct Load {
    pub(super) address: SocketAddr,
    pub(super) what: What,
    pub(super) shop: Shop,
    pub(super) connections: usize,
    pub(super) warm_up: Duration,
    pub(super) duration: Duration,
    /// Requests per second by a schedule that waits for no answer; as fast as answers come where it is left out.
    pub(super) rate: Option<f64>,
}

/// What one connection saw.
struct Seen {
    times: Histogram<u64>,
    /// Answers within the measurement.
    measured: u64,
    /// Answers as they should be, the warm-up included.
    succeeded: u64,
    others: BTreeMap<u16, u64>,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Redeem => "redeem",
            Self::Claim => "claim",
            Self::Validate => "validate",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Redeem => "/v1/redemptions",
            Self::Claim => "/v1/claims",
            Self::Validate => "/v1/validations",
        }
    }

    fn status(self) -> u16 {
        if self == Self::Validate { 200 } else { 201 }
    }
}

impl Load {
    /// Runs it on this thread; gives back the figures and how many codes it used.
    pub(super) fn run(self) -> Result<(Phase, u64)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Failure::io("the load's event loop"))?;
        let load = Rc::new(self);
        let next = Rc::new(Cell::new(0));
        let local = LocalSet::new();
        let begun = Instant::now();
        let tasks: Vec<_> =
            (0..load.connections).map(|_| local.spawn_local(connection(load.clone(), next.clone(), begun))).collect();
        let mut all = Seen::new()?;
        local.block_on(&runtime, async {
            for task in tasks {
                let seen = task.await.map_err(|error| Failure::Server(format!("a connection ended: {error}")))??;
                all.add(&seen);
            }
            Ok::<(), Failure>(())
        })?;
        Ok((all.phase(&load), next.get()))
    }

    /// Waits until the `n`-th request is due; from when its time counts.
    async fn turn(&self, begun: Instant, n: u64) -> Instant {
        let Some(rate) = self.rate else { return Instant::now() };
        let due = begun + Duration::from_secs_f64(n as f64 / rate);
        if Instant::now() >= due {
            return due;
        }
        tokio::time::sleep_until(due.into()).await;
        // How late a timer wakes is not the server's doing.
        Instant::now()
    }

    /// Writes the `n`-th request; `false` if there is none.
    fn request(&self, n: u64, key: &mut String, body: &mut String) -> bool {
        key.clear();
        body.clear();
        let run = &self.shop.run;
        if self.what == What::Claim {
            let stock = &self.shop.claim_stock;
            // Writing to a string cannot fail.
            let _ = write!(key, "bench-claim-{run}-{n}");
            let _ = write!(
                body,
                r#"{{"stock_id":"{stock}","user_id":"user-{n}","context":{{"device_id":"claimer-{n}"}}}}"#
            );
            return true;
        }
        // Validations change nothing, so they may go round over the codes that are left.
        let Some(code) = self.shop.code(n).or_else(|| self.shop.code(0).filter(|_| self.what == What::Validate)) else {
            return false;
        };
        if self.what == What::Redeem {
            let _ = write!(key, "bench-redeem-{run}-{n}");
        }
        let _ = write!(
            body,
            concat!(
                r#"{{"coupons":[{{"{}":"{}"}}],"order":{{"id":"order-{}","amount":12800,"currency":"CNY"}},"#,
                r#""context":{{"device_id":"device-{}"}}}}"#
            ),
            self.shop.named_by, code, n, n
        );
        true
    }
}

async fn connection(load: Rc<Load>, next: Rc<Cell<u64>>, begun: Instant) -> Result<Seen> {
    let broken = |source| Failure::Io { what: format!("a connection that should {}", load.what.name()), source };
    let mut wire = Wire::connect(load.address).await.map_err(broken)?;
    let mut seen = Seen::new()?;
    let (mut key, mut body) = (String::new(), String::new());
    let (from, until) = (begun + load.warm_up, begun + load.warm_up + load.duration);
    loop {
        let n = next.get();
        if !load.request(n, &mut key, &mut body) {
            let text = "the codes are used up before the time is; --codes makes more".to_owned();
            return Err(Failure::Usage(text));
        }
        next.set(n + 1);
        let sent = load.turn(begun, n).await;
        let status = wire.post(&load.shop.credentials, load.what.path(), &key, body.as_bytes()).await;
        let (status, answered) = (status.map_err(broken)?, Instant::now());
        if status == load.what.status() {
            seen.succeeded += 1;
        } else {
            *seen.others.entry(status).or_default() += 1;
        }
        if (from..until).contains(&answered) && status == load.what.status() {
            seen.measured += 1;
            seen.times.saturating_record(u64::try_from((answered - sent).as_micros()).unwrap_or(u64::MAX));
        }
        if answered >= until {
            return Ok(seen);
        }
    }
}

impl Seen {
    fn new() -> Result<Self> {
        // Microseconds up to a minute.
        let times = Histogram::new_with_bounds(1, 60_000_000, 3);
        let times = times.map_err(|error| Failure::Usage(error.to_string()))?;
        Ok(Self { times, measured: 0, succeeded: 0, others: BTreeMap::new() })
    }

    fn add(&mut self, other: &Self) {
        // Both have the same bounds, so that nothing can be left out.
        let _ = self.times.add(&other.times);
        self.measured += other.measured;
        self.succeeded += other.succeeded;
        other.others.iter().for_each(|(status, n)| *self.others.entry(*status).or_default() += n);
    }

    fn phase(&self, load: &Load) -> Phase {
        let ms = |quantile: f64| self.times.value_at_quantile(quantile) as f64 / 1_000.0;
        Phase {
            what: load.what.name(),
            per_second: self.measured as f64 / load.duration.as_secs_f64(),
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
            p999_ms: ms(0.999),
            measured: self.measured,
            succeeded: self.succeeded,
            other_statuses: self.others.clone(),
        }
    }
}
