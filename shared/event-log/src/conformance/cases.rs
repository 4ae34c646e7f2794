//! Order, time, durability, positions, batches, waking.

use std::collections::HashMap;
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::thread;

use super::{DEADLINE, Fixture, Mark, append, append_durably, batch, entry, expect_durable, marks, marks_of, read_all};
use crate::{EventLog, Topic};

/// Records stand in a partition in the order in which one proposer appended them.
pub fn appends_in_order(fixture: &impl Fixture) {
    let log = fixture.open();
    let answers: Vec<_> =
        (0..50).map(|number| append(&*log, batch(0, number, 3)).expect("the queue takes the batch")).collect();
    answers.iter().for_each(expect_durable);
    let expected: Vec<Mark> = (0..50).flat_map(|number| marks(0, number, 3)).collect();
    assert_eq!(marks_of(&*log, Topic::Ledger, 0), expected);
}

/// Append times never decrease within a partition, across a reopening too.
pub fn times_never_decrease(fixture: &impl Fixture) {
    let mut last_ms = i64::MIN;
    for _ in 0..2 {
        let log = fixture.open();
        for number in 0..20 {
            append_durably(&*log, batch(0, number, 2));
        }
        log.close();
    }
    for record in read_all(&*fixture.open(), Topic::Ledger, 0) {
        assert!(record.append_time_ms >= last_ms, "time went back at {}", record.offset);
        last_ms = record.append_time_ms;
    }
    assert!(last_ms > 0, "the time is in milliseconds since 1970");
}

/// What was acknowledged is there after a clean end, with the same times, and appends go on behind.
pub fn keeps_after_reopen(fixture: &impl Fixture) {
    let log = fixture.open();
    append_durably(&*log, batch(0, 0, 10));
    append_durably(&*log, batch(1, 1, 5));
    let before = [0, 1].map(|partition| read_all(&*log, Topic::Ledger, partition));
    log.close();
    drop(log);

    let log = fixture.open();
    let after = [0, 1].map(|partition| read_all(&*log, Topic::Ledger, partition));
    assert_eq!(after, before);
    append_durably(&*log, batch(0, 2, 1));
    assert_eq!(read_all(&*log, Topic::Ledger, 0).len(), 11);
}

/// What was acknowledged is there after a kill (I2).
pub fn keeps_after_crash(fixture: &impl Fixture) {
    let log = fixture.open();
    for number in 0..10 {
        append_durably(&*log, batch(0, number, 4));
    }
    let before = read_all(&*log, Topic::Ledger, 0);
    let log = fixture.open_after_crash(log);
    assert_eq!(read_all(&*log, Topic::Ledger, 0), before);
    append_durably(&*log, batch(0, 10, 1));
    assert_eq!(read_all(&*log, Topic::Ledger, 0).len(), 41);
}

/// The first position is 0 and none is left out, in every partition of every topic.
pub fn positions_are_dense(fixture: &impl Fixture) {
    let log = fixture.open();
    let partitions = log.partitions(Topic::Ledger);
    assert!(partitions >= 2, "the suite needs two partitions");
    for topic in Topic::ALL {
        assert_eq!(log.partitions(topic), partitions);
        for partition in 0..partitions {
            assert_eq!(log.end(topic, partition), Ok(0));
            assert_eq!(log.read(topic, partition, 0, 10), Ok(Vec::new()));
            for number in 0..3 {
                let marks = marks(0, number, partition + 1);
                let entries = marks.map(|mark| entry(topic, partition, mark));
                append_durably(&*log, entries.collect());
            }
        }
    }
    for topic in Topic::ALL {
        for partition in 0..partitions {
            let count = read_all(&*log, topic, partition).len();
            assert_eq!(count, 3 * (partition as usize + 1));
        }
    }
}

