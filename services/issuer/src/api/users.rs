//! Users: made, listed, given links, disabled.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::routing::post;
use coupon::command::Command;
use coupon::hash::id_hash;
use coupon::id::{MerchantId, PLATFORM, UserId};
use coupon::state::Read;
use coupon::user::{Link, Proof, UserProfile, UserStep, UserStepped};
use coupon_api::dto::user::{LinkView, NewUser, UserView, user_view};
use coupon_api::listing::{in_time, newest, page};
use http_api::auth::Role;
use http_api::body::Check;
use http_api::call::{Call, Gate, Segment};
use http_api::idempotency::Answer;
use http_api::page::List;
use http_api::problem::{Code, Problem};
use projection::engine::{Answer as Outcome, What};
use projection::index::List as Index;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::sign_ins::SignIns;
use crate::state::Issuer;

/// How long a one-time link is good.
const LINK_MS: i64 = 24 * 3_600 * 1_000;

/// What handlers about people need.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) issuer: Issuer,
    pub(super) sign_ins: Arc<SignIns>,
}

impl FromRef<Door> for Arc<Gate> {
    fn from_ref(door: &Door) -> Self {
        door.issuer.gate.clone()
    }
}

pub(super) fn router() -> Router<Door> {
    Router::new()
        .route("/v1/users", post(create).get(list))
        .route("/v1/users/{id}/link", post(link))
        .route("/v1/users/{id}/disable", post(disable))
}

/// What a user is for.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum UserRole {
    /// Looks at risk, works on cases.
    Analyst,
    /// Approves rules and penalties too.
    AnalystLead,
    /// Looks at and works on one merchant's stocks.
    Merchant,
    /// Merchants, keys and users, and the risk views.
    Engineer,
}

impl UserRole {
    fn name(self) -> &'static str {
        match self {
            Self::Analyst => "analyst",
            Self::AnalystLead => "analyst_lead",
            Self::Merchant => "merchant",
            Self::Engineer => "engineer",
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserRequest {
    /// What the user signs in with: 2 to 64 of `a-z0-9._@-`; no other user has it.
    name: String,
    /// As others read it, at most 128 characters; the name unless said.
    display_name: Option<String>,
    /// What the user is for.
    role: UserRole,
    /// Whose the user is; for the role `merchant` only, which needs it.
    merchant_id: Option<String>,
    /// 12 to 128 characters; where there is none, the answer has a link to sign in by once.
    password: Option<String>,
}

/// Make a user
#[utoipa::path(post, path = "/v1/users", tag = "Users", request_body = UserRequest,
    responses((status = 201, body = NewUser)))]
pub(super) async fn create(State(door): State<Door>, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Platform])?;
    let parsed = call.parse::<UserRequest>()?;
    let body = parsed.body;
    let display_name = body.display_name.unwrap_or_else(|| body.name.clone());
    let (is_merchants, has_merchant) = (body.role == UserRole::Merchant, body.merchant_id.is_some());
    Check::new()
        .field("/name", is_name(&body.name), "must be 2 to 64 of a-z0-9._@-")
        .length("/display_name", &display_name, 1..=128)
        .present("/merchant_id", !is_merchants || has_merchant)
        .field("/merchant_id", is_merchants || !has_merchant, "is for the role merchant only")
        .done()?;
    if let Some(password) = &body.password {
        Check::new().length("/password", password, PASSWORD).done()?;
    }
    let merchant = body.merchant_id.map(|id| id.parse::<MerchantId>()).transpose();
    let merchant = merchant.map_err(|_| Problem::of(Code::MerchantNotFound).pointer("/merchant_id"))?;
    let fingerprint = door.issuer.backend.secrets.private_fingerprint(parsed.fingerprint);
    if let Some(first) = door.issuer.backend.repeated(&call, PLATFORM, fingerprint).await? {
        return Ok(first);
    }
    let by = match body.password {
        Some(password) => Proof::Password(door.sign_ins.hash(password).await?),
        None => Proof::Link(new_link(&door.issuer)),
    };
    let profile = UserProfile { name: body.name, display_name, role: body.role.name().to_owned(), merchant };
    write(&door.issuer, &call, fingerprint, 0, UserStep::Create(profile, by)).await
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._@-".contains(&byte);
    (2..=64).contains(&name.len()) && name.bytes().all(fits)
}

