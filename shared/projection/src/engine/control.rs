//! Records about the ledger itself: hashes that instances compare, and switches of the rules.

use coupon::fold::At;
use coupon::id::{Sequence, Shard};
use event_log::Topic;

use super::{Difference, Engine};
use crate::codec::{self, Control};
use crate::ledger::Newer;

impl Engine {
    /// Tells others from now on what the hashes of the state are, so that one who differs finds out.
    pub fn tell_hashes(&mut self) {
        self.checkpoints = true;
    }

    /// The log has switched to rules that this release does not know: it must end, and say so.
    pub fn outdated(&self) -> Option<Newer> {
        self.outdated
    }

    /// Hashes of others that are not the own ones, since this was last called.
    pub fn take_differences(&mut self) -> Vec<Difference> {
        std::mem::take(&mut self.differences)
    }

    /// Whose record stands at a checkpoint tells the hash there: one instance, and not each.
    pub(super) fn tell_hash(&mut self, at: At) {
        let state = self.ledger.shard(at.shard);
        let Some(hash) = state.hash_at(at.sequence).filter(|_| self.checkpoints) else { return };
        self.control(Control::HashCheckpoint(at.sequence, hash), at.shard);
    }

    /// Says what the hash is here, where another says otherwise: so that the other finds out.
    pub fn contradict(&mut self, difference: Difference) {
        self.control(Control::HashCheckpoint(difference.sequence, difference.own), difference.shard);
    }

    /// Nobody waits for it, and nothing rests on it.
    fn control(&mut self, control: Control, shard: Shard) {
        let bytes = codec::encode_control(control, shard, self.ledger.shard(shard).semantics);
        let partition = self.partition(shard) as u32;
        self.out.push(event_log::Entry { topic: Topic::Ledger, partition, bytes });
    }

    pub(super) fn compare(&mut self, shard: Shard, sequence: Sequence, hash: u128) {
        let own = self.ledger.shard(shard).hash_at(sequence);
        crate::metrics::CHECKPOINTS
            .with_label_values(&[match own {
                Some(own) if own == hash => "equal",
                Some(_) => "different",
                None => "unknown",
            }])
            .inc();
        if let Some(own) = own.filter(|own| *own != hash) {
            self.differences.push(Difference { shard, sequence, own });
        }
    }
}
