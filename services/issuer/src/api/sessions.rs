//! Signing in and out. A session is its cookie; what stands in the log is that somebody signed in, and what ends all
//! sessions of a user.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use coupon::command::Command;
use coupon::hash::id_hash;
use coupon::id::{PLATFORM, UserId};
use coupon::user::{Proof, UserStep, UserStepped};
use coupon_api::dto::user::user_id;
use coupon_api::people::Person;
use http_api::body::{self, Check};
use http_api::call::Call;
use http_api::idempotency::Answer;
use http_api::problem::{Code, Problem};
use http_api::session::{Session, Sessions};
use http_api::time::format_ms;
use projection::engine::{Answer as Outcome, What};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::users::{Door, PASSWORD, step};

pub(super) fn router() -> Router<Door> {
    Router::new()
        .route("/v1/sessions", post(sign_in))
        .route("/v1/sessions/current", get(current).delete(sign_out))
        .route("/v1/users/me/password", put(set_password))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignInRequest {
    /// The user's; with `password`.
    name: Option<String>,
    /// The user's; with `name`.
    password: Option<String>,
    /// Of a one-time link, in place of both.
    token: Option<String>,
}

/// A session of a user.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionView {
    /// Who is signed in.
    user: SignedIn,
    /// What writes of this session carry in `X-CSRF-Token`.
    csrf_token: String,
    /// The first moment after the session.
    expires_at: String,
    /// What the user may do, for pages that show no more than that; more may come.
    permissions: Vec<&'static str>,
    /// Whether a password is set, by which the user can sign in again.
    has_password: bool,
}

/// Who is signed in.
#[derive(Serialize, ToSchema)]
struct SignedIn {
    /// `usr_...`
    id: String,
    /// What the user signs in with.
    name: String,
    /// As others read it.
    display_name: String,
    /// `analyst`, `analyst_lead`, `merchant` or `engineer`.
    role: String,
    /// Whose the user is; null sees all merchants.
    merchant_id: Option<String>,
}

/// Sign in
///
/// With name and password, or with the token of a one-time link. The answer sets the cookie `counterfoil_session`; with
/// it, and without `Authorization`, calls are the user's. Those that change something carry `X-CSRF-Token` besides.
#[utoipa::path(post, path = "/v1/sessions", tag = "Users", request_body = SignInRequest, security(()),
    responses((status = 200, body = SessionView)))]
pub(super) async fn sign_in(State(door): State<Door>, request: Request) -> Result<Response, Problem> {
    let (secure, now_ms) = (is_secure(request.headers()), (door.issuer.gate.clock)());
    let bytes = door.issuer.gate.read_unsigned(request).await?;
    let asked = body::parse::<SignInRequest>(&bytes, ("POST", "/v1/sessions"))?.body;
    let (person, by) = match asked {
        SignInRequest { token: Some(token), name: None, password: None } => by_link(&door, &token)?,
        SignInRequest { token: None, name: Some(name), password: Some(password) } => {
            by_password(&door, &name, password, now_ms).await?
        }
        _ => return Err(Problem::new(Code::MissingField, "Either token, or name and password are required.")),
    };
    let (number, row) = &person;
    let by_link = matches!(by, Proof::Link(_));
    step(&door.issuer, &user_id(*number), *number, UserStep::SignIn(by)).await?;
    if !by_link {
        door.sign_ins.succeeded(&row.profile.name);
    }
    // Of the epoch before the record: whoever signed out at the same moment stays signed out.
    begin(&door, &person, row.epoch, by_link, secure)
}

fn by_link(door: &Door, token: &str) -> Result<(Person, Proof), Problem> {
    let person = door.issuer.backend.directory.people().linked(id_hash(token));
    let link = person.and_then(|person| person.1.link.map(|link| (person, Proof::Link(link))));
    link.ok_or_else(|| Problem::of(Code::LinkExpired))
}

async fn by_password(door: &Door, name: &str, password: String, now_ms: i64) -> Result<(Person, Proof), Problem> {
    Check::new().length("/name", name, 1..=64).length("/password", &password, 1..=*PASSWORD.end()).done()?;
    door.sign_ins.attempt(name, now_ms)?;
    let person = door.issuer.backend.directory.people().named(name);
    let hash = person.as_ref().filter(|(_, row)| row.disabled_at.is_none()).and_then(|(_, row)| row.password.clone());
    let fits = door.sign_ins.fits(password, hash.clone()).await?;
    let proven = person.zip(hash).filter(|_| fits).map(|(person, hash)| (person, Proof::Password(hash)));
    proven.ok_or_else(|| Problem::of(Code::SignInFailed))
}

fn begin(door: &Door, person: &Person, epoch: u64, by_link: bool, secure: bool) -> Result<Response, Problem> {
    let sessions = sessions(door)?;
    let session = sessions.begin(&user_id(person.0), epoch, by_link, (door.issuer.gate.clock)());
    let answer = Answer::ok(&view(sessions, &session, person))?;
    with_cookie(answer, &sessions.set_cookie(&session, secure))
}

