//! Real processes: killed in the middle of appends, out of disk, two on one file.

mod support;

use std::collections::HashSet;
use std::io::Read as _;
use std::process::Child;

use event_log_sqlite::{EXIT_CODE, OpenError, SqliteLog};
use support::child;

/// The entry of the child processes; does nothing in a test run.
#[test]
fn child() {
    child::run();
}

fn stderr(child: &mut Child) -> String {
    let mut text = String::new();
    let mut pipe = child.stderr.take().expect("a pipe");
    pipe.read_to_string(&mut text).expect("text");
    text
}

/// I2: what was acknowledged is in the log after a kill, again and again on the same file.
#[test]
fn acknowledged_batches_survive_kills() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.db");
    let mut acked = HashSet::new();
    for round in 0..5_u64 {
        let mut child = child::command(&path, round << 32, &[]).spawn().expect("a child");
        let mut answers = child::acked(&mut child);
        let before_kill = 40 + 150 * round as usize;
        acked.extend(answers.by_ref().take(before_kill));
        if round == 0 {
            let refused = SqliteLog::open(&path, child::options());
            assert!(matches!(refused, Err(OpenError::InUse(_))));
        }
        child.kill().expect("the child runs");
        child.wait().expect("the child ends");
        // What it said until its death counts as well.
        acked.extend(answers);

        let log = SqliteLog::open(&path, child::options()).expect("the log opens after a kill");
        let found: HashSet<u64> = child::batches_in(&*log).into_iter().collect();
        let lost: Vec<_> = acked.difference(&found).collect();
        assert!(lost.is_empty(), "round {round} lost {lost:?}");
    }
    assert!(acked.len() > 5 * 40);
}

/// A disk that takes no more ends the process with a reason; what was acknowledged stays.
#[cfg(unix)]
#[test]
fn a_full_disk_ends_the_process() {
    const LIMITED: &str = r#"trap "" XFSZ; ulimit -f 6000; exec "$0" "$@""#;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.db");
    let mut command = child::command(&path, 0, &["sh", "-c", LIMITED]);
    let mut child = command.spawn().expect("a child");
    let acked: HashSet<u64> = child::acked(&mut child).collect();
    let reason = stderr(&mut child);
    let status = child.wait().expect("the child ends");
    assert_eq!(status.code(), Some(EXIT_CODE), "{reason}");
    assert!(reason.contains("cannot be written"), "{reason}");
    assert!(!acked.is_empty());

    let log = SqliteLog::open(&path, child::options()).expect("the log opens with more room");
    let found: HashSet<u64> = child::batches_in(&*log).into_iter().collect();
    assert!(acked.is_subset(&found));
}
