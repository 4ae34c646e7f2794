//! The port to the log that decides everything, and what every log has to prove.
//!
//! Every write of the product is a record appended to one of three partitioned topics; whoever
//! reads the log in order arrives at the same state. This crate holds
//!
//! - the port [`EventLog`] and its types,
//! - the [`envelope`] that every record travels in, so that damage is found by the reader,
//! - the in-memory logs of tests and of the simulator ([`memory`]),
//! - the conformance suite that every adapter runs (`conformance`, behind the feature of that name).
//!
//! **Architecture invariant.** Nothing here knows what a record means: the payload of an envelope
//! is bytes. Nothing here knows a file, a socket or a broker either; those are the adapters'.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod envelope;
pub mod memory;
mod port;
pub mod tail;

pub use port::{Ack, AppendError, Entry, EventLog, Offset, ReadError, Stored, Topic, UnknownTopic, Waker};
