//! `counterfoil rebuild`: the projection anew from the log.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use event_log::{EventLog, Topic};
use projection::disk::Disk;
use projection::ledger::Ledger;

use super::{Source, fold_all, fold_one, print, records};
use host::ADDRESS_FILE;
use host::Failure;
use host::parts::{Duties, LEDGER_FOLDER, RISK_FOLDER};
use inline_risk::Digest;
use storage::Storage;

/// Where what risk counted lies beside its counts.
const HISTORY_FOLDER: &str = "risk.history";

/// So long it may take until what rules look at is counted.
const RULES_WITHIN: Duration = Duration::from_mins(10);

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
        let sound = compare(log.as_ref(), &folder, partitions, &fresh)? && folded.damaged.is_empty();
        // Ten million coupons are held once, not twice.
        drop(fresh);
        let equal = compare_counts(source, &log)?;
        return Ok(ExitCode::from(u8::from(!(sound && equal))));
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
fn compare(log: &dyn EventLog, folder: &Path, partitions: usize, fresh: &Ledger) -> Result<bool, Failure> {
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
    } else {
        print(&format!("hashes DIFFER in shards {}", differ.join(", ")));
    }
    Ok(differ.is_empty())
}

/// The counts of risk that are on disk, counted on to the end of the log, against counts from its beginning. Both are made
/// by the code that serves, in folders of their own.
fn compare_counts(source: &Source, log: &Arc<dyn EventLog>) -> Result<bool, Failure> {
    let (ours, anew) = (tempfile::tempdir_in(&source.data_dir)?, tempfile::tempdir_in(&source.data_dir)?);
    for name in [LEDGER_FOLDER, RISK_FOLDER, HISTORY_FOLDER] {
        copy(&source.data_dir.join(name), &ours.path().join(name))?;
    }
    let (ours, anew) = (count(source, log, ours.path())?, count(source, log, anew.path())?);
    let Digest { subjects, cells, hash } = anew;
    if ours == anew {
        print(&format!("hashes of risk are equal ({subjects} subjects, {cells} counts, {hash:032x})"));
    } else {
        print(&format!("hashes of risk DIFFER: {ours:?} on disk, {anew:?} anew"));
    }
    Ok(ours == anew)
}

/// Counts in a folder on to the end of the log.
fn count(source: &Source, log: &Arc<dyn EventLog>, folder: &Path) -> Result<Digest, Failure> {
    let master = host::keys::master_key(&source.config.security, &source.data_dir, false)?;
    let storage = Arc::new(Storage::open(&format!("file://{}", std::path::absolute(folder)?.display()))?);
    let duties = Duties { leads: false, judges: false, shares: false };
    let parts = host::parts::start(log, &source.config, &master, folder, duties, storage, Arc::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let last =
            |ledger: &Ledger, _| ledger.shards().map(|shard| (shard.shard(), shard.sequence)).collect::<Vec<_>>();
        let last = parts.backend.ledger.query(last).await?;
        let counts = parts.scorer.inline.counts();
        while !counts.read().has_reached(&last) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        parts.scorer.inline.settle(RULES_WITHIN);
        let digest = Digest::of(&counts.read());
        parts.backend.ledger.stop().await;
        parts.scorer.stop();
        Ok(digest)
    })
}

/// Copies a folder of files, and of folders of files; one that is not there is left out.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if !from.exists() {
        return Ok(());
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
