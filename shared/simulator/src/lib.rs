//! Several proposers on one thread over one faulty log, and a judge who looks only at what happened.
//!
//! A seed decides everything: faults, clocks, who acts next, what clients ask for. The same seed gives the same
//! history, so that a failure is replayed by its seed alone.
//!
//! Architecture invariant: the judge never asks the product whether something was right. It folds the events of
//! applied records into books of its own, and compares these with the rules, with the answers that clients got, and
//! with what the product counts.

pub mod clients;
pub mod copy;
pub mod judge;
pub mod run;
pub mod world;
