//! What signing in by a password costs and how often it may fail: slow hashes, a few at a time and off the threads that
//! serve, and limits per name and over all names.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, PasswordHash};
use coupon::hash::id_hash;
use http_api::Code;
use http_api::problem::Problem;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::state::blocking;

/// Failures of one name in [`NAME_WINDOW_MS`].
const PER_NAME: u32 = 10;
const NAME_WINDOW_MS: i64 = 15 * 60 * 1_000;

/// Failures over all names in [`ALL_WINDOW_MS`]. So no more names than sixteen times as many can be counted at once.
const OVER_ALL: u32 = 100;
const ALL_WINDOW_MS: i64 = 60 * 1_000;

/// From so many names on, those whose time is over are forgotten.
const MANY_NAMES: usize = 2_000;

/// How long a hash may wait for its turn.
const TURN: Duration = Duration::from_secs(5);

/// One per process.
pub(crate) struct SignIns {
    turns: Semaphore,
    failures: Mutex<Failures>,
}

#[derive(Default)]
struct Failures {
    over_all: Window,
    by_name: HashMap<[u8; 16], Window>,
}

#[derive(Clone, Copy, Default)]
struct Window {
    began_ms: i64,
    count: u32,
}

impl Default for SignIns {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self { turns: Semaphore::new((cores / 2).max(1)), failures: Mutex::default() }
    }
}

impl SignIns {
    /// Counts an attempt with a name as a failure until [`Self::succeeded`] takes that back, so that attempts at the same
    /// moment do not get past the limit together.
    pub(crate) fn attempt(&self, name: &str, now_ms: i64) -> Result<(), Problem> {
        let mut failures = self.failures.lock();
        let Failures { over_all, by_name } = &mut *failures;
        if by_name.len() >= MANY_NAMES {
            by_name.retain(|_, window| window.is_on(now_ms, NAME_WINDOW_MS));
        }
        over_all.look(now_ms, ALL_WINDOW_MS, OVER_ALL)?;
        let of_name = by_name.entry(id_hash(name)).or_default();
        of_name.look(now_ms, NAME_WINDOW_MS, PER_NAME)?;
        over_all.count += 1;
        of_name.count += 1;
        Ok(())
    }

    /// The attempt was none.
    pub(crate) fn succeeded(&self, name: &str) {
        let mut failures = self.failures.lock();
        failures.over_all.count = failures.over_all.count.saturating_sub(1);
        failures.by_name.remove(&id_hash(name));
    }

    /// The PHC string of a password's argon2id hash, with the parameters that OWASP names: 19 MiB, two passes.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Problem> {
        let _turn = self.turn().await?;
        blocking(move || hash(&password)).await?
    }

    /// Whether the password has this hash; where there is none it takes as long to say no.
    pub(crate) async fn fits(&self, password: String, hash: Option<String>) -> Result<bool, Problem> {
        let _turn = self.turn().await?;
        blocking(move || {
            let known = hash.as_deref().map_or_else(|| nobodys().ok_or_else(|| Problem::internal("no hash")), Ok)?;
            let known = PasswordHash::new(known).map_err(Problem::internal)?;
            Ok(Argon2::default().verify_password(password.as_bytes(), &known).is_ok() && hash.is_some())
        })
        .await?
    }

    async fn turn(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Problem> {
        match tokio::time::timeout(TURN, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(Problem::new(Code::Overloaded, "Too many are signing in at once.").retry_after(5)),
        }
    }
}

fn hash(password: &str) -> Result<String, Problem> {
    let salt: [u8; 16] = rand::random();
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).map_err(Problem::internal)
}

/// What the passwords of names that nobody has are compared with.
fn nobodys() -> Option<&'static str> {
    static HASH: OnceLock<Option<String>> = OnceLock::new();
    HASH.get_or_init(|| hash(&hex::encode(rand::random::<[u8; 16]>())).ok()).as_deref()
}

impl Window {
    fn is_on(&self, now_ms: i64, length_ms: i64) -> bool {
        now_ms - self.began_ms < length_ms
    }

    /// Begins anew where its time is over, and refuses where it is full.
    fn look(&mut self, now_ms: i64, length_ms: i64, most: u32) -> Result<(), Problem> {
        if !self.is_on(now_ms, length_ms) {
            *self = Self { began_ms: now_ms, count: 0 };
        }
        if self.count < most {
            return Ok(());
        }
        let left_ms = self.began_ms + length_ms - now_ms;
        let seconds = u32::try_from(left_ms.max(0) / 1_000 + 1).unwrap_or(u32::MAX);
        Err(Problem::of(Code::SignInLimited).retry_after(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_795_503_600_000;

    fn is_limited(sign_ins: &SignIns, name: &str, now_ms: i64) -> bool {
        sign_ins.attempt(name, now_ms).is_err_and(|problem| problem.code == Code::SignInLimited)
    }

    #[test]
    fn a_name_may_fail_ten_times_in_a_quarter_of_an_hour() {
        let sign_ins = SignIns::default();
        for _ in 0..PER_NAME {
            assert!(!is_limited(&sign_ins, "an", NOW_MS));
        }
        assert!(is_limited(&sign_ins, "an", NOW_MS + NAME_WINDOW_MS - 1));
        assert!(!is_limited(&sign_ins, "bo", NOW_MS), "others are not limited by it");
        assert!(!is_limited(&sign_ins, "an", NOW_MS + NAME_WINDOW_MS));
    }

    #[test]
    fn who_gets_in_begins_anew() {
        let sign_ins = SignIns::default();
        for _ in 0..10 * OVER_ALL {
            assert!(!is_limited(&sign_ins, "an", NOW_MS));
            sign_ins.succeeded("an");
        }
    }

    #[test]
    fn all_names_together_are_limited_and_so_is_what_is_kept_of_them() {
        let sign_ins = SignIns::default();
        let mut now_ms = NOW_MS;
        for minute in 0..100 {
            let tried = (0..2 * OVER_ALL).filter(|n| !is_limited(&sign_ins, &format!("{minute}-{n}"), now_ms)).count();
            assert_eq!(tried, OVER_ALL as usize);
            now_ms += ALL_WINDOW_MS;
        }
        assert!(sign_ins.failures.lock().by_name.len() <= MANY_NAMES + OVER_ALL as usize);
    }

    #[tokio::test]
    async fn a_password_fits_its_own_hash_and_nobodys_fits_none() {
        let sign_ins = SignIns::default();
        let hash = sign_ins.hash("correct horse 电池".to_owned()).await.expect("a hash");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        for (password, hash, fits) in [
            ("correct horse 电池", Some(hash.clone()), true),
            ("correct horse 電池", Some(hash), false),
            ("correct horse 电池", None, false),
        ] {
            assert_eq!(sign_ins.fits(password.to_owned(), hash).await, Ok(fits));
        }
    }
}
