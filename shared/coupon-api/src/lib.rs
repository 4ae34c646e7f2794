//! What issuer and redeemer share over HTTP: bodies, how a refusal becomes a problem, how a record becomes an answer,
//! and the one way in which a call becomes a submission.
//!
//! Architecture invariant: an answer's body is a function of the applied record, its sequence and its time, so that
//! any instance gives the same bytes for the same key, at any time.

pub mod backend;
pub mod challenge;
pub mod dto;
pub mod events;
pub mod listing;
pub mod metrics;
pub mod past;
pub mod people;
pub mod refusal;
pub mod render;
pub mod secrets;
pub mod watch;
