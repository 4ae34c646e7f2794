//! What was asked for on the command line.

use std::io::Write;

/// A line on the standard output. Nobody reading it any more is no failure.
pub fn line(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}