/// How long a password is, in characters. A long one is better than an odd one: nothing else is asked of it.
pub(super) const PASSWORD: std::ops::RangeInclusive<usize> = 12..=128;

fn new_link(state: &Issuer) -> Link {
    let seed = rand::random();
    let token = id_hash(&state.backend.secrets.sign_in_token(&seed));
    Link { seed, token, expires_at: state.backend.ledger.now() + LINK_MS }
}

async fn write(
    state: &Issuer,
    call: &Call,
    fingerprint: [u8; 16],
    user: u64,
    step: UserStep,
) -> Result<Answer, Problem> {
    let command = Command::StepUser(Box::new(UserStepped { user, step }));
    state.backend.write(call, PLATFORM, fingerprint, command).await
}

/// A step of a user that the user does, at once and under no key.
pub(super) async fn step(state: &Issuer, user_id: &str, user: u64, step: UserStep) -> Result<(), Problem> {
    let command = Command::StepUser(Box::new(UserStepped { user, step })).by(user_id);
    match state.backend.submit(PLATFORM, None, What::Command(command)).await {
        Outcome::Applied(_) => Ok(()),
        other => Err(state.backend.refused(PLATFORM, other)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    name: Option<String>,
}

/// List users, newest first
///
/// Analysts see who works beside them; users are made by the platform and by engineers.
#[utoipa::path(get, path = "/v1/users", tag = "Users",
    params(("name" = Option<String>, Query), ("limit" = Option<u16>, Query), ("cursor" = Option<String>, Query),
        ("from" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<UserView>)))]
pub(super) async fn list(State(door): State<Door>, call: Call) -> Result<List<UserView>, Problem> {
    call.require(&[Role::Analyst])?;
    let (filter, asked) = call.list::<Filter>()?;
    let (after, wanted, of) = (asked.after()?, asked.clone(), call.scope());
    let rows = door
        .issuer
        .backend
        .look(PLATFORM, move |shard, ledger, _| {
            newest(ledger.index.list(PLATFORM, Index::Users), after)
                .filter_map(|(place, number)| Some((place, number, shard.user(PLATFORM, number)?)))
                .filter(|(_, _, row)| filter.name.as_deref().is_none_or(|name| name == row.profile.name))
                .filter(|(_, _, row)| of.is_none() || row.profile.merchant == of)
                .filter(|(_, _, row)| in_time(&wanted, row.created_at))
                .take(wanted.limit + 1)
                .map(|(place, number, row)| (place, user_view(number, row)))
                .collect()
        })
        .await?;
    Ok(page(rows, &asked))
}

/// Make a link by which a user signs in once
///
/// It is good for a day, and takes the place of an earlier one. Who came by a link may set a password without the old
/// one.
#[utoipa::path(post, path = "/v1/users/{id}/link", tag = "Users", params(("id" = String, Path)),
    responses((status = 201, body = LinkView)))]
pub(super) async fn link(State(door): State<Door>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Platform])?;
    let user = number(&path)?;
    let link = new_link(&door.issuer);
    write(&door.issuer, &call, call.raw_fingerprint(), user, UserStep::Link(link)).await
}

/// A user that was disabled.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the answer that the record gives")]
pub(super) struct DisabledView {
    /// `usr_...`
    id: String,
    /// When.
    disabled_at: String,
}

/// Keep a user out for good
///
/// The user's sessions end at once.
#[utoipa::path(post, path = "/v1/users/{id}/disable", tag = "Users", params(("id" = String, Path)),
    responses((status = 200, body = DisabledView)))]
pub(super) async fn disable(State(door): State<Door>, path: Segment, call: Call) -> Result<Answer, Problem> {
    call.require(&[Role::Platform])?;
    write(&door.issuer, &call, call.raw_fingerprint(), number(&path)?, UserStep::Disable).await
}

fn number(path: &Segment) -> Result<u64, Problem> {
    let id: UserId = path.id(Code::UserNotFound)?;
    if id.merchant == PLATFORM { Ok(id.number) } else { Err(Problem::of(Code::UserNotFound)) }
}