/// Under concurrent proposers each batch is there exactly once, whole, and in one piece within each
/// partition that it has records for.
pub fn batches_are_whole(fixture: &impl Fixture) {
    const PROPOSERS: u32 = 8;
    const BATCHES: u32 = 25;
    const RECORDS: u32 = 6;
    let log = fixture.open();
    let start = Barrier::new(PROPOSERS as usize);
    thread::scope(|scope| {
        for proposer in 0..PROPOSERS {
            let (log, start) = (&log, &start);
            scope.spawn(move || {
                start.wait();
                for number in 0..BATCHES {
                    let marks = marks(proposer, number, RECORDS);
                    let entries = marks.map(|mark| entry(Topic::Ledger, mark.index % 2, mark));
                    append_durably(&**log, entries.collect());
                }
            });
        }
    });
    for partition in 0..2 {
        let found = marks_of(&*log, Topic::Ledger, partition);
        assert_eq!(found.len() as u32, PROPOSERS * BATCHES * RECORDS / 2);
        let mut next_batch: HashMap<u32, u32> = HashMap::new();
        for piece in found.chunks(RECORDS as usize / 2) {
            let next = next_batch.entry(piece[0].proposer).or_default();
            let whole = marks(piece[0].proposer, *next, RECORDS);
            let expected: Vec<Mark> = whole.filter(|mark| mark.index % 2 == partition).collect();
            assert_eq!(piece, expected, "a batch is torn, missing or out of order");
            *next += 1;
        }
    }
}

/// A read may begin anywhere and ends after `max` records or at the end, before and after a
/// reopening.
pub fn reads_from_any_position(fixture: &impl Fixture) {
    let log = fixture.open();
    append_durably(&*log, batch(0, 0, 40));
    check_reads(&*log);
    log.close();
    drop(log);
    let log = fixture.open();
    check_reads(&*log);
    // Half of what is read now may still be in memory, the other half not.
    append_durably(&*log, batch(0, 1, 40));
    let all = read_all(&*log, Topic::Ledger, 0);
    assert_eq!(log.read(Topic::Ledger, 0, 35, 10).as_deref(), Ok(&all[35..45]));
}

fn check_reads(log: &dyn EventLog) {
    let all = read_all(log, Topic::Ledger, 0);
    for from in 0..all.len() {
        for max in [0, 1, 2, 39, usize::MAX] {
            let read = log.read(Topic::Ledger, 0, from as u64, max);
            let end = from.saturating_add(max).min(all.len());
            assert_eq!(read.as_deref(), Ok(&all[from..end]));
        }
    }
    for beyond in [40, 41, u64::MAX] {
        assert_eq!(log.read(Topic::Ledger, 0, beyond, 10), Ok(Vec::new()));
    }
}

/// One batch may span topics and partitions; each record is where it was sent and nowhere else.
pub fn topics_are_apart(fixture: &impl Fixture) {
    let log = fixture.open();
    let places = Topic::ALL.into_iter().zip([0, 1, 0]);
    let marked: Vec<_> = places.zip(marks(0, 0, 3)).collect();
    let entries = marked.iter().map(|((topic, partition), mark)| entry(*topic, *partition, *mark));
    append_durably(&*log, entries.collect());
    for ((topic, partition), mark) in marked {
        assert_eq!(marks_of(&*log, topic, partition), [mark]);
        assert_eq!(log.end(topic, 1 - partition), Ok(0));
    }
}

/// A watcher is called after each record becomes readable, every watcher is, and without a poll.
pub fn watchers_are_woken(fixture: &impl Fixture) {
    let log = fixture.open();
    let (sender, wakes) = channel();
    for watcher in 0..2 {
        let sender = sender.clone();
        log.watch(Arc::new(move || {
            let _ = sender.send(watcher);
        }));
    }
    for number in 0..5_u32 {
        while wakes.try_recv().is_ok() {}
        let answer = append(&*log, batch(0, number, 1)).expect("the queue takes the batch");
        let mut woken = [false; 2];
        while woken != [true; 2] {
            let watcher: usize = wakes.recv_timeout(DEADLINE).expect("a wake");
            // A wake may be a late one for the record before; only one that sees this record counts.
            let end = log.end(Topic::Ledger, 0).expect("an end");
            woken[watcher] |= end == u64::from(number) + 1;
        }
        expect_durable(&answer);
    }
}
