//! Who a request comes from: a key by its `Authorization`, or a person by the session's cookie.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Method, Uri};

use super::gate::Gate;
use super::headers::{check_clock, credentials};
use crate::auth::Key;
use crate::problem::{Code, Problem, Result};
use crate::session::{Session, Sessions, Shown, X_CSRF_TOKEN};
use crate::signature::AuthorizationHeader;

/// Who a request says that it is from.
pub(super) enum Who<'a> {
    /// A key, whose signature is checked once the body is there.
    Key(AuthorizationHeader<'a>),
    /// A person, who is known.
    Person(Arc<Session>),
}

impl Gate {
    pub(super) fn who<'a>(&self, parts: &'a Parts, uri: &Uri, now_ms: i64) -> Result<(Who<'a>, Arc<Key>)> {
        let headers = &parts.headers;
        if let Some(sessions) = self.sessions.as_ref().filter(|_| !headers.contains_key(AUTHORIZATION)) {
            match sessions.shown(headers) {
                Shown::Nothing if is_of_pages(headers, uri) => return Err(Problem::of(Code::SessionMissing)),
                Shown::Nothing => {}
                Shown::Foreign => return Err(Problem::of(Code::SessionExpired)),
                Shown::Session(session) => {
                    let caller = self.person(sessions, &session, parts, now_ms)?;
                    return Ok((Who::Person(Arc::new(session)), caller));
                }
            }
        }
        let credentials = credentials(headers)?;
        let caller = self.live_key(&credentials, now_ms)?;
        check_clock(&credentials, now_ms)?;
        Ok((Who::Key(credentials), caller))
    }

    fn person(&self, sessions: &Sessions, session: &Session, parts: &Parts, now_ms: i64) -> Result<Arc<Key>> {
        let user = self.directory.user(&session.user_id).filter(|_| now_ms < session.expires_at_ms);
        // A session of a later epoch was begun elsewhere, and this instance has not heard of it yet.
        let user = user.filter(|user| user.epoch <= session.epoch);
        let user = user.ok_or_else(|| Problem::of(Code::SessionExpired))?;
        let reads = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
        if !reads && !sessions.is_token_of(session, &parts.headers) {
            return Err(Problem::of(Code::CsrfTokenInvalid).pointer("/headers/x-csrf-token"));
        }
        Ok(user.key.clone())
    }
}

/// Pages are told that they have no session, where others are told to sign.
fn is_of_pages(headers: &HeaderMap, uri: &Uri) -> bool {
    headers.contains_key(X_CSRF_TOKEN) || uri.path().starts_with("/v1/sessions")
}
