//! The end of a log that cannot be written.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{io, process};

/// The exit code of a process whose log could not be written (`EX_SOFTWARE` of sysexits).
pub const EXIT_CODE: i32 = 70;

/// What the threads of one log share about its end.
#[derive(Clone)]
pub(crate) struct Failure {
    path: PathBuf,
    on_fatal: fn(&str),
    failed: Arc<AtomicBool>,
}

impl Failure {
    pub(crate) fn new(path: &Path, on_fatal: fn(&str)) -> Self {
        Self { path: path.to_owned(), on_fatal, failed: Arc::default() }
    }

    /// Says why and ends the process; returns only in tests.
    pub(crate) fn end(&self, doing: &str, error: &dyn std::fmt::Display) {
        self.failed.store(true, Ordering::Release);
        let path = self.path.display();
        tracing::error!(%path, doing, %error, "log cannot be written, ending the process");
        let reason = format!("the log {path} cannot be written: {doing}: {error}");
        // The subscriber may buffer and standard error may be closed; neither must keep us here.
        let _ = writeln!(io::stderr(), "{reason}");
        (self.on_fatal)(&reason);
    }

    /// Whether the log has failed: nothing may be written or synced any more.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }
}

pub(crate) fn end_process(_reason: &str) {
    process::exit(EXIT_CODE);
}
