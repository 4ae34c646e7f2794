//! How far a run is: a bar on a terminal, a plain line now and then elsewhere. On the standard error, so that the
//! standard output is the result alone.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How long plain lines are apart.
const LINE_EVERY: Duration = Duration::from_secs(5);

const TEMPLATE: &str = "{msg:18} {bar:32} {pos}/{len} {per_sec} left {eta}";

/// The progress of one phase.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    phase: &'static str,
    total: u64,
    done: AtomicU64,
    begun: Instant,
    next_line: Mutex<Instant>,
    silent: bool,
}

impl Progress {
    /// Begins a phase of so many steps.
    pub(crate) fn new(phase: &'static str, total: u64, silent: bool) -> Self {
        let bar = (!silent && std::io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(total).with_style(style).with_message(phase)
        });
        let begun = Instant::now();
        let next_line = Mutex::new(begun + LINE_EVERY);
        Self { bar, phase, total, done: AtomicU64::new(0), begun, next_line, silent }
    }

    /// One step more.
    pub(crate) fn advance(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(bar) = &self.bar {
            return bar.inc(1);
        }
        // Whoever finds the lock taken leaves the line to the one who has it.
        if self.silent || !done.is_multiple_of(64) {
            return;
        }
        let Ok(mut next) = self.next_line.try_lock() else { return };
        if Instant::now() >= *next {
            *next = Instant::now() + LINE_EVERY;
            self.line(done);
        }
    }

    /// Ends the phase.
    pub(crate) fn finish(&self) {
        match &self.bar {
            Some(bar) => bar.finish(),
            None if !self.silent => self.line(self.done.load(Ordering::Relaxed)),
            None => {}
        }
    }

    fn line(&self, done: u64) {
        let rate = done as f64 / self.begun.elapsed().as_secs_f64().max(1e-9);
        let left = self.total.saturating_sub(done) as f64 / rate.max(1e-9);
        let (phase, total) = (self.phase, self.total);
        let _ = writeln!(std::io::stderr(), "{phase}: {done} of {total}, {rate:.0}/s, {left:.0} s left");
    }
}
