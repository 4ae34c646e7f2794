//! Everything about HTTP that is not about coupons: problem+json, signed requests, nonces, roles, quotas, bodies with
//! JSON pointers, pages, request ids, serving and draining. The services put only their resources on top.
//!
//! A request passes [`server::Edge`] (request id, limits, panics), then a handler whose [`call::Call`] argument has
//! authenticated it; the handler asks for a role, a quota and the parsed body, and answers with an
//! [`idempotency::Answer`] or a [`problem::Problem`].
//!
//! Architecture Invariant: this crate knows no coupon rule and writes no log record. It never logs a body, a header, a
//! query or a secret: those carry codes and personal data.

mod arrival;
pub mod auth;
pub mod body;
pub mod call;
pub mod client;
pub mod idempotency;
pub mod nonce;
pub mod page;
pub mod problem;
pub mod quota;
pub mod request_id;
pub mod server;
pub mod session;
pub mod signature;
pub mod signature_check;
pub mod time;
pub mod traffic;

#[cfg(test)]
mod testing;

pub use arrival::Ending;
pub use axum;
pub use problem::{Code, Problem};
