//! How many durable records per second the log takes on this machine, and what they cost.
//!
//! ```text
//! cargo run --release -p event-log-sqlite --example throughput -- [folder] [seconds]
//! ```
//!
//! Records of 400 bytes over 8 partitions: first as fast as they go, 64 in a batch and 8 batches
//! under way; then 20,000 per second on a schedule, in batches of 64 and one by one. Latency counts
//! from the due time to the acknowledgement.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs;
use std::io::{Write as _, stdout};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use event_log::envelope::{self, HEADER_BYTES, Header, Realm};
use event_log::{Entry, EventLog, Topic};
use event_log_sqlite::{Options, SqliteLog};
use hdrhistogram::Histogram;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Of a record, the envelope's header included.
const RECORD_BYTES: usize = 400;
const PADDING_BYTES: usize = RECORD_BYTES - HEADER_BYTES - size_of::<usize>();
const BATCH: usize = 64;
const UNDER_WAY: usize = 8;
const RATE_PER_SECOND: u64 = 20_000;

struct Run {
    log: Arc<SqliteLog>,
    latency_us: Arc<Mutex<Histogram<u64>>>,
    acked: Sender<()>,
    acks: Receiver<()>,
    appended: usize,
}

impl Run {
    fn new(path: &Path) -> Outcome<Self> {
        let (acked, acks) = channel();
        Ok(Self {
            log: SqliteLog::open(path, Options::default())?,
            latency_us: Arc::new(Mutex::new(Histogram::new_with_bounds(1, 60_000_000, 3)?)),
            acked,
            acks,
            appended: 0,
        })
    }

    fn append(&mut self, records: usize, due: Instant) -> Outcome<()> {
        let entries = (0..records).map(|at| entry(self.appended + at)).collect();
        self.appended += records;
        let (acked, latency_us) = (self.acked.clone(), Arc::clone(&self.latency_us));
        let ack = Box::new(move |result: Result<(), _>| {
            if result.is_ok() {
                let elapsed_us = due.elapsed().as_micros() as u64;
                let mut histogram = latency_us.lock().unwrap_or_else(PoisonError::into_inner);
                histogram.saturating_record(elapsed_us);
            }
            // The run may have ended.
            let _ = acked.send(());
        });
        self.log.append(entries, ack)?;
        Ok(())
    }

    fn report(&self, name: &str, took: Duration) -> Outcome<()> {
        let histogram = self.latency_us.lock().map_err(|_| "a thread panicked")?;
        let seconds = took.as_secs_f64();
        let ms = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        let rate = self.appended as f64 / seconds;
        let mut out = stdout().lock();
        writeln!(out, "{name}: {rate:.0} records/s")?;
        writeln!(out, "  ack p50 {:.2} ms, p99 {:.2} ms", ms(0.5), ms(0.99))?;
        for (thread, cpu) in cpu_of_threads() {
            let share = 100.0 * cpu.as_secs_f64() / seconds;
            let each_us = cpu.as_secs_f64() * 1e6 / self.appended as f64;
            writeln!(out, "  {thread}: {share:.1} % of a CPU, {each_us:.2} us per record")?;
        }
        Ok(())
    }
}

fn entry(number: usize) -> Entry {
    let header = Header { realm: Realm::Live, record_type: 1, semantics: 1, shard: 0, original_time_ms: None };
    let mut out = Vec::with_capacity(RECORD_BYTES);
    envelope::seal(&mut out, &header, |payload| {
        payload.extend_from_slice(&number.to_le_bytes());
        payload.resize(payload.len() + PADDING_BYTES, number as u8);
    });
    Entry { topic: Topic::Ledger, partition: (number / 7 % 8) as u32, bytes: Bytes::from(out) }
}

/// Keeps a number of batches under way.
fn closed_loop(path: &Path, lasting: Duration) -> Outcome<()> {
    let mut run = Run::new(path)?;
    let start = Instant::now();
    for _ in 0..UNDER_WAY {
        run.append(BATCH, Instant::now())?;
    }
    while start.elapsed() < lasting {
        run.acks.recv()?;
        run.append(BATCH, Instant::now())?;
    }
    for _ in 0..UNDER_WAY {
        run.acks.recv()?;
    }
    run.report("closed loop, batches of 64", start.elapsed())
}

/// Appends on a schedule, whatever the log says.
fn open_loop(path: &Path, batch: usize, lasting: Duration) -> Outcome<()> {
    let mut run = Run::new(path)?;
    let start = Instant::now();
    let batches = RATE_PER_SECOND * lasting.as_secs() / batch as u64;
    for number in 0..batches {
        let due_us = number * batch as u64 * 1_000_000 / RATE_PER_SECOND;
        let due = start + Duration::from_micros(due_us);
        if let Some(early) = due.checked_duration_since(Instant::now()) {
            thread::sleep(early);
        }
        run.append(batch, due)?;
    }
    for _ in 0..batches {
        run.acks.recv()?;
    }
    run.report(&format!("open loop, batches of {batch}"), start.elapsed())
}

/// The CPU time of the log's threads, where the system tells it.
fn cpu_of_threads() -> BTreeMap<String, Duration> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten();
    let of_task = |task: fs::DirEntry| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        let times = fs::read_to_string(task.path().join("schedstat")).ok()?;
        let nanoseconds = times.split_whitespace().next()?.parse().ok()?;
        Some((name.trim().to_owned(), Duration::from_nanos(nanoseconds)))
    };
    let threads = tasks.flatten().filter_map(of_task);
    threads.filter(|(name, _)| name.starts_with("log-")).collect()
}

fn main() -> Outcome<()> {
    let mut arguments = env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| ".".to_owned());
    let seconds = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let lasting = Duration::from_secs(seconds);
    let folder = Path::new(&folder).join("counterfoil-throughput");
    fs::create_dir_all(&folder)?;
    closed_loop(&folder.join("closed.db"), lasting)?;
    open_loop(&folder.join("batches.db"), BATCH, lasting)?;
    open_loop(&folder.join("single.db"), 1, lasting)?;
    fs::remove_dir_all(&folder)?;
    Ok(())
}
