//! Who lives: the beats of instances in the signals.

use std::collections::BTreeMap;

use event_log::{EventLog, ReadError, Topic};
use inline_risk::{Beat, beat_of};

/// An instance that has not beaten for so long is gone; it beats every two seconds.
const ALIVE_MS: i64 = 10_000;
/// Records read at once.
const AT_ONCE: usize = 1_024;

/// Each instance that beat lately, with how long ago that was, in milliseconds.
pub(crate) fn alive(log: &dyn EventLog, now: i64) -> Result<Vec<(Beat, i64)>, ReadError> {
    let mut next = first_since(log, now - ALIVE_MS)?;
    let mut found = BTreeMap::new();
    loop {
        let records = log.read(Topic::Signals, 0, next, AT_ONCE)?;
        let Some(last) = records.last() else { break };
        next = last.offset + 1;
        for stored in &records {
            if let Some(beat) = beat_of(stored) {
                found.insert(beat.instance, (beat, (now - stored.append_time_ms).max(0)));
            }
        }
    }
    Ok(found.into_values().collect())
}

/// The first record of the signals' first partition at or after a time.
fn first_since(log: &dyn EventLog, time_ms: i64) -> Result<u64, ReadError> {
    let (mut low, mut high) = (0, log.end(Topic::Signals, 0)?);
    while low < high {
        let middle = low + (high - low) / 2;
        let records = log.read(Topic::Signals, 0, middle, 1)?;
        if records.first().is_some_and(|stored| stored.append_time_ms < time_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
