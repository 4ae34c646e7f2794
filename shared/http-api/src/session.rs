//! Sessions of people in browsers. A session is nothing but its cookie: who, since when, until when and a random nonce
//! under a MAC, so that every instance with the same master key knows it, and so does the next start. What ends one
//! early is its epoch, which is compared with that of the user.
//!
//! Writes must carry a token that follows from the session (the HMAC based token pattern of the OWASP cheat sheet on
//! cross-site request forgery); the cookie is `SameSite=Strict` besides.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use http::header::COOKIE;
use http::{HeaderMap, HeaderName};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The name of the cookie.
pub const SESSION_COOKIE: &str = "counterfoil_session";

/// The header that carries a session's token.
pub const X_CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// `usr_...`
    pub user_id: Arc<str>,
    /// The user's epoch when it began; it is over once the user has a later one.
    pub epoch: u64,
    /// Whether it began with a one-time link: then a forgotten password can be replaced.
    pub by_link: bool,
    /// When it began, milliseconds since 1970.
    pub began_at_ms: i64,
    /// The first moment after it, milliseconds since 1970.
    pub expires_at_ms: i64,
    /// Makes no two sessions the same.
    pub nonce: [u8; 16],
}

/// Begins sessions and knows them again.
#[derive(Clone)]
pub struct Sessions {
    key: Hmac<Sha256>,
    lifetime: Duration,
}

/// What a request says of its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// There is no cookie.
    Nothing,
    /// There is one that was not made here.
    Foreign,
    /// This one; it may be over.
    Session(Session),
}

impl Sessions {
    /// Under a key that all instances share, for sessions of that length.
    pub fn new(key: &[u8; 32], lifetime: Duration) -> Self {
        // HMAC takes keys of any length, so the fallback is never used; it is keyed all the same.
        let key =
            Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&hmac::digest::Key::<Hmac<Sha256>>::default()));
        Self { key, lifetime }
    }

    /// A new session.
    pub fn begin(&self, user_id: &str, epoch: u64, by_link: bool, now_ms: i64) -> Session {
        let lifetime_ms = i64::try_from(self.lifetime.as_millis()).unwrap_or(i64::MAX);
        Session {
            user_id: user_id.into(),
            epoch,
            by_link,
            began_at_ms: now_ms,
            expires_at_ms: now_ms.saturating_add(lifetime_ms),
            nonce: rand::random(),
        }
    }

    /// The value of `Set-Cookie` for it. The browser forgets it when it is closed; the server sees to its end.
    pub fn set_cookie(&self, session: &Session, secure: bool) -> String {
        let text = session.text();
        let mac = hex::encode(self.mac(b"session v1", &text));
        format!("{SESSION_COOKIE}={text}.{mac}; HttpOnly; SameSite=Strict; Path=/{}", flag(secure))
    }

    /// The value of `Set-Cookie` that takes it away.
    pub fn clear_cookie(secure: bool) -> String {
        format!("{SESSION_COOKIE}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0{}", flag(secure))
    }

    /// The token that writes of this session carry.
    pub fn csrf_token(&self, session: &Session) -> String {
        hex::encode(self.mac(b"csrf v1", &session.text()))
    }

    /// Whether it is the session's token, in constant time.
    pub fn is_token_of(&self, session: &Session, headers: &HeaderMap) -> bool {
        let given = headers.get(X_CSRF_TOKEN).map_or(&[][..], |value| value.as_bytes());
        self.csrf_token(session).as_bytes().ct_eq(given).into()
    }

    /// The session of a request. Of several cookies with the name, the first that was made here counts.
    pub fn shown(&self, headers: &HeaderMap) -> Shown {
        let mut shown = Shown::Nothing;
        let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        for cookie in lines.flat_map(|line| line.split(';')) {
            let Some(value) = cookie.trim().strip_prefix(SESSION_COOKIE).and_then(|rest| rest.strip_prefix('=')) else {
                continue;
            };
            match self.read(value) {
                Some(session) => return Shown::Session(session),
                None => shown = Shown::Foreign,
            }
        }
        shown
    }

    fn read(&self, value: &str) -> Option<Session> {
        let (text, mac) = value.rsplit_once('.')?;
        let mac = hex::decode(mac).ok()?;
        if !bool::from(self.mac(b"session v1", text).ct_eq(&mac)) {
            return None;
        }
        Session::read(text)
    }

    fn mac(&self, purpose: &[u8], text: &str) -> [u8; 32] {
        let mac = self.key.clone().chain_update(purpose).chain_update(b"\n").chain_update(text);
        mac.finalize().into_bytes().into()
    }
}

