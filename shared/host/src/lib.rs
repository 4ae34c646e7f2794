//! What every process has around its services: configuration, keys, the log, the ledger and risk over it, probes, and the
//! orderly end. The three services' `main.rs` say which of it they are; `standalone` puts all of them on the embedded
//! log.
//!
//! Architecture invariant: nothing is served before the configuration is checked and the log is folded to its end.

pub mod config;
mod contact;
pub mod docs;
mod kafka;
pub mod keys;
mod late;
pub mod memory;
pub mod parts;
mod platform;
pub mod print;
mod service;
mod state_folder;

pub use contact::Contact;
pub use kafka::options as kafka_options;
pub use late::health;
pub use parts::Parts;
pub use platform::platform_key;
pub use service::{ADDRESS_FILE, Building, Service, admission, closed, limits, run, stdin_closed};
pub use state_folder::StateFolder;

/// What may end a command: it is said once, on the standard error.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
