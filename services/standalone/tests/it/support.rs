//! The real binary on a free port, and what tests ask of it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::Arc;

use coupon::fold::{At, Outcome};
use coupon::record::Entry;
use event_log::{EventLog, Topic};
use event_log_sqlite::SqliteLog;
use projection::codec::{Decoded, decode};
use projection::ledger::Ledger;
pub(crate) use testkit::*;

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) address: String,
    pub(crate) log_lines: Arc<std::sync::Mutex<String>>,
}

impl Server {
    /// Starts on a data directory and waits until it serves.
    pub(crate) fn start(data_dir: &Path, environment: &[(&str, &str)]) -> Self {
        Self::start_as(&["serve"], data_dir, environment)
    }

    /// Starts as a demonstration.
    pub(crate) fn demo(data_dir: &Path, traffic: &str) -> Self {
        Self::start_as(&["demo", "--traffic", traffic], data_dir, &[])
    }

    fn start_as(what: &[&str], data_dir: &Path, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_counterfoil"));
        command.args(what).args(["--end-with-stdin", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir);
        command.envs(environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let log_lines = Arc::new(std::sync::Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let sink = log_lines.clone();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut all = sink.lock().expect("not poisoned");
                all.push_str(&line);
                all.push('\n');
            }
        });
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        let Some(address) = line.trim().strip_prefix("listening on ") else {
            panic!("expected an address, read {line:?}; {}", log_lines.lock().expect("not poisoned"))
        };
        Self { child, stdout, address: address.to_owned(), log_lines }
    }

    /// The next line that it prints and that begins so.
    pub(crate) fn printed(&mut self, beginning: &str) -> String {
        let mut line = String::new();
        while !line.starts_with(beginning) {
            line.clear();
            let read = self.stdout.read_line(&mut line).expect("a line");
            assert!(read > 0, "it never came: {}", self.log_lines.lock().expect("not poisoned"));
        }
        line
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().expect("kills");
        self.child.wait().expect("ends");
    }

    /// SIGTERM; the exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
        self.child.wait().expect("ends").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A tool of the binary over a data directory.
pub(crate) fn tool(data_dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_counterfoil"))
        .args(arguments)
        .arg("--data-dir")
        .arg(data_dir)
        .output()
        .expect("the binary runs")
}

/// Folds the whole log of a data directory and shows the ledger after each record.
pub(crate) fn fold_log(data_dir: &Path, mut each: impl FnMut(&Ledger, At, &Entry, Outcome)) {
    let log = SqliteLog::open_read_only(data_dir.join("log.sqlite")).expect("a log");
    let mut ledger = Ledger::new();
    for partition in 0..log.partitions(Topic::Ledger) {
        for stored in log.read(Topic::Ledger, partition, 0, usize::MAX).expect("a sound log") {
            let Ok((header, Decoded::Entry(entry))) = decode(&stored.bytes) else { panic!("a sound record") };
            let shard = coupon::id::Shard(header.shard);
            let (at, outcome) = ledger.fold(shard, Some(&entry), stored.offset, stored.append_time_ms);
            each(&ledger, at, &entry, outcome);
        }
    }
}