impl Session {
    fn text(&self) -> String {
        let how = if self.by_link { "link" } else { "password" };
        let mut text = format!("{}.{}.{how}.{}.{}.", self.user_id, self.epoch, self.began_at_ms, self.expires_at_ms);
        // Writing into a string does not fail.
        let _ = write!(text, "{}", hex::encode(self.nonce));
        text
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let mut next = || parts.next();
        let (user_id, epoch, how, began, expires, nonce) = (next()?, next()?, next()?, next()?, next()?, next()?);
        Some(Self {
            user_id: user_id.into(),
            epoch: epoch.parse().ok()?,
            by_link: how == "link",
            began_at_ms: began.parse().ok()?,
            expires_at_ms: expires.parse().ok()?,
            nonce: hex::decode(nonce).ok()?.try_into().ok()?,
        })
    }
}

fn flag(secure: bool) -> &'static str {
    if secure { "; Secure" } else { "" }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const NOW_MS: i64 = 1_795_503_600_000;

    fn sessions(fill: u8) -> Sessions {
        Sessions::new(&[fill; 32], Duration::from_hours(12))
    }

    fn headers(cookie: &str) -> HeaderMap {
        [(COOKIE, HeaderValue::from_str(cookie).expect("a header"))].into_iter().collect()
    }

    fn cookie(sessions: &Sessions, session: &Session) -> String {
        sessions.set_cookie(session, false).split(';').next().expect("the cookie").to_owned()
    }

    #[test]
    fn every_instance_with_the_key_knows_a_session_and_no_other() {
        let session = sessions(1).begin("usr_1", 3, true, NOW_MS);
        assert_eq!(session.expires_at_ms, NOW_MS + 12 * 3_600_000);
        let shown = headers(&format!("theme=dark; {}; lang=zh", cookie(&sessions(1), &session)));
        assert_eq!(sessions(1).shown(&shown), Shown::Session(session));
        assert_eq!(sessions(2).shown(&shown), Shown::Foreign);
        assert_eq!(sessions(1).shown(&headers("theme=dark")), Shown::Nothing);
        assert_eq!(sessions(1).shown(&HeaderMap::new()), Shown::Nothing);
    }

    #[test]
    fn a_cookie_that_another_site_put_before_ours_does_not_hide_it() {
        let session = sessions(1).begin("usr_1", 0, false, NOW_MS);
        let both = format!("{SESSION_COOKIE}=x.y; {}", cookie(&sessions(1), &session));
        assert_eq!(sessions(1).shown(&headers(&both)), Shown::Session(session));
    }

    #[test]
    fn the_cookie_is_out_of_reach_for_scripts_and_other_sites() {
        let all = sessions(1);
        let session = all.begin("usr_1", 0, false, NOW_MS);
        for (secure, end) in [(false, "; HttpOnly; SameSite=Strict; Path=/"), (true, "; Path=/; Secure")] {
            assert!(all.set_cookie(&session, secure).ends_with(end));
        }
        assert!(Sessions::clear_cookie(false).starts_with("counterfoil_session=; "));
    }

    #[test]
    fn a_token_is_of_one_session() {
        let all = sessions(1);
        let [one, other] = [(); 2].map(|()| all.begin("usr_1", 0, false, NOW_MS));
        let with = |token: &str| -> HeaderMap {
            [(X_CSRF_TOKEN, HeaderValue::from_str(token).expect("a header"))].into_iter().collect()
        };
        assert!(all.is_token_of(&one, &with(&all.csrf_token(&one))));
        assert!(!all.is_token_of(&one, &with(&all.csrf_token(&other))));
        assert!(!all.is_token_of(&one, &with("")) && !all.is_token_of(&one, &HeaderMap::new()));
        assert!(!cookie(&all, &one).contains(&all.csrf_token(&one)), "the cookie does not give it away");
    }

    proptest! {
        /// Whoever changes one character of the cookie has no session any more.
        #[test]
        fn no_part_can_be_changed(place in 0_usize..200, to in "[0-9a-z._]") {
            let all = sessions(1);
            let session = all.begin("usr_1", 7, false, NOW_MS);
            let good = cookie(&all, &session);
            let place = SESSION_COOKIE.len() + 1 + place % (good.len() - SESSION_COOKIE.len() - 1);
            let mut bad = good.clone();
            bad.replace_range(place..=place, &to);
            prop_assume!(bad != good);
            prop_assert_eq!(all.shown(&headers(&bad)), Shown::Foreign);
        }
    }
}
