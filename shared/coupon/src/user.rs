//! People who sign in: users with a role, a password or a one-time link, and sessions that end together.
//!
//! Nothing here is a secret in clear: a password stands as the PHC string of a slow hash, a link as the hash of its
//! token. Both are made outside and passed in.

use serde::{Deserialize, Serialize};

use crate::id::{MerchantId, Sequence};
use crate::terms::Millis;

/// A step of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserStepped {
    /// Which user; 0 for one that this step makes, whose number is the record's sequence.
    pub user: u64,
    /// What.
    pub step: UserStep,
}

/// What happens to a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UserStep {
    /// The user is made, and can sign in by this.
    Create(UserProfile, Proof),
    /// A link by which the user can sign in once; it takes the place of an earlier one.
    Link(Link),
    /// A password, as the PHC string of its hash. All sessions of the user are over.
    SetPassword(String),
    /// The user signed in by this.
    SignIn(Proof),
    /// All sessions of the user are over.
    SignOut,
    /// The user may never sign in again, and all sessions are over.
    Disable,
}

/// Who a user is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserProfile {
    /// What the user signs in with; no two users have the same.
    pub name: String,
    /// As others read it.
    pub display_name: String,
    /// As the API spells it.
    pub role: String,
    /// Whose it is; `None` for those who see all merchants.
    pub merchant: Option<MerchantId>,
}

/// What a user signs in by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Proof {
    /// A password: the PHC string that it was found to fit.
    Password(String),
    /// A one-time link.
    Link(Link),
}

/// A link by which a user can sign in once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// From which the token is derived, under a key that is not in the log.
    pub seed: [u8; 16],
    /// The hash of the token.
    pub token: [u8; 16],
    /// Good before this only.
    pub expires_at: Millis,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRow {
    /// The last change but of `signed_in_at`.
    pub version: Sequence,
    /// Who it is.
    pub profile: UserProfile,
    /// Made at.
    pub created_at: Millis,
    /// The PHC string of the password's hash.
    pub password: Option<String>,
    /// A link that was not used yet.
    pub link: Option<Link>,
    /// Sessions that began in an earlier epoch are over.
    pub epoch: u64,
    /// The last time.
    pub signed_in_at: Option<Millis>,
    /// May not sign in since.
    pub disabled_at: Option<Millis>,
}

impl UserRow {
    /// Whether the proof lets the user in at a time.
    pub fn is_proven(&self, by: &Proof, now: Millis) -> bool {
        match by {
            Proof::Password(hash) => self.password.as_ref() == Some(hash),
            Proof::Link(link) => self.link.as_ref() == Some(link) && now < link.expires_at,
        }
    }
}
