//! The suite over the log in memory, and what the faulty one promises.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;

use super::{Faults, FaultyLog, MemoryLog};
use crate::conformance::Fixture;
use crate::envelope::{self, Header, Realm};
use crate::{AppendError, Entry, EventLog, Offset, Stored, Topic};

struct InMemory(MemoryLog);

impl Fixture for InMemory {
    fn open(&self) -> Arc<dyn EventLog> {
        Arc::new(self.0.reopen())
    }

    fn open_after_crash(&self, _log: Arc<dyn EventLog>) -> Arc<dyn EventLog> {
        self.open()
    }

    fn damage(&self, topic: Topic, partition: u32, offset: Offset) {
        assert!(self.0.flip_byte(topic, partition, offset, 30));
    }

    fn open_bounded(&self, _queue_bytes: usize) -> Option<Arc<dyn EventLog>> {
        None
    }
}

crate::conformance_suite!(InMemory(MemoryLog::new(2)));

const ALL_FAULTS: Faults = Faults { delay: 0.3, duplicate: 0.1, drop_answer: 0.1, lose: 0.05, tear: 0.2, refuse: 0.05 };

fn record(partition: u32, number: u32) -> Entry {
    let header = Header { realm: Realm::Live, record_type: 1, semantics: 1, shard: 0, original_time_ms: None };
    let mut out = Vec::new();
    envelope::seal(&mut out, &header, |payload| {
        payload.extend_from_slice(&number.to_le_bytes());
    });
    Entry { topic: Topic::Ledger, partition, bytes: Bytes::from(out) }
}

fn numbers(log: &dyn EventLog, partition: u32) -> Vec<u32> {
    let records = log.read(Topic::Ledger, partition, 0, usize::MAX);
    let records = records.expect("a sound log");
    let number = |record: &Stored| {
        let opened = envelope::open(&record.bytes).expect("a sound envelope");
        u32::from_le_bytes(opened.payload.try_into().expect("four bytes"))
    };
    records.iter().map(number).collect()
}

type Answer = (u32, Result<(), AppendError>);
type Answers = Arc<Mutex<Vec<Answer>>>;

fn append(log: &dyn EventLog, answers: &Answers, entries: Vec<Entry>, number: u32) -> bool {
    let answers = Arc::clone(answers);
    let ack = Box::new(move |result| answers.lock().push((number, result)));
    log.append(entries, ack).is_ok()
}

/// Two proposers under all faults; gives what was taken, the answers and the history.
fn run(seed: u64) -> (Vec<u32>, Vec<Answer>, [Vec<u32>; 2]) {
    let log = Arc::new(FaultyLog::new(2, seed, ALL_FAULTS));
    let other = log.proposer();
    let answers = Answers::default();
    let mut taken = Vec::new();
    for number in 0..200 {
        log.set_time_ms(i64::from(number));
        let entries = vec![record(0, number), record(1, number)];
        let proposer: &dyn EventLog = if number % 2 == 0 { &*log } else { &*other };
        if append(proposer, &answers, entries, number) {
            taken.push(number);
        }
        log.step();
    }
    while log.step() {}
    let answers = answers.lock().clone();
    (taken, answers, [0, 1].map(|partition| numbers(&*log, partition)))
}

#[test]
fn a_seed_gives_one_history() {
    for seed in 0..20 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
    assert_ne!(run(1).2, run(2).2);
}

#[test]
fn answers_tell_the_truth() {
    for seed in 0..50 {
        let (taken, mut answers, history) = run(seed);
        answers.sort_by_key(|(number, _)| *number);
        let answered: Vec<u32> = answers.iter().map(|(number, _)| *number).collect();
        assert_eq!(answered, taken, "not answered exactly once, seed {seed}");
        for (number, answer) in answers {
            let missing = history.iter().any(|records| !records.contains(&number));
            assert!(answer.is_err() || !missing, "{number} is missing, seed {seed}");
        }
    }
}

#[test]
fn every_fault_happens() {
    let (taken, answers, [history, _]) = run(7);
    assert!(taken.len() < 200, "nothing was refused");
    assert!(answers.iter().any(|(_, answer)| answer.is_err()));
    assert!(!history.is_sorted(), "nothing was delayed");
    let mut unique = history.clone();
    unique.sort_unstable();
    unique.dedup();
    assert!(unique.len() < history.len(), "nothing was duplicated");
    assert!(unique.len() < taken.len(), "nothing was lost");
    let unanswered = |(number, answer): &Answer| answer.is_err() && history.contains(number);
    assert!(answers.iter().any(unanswered), "no answer was dropped");
}

#[test]
fn without_faults_batches_land_in_order() {
    let log = FaultyLog::new(1, 0, Faults::default());
    let answers = Answers::default();
    for number in 0..10 {
        assert!(append(&log, &answers, vec![record(0, number)], number));
    }
    assert_eq!(log.in_flight(), 10);
    assert_eq!(log.end(Topic::Ledger, 0), Ok(0));
    while log.step() {}
    assert_eq!(numbers(&log, 0), (0..10).collect::<Vec<_>>());
    assert!(answers.lock().iter().all(|(_, answer)| answer.is_ok()));
}

#[test]
fn a_crashed_proposer_hears_nothing_and_its_batches_land() {
    let log = Arc::new(FaultyLog::new(1, 0, Faults::default()));
    let proposer = log.proposer();
    let answers = Answers::default();
    let wakes = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&wakes);
    proposer.watch(Arc::new(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    }));
    assert!(append(&*proposer, &answers, vec![record(0, 1)], 1));
    proposer.crash();
    assert!(!append(&*proposer, &answers, vec![record(0, 2)], 2));
    while log.step() {}
    assert_eq!(numbers(&*log, 0), [1]);
    assert!(answers.lock().is_empty());
    assert_eq!(wakes.load(Ordering::Relaxed), 0);
}

#[test]
fn an_ack_may_append() {
    let log = Arc::new(FaultyLog::new(1, 0, Faults::default()));
    let again = Arc::clone(&log);
    let ack = Box::new(move |_| {
        let taken = again.append(vec![record(0, 2)], Box::new(|_| ()));
        assert_eq!(taken, Ok(()));
    });
    log.append(vec![record(0, 1)], ack).expect("no refusals");
    log.settle();
    assert_eq!(numbers(&*log, 0), [1, 2]);
}

#[test]
fn the_clock_may_go_back_and_times_do_not() {
    let log = FaultyLog::new(1, 0, Faults::default());
    for (number, time_ms) in [(0, 100), (1, 50), (2, 200)] {
        log.set_time_ms(time_ms);
        log.append(vec![record(0, number)], Box::new(|_| ())).expect("no refusals");
        log.settle();
    }
    let records = log.read(Topic::Ledger, 0, 0, 10).expect("a sound log");
    let times: Vec<i64> = records.iter().map(|record| record.append_time_ms).collect();
    assert_eq!(times, [100, 100, 200]);
}

#[test]
fn a_flipped_byte_is_damage() {
    let log = FaultyLog::new(1, 0, Faults::default());
    log.append(vec![record(0, 1), record(0, 2)], Box::new(|_| ())).expect("no refusals");
    log.settle();
    assert!(log.flip_byte(Topic::Ledger, 0, 1, 3));
    assert!(!log.flip_byte(Topic::Ledger, 0, 2, 3));
    let before = log.read(Topic::Ledger, 0, 0, 10).expect("what is before it");
    assert_eq!(before.len(), 1);
    assert!(log.read(Topic::Ledger, 0, 1, 10).is_err());
}
