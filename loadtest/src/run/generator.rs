//! The open loop: requests go out when they are due, whether or not the ones before them have been answered. One
//! thread with one event loop; what it does not use of the machine is the server's.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::LocalSet;

use super::action::{Action, Planner};
use super::book::Book;
use super::client::Client;
use super::record::{Lag, Record};
use super::schedule::Schedule;
use super::shop::Shop;
use super::threshold::Threshold;
use super::verdict::measure;
use super::workload::Workload;
use crate::{Failure, Result};

/// Requests that are due within so long of each other go out together.
const TICK: Duration = Duration::from_micros(200);
/// As many go out before answers are looked at again.
const AT_ONCE: u32 = 32;
/// After the last request, answers are waited for so long.
const DRAIN: Duration = Duration::from_secs(40);
/// The generator may take requests up so late at the 99th percentile; beyond it the run is invalid.
const MAX_LAG: Duration = Duration::from_millis(10);

/// A run about to begin.
pub(super) struct Load {
    pub(super) address: SocketAddr,
    pub(super) workload: Arc<Workload>,
    pub(super) schedule: Schedule,
    pub(super) shop: Arc<Shop>,
    /// Each second's figures go here.
    pub(super) progress: UnboundedSender<Tick>,
}

/// How far it is.
#[derive(Clone, Debug)]
pub(super) struct Tick {
    pub(super) second: u64,
    pub(super) warm_up: bool,
    pub(super) achieved: u64,
    pub(super) scheduled: u64,
    pub(super) errors: u64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) in_flight: u64,
}

/// What came of it.
pub(super) struct Done {
    pub(super) record: Record,
    pub(super) book: Book,
    pub(super) lag: Lag,
    pub(super) connections: usize,
    /// The threshold that ended the run before its time.
    pub(super) aborted: Option<String>,
}

/// What waits for a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Job {
    Action(Action),
    /// The same redemption once more: with the same key, or by another checkout.
    Second {
        action: Action,
        place: u64,
        rival: bool,
    },
}

/// An idle connection.
#[derive(Default)]
struct Slot {
    job: Cell<Option<Job>>,
    woken: Notify,
}

/// What the tasks of a run share.
pub(super) struct Run {
    pub(super) load: Load,
    pub(super) begun: Instant,
    pub(super) record: RefCell<Record>,
    pub(super) book: RefCell<Book>,
    /// Codes of each stock that are used up.
    used: Vec<Cell<u64>>,
    queue: RefCell<VecDeque<Job>>,
    idle: RefCell<Vec<Rc<Slot>>>,
    connections: Cell<usize>,
    /// No more requests.
    stopped: Cell<bool>,
    /// No more answers either.
    finished: Cell<bool>,
    aborted: RefCell<Option<String>>,
}

impl Load {
    /// Runs it on this thread.
    pub(super) fn run(self) -> Result<Done> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Failure::io("the load's event loop"))?;
        let stocks = self.shop.stocks.len();
        let mut planner =
            Planner::new(&self.workload, stocks, self.shop.stores.len())?.of_claims(self.shop.claims.clone());
        let record = RefCell::new(Record::new(self.schedule.warm_up_seconds())?);
        let run = Rc::new(Run {
            load: self,
            begun: Instant::now(),
            record,
            book: RefCell::new(Book::new(stocks)),
            used: vec![Cell::new(0); stocks],
            queue: RefCell::default(),
            idle: RefCell::default(),
            connections: Cell::new(0),
            stopped: Cell::new(false),
            finished: Cell::new(false),
            aborted: RefCell::default(),
        });
        let cpu = thread_cpu();
        let _first = First::take();
        let local = LocalSet::new();
        local.block_on(&runtime, async {
            for _ in 0..run.load.workload.connections {
                open(&run, None);
            }
            let ticker = tokio::task::spawn_local(tick(run.clone()));
            dispatch(&run, &mut planner).await?;
            run.stopped.set(true);
            drain(&run).await;
            ticker.abort();
            Ok::<(), Failure>(())
        })?;
        let took = run.begun.elapsed();
        drop((local, runtime));
        let run = Rc::into_inner(run).ok_or_else(|| Failure::Server("a connection outlived its run".to_owned()))?;
        let mut record = run.record.into_inner();
        record.close();
        let cpu_percent = (thread_cpu().saturating_sub(cpu)).as_secs_f64() / took.as_secs_f64() * 100.0;
        let lag = record.lag(cpu_percent, MAX_LAG);
        let (book, aborted) = (run.book.into_inner(), run.aborted.into_inner());
        Ok(Done { record, book, lag, connections: run.connections.get(), aborted })
    }
}

impl Run {
    /// Since the beginning.
    pub(super) fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// A code that nobody has used.
    pub(super) fn take_code(&self, stock: usize) -> Option<u64> {
        let pool = self.load.shop.stocks.get(stock)?.pool.as_ref()?;
        let used = &self.used[stock];
        // The last one stays, for validations.
        (used.get() + 1 < pool.codes.len()).then(|| used.replace(used.get() + 1))
    }

    /// A code by its place.
    pub(super) fn code(&self, stock: usize, place: u64) -> &str {
        let pool = self.load.shop.stocks.get(stock).and_then(|stock| stock.pool.as_ref());
        pool.and_then(|pool| pool.codes.get(place)).unwrap_or_default()
    }

