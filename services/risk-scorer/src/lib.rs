//! The risk-scorer: what analysts see of the counts and verdicts, and the process that publishes them.
//!
//! Architecture invariant: the ledger's fold never reads a verdict. What is here is advisory and can be rebuilt.

mod api;

pub use api::{RiskApi, openapi, router};
