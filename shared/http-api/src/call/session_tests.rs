use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::auth::{KeyDirectory, Suspension, User};
use crate::idempotency::Answer;
use crate::server::{Edge, ServerLimits};
use crate::session::{Session, Sessions};
use crate::testing::{Draft, NOW_MS, json as json_of, key};

/// One key, and one user.
struct Known(Arc<Key>, Option<User>);

impl KeyDirectory for Known {
    fn find(&self, key_id: &str) -> Option<Arc<Key>> {
        Some(self.0.clone()).filter(|key| &*key.key_id == key_id)
    }

    fn user(&self, user_id: &str) -> Option<Arc<User>> {
        self.1.clone().filter(|user| &*user.key.key_id == user_id).map(Arc::new)
    }
}

fn sessions() -> Sessions {
    Sessions::new(&[5; 32], Duration::from_hours(12))
}

fn analyst() -> Key {
    Key { merchant: None, role: Role::Analyst, livemode: true, ..(*key("usr_an")).clone() }
}

fn edge(user: Option<User>, sessions: Option<Sessions>) -> Edge {
    let who = |call: Call| async move {
        call.require(&[Role::Analyst])?;
        let session = call.session.as_ref().map(|session| session.user_id.to_string());
        Answer::ok(&json!({"caller": &*call.caller.key_id, "session": session}))
    };
    let keys = |call: Call| async move { call.refuse_merchants_people() };
    let gate = Gate::with(Arc::new(Known(key("cfk_test_1"), user)), Arc::new(|| NOW_MS), BodyLimits::default());
    let router = Router::new()
        .route("/v1/cases", get(who).post(who))
        .route("/v1/keys", post(keys))
        .route("/v1/sessions/current", get(who))
        .with_state(Arc::new(gate.with_sessions(sessions)));
    Edge::new(router, ServerLimits::default())
}

fn as_it_is() -> Edge {
    edge(Some(User { key: Arc::new(analyst()), epoch: 3 }), Some(sessions()))
}

fn begun(at_ms: i64, epoch: u64) -> Session {
    sessions().begin("usr_an", epoch, false, at_ms)
}

fn request(method: &str, path: &str, session: Option<&Session>, token: Option<&str>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(session) = session {
        request = request.header("cookie", sessions().set_cookie(session, false).split(';').next().expect("a cookie"));
    }
    if let Some(token) = token {
        request = request.header("x-csrf-token", token);
    }
    request.body(Body::empty()).expect("a request")
}

async fn send(edge: &Edge, request: Request<Body>) -> (StatusCode, Value) {
    let response = edge.clone().oneshot(request).await.expect("an answer");
    (response.status(), json_of(response).await)
}

async fn code(edge: &Edge, request: Request<Body>) -> String {
    send(edge, request).await.1["code"].as_str().unwrap_or("none").to_owned()
}

#[tokio::test]
async fn a_person_calls_as_a_key_of_their_own() {
    let session = begun(NOW_MS, 3);
    let (status, body) = send(&as_it_is(), request("GET", "/v1/cases", Some(&session), None)).await;
    assert_eq!((status.as_u16(), body), (200, json!({"caller": "usr_an", "session": "usr_an"})));
}

#[rustfmt::skip]
#[tokio::test]
async fn the_ladder_of_sessions_refuses_each_fault_with_its_own_code() {
    let session = begun(NOW_MS, 3);
    let token = sessions().csrf_token(&session);
    let other = sessions().csrf_token(&begun(NOW_MS, 3));
    let hours = |n: i64| n * 3_600_000;
    let table = [
        ("POST", "/v1/cases", Some(begun(NOW_MS, 3)), None, "csrf_token_invalid"),
        ("POST", "/v1/cases", Some(session.clone()), Some(other.as_str()), "csrf_token_invalid"),
        ("POST", "/v1/cases", Some(session.clone()), Some(""), "csrf_token_invalid"),
        ("POST", "/v1/cases", Some(session.clone()), Some(token.as_str()), "none"),
        ("GET", "/v1/cases", Some(begun(NOW_MS - hours(12), 3)), None, "session_expired"),
        ("GET", "/v1/cases", Some(begun(NOW_MS - hours(12) + 1, 3)), None, "none"),
        ("GET", "/v1/cases", Some(begun(NOW_MS, 2)), None, "session_expired"),
        ("GET", "/v1/cases", Some(begun(NOW_MS, 4)), None, "none"),
        ("GET", "/v1/cases", Some(sessions().begin("usr_bo", 3, false, NOW_MS)), None, "session_expired"),
        ("GET", "/v1/cases", None, None, "signature_missing"),
        ("GET", "/v1/cases", None, Some(token.as_str()), "session_missing"),
        ("GET", "/v1/sessions/current", None, None, "session_missing"),
    ];
    for (row, (method, path, session, token, expected)) in table.into_iter().enumerate() {
        assert_eq!(code(&as_it_is(), request(method, path, session.as_ref(), token)).await, expected, "row {row}");
    }
}

#[tokio::test]
async fn a_session_of_another_key_or_of_nobody_lets_nobody_in() {
    let session = begun(NOW_MS, 3);
    let foreign = Sessions::new(&[6; 32], Duration::from_hours(12));
    let user = || Some(User { key: Arc::new(analyst()), epoch: 3 });
    let ask = || request("GET", "/v1/cases", Some(&session), None);
    assert_eq!(code(&edge(user(), Some(foreign)), ask()).await, "session_expired");
    assert_eq!(code(&edge(None, Some(sessions())), ask()).await, "session_expired", "disabled");
    assert_eq!(code(&edge(user(), None), ask()).await, "signature_missing", "only keys are let in");
    assert_eq!(code(&edge(user(), Some(sessions())), ask()).await, "none", "another instance with the same key");
}

#[tokio::test]
async fn a_signature_goes_before_a_session() {
    let mut signed = Draft { path: "/v1/cases", ..Draft::read("/v1/cases") }.signed();
    let cookie = sessions().set_cookie(&begun(NOW_MS, 3), false);
    signed.headers_mut().insert("cookie", cookie.split(';').next().expect("a cookie").parse().expect("a header"));
    assert_eq!(code(&as_it_is(), signed).await, "role_forbidden", "the key is a merchant's admin");
}

#[tokio::test]
async fn people_of_a_merchant_are_barred_with_it_and_never_touch_keys() {
    let ends_at_ms = None;
    let suspended = Suspension { penalty_id: "pen_1".to_owned(), sanction: "api_off", ends_at_ms };
    let of_merchant = |suspended| Key { suspended, ..(*key("usr_an")).clone() };
    let session = begun(NOW_MS, 3);
    let token = sessions().csrf_token(&session);
    let ask = || request("POST", "/v1/keys", Some(&session), Some(&token));
    let edge = |key| edge(Some(User { key: Arc::new(key), epoch: 3 }), Some(sessions()));
    assert_eq!(code(&edge(of_merchant(Some(suspended))), ask()).await, "merchant_suspended");
    assert_eq!(code(&edge(of_merchant(None)), ask()).await, "role_forbidden");
}
