//! The thread that keeps the graph: making clusters anew takes longer than counts may wait for. It is not kept on disk, but
//! made from the history at each start.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::{Receiver, Sender};
use risk::graph::Sighting;

use crate::InlineRisk;
use crate::history::{History, Spot};

/// When, and who was seen together.
pub(crate) type Seen = (i64, Sighting);

/// Sightings that may wait; who counts waits for the graph when there are more.
const WAITING: usize = 1 << 20;

/// Starts it on what happened before; it ends when nobody can send it anything any more.
pub(crate) fn start(inline: &Arc<InlineRisk>, history: &Arc<History>) -> std::io::Result<Sender<Seen>> {
    let (sender, sightings) = crossbeam_channel::bounded(WAITING);
    let (inline, history, end) = (inline.clone(), history.clone(), history.end());
    projection::background::spawn("risk-graph", move || run(&inline, &history, end, &sightings))?;
    Ok(sender)
}

fn run(inline: &InlineRisk, history: &History, end: Spot, sightings: &Receiver<Seen>) {
    let past = history.forward(Spot::default(), |spot, past| {
        // What comes from here on is sent.
        if spot >= end {
            return ControlFlow::Break(());
        }
        if let Some((at_ms, sighting)) = past.sighting() {
            inline.graph().write().observe(at_ms, &sighting);
        }
        ControlFlow::Continue(())
    });
    if let Err(error) = past {
        tracing::error!(%error, "history cannot be read for the graph");
    }
    inline.graph_is_whole.store(true, Ordering::Relaxed);
    for (at_ms, sighting) in sightings {
        inline.graph().write().observe(at_ms, &sighting);
    }
}
