//! Validations, locks, redemptions, reversals, receipts, and what became of a request.
//!
//! Architecture invariant: nothing here decides. A handler checks the request, asks the limiter and the risk view, and
//! hands a command to the ledger; the answer is the record that folded.

pub mod api;
mod receipt;
mod state;

pub use api::{openapi, router};
pub use receipt::Receipts;
pub use state::Redeemer;
