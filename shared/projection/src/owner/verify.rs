//! What ends an instance that is of no use: rules that it does not know, or a state that is not what the log gives.

use std::sync::atomic::Ordering;

use super::{Message, Owner};
use crate::disk;
use crate::engine::Difference;
use crate::refold;

impl Owner {
    /// What was folded may say that this instance is too old, or that its state is not that of another.
    pub(super) fn look_after(&mut self) {
        if let Some(newer) = self.engine.outdated() {
            (self.on_fatal)(&newer.to_string());
        }
        for difference in self.engine.take_differences() {
            tracing::error!(?difference, "another instance has another state; the log is asked who is right");
            if !self.verifying.swap(true, Ordering::AcqRel) {
                self.verify(difference);
            }
        }
    }

    /// Folds the shard anew on a thread of its own. Who is wrong ends; who is right says so, and goes on.
    fn verify(&self, difference: Difference) {
        let (log, outbox, verifying) = (self.log.clone(), self.outbox.clone(), self.verifying.clone());
        let body = move || {
            let message = match refold::hash_at(log.as_ref(), difference.shard, difference.sequence) {
                Ok(Some(hash)) if hash == difference.own => Some(Message::Contradict(difference)),
                Ok(Some(_)) => {
                    let Difference { shard, sequence, .. } = difference;
                    Some(Message::Wrong(format!(
                        "the state of shard {} after record {sequence} is not what the log gives; the projection is \
                         thrown away at the next start",
                        shard.0
                    )))
                }
                Ok(None) => None,
                Err(error) => {
                    tracing::warn!(%error, "the log could not be asked");
                    None
                }
            };
            if let Some(message) = message {
                // The owner is gone when this fails.
                let _ = outbox.send(message);
            }
            verifying.store(false, Ordering::Release);
        };
        if let Err(error) = std::thread::Builder::new().name("ledger-verify".into()).spawn(body) {
            tracing::error!(%error, "no thread to ask the log with");
        }
    }

    pub(super) fn end(&self, reason: &str) {
        if let Some(folder) = &self.folder
            && let Err(error) = disk::discard(folder)
        {
            tracing::error!(%error, "the projection cannot be marked; remove it by hand");
        }
        (self.on_fatal)(reason);
    }
}
