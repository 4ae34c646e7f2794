//! The thread that writes the counts behind: what it takes of time, no decision waits for.

use std::path::PathBuf;

use crossbeam_channel::{Receiver, Sender};

use crate::store::{Positions, Rows, Store};

/// What changed since the last time, and who waits for it to be on disk.
pub(crate) struct Changes {
    pub(crate) rows: Rows,
    pub(crate) positions: Positions,
    pub(crate) then: Then,
}

/// What is wanted when all is on disk.
pub(crate) enum Then {
    Done(Sender<()>),
    Export(Sender<Option<PathBuf>>),
}

/// Starts it on a store. It ends when nobody can send it anything any more.
pub(crate) fn start(mut store: Store) -> std::io::Result<Sender<Changes>> {
    let (sender, changes) = crossbeam_channel::bounded(1);
    projection::background::spawn("risk-writer", move || run(&mut store, &changes))?;
    Ok(sender)
}

fn run(store: &mut Store, changes: &Receiver<Changes>) {
    for Changes { rows, positions, then } in changes {
        if let Err(error) = store.write(&rows, positions) {
            // Who waits is told by the end of this: what lies here stays as it was.
            tracing::error!(%error, "risk projection cannot be written");
            return;
        }
        match then {
            // Who waited may have gone away.
            Then::Done(done) => drop(done.send(())),
            Then::Export(done) => drop(done.send(store.export())),
        }
    }
}
