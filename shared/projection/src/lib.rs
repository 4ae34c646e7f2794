//! The owner of shards: decides against a speculative overlay, appends, folds, answers; its image on disk behind it.
//!
//! Architecture invariant: an answer is given only after its own record and everything that it rests on is folded
//! from the log. The image is a cache of the fold and can be thrown away at any time.

pub mod background;
pub mod codec;
pub mod dirty;
pub mod disk;
pub mod engine;
pub mod fail;
pub mod feed;
pub mod handle;
pub mod index;
pub mod ledger;
pub mod metrics;
pub mod overlay;
pub mod owner;
pub mod refold;
pub mod shard;
pub mod snapshot;
mod waiting;