fn with_cookie(answer: Answer, cookie: &str) -> Result<Response, Problem> {
    let mut response = answer.into_response();
    let cookie = HeaderValue::from_str(cookie).map_err(Problem::internal)?;
    response.headers_mut().insert(SET_COOKIE, cookie);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn view(sessions: &Sessions, session: &Session, (number, row): &Person) -> SessionView {
    let profile = &row.profile;
    SessionView {
        user: SignedIn {
            id: user_id(*number),
            name: profile.name.clone(),
            display_name: profile.display_name.clone(),
            role: profile.role.clone(),
            merchant_id: profile.merchant.map(|merchant| merchant.to_string()),
        },
        csrf_token: sessions.csrf_token(session),
        expires_at: format_ms(session.expires_at_ms),
        permissions: permissions(&profile.role),
        has_password: row.password.is_some(),
    }
}

fn permissions(role: &str) -> Vec<&'static str> {
    match role {
        "analyst" => vec!["risk.read", "risk.work"],
        "analyst_lead" => vec!["risk.read", "risk.work", "risk.approve"],
        "merchant" => vec!["stocks.read", "stocks.work", "appeals.make"],
        "engineer" => {
            vec!["risk.read", "risk.work", "risk.approve", "merchants.manage", "keys.manage", "users.manage"]
        }
        _ => Vec::new(),
    }
}

/// Read the session
#[utoipa::path(get, path = "/v1/sessions/current", tag = "Users", security(("session" = [])),
    responses((status = 200, body = SessionView)))]
pub(super) async fn current(State(door): State<Door>, call: Call) -> Result<Response, Problem> {
    let (session, person) = own(&door, &call)?;
    let mut response = Answer::ok(&view(sessions(&door)?, &session, &person))?.into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Sign out
///
/// All sessions of the user end, in all browsers.
#[utoipa::path(delete, path = "/v1/sessions/current", tag = "Users", security(("session" = [])),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn sign_out(State(door): State<Door>, headers: HeaderMap, call: Call) -> Result<Response, Problem> {
    let (_, (number, _)) = own(&door, &call)?;
    step(&door.issuer, &call.caller.key_id, number, UserStep::SignOut).await?;
    let answer = Answer::ok(&serde_json::json!({"signed_out": true}))?;
    with_cookie(answer, &Sessions::clear_cookie(is_secure(&headers)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordRequest {
    /// The password so far; not needed where there is none, or in a session that began with a link.
    current: Option<String>,
    /// 12 to 128 characters.
    new: String,
}

/// Set the own password
///
/// All sessions of the user end; the answer begins a new one.
#[utoipa::path(put, path = "/v1/users/me/password", tag = "Users", request_body = PasswordRequest,
    security(("session" = [])), responses((status = 200, body = SessionView)))]
pub(super) async fn set_password(
    State(door): State<Door>,
    headers: HeaderMap,
    call: Call,
) -> Result<Response, Problem> {
    let (session, person) = own(&door, &call)?;
    let parsed = call.parse::<PasswordRequest>()?;
    let PasswordRequest { current, new } = parsed.body;
    Check::new().length("/new", &new, PASSWORD).done()?;
    if person.1.password.is_some() && !session.by_link {
        is_current(&door, &person, current, call.received_at_ms).await?;
    }
    let hash = door.sign_ins.hash(new).await?;
    let backend = &door.issuer.backend;
    let fingerprint = backend.secrets.private_fingerprint(parsed.fingerprint);
    let owner = call.caller.merchant.unwrap_or(PLATFORM);
    let request = backend.request_key(&call, owner).map(|key| (key, fingerprint));
    let stepped = UserStepped { user: person.0, step: UserStep::SetPassword(hash) };
    let command = Command::StepUser(Box::new(stepped)).by(&call.caller.key_id);
    match backend.submit(PLATFORM, request, What::Command(command)).await {
        Outcome::Applied(_) | Outcome::Replayed(_) => {}
        other => return Err(backend.refused(PLATFORM, other)),
    }
    let (number, mut row) = person;
    Arc::make_mut(&mut row).password = Some(String::new());
    let epoch = row.epoch + 1;
    begin(&door, &(number, row), epoch, false, is_secure(&headers))
}

async fn is_current(door: &Door, person: &Person, given: Option<String>, now_ms: i64) -> Result<(), Problem> {
    Check::new().present("/current", given.is_some()).done()?;
    let (profile, hash) = (&person.1.profile, person.1.password.clone());
    door.sign_ins.attempt(&profile.name, now_ms)?;
    let fits = door.sign_ins.fits(given.unwrap_or_default(), hash).await?;
    Check::new().field("/current", fits, "is not the password").done()?;
    door.sign_ins.succeeded(&profile.name);
    Ok(())
}

/// The session of the call, and whose it is. Keys have none.
fn own(door: &Door, call: &Call) -> Result<(Arc<Session>, Person), Problem> {
    let session = call.session.clone().ok_or_else(|| Problem::of(Code::SessionMissing))?;
    let number = session.user_id.parse::<UserId>().ok().map(|id| id.number);
    let person = number.and_then(|number| door.issuer.backend.directory.people().find(number));
    person.map(|person| (session, person)).ok_or_else(|| Problem::of(Code::SessionExpired))
}

fn sessions(door: &Door) -> Result<&Sessions, Problem> {
    door.issuer.gate.sessions.as_ref().ok_or_else(|| Problem::of(Code::RouteNotFound))
}

/// TLS ends in front of this process, and the proxy says so. Who says so without one only loses the own cookie.
fn is_secure(headers: &HeaderMap) -> bool {
    headers.get("x-forwarded-proto").is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"))
}
