//! One look at the past, newest first, bounded in what is looked at and for how long.

use std::io;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use inline_risk::{History, Past, Spot};
use risk::query::Query;

use super::event::Event;
use super::terms::Matcher;
use crate::api::decisions::CLOCKS_APART_MS;
use crate::api::marks::Labels;

/// Events that are looked at for one answer.
const MOST_SCANNED: u64 = 2_000_000;
/// And for so long.
const LONGEST: Duration = Duration::from_secs(3);
/// How often the clock is looked at.
const CLOCK_EVERY: u64 = 1_024;

/// What part of the past is looked at: `[from, until)` in milliseconds, before a place.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) from: i64,
    pub(super) until: i64,
    pub(super) before: Option<Spot>,
}

/// A look at the past.
pub(super) struct Scan<'a> {
    pub(super) history: &'a History,
    pub(super) query: &'a Query<Matcher>,
    pub(super) labels: &'a Labels,
    pub(super) bounds: Bounds,
}

/// How far it got.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scanned {
    /// Events that were looked at.
    pub(super) count: u64,
    /// Where it was cut off: the time of the oldest event that was looked at, milliseconds.
    pub(super) reached: Option<i64>,
}

impl Scanned {
    /// Everything that was asked for was looked at.
    pub(super) fn complete(&self) -> bool {
        self.reached.is_none()
    }
}

/// Events of one page.
pub(super) struct Page {
    pub(super) rows: Vec<Past>,
    /// Where to go on.
    pub(super) next: Option<Spot>,
    pub(super) scanned: Scanned,
}

impl Scan<'_> {
    /// Visits the events that are wanted, newest first, as long as the visitor goes on.
    pub(super) fn visit(
        &self,
        mut visit: impl FnMut(Spot, &Past, Event<'_>) -> ControlFlow<()>,
    ) -> io::Result<(Scanned, Option<Spot>)> {
        let begun = Instant::now();
        let Bounds { from, until, before } = self.bounds;
        let (mut scanned, mut last) = (Scanned::default(), None);
        self.history.backward(before, |spot, past| {
            if past.time_ms < from.saturating_sub(CLOCKS_APART_MS) {
                return ControlFlow::Break(());
            }
            let late = scanned.count.is_multiple_of(CLOCK_EVERY) && begun.elapsed() > LONGEST;
            if scanned.count >= MOST_SCANNED || late {
                scanned.reached = Some(past.time_ms);
                return ControlFlow::Break(());
            }
            scanned.count += 1;
            let in_time = past.time_ms >= from && past.time_ms < until;
            let event = Event::of(&past).filter(|_| in_time);
            let wanted = event.filter(|event| self.query.fits(&|term| term.holds(event, self.labels)));
            let went = wanted.map_or(ControlFlow::Continue(()), |event| visit(spot, &past, event));
            if went.is_continue() {
                last = Some(spot);
            }
            went
        })?;
        Ok((scanned, last))
    }

    /// A page of events.
    pub(super) fn page(&self, limit: usize) -> io::Result<Page> {
        let (mut rows, mut full) = (Vec::new(), false);
        let (scanned, last) = self.visit(|_, past, _| {
            full = rows.len() == limit;
            if full {
                return ControlFlow::Break(());
            }
            rows.push(past.clone());
            ControlFlow::Continue(())
        })?;
        let next = last.filter(|_| full || !scanned.complete());
        Ok(Page { rows, next, scanned })
    }
}
