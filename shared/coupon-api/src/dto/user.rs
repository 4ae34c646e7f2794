//! Users, as the API shows them.

use coupon::fold::At;
use coupon::id::{PLATFORM, UserId};
use coupon::user::{Link, Proof, UserProfile, UserRow, UserStep, UserStepped};
use http_api::axum::http::StatusCode;
use http_api::idempotency::Answer;
use http_api::problem::Problem;
use http_api::time::format_ms;
use serde::Serialize;
use utoipa::ToSchema;

use crate::secrets::Secrets;

/// Somebody who signs in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UserView {
    /// `usr_...`
    pub id: String,
    /// What the user signs in with.
    pub name: String,
    /// As others read it.
    pub display_name: String,
    /// `analyst`, `analyst_lead`, `merchant` or `engineer`.
    pub role: String,
    /// Whose the user is; null sees all merchants.
    pub merchant_id: Option<String>,
    /// When the user was made.
    pub created_at: String,
    /// The last time that the user signed in.
    pub signed_in_at: Option<String>,
    /// Since when the user may not sign in.
    pub disabled_at: Option<String>,
}

/// A user that was just made.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NewUser {
    /// Who it is.
    #[serde(flatten)]
    pub user: UserView,
    /// Where the user signs in, once and within a day; relative to where the pages are. Not there where a password was
    /// given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub sign_in_url: Option<String>,
}

/// A link by which a user can sign in once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LinkView {
    /// `usr_...`
    pub id: String,
    /// Relative to where the pages are.
    pub sign_in_url: String,
    /// The first moment after it.
    pub expires_at: String,
}

/// A user's id.
pub fn user_id(number: u64) -> String {
    UserId::new(PLATFORM, number).to_string()
}

/// A user with this number.
pub fn user_view(number: u64, row: &UserRow) -> UserView {
    UserView {
        signed_in_at: row.signed_in_at.map(format_ms),
        disabled_at: row.disabled_at.map(format_ms),
        ..as_made(number, &row.profile, row.created_at)
    }
}

fn as_made(number: u64, profile: &UserProfile, created_at: i64) -> UserView {
    UserView {
        id: user_id(number),
        name: profile.name.clone(),
        display_name: profile.display_name.clone(),
        role: profile.role.clone(),
        merchant_id: profile.merchant.map(|merchant| merchant.to_string()),
        created_at: format_ms(created_at),
        signed_in_at: None,
        disabled_at: None,
    }
}

/// In the fragment, which browsers keep to themselves: it reaches no server's log.
fn sign_in_url(secrets: &Secrets, link: &Link) -> String {
    format!("/#/sign-in?token={}", secrets.sign_in_token(&link.seed))
}

/// The answer to what was done with a user.
pub(crate) fn stepped(secrets: &Secrets, stepped: &UserStepped, at: At) -> Result<Answer, Problem> {
    let id = user_id(stepped.user);
    match &stepped.step {
        UserStep::Create(profile, by) => {
            let sign_in_url = match by {
                Proof::Link(link) => Some(sign_in_url(secrets, link)),
                Proof::Password(_) => None,
            };
            let made = NewUser { user: as_made(at.sequence, profile, at.time), sign_in_url };
            Answer::json(StatusCode::CREATED, &made)
        }
        UserStep::Link(link) => {
            let (sign_in_url, expires_at) = (sign_in_url(secrets, link), format_ms(link.expires_at));
            Answer::json(StatusCode::CREATED, &LinkView { id, sign_in_url, expires_at })
        }
        UserStep::Disable => Answer::ok(&serde_json::json!({"id": id, "disabled_at": format_ms(at.time)})),
        UserStep::SetPassword(_) | UserStep::SignIn(_) | UserStep::SignOut => {
            Answer::ok(&serde_json::json!({"id": id, "at": format_ms(at.time)}))
        }
    }
}
