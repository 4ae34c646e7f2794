//! The risk-scorer: follows the folded ledger and the signals, counts per device, address and user in its sled
//! projection, and publishes verdicts that the others fold in.
//!
//! Architecture invariant: the ledger's fold never reads a verdict. What is here is advisory and can be rebuilt.

mod api;
mod scorer;
mod signals;
mod store;

pub use api::{RiskApi, openapi, router};
pub use risk::VelocityRules;
pub use scorer::{Opened, Scorer, ScorerHandle, StartError};
pub use signals::{Signal, SignalKind, Signals};
