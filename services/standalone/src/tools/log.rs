//! `counterfoil log`: records decoded to JSON lines, with what became of each.

use std::path::Path;
use std::process::ExitCode;

use coupon::fold::{At, Outcome};
use coupon::id::LedgerRef;
use event_log::{EventLog, Stored, Topic};
use http_api::time::format_ms;
use projection::codec::{Control, Decoded, decode};
use projection::ledger::Ledger;
use serde_json::{Value, json};

use super::{fold_one, open_log, print, records};
use host::Failure;

pub(crate) fn run(data_dir: &Path, partition: Option<u32>, from: u64, limit: u64) -> Result<ExitCode, Failure> {
    let log = open_log(data_dir)?;
    let all = 0..log.partitions(Topic::Ledger);
    if let Some(wrong) = partition.filter(|partition| !all.contains(partition)) {
        return Err(format!("there is no partition {wrong}; the log has 0 to {}", all.end - 1).into());
    }
    let mut ledger = Ledger::new();
    for partition in all.filter(|n| partition.is_none_or(|only| only == *n)) {
        let until = from.saturating_add(limit);
        // What became of a record is known only to those who have folded all before it.
        records(log.as_ref(), partition, 0, |stored| {
            if stored.offset >= until {
                return;
            }
            let folded = fold_one(&mut ledger, stored);
            if stored.offset >= from {
                print(&line(stored, folded.map(|(at, _, outcome)| (at, outcome))).to_string());
            }
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(stored: &Stored, folded: Option<(At, Outcome)>) -> Value {
    let mut line = json!({
        "partition": stored.partition, "offset": stored.offset, "append_time": format_ms(stored.append_time_ms),
        "bytes": stored.bytes.len(),
    });
    if let Some((at, outcome)) = folded {
        line["ledger_ref"] = LedgerRef(at.sequence).to_string().into();
        line["sequence"] = at.sequence.into();
        line["time"] = format_ms(at.time).into();
        line["outcome"] = name(outcome).into();
        if let Outcome::Void(guard) = outcome {
            line["guard"] = guard.name().into();
        }
    }
    match decode(&stored.bytes) {
        Ok((header, Decoded::Entry(entry))) => {
            line["shard"] = header.shard.into();
            line["type"] = header.record_type.into();
            line["semantics"] = header.semantics.into();
            line["record"] = serde_json::to_value(&*entry).unwrap_or_default();
        }
        Ok((header, Decoded::Control(control))) => {
            line["shard"] = header.shard.into();
            line["type"] = header.record_type.into();
            line["semantics"] = header.semantics.into();
            line["control"] = match control {
                Control::CopySealed => json!({"copy_sealed": true}),
                Control::HashCheckpoint(sequence, hash) => {
                    json!({"hash_checkpoint": {"sequence": sequence, "hash": format!("{hash:032x}")}})
                }
                Control::SemanticsActivated(number) => json!({"semantics_activated": number}),
            };
        }
        Ok((header, Decoded::Foreign)) => line["foreign_type"] = header.record_type.into(),
        Err(damage) => line["damaged"] = damage.to_string().into(),
    }
    line
}

fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied(_) => "applied",
        Outcome::Replayed(_) => "replayed",
        Outcome::Cancelled => "cancelled",
        Outcome::Fenced(_) => "fenced",
        Outcome::Void(_) => "void",
        Outcome::Noted => "noted",
    }
}