    /// The code that stays.
    pub(super) fn lasting_code(&self, stock: usize) -> &str {
        let pool = self.load.shop.stocks.get(stock).and_then(|stock| stock.pool.as_ref());
        pool.and_then(|pool| pool.codes.get(pool.codes.len().checked_sub(1)?)).unwrap_or_default()
    }
}

/// Gives a job to an idle connection, to a new one, or lets it wait for one.
pub(super) fn give(run: &Rc<Run>, job: Job) {
    let idle = run.idle.borrow_mut().pop();
    if let Some(slot) = idle {
        slot.job.set(Some(job));
        slot.woken.notify_one();
    } else if run.connections.get() < run.load.workload.max_connections {
        open(run, Some(job));
    } else {
        run.queue.borrow_mut().push_back(job);
    }
}

fn open(run: &Rc<Run>, first: Option<Job>) {
    run.connections.set(run.connections.get() + 1);
    tokio::task::spawn_local(connection(run.clone(), first));
}

async fn connection(run: Rc<Run>, mut next: Option<Job>) {
    let mut client = Client::new(run.clone());
    while !run.finished.get() {
        let job = next.take().or_else(|| run.queue.borrow_mut().pop_front());
        if let Some(job) = job {
            client.act(job).await;
            continue;
        }
        // An idle connection is open by the time that it is needed.
        client.connect().await;
        let slot = Rc::new(Slot::default());
        run.idle.borrow_mut().push(slot.clone());
        slot.woken.notified().await;
        next = slot.job.take();
    }
}

async fn dispatch(run: &Rc<Run>, planner: &mut Planner) -> Result<()> {
    let timer = super::timer::Timer::new().map_err(Failure::io("a timer"))?;
    let mut at_once = 0;
    for due in run.load.schedule.iter(run.load.workload.arrivals, run.load.workload.seed) {
        while let Some(wait) = due.at.checked_sub(run.now()).filter(|wait| !wait.is_zero()) {
            timer.sleep(wait.max(TICK)).await.map_err(Failure::io("a timer"))?;
            at_once = 0;
        }
        if run.stopped.get() {
            break;
        }
        at_once += 1;
        if at_once > AT_ONCE {
            tokio::task::yield_now().await;
            at_once = 0;
        }
        let action = planner.draw(due);
        let now = run.now();
        {
            let mut record = run.record.borrow_mut();
            record.advance(now);
            record.due(due.warm_up, now.saturating_sub(due.at));
        }
        give(run, Job::Action(action));
    }
    Ok(())
}

/// Waits until everything is answered; what is not by then stays unknown.
async fn drain(run: &Rc<Run>) {
    let until = Instant::now() + DRAIN;
    let is_busy = || run.record.borrow().in_flight > 0 || !run.queue.borrow().is_empty();
    while is_busy() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    run.finished.set(true);
    for slot in run.idle.borrow_mut().drain(..) {
        slot.woken.notify_one();
    }
}

/// Closes each second, tells how far the run is, and ends it where a threshold says so.
async fn tick(run: Rc<Run>) {
    let mut every = tokio::time::interval(Duration::from_millis(100));
    loop {
        every.tick().await;
        let closed = run.record.borrow_mut().advance(run.now());
        if !closed {
            continue;
        }
        let record = run.record.borrow();
        if let Some(second) = record.last_closed() {
            let tick = Tick {
                second: second.second,
                warm_up: second.warm_up,
                achieved: second.achieved,
                scheduled: second.scheduled,
                errors: second.errors,
                p50_ms: second.p50_ms,
                p99_ms: second.p99_ms,
                in_flight: second.in_flight,
            };
            // Nobody watching is no failure.
            let _ = run.load.progress.send(tick);
        }
        let measured = run.now().as_secs_f64() - run.load.schedule.warm_up_seconds();
        if let Some(broken) = aborting(&run.load.workload, &record, measured) {
            run.stopped.set(true);
            run.aborted.replace(Some(broken.to_string()));
        }
    }
}

/// The first threshold that ends the run.
fn aborting<'a>(workload: &'a Workload, record: &Record, measured_seconds: f64) -> Option<&'a Threshold> {
    let due = |check: &&super::workload::Check| {
        check.threshold().phase.is_none() && check.aborts_after().is_some_and(|after| measured_seconds >= after)
    };
    let broken = |threshold: &&Threshold| {
        let measured = measure(threshold, record, measured_seconds, None);
        measured.is_some() && !threshold.hold(measured).passed
    };
    workload.thresholds.iter().filter(due).map(super::workload::Check::threshold).find(broken)
}

/// While it lives, this thread comes before others where the system permits that: beside a server that keeps all cores
/// busy, requests would go out late, and the server's figures be better than they are.
struct First(bool);

impl First {
    const NICE: i32 = 10;

    fn take() -> Self {
        Self(rustix::process::nice(-Self::NICE).is_ok())
    }
}

impl Drop for First {
    fn drop(&mut self) {
        if self.0 {
            // Nobody is refused less.
            let _ = rustix::process::nice(Self::NICE);
        }
    }
}

/// What this thread has used of its core.
fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
