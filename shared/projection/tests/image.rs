//! The image on disk: what is read back is what was written, up to the last commit that is whole.

use std::fs;
use std::path::Path;

use coupon::id::Shard;
use coupon::record::RequestKey;
use coupon::state::{Key, RequestOutcome, RequestRow, Row, Rows};
use projection::disk::{Disk, Reached, image};
use projection::ledger::Ledger;

const SHARD: Shard = Shard(7);

fn key(n: u8) -> Key {
    Key::Request(SHARD, RequestKey([n; 16]))
}

fn row(refusal: u16) -> Row {
    Row::Request(RequestRow { stamp: 1, fences: 1, refusal, outcome: RequestOutcome::Open })
}

fn commit(disk: &mut Disk, ledger: &mut Ledger) -> u128 {
    let mut flushed = vec![0; 256];
    disk.write(&image(ledger, vec![Reached::default()], &mut flushed)).expect("writes");
    ledger.shard(SHARD).state_hash()
}

/// Two commits: sixty rows, then some changed and some gone. The hashes after each.
fn two_commits(folder: &Path) -> [u128; 2] {
    let (mut disk, mut ledger, _) = Disk::open(folder, 1).expect("opens");
    for n in 0..60 {
        ledger.shard_mut(SHARD).put(key(n), row(100));
    }
    let first = commit(&mut disk, &mut ledger);
    for n in 0..20 {
        ledger.shard_mut(SHARD).put(key(n), row(200));
        ledger.shard_mut(SHARD).remove(&key(n + 30));
    }
    [first, commit(&mut disk, &mut ledger)]
}

fn read_back(folder: &Path) -> u128 {
    Disk::open(folder, 1).expect("opens").1.shard(SHARD).state_hash()
}

#[test]
fn commits_are_read_back_and_written_anew_as_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let [_, last] = two_commits(folder.path());
    assert_eq!(read_back(folder.path()), last);
    let before = fs::metadata(folder.path().join("image")).expect("a file").len();
    let (mut disk, mut ledger, _) = Disk::open(folder.path(), 1).expect("opens");
    disk.compact().expect("compacts");
    assert!(fs::metadata(disk.path()).expect("a file").len() < before);
    assert_eq!(read_back(folder.path()), last);
    // It goes on behind that.
    ledger.shard_mut(SHARD).put(key(250), row(1));
    let next = commit(&mut disk, &mut ledger);
    assert_eq!(read_back(folder.path()), next);
}

#[test]
fn a_file_that_is_cut_off_anywhere_gives_a_whole_commit_or_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let [first, last] = two_commits(folder.path());
    let file = folder.path().join("image");
    let whole = fs::read(&file).expect("the file");
    let nothing = Ledger::new().shard(SHARD).state_hash();
    let mut seen = [0; 3];
    for length in (0..=whole.len()).rev().step_by(7) {
        fs::write(&file, &whole[..length]).expect("writes");
        let found = [nothing, first, last].iter().position(|hash| *hash == read_back(folder.path()));
        seen[found.expect("one of the three")] += 1;
    }
    assert!(seen.iter().all(|times| *times > 0), "{seen:?}");
}

#[test]
fn a_byte_that_is_wrong_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let [first, last] = two_commits(folder.path());
    let file = folder.path().join("image");
    let whole = fs::read(&file).expect("the file");
    let nothing = Ledger::new().shard(SHARD).state_hash();
    for at in (0..whole.len()).step_by(11) {
        let mut wrong = whole.clone();
        wrong[at] ^= 0x40;
        fs::write(&file, wrong).expect("writes");
        let found = read_back(folder.path());
        assert!(found != last && (found == first || found == nothing), "byte {at}");
    }
}
