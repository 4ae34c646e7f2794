//! What is wrong with an item: a stable code, what, and what to write instead.

use serde::Serialize;

/// Why a value is not an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}; {hint}")]
pub struct ItemProblem {
    /// Of which kind: stable.
    pub code: &'static str,
    /// What.
    pub message: &'static str,
    /// What to write instead.
    pub hint: &'static str,
}

impl ItemProblem {
    pub(super) const fn new(code: &'static str, message: &'static str, hint: &'static str) -> Self {
        Self { code, message, hint }
    }
}

/// Kinds of problems.
pub mod code {
    /// Nothing is there.
    pub const EMPTY: &str = "empty";
    /// Longer than an item may be.
    pub const TOO_LONG: &str = "too_long";
    /// A control character stands in it.
    pub const CONTROL_CHARACTER: &str = "control_character";
    /// A star stands elsewhere than at the end.
    pub const WILDCARD: &str = "wildcard";
    /// It is not an address.
    pub const NOT_AN_ADDRESS: &str = "not_an_address";
    /// It is a network where an address is needed.
    pub const NETWORK: &str = "network";
    /// It has no valid length of the network's part.
    pub const PREFIX_LENGTH: &str = "prefix_length";
    /// It would match everything.
    pub const MATCHES_ALL: &str = "matches_all";
    /// It is not a domain.
    pub const NOT_A_DOMAIN: &str = "not_a_domain";
}
