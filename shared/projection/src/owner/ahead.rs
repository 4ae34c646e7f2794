//! Reading ahead while a long log is folded: one thread reads and opens records, the owner's folds them.

use std::sync::Arc;

use coupon::terms::Millis;
use crossbeam_channel::{Receiver, Sender};
use event_log::envelope::Damage;
use event_log::{EventLog, Offset, ReadError, Stored, Topic};

use super::Owner;
use super::start::FOLD_AT_START;
use crate::engine::Opened;

/// Pieces that wait to be folded.
const PIECES: usize = 4;
/// With fewer records to fold than this, a thread more is not worth it.
const WORTH: u64 = 20_000;

/// Records of one partition that follow each other.
type Piece = Vec<(Stored, Result<Opened, Damage>)>;

/// Reads each partition from these positions to its end, as far as it can be read.
fn read(log: &dyn EventLog, from: &[Offset], pieces: &Sender<Piece>) {
    for (partition, from) in from.iter().enumerate() {
        let mut next = *from;
        while let Ok(records) = log.read(Topic::Ledger, partition as u32, next, FOLD_AT_START) {
            let Some(last) = records.last() else { break };
            next = last.offset + 1;
            let opened = records.into_iter().map(|stored| {
                let opened = Opened::new(&stored.bytes);
                (stored, opened)
            });
            if pieces.send(opened.collect()).is_err() {
                return;
            }
        }
    }
}

impl Owner {
    /// Folds what the log holds now. What could not be read is left, to be read again.
    pub(super) fn fold_ahead(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let from: Vec<Offset> = self.engine.follow().iter().map(|follow| follow.next).collect();
        let log = self.log.clone();
        let ends = (0..from.len()).map(|partition| log.end(Topic::Ledger, partition as u32));
        let end: Offset = ends.sum::<Result<_, _>>()?;
        if end.saturating_sub(from.iter().sum()) < WORTH {
            return Ok(());
        }
        let (sender, pieces) = crossbeam_channel::bounded(PIECES);
        std::thread::scope(|scope| {
            let log = Arc::clone(&log);
            let reading = move || read(log.as_ref(), &from, &sender);
            std::thread::Builder::new()
                .name("log-ahead".into())
                .spawn_scoped(scope, reading)
                .map_err(|error| ReadError::Unavailable(error.to_string()))?;
            self.fold_pieces(pieces, &mut each)
        })
    }

    fn fold_pieces(
        &mut self,
        pieces: Receiver<Piece>,
        each: &mut impl FnMut(&mut Self) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        for piece in pieces {
            let wall = (self.clock)();
            self.fold_piece(piece, wall);
            each(self)?;
        }
        Ok(())
    }

    fn fold_piece(&mut self, piece: Piece, wall: Millis) {
        for (stored, opened) in piece {
            let partition = stored.partition as usize;
            if self.engine.follow()[partition].stopped.is_some() {
                return;
            }
            self.engine.opened(&stored, opened, wall);
            if self.engine.follow()[partition].stopped.is_some() {
                self.stopped(partition);
            }
        }
    }
}
