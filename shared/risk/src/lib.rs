//! Risk, pure: what is counted of a subject, the slots that rules look at, rules as text, and the first rules.
//!
//! Architecture invariant: no clock, no I/O, no randomness. Counts do not depend on the order in which shards are
//! read, so that a rebuild gives the same ones.

pub mod feature;
pub mod graph;
pub mod lists;
pub mod model;
pub mod query;
pub mod rule;
pub mod rules;
pub mod velocity;

pub use rule::{Hit, Rule, VelocityRules, Verdict};
pub use velocity::{Counted, Slot, Subject, SubjectCounts, SubjectKind, Velocity};

/// The version of the rules' evaluation; written into every decision.
pub const EVALUATOR: u16 = 2;
