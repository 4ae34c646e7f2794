//! `counterfoil log`: records decoded to JSON lines.

use std::path::Path;
use std::process::ExitCode;

use event_log::{EventLog, Topic};
use http_api::time::format_ms;
use projection::codec::{Decoded, decode};
use serde_json::json;

use super::{open_log, print, records};
use crate::Failure;

pub(crate) fn run(data_dir: &Path, partition: Option<u32>, from: u64, limit: u64) -> Result<ExitCode, Failure> {
    let log = open_log(data_dir)?;
    let all = 0..log.partitions(Topic::Ledger);
    for partition in all.filter(|n| partition.is_none_or(|only| only == *n)) {
        let mut left = limit;
        records(log.as_ref(), partition, from, |stored| {
            if left == 0 {
                return;
            }
            left -= 1;
            let mut line = json!({
                "partition": partition, "offset": stored.offset, "append_time": format_ms(stored.append_time_ms),
                "bytes": stored.bytes.len(),
            });
            match decode(&stored.bytes) {
                Ok((header, Decoded::Entry(entry))) => {
                    line["shard"] = header.shard.into();
                    line["type"] = header.record_type.into();
                    line["semantics"] = header.semantics.into();
                    line["record"] = serde_json::to_value(&*entry).unwrap_or_default();
                }
                Ok((header, Decoded::Foreign)) => line["foreign_type"] = header.record_type.into(),
                Err(damage) => line["damaged"] = damage.to_string().into(),
            }
            print(&line.to_string());
        })?;
    }
    Ok(ExitCode::SUCCESS)
}
