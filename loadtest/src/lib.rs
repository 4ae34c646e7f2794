//! Real traffic and plain figures for Counterfoil, over HTTP as a customer would send it.
//!
//! [`run`] sends a workload by a schedule that waits for no answer, and says whether it was borne. [`replay`] drives a file of real coupon claims through a server, lets two checkouts fight over every third coupon,
//! and judges afterwards whether anything was redeemed twice or lost. [`bench`] measures how much one machine does.
//!
//! Architecture Invariant: this crate knows the API's contract and nothing behind it. Everything that it sends has an
//! idempotency key that follows from the data alone, so that a run that was killed is simply run again.

pub mod bench;
mod caller;
mod codes;
pub mod dataset;
mod failure;
mod names;
mod parallel;
mod progress;
pub mod prove;
pub mod replay;
pub mod run;
mod server;
mod table;
pub mod versus;
mod wire;

pub use failure::{Failure, Result};
pub use server::{OwnServer, read_key};
pub use table::print;
