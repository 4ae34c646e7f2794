//! `counterfoil rebuild`: the projection anew from the log.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use event_log::{EventLog, Topic};
use projection::disk::Disk;
use projection::ledger::Ledger;

use super::{Source, fold_all, fold_one, print, records};
use host::ADDRESS_FILE;
use host::Failure;
use host::parts::LEDGER_FOLDER;

pub(crate) fn run(source: &Source, verify: bool) -> Result<ExitCode, Failure> {
    let data_dir = source.data_dir.as_path();
    if data_dir.join(ADDRESS_FILE).exists() && is_served(data_dir) {
        return Err("a server runs on this data directory; stop it first".into());
    }
    let log = source.open()?;
    let begun = Instant::now();
    let mut fresh = Ledger::new();
    let folded = fold_all(log.as_ref(), &mut fresh, |_, _, _| {});
    let seconds = begun.elapsed().as_secs_f64();
    let rate = folded.records as f64 / seconds.max(1e-9);
    print(&format!("folded {} records in {seconds:.2} s ({rate:.0} records/s)", folded.records));
    for damage in &folded.damaged {
        print(&format!("damaged: {damage}"));
    }
    let folder = data_dir.join(LEDGER_FOLDER);
    let partitions = log.partitions(Topic::Ledger) as usize;
    if verify {
        return compare(log.as_ref(), &folder, partitions, &fresh, folded.damaged.is_empty());
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let (mut disk, _, _) = Disk::open(&folder, partitions)?;
    disk.write_whole(&fresh, folded.reached)?;
    print("the projection was written anew");
    Ok(if folded.damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn is_served(data_dir: &Path) -> bool {
    let address = std::fs::read_to_string(data_dir.join(ADDRESS_FILE)).unwrap_or_default();
    let address = address.trim().trim_start_matches("http://");
    std::net::TcpStream::connect(address).is_ok()
}

/// What is on disk, folded on to the end of the log, against what was folded from its beginning.
fn compare(
    log: &dyn EventLog,
    folder: &Path,
    partitions: usize,
    fresh: &Ledger,
    sound: bool,
) -> Result<ExitCode, Failure> {
    let existed = folder.exists();
    let (_disk, mut live, reached) = Disk::open(folder, partitions)?;
    let from_disk: u64 = live.shards().map(|shard| shard.sequence).sum();
    for (partition, reached) in reached.into_iter().enumerate() {
        // Damage was reported already; what is before it counts.
        let _ = records(log, partition as u32, reached.next, |stored| {
            fold_one(&mut live, stored);
        });
    }
    let differ: Vec<String> = live
        .shards()
        .zip(fresh.shards())
        .filter(|(live, fresh)| live.state_hash() != fresh.state_hash())
        .map(|(live, _)| live.shard().0.to_string())
        .collect();
    if !existed || from_disk == 0 {
        print("there was no sound projection on disk; it was folded from the log");
    }
    if differ.is_empty() {
        print(&format!("hashes of all 256 shards are equal ({from_disk} records were on disk)"));
        return Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(1) });
    }
    print(&format!("hashes DIFFER in shards {}", differ.join(", ")));
    Ok(ExitCode::from(1))
}
