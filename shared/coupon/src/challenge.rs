//! Challenges: a request was refused until somebody proves who they are; who proves it may repeat the request.
//!
//! Nothing is kept of a challenge until it is answered: its id says which request it is about, and until when.

use serde::{Deserialize, Serialize};

use crate::record::RequestKey;
use crate::terms::Millis;

/// How long a challenge may be answered.
pub const ANSWER_MS: Millis = 10 * 60 * 1_000;
/// How long a request is let through for a proof.
pub const PASSED_MS: Millis = 60 * 60 * 1_000;
/// Proofs whose time is over and that are taken away with each new one.
pub const FORGOTTEN_AT_ONCE: usize = 2;

/// How somebody proves who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    /// A one-time password.
    Otp,
    /// A captcha.
    Captcha,
    /// A check of the real name.
    RealName,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Otp, Self::Captcha, Self::RealName];

    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Otp => "otp",
            Self::Captcha => "captcha",
            Self::RealName => "real_name",
        }
    }
}

/// A challenge: which request it is about, and until when it may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// The request that was refused.
    pub request: RequestKey,
    /// Not answered from here on; whole seconds.
    pub expires_at: Millis,
}

/// A challenge was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChallengeAnswered {
    /// Which.
    pub challenge: Challenge,
    /// Whether the proof was good; otherwise nothing changes.
    pub passed: bool,
    /// How.
    pub method: Method,
    /// By which key.
    pub by: String,
}

/// A request that is let through for a proof, in a list from the oldest to the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedRow {
    /// Not from here on.
    pub until: Millis,
    /// The one after it.
    pub next: Option<RequestKey>,
}

/// The first and the last request of that list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedEnds {
    /// The first.
    pub oldest: RequestKey,
    /// The last.
    pub newest: RequestKey,
}
