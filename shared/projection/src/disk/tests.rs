//! When an image is written anew.

use std::path::Path;

use coupon::id::Shard;
use coupon::record::RequestKey;
use coupon::state::{Key, RequestOutcome, RequestRow, Row, Rows};

use super::{Disk, Reached, image};
use crate::ledger::Ledger;

const SHARD: Shard = Shard(7);

fn commit(disk: &mut Disk, ledger: &mut Ledger, keys: std::ops::Range<u8>, refusal: u16) {
    for n in keys {
        let row = RequestRow { stamp: 1, fences: 1, refusal, outcome: RequestOutcome::Open };
        ledger.shard_mut(SHARD).put(Key::Request(SHARD, RequestKey([n; 16])), Row::Request(row));
    }
    disk.write(&image(ledger, vec![Reached::default()], &mut vec![0; 256])).expect("writes");
}

fn open(folder: &Path) -> (Disk, Ledger) {
    let (disk, ledger, _) = Disk::open(folder, 1).expect("opens");
    (disk, ledger)
}

#[test]
fn what_only_grows_is_never_out_of_date() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut disk, mut ledger) = open(folder.path());
    for n in 0..20 {
        commit(&mut disk, &mut ledger, n * 10..n * 10 + 10, 1);
        assert!(!disk.is_outdated(), "after commit {n}");
    }
    assert!(!open(folder.path()).0.is_outdated());
}

#[test]
fn what_was_written_over_and_over_is_until_it_is_written_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut disk, mut ledger) = open(folder.path());
    for refusal in 1..=3 {
        commit(&mut disk, &mut ledger, 0..10, refusal);
        assert!(!disk.is_outdated(), "after commit {refusal}");
    }
    commit(&mut disk, &mut ledger, 0..10, 4);
    assert!(disk.is_outdated());
    let (mut disk, _) = open(folder.path());
    assert!(disk.is_outdated(), "it is known again after a restart");
    disk.compact().expect("compacts");
    assert!(!disk.is_outdated());
    assert!(!open(folder.path()).0.is_outdated());
}
