//! A process of its own that appends and says what was acknowledged.
//!
//! It is the test binary itself, started with only the test `child` to run.

use std::env;
use std::io::{BufRead, BufReader, Write, stdout};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;

use event_log::envelope;
use event_log::{Entry, EventLog, Stored, Topic};
use event_log_sqlite::{Options, SqliteLog};

use super::{append, record};

const PATH: &str = "COUNTERFOIL_TEST_LOG";
const FIRST: &str = "COUNTERFOIL_TEST_FIRST";
const ACKED: &str = "acked ";

/// Partitions of the child's log.
pub(crate) const PARTITIONS: u32 = 2;
/// Records of one batch.
pub(crate) const RECORDS: u64 = 8;
/// Large enough that a child is killed during checkpoints too.
const PADDING: usize = 4000;
const PROPOSERS: u64 = 4;

pub(crate) fn options() -> Options {
    Options { partitions: PARTITIONS, ..Options::default() }
}

/// A command that appends to the log at `path`, with batches numbered from `first` on, for ever.
/// `wrapper` is a program with arguments that runs it.
pub(crate) fn command(path: &Path, first: u64, wrapper: &[&str]) -> Command {
    let own = env::current_exe().expect("the test binary");
    let mut command = match wrapper {
        [] => Command::new(&own),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(&own);
            command
        }
    };
    command
        .args(["child", "--exact", "--nocapture"])
        .env(PATH, path)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The numbers of the batches that the child says were acknowledged, as it says so.
pub(crate) fn acked(child: &mut Child) -> impl Iterator<Item = u64> + use<> {
    let stdout = child.stdout.take().expect("a pipe");
    let lines = BufReader::new(stdout).lines().map_while(Result::ok);
    // A kill may cut the last line short: a line counts only with its end mark.
    lines.filter_map(|line| {
        let (_, number) = line.split_once(ACKED)?;
        number.strip_suffix('.')?.parse().ok()
    })
}

/// What the child does; nothing when this is not a child.
pub(crate) fn run() {
    let (Ok(path), Ok(first)) = (env::var(PATH), env::var(FIRST)) else {
        return;
    };
    let first: u64 = first.parse().expect("a number");
    let log = SqliteLog::open(path, options()).expect("the log opens");
    thread::scope(|scope| {
        for proposer in 0..PROPOSERS {
            let log = Arc::clone(&log);
            scope.spawn(move || {
                for number in (first + proposer..).step_by(PROPOSERS as usize) {
                    append(&*log, batch(number)).expect("the append succeeds");
                    let mut stdout = stdout().lock();
                    writeln!(stdout, "\n{ACKED}{number}.").expect("the parent reads");
                    stdout.flush().expect("the parent reads");
                }
            });
        }
    });
}

fn batch(number: u64) -> Vec<Entry> {
    let padding = vec![number as u8; PADDING];
    let entry = |index: u64| {
        let partition = (index % u64::from(PARTITIONS)) as u32;
        record(partition, &[&number.to_le_bytes()[..], &padding].concat())
    };
    (0..RECORDS).map(entry).collect()
}

/// The batch that a record belongs to.
fn number_of(record: &Stored) -> u64 {
    let opened = envelope::open(&record.bytes).expect("a sound envelope");
    let number = opened.payload.first_chunk().expect("a number");
    u64::from_le_bytes(*number)
}

/// The numbers of the batches in the log; each must be there once, whole, in every partition.
pub(crate) fn batches_in(log: &dyn EventLog) -> Vec<u64> {
    let per_partition = (RECORDS / u64::from(PARTITIONS)) as usize;
    let of_partition = |partition| {
        let mut records = Vec::new();
        loop {
            let read = log.read(Topic::Ledger, partition, records.len() as u64, 500);
            let read = read.expect("a sound log");
            if read.is_empty() {
                break;
            }
            records.extend(read.iter().map(number_of));
        }
        let pieces = records.chunks(per_partition);
        let whole = pieces.map(|piece| {
            assert_eq!(piece, [piece[0]].repeat(per_partition), "a torn batch");
            piece[0]
        });
        whole.collect::<Vec<u64>>()
    };
    let batches = of_partition(0);
    for partition in 1..PARTITIONS {
        assert_eq!(of_partition(partition), batches);
    }
    let mut unique = batches.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), batches.len(), "a batch is there twice");
    batches
}
