//! How a run goes: a line that is written anew each second on a terminal, plain lines elsewhere. On the standard
//! error, so that the standard output is the result alone.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc::UnboundedReceiver;

use super::generator::Tick;

/// Plain lines are so many seconds apart.
const LINE_EVERY: u64 = 5;

/// Shows each tick until the run is over.
pub(super) async fn show(name: String, seconds: f64, silent: bool, mut ticks: UnboundedReceiver<Tick>) {
    let total = seconds.ceil() as u64;
    let bar = (!silent && std::io::stderr().is_terminal()).then(|| {
        let style = ProgressStyle::with_template("{prefix} {bar:24} {msg}");
        ProgressBar::new(total)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
            .with_prefix(name.clone())
    });
    let mut errors = 0;
    while let Some(tick) = ticks.recv().await {
        errors += tick.errors;
        let line = line(&tick, errors, total);
        if let Some(bar) = &bar {
            bar.set_position(tick.second + 1);
            bar.set_message(line);
        } else if !silent && (tick.second + 1).is_multiple_of(LINE_EVERY) {
            let _ = writeln!(std::io::stderr(), "{name}: {line}");
        }
    }
    if let Some(bar) = bar {
        bar.finish();
    }
}

fn line(tick: &Tick, errors: u64, total: u64) -> String {
    let Tick { achieved, scheduled, p50_ms, p99_ms, in_flight, .. } = tick;
    let left = total.saturating_sub(tick.second + 1);
    let warm_up = if tick.warm_up { "warm-up, " } else { "" };
    format!(
        "{warm_up}{achieved}/s of {scheduled}/s, p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms, errors {errors}, in flight \
         {in_flight}, {left} s left"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_it_goes() {
        let (warm_up, errors, in_flight) = (true, 0, 3);
        let tick =
            Tick { second: 4, warm_up, achieved: 198, scheduled: 200, errors, p50_ms: 1.04, p99_ms: 2.5, in_flight };
        let text = "warm-up, 198/s of 200/s, p50 1.0 ms, p99 2.5 ms, errors 1, in flight 3, 55 s left";
        assert_eq!(line(&tick, 1, 60), text);
    }
}
