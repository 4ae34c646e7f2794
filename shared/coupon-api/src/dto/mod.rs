//! Bodies of requests and answers, as the `OpenAPI` document shows them.

pub mod answer;
pub mod breaker;
pub mod case;
pub mod context;
pub mod label;
pub mod list;
pub mod load_test;
pub mod order;
pub mod penalty;
pub mod ruleset;
pub mod snooze;
pub mod stock;
pub mod user;
