//! Merchants, keys, stores, stocks, codes, claims, sends, and work on many rows.
//!
//! Architecture invariant: nothing here decides. A handler checks the request and hands a command to the ledger; the
//! answer is the record that folded.

pub mod api;
mod bulk;
mod sign_ins;
mod spool;
mod state;

pub use api::{openapi, router};
pub use bulk::resume;
pub use state::{Issuer, Working, open_all};
