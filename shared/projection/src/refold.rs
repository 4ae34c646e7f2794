//! One shard folded anew from its beginning: what the log itself says.

use coupon::id::{Sequence, Shard};
use event_log::{EventLog, ReadError, Topic};

use crate::codec::decode;
use crate::ledger::Ledger;

/// Records read in one go.
const AT_ONCE: usize = 4_096;

/// The hash of a shard after the record with a sequence; `None` when there is no such record or the log cannot be folded
/// that far.
pub fn hash_at(log: &dyn EventLog, shard: Shard, sequence: Sequence) -> Result<Option<u128>, ReadError> {
    let partition = u32::from(shard.0) % log.partitions(Topic::Ledger);
    let mut ledger = Ledger::new();
    let mut next = 0;
    loop {
        let records = log.read(Topic::Ledger, partition, next, AT_ONCE)?;
        let Some(last) = records.last() else { return Ok(None) };
        next = last.offset + 1;
        for stored in &records {
            let Ok((header, decoded)) = decode(&stored.bytes) else { return Ok(None) };
            if header.shard != shard.0 {
                continue;
            }
            if ledger.take(&header, &decoded, stored).is_err() {
                return Ok(None);
            }
            let state = ledger.shard(shard);
            if state.sequence == sequence {
                return Ok(Some(state.state_hash()));
            }
        }
    }
}
