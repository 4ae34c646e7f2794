//! Bodies of requests and answers, as the `OpenAPI` document shows them.

pub mod answer;
pub mod context;
pub mod load_test;
pub mod order;
pub mod ruleset;
pub mod stock;
