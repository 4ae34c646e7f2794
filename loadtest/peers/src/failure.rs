//! Why a peer could not start or go on: said once, on the standard error.

/// Nobody tells these apart; they are only printed.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What may end a peer.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;
