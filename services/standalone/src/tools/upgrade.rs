//! `counterfoil upgrade`: which rules the fold follows, and the switch to the next ones.

use std::process::ExitCode;

use clap::Subcommand;
use coupon::id::{SHARDS, Shard};
use event_log::{Entry, EventLog, Topic};
use host::Failure;
use projection::codec::{Control, encode_control, known_semantics};
use projection::ledger::Ledger;

use super::{Source, append, beats, fold_all, print};

#[derive(Subcommand)]
pub(crate) enum Upgrade {
    /// By which rules the log is folded, which this release knows, and who runs with what
    Status,
    /// Switch to the next rules, for ever; refused while an instance runs that does not know them
    Finish,
}

pub(crate) fn run(source: &Source, upgrade: &Upgrade) -> Result<ExitCode, Failure> {
    match upgrade {
        Upgrade::Status => status(source),
        Upgrade::Finish => finish(source),
    }
}

/// The number of the rules by which each shard is folded.
fn active(log: &dyn EventLog) -> Result<Vec<u16>, Failure> {
    let mut ledger = Ledger::new();
    let folded = fold_all(log, &mut ledger, |_, _, _| {});
    match folded.damaged.first() {
        Some(damage) => Err(damage.clone().into()),
        None => Ok(ledger.shards().map(|shard| shard.semantics).collect()),
    }
}

fn status(source: &Source) -> Result<ExitCode, Failure> {
    let log = source.open()?;
    let shards = active(log.as_ref())?;
    let known = known_semantics();
    let (oldest, newest) = (shards.iter().min().copied().unwrap_or(1), shards.iter().max().copied().unwrap_or(1));
    print(&format!("this release knows the rules up to number {known}"));
    if oldest == newest {
        print(&format!("the log is folded by the rules number {oldest}"));
    } else {
        print(&format!("the log is folded by the rules number {oldest} to {newest}: finish again"));
    }
    for (beat, age) in beats::alive(log.as_ref(), http_api::time::system_clock_ms())? {
        print(&format!(
            "{:<12} {:016x}  release {}  knows up to {}  beat {:.1} s ago",
            beat.service,
            beat.instance,
            beat.release,
            beat.semantics,
            age as f64 / 1_000.0
        ));
    }
    if oldest < known {
        print(&format!("`counterfoil upgrade finish` switches to number {}; there is no way back", oldest + 1));
    }
    Ok(ExitCode::SUCCESS)
}

fn finish(source: &Source) -> Result<ExitCode, Failure> {
    let log = source.open_for_writing()?;
    let shards = active(log.as_ref())?;
    let next = shards.iter().min().copied().unwrap_or(1) + 1;
    if next > known_semantics() {
        print(&format!("nothing to do: the log is folded by the newest rules that this release knows, {}", next - 1));
        return Ok(ExitCode::SUCCESS);
    }
    let old: Vec<_> = beats::alive(log.as_ref(), http_api::time::system_clock_ms())?
        .into_iter()
        .filter(|(beat, _)| beat.semantics < next)
        .map(|(beat, _)| format!("{} {:016x} of release {}", beat.service, beat.instance, beat.release))
        .collect();
    if !old.is_empty() {
        let old = old.join(", ");
        return Err(format!("still running and too old for the rules number {next}: {old}; upgrade them first").into());
    }
    let partitions = log.partitions(Topic::Ledger);
    let switch = |shard: u16| {
        let bytes = encode_control(Control::SemanticsActivated(next), Shard(shard as u8), next - 1);
        Entry { topic: Topic::Ledger, partition: u32::from(shard) % partitions, bytes }
    };
    let behind = (0..SHARDS).filter(|shard| shards[usize::from(*shard)] < next);
    append(log.as_ref(), behind.map(switch).collect())?;
    log.close();
    print(&format!("switched to the rules number {next}"));
    Ok(ExitCode::SUCCESS)
}
