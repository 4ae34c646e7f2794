//! Folded records for those who follow: what applied, in order per shard.

use std::path::PathBuf;
use std::sync::Arc;

use coupon::fold::{At, Outcome};
use coupon::record::Entry;
use crossbeam_channel::Sender;

/// A record with what became of it.
#[derive(Clone, Debug)]
pub struct Folded {
    /// Where it stands.
    pub at: At,
    /// The record, where it is one of merchants' business.
    pub entry: Option<Arc<Entry>>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What a follower receives.
#[derive(Debug)]
pub enum Feed {
    /// The next records, each the next of its shard.
    Records(Vec<Folded>),
    /// Everything before this is about to be forgotten by the ledger's own projection: a follower makes its own
    /// copy durable, then answers. So a follower is never behind the projection that feeds it after a restart. One that
    /// cannot drops the question, and no image is written any more.
    Barrier(Sender<()>),
    /// A file with all that the follower has counted is wanted, for a snapshot; `None` when there can be none.
    Export(Sender<Option<PathBuf>>),
}
