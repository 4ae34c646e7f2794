//! Bounds and ends: a full queue, a closed log, nothing to append, no such partition.

use std::sync::mpsc::channel;

use super::{Fixture, append, append_durably, batch, expect_durable, marks_of, read_all};
use crate::{AppendError, ReadError, Topic};

/// A full queue refuses at once and surely; what it took before is written, and it takes more once
/// it has emptied.
pub fn full_queue_refuses(fixture: &impl Fixture) {
    const QUEUE_BYTES: usize = 16 * 1024;
    let Some(log) = fixture.open_bounded(QUEUE_BYTES) else {
        return;
    };
    // The log's thread is held in an acknowledgement, so that the queue must fill.
    let (at_hold, arrival) = channel();
    let (release, released) = channel::<()>();
    let hold = Box::new(move |result: Result<(), AppendError>| {
        assert_eq!(result, Ok(()));
        at_hold.send(()).expect("the case waits");
        // Ends when the case drops its side.
        let _ = released.recv();
    });
    log.append(batch(0, 0, 1), hold).expect("an empty queue");
    arrival.recv().expect("the log's thread");

    let mut answers = Vec::new();
    let refusal = loop {
        let number = answers.len() as u32 + 1;
        assert!(number < 10_000, "the queue has no bound");
        match append(&*log, batch(0, number, 8)) {
            Ok(answer) => answers.push(answer),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(refusal, AppendError::Full);
    assert!(!answers.is_empty(), "the queue takes nothing");
    drop(release);
    answers.iter().for_each(expect_durable);

    let count = answers.len() as u32;
    append_durably(&*log, batch(0, count + 1, 8));
    let found = marks_of(&*log, Topic::Ledger, 0);
    assert_eq!(found.len() as u32, 1 + 8 * (count + 1));
}

/// Closing finishes what is queued: every answer is there when it returns, and so are the records.
pub fn close_finishes_the_queue(fixture: &impl Fixture) {
    let log = fixture.open();
    let appends = (0..100).map(|number| append(&*log, batch(number % 2, number, 4)));
    let answers: Vec<_> = appends.map(|answer| answer.expect("room")).collect();
    log.close();
    log.close();
    for answer in answers {
        assert_eq!(answer.try_recv(), Ok(Ok(())));
    }
    drop(log);
    let log = fixture.open();
    for partition in 0..2 {
        assert_eq!(read_all(&*log, Topic::Ledger, partition).len(), 200);
    }
}

/// A closed log takes nothing, drops the acknowledgement uncalled, and can still be read.
pub fn closed_takes_nothing(fixture: &impl Fixture) {
    let log = fixture.open();
    append_durably(&*log, batch(0, 0, 2));
    log.close();
    let refusal = append(&*log, batch(0, 1, 1)).err();
    assert_eq!(refusal, Some(AppendError::Closed));
    assert_eq!(read_all(&*log, Topic::Ledger, 0).len(), 2);
}

/// An empty batch is answered like any other.
pub fn answers_an_empty_batch(fixture: &impl Fixture) {
    let log = fixture.open();
    append_durably(&*log, Vec::new());
    assert_eq!(log.end(Topic::Ledger, 0), Ok(0));
}

/// Reading a partition that does not exist is an error, not an empty partition.
pub fn unknown_partition_is_an_error(fixture: &impl Fixture) {
    let log = fixture.open();
    let beyond = log.partitions(Topic::Ledger);
    let read = log.read(Topic::Ledger, beyond, 0, 1);
    assert!(matches!(read, Err(ReadError::Unavailable(_))), "{read:?}");
    let end = log.end(Topic::Ledger, beyond);
    assert!(matches!(end, Err(ReadError::Unavailable(_))), "{end:?}");
}
