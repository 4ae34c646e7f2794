//! A damaged record stops its partition, and only that.

use std::sync::Arc;

use super::{Fixture, append_durably, batch, read_all};
use crate::{EventLog, Offset, ReadError, Topic};

const DAMAGED: Offset = 6;

/// Ten records in each of two partitions, the seventh of partition 0 damaged.
fn damaged_log(fixture: &impl Fixture) -> Arc<dyn EventLog> {
    let log = fixture.open();
    append_durably(&*log, batch(0, 0, 10));
    append_durably(&*log, batch(1, 1, 10));
    log.close();
    drop(log);
    fixture.damage(Topic::Ledger, 0, DAMAGED);
    fixture.open()
}

/// What is before the damage is read, the damage is told, and only an explicit position beyond it
/// goes past it.
pub fn damage_is_not_skipped(fixture: &impl Fixture) {
    let log = damaged_log(fixture);
    let read = |from, max| log.read(Topic::Ledger, 0, from, max);
    for from in 0..DAMAGED {
        let before = read(from, 100).expect("what is before the damage");
        assert_eq!(before.len() as Offset, DAMAGED - from);
    }
    match read(DAMAGED, 100) {
        Err(ReadError::Damaged { topic, partition, offset, reason }) => {
            assert_eq!((topic, partition, offset), (Topic::Ledger, 0, DAMAGED));
            assert!(!reason.is_empty(), "damage without a reason");
        }
        other => panic!("the damage was not told: {other:?}"),
    }
    let after = read(DAMAGED + 1, 100).expect("what is beyond the damage");
    assert_eq!(after.len(), 3);
    assert_eq!(log.end(Topic::Ledger, 0), Ok(10));
}

/// Other partitions are read and written as before.
pub fn damage_leaves_other_partitions(fixture: &impl Fixture) {
    let log = damaged_log(fixture);
    assert!(log.read(Topic::Ledger, 0, DAMAGED, 1).is_err());
    append_durably(&*log, batch(1, 2, 5));
    assert_eq!(read_all(&*log, Topic::Ledger, 1).len(), 15);
}
