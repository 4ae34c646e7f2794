//! The thread that writes the counts behind: what it takes of time, no decision waits for.

use std::path::PathBuf;

use crossbeam_channel::{Receiver, Sender};
use linear_hashing::LinearHashMap;
use risk::Subject;

use crate::store::{Positions, Rows, Store, row_hash};

/// What changed since the last time, and who waits for it to be on disk.
pub(crate) struct Changes {
    pub(crate) rows: Rows,
    pub(crate) gone: Vec<Subject>,
    pub(crate) positions: Positions,
    pub(crate) then: Then,
}

/// What is wanted when all is on disk.
pub(crate) enum Then {
    Done(Sender<()>),
    Export(Sender<Option<PathBuf>>),
}

struct Writer {
    store: Store,
    /// The hash of each row that is on disk, and their sum.
    hashes: LinearHashMap<Subject, u64>,
    checksum: u64,
}

/// Starts it on a store that holds these rows. It ends when nobody can send it anything any more.
pub(crate) fn start(store: Store, rows: &Rows, checksum: u64) -> std::io::Result<Sender<Changes>> {
    let mut writer = Writer { store, hashes: LinearHashMap::default(), checksum };
    for (subject, counts) in rows {
        writer.hashes.insert(*subject, row_hash(subject, counts));
    }
    let (sender, changes) = crossbeam_channel::bounded(1);
    projection::background::spawn("risk-writer", move || writer.run(&changes))?;
    Ok(sender)
}

impl Writer {
    fn run(&mut self, changes: &Receiver<Changes>) {
        for Changes { rows, gone, positions, then } in changes {
            self.write(&rows, &gone, positions);
            match then {
                // Who waited may have gone away.
                Then::Done(done) => drop(done.send(())),
                Then::Export(done) => drop(done.send(self.store.export())),
            }
        }
    }

    fn write(&mut self, rows: &Rows, gone: &[Subject], mut positions: Positions) {
        for (subject, counts) in rows {
            let hash = row_hash(subject, counts);
            let before = self.hashes.insert(*subject, hash).unwrap_or(0);
            self.checksum = self.checksum.wrapping_add(hash).wrapping_sub(before);
        }
        for subject in gone {
            self.checksum = self.checksum.wrapping_sub(self.hashes.remove(subject).unwrap_or(0));
        }
        positions.checksum = self.checksum;
        if let Err(error) = self.store.write(rows, gone, &positions) {
            tracing::error!(%error, "risk projection cannot be written");
        }
    }
}
