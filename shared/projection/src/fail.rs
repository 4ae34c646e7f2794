//! Places where a test may have this process die at once, as by SIGKILL; compiled into test builds only.
//!
//! `COUNTERFOIL_FAIL=before_append:200` ends it when it comes to `before_append` for the 200th time.

/// Ends the process here, if it was asked for.
#[cfg(feature = "fail-points")]
pub fn point(name: &str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicI64, Ordering};

    static WANTED: LazyLock<Option<(String, AtomicI64)>> = LazyLock::new(|| {
        let text = std::env::var("COUNTERFOIL_FAIL").ok()?;
        let (name, count) = text.split_once(':')?;
        Some((name.to_owned(), AtomicI64::new(count.parse().ok()?)))
    });
    if let Some((wanted, left)) = &*WANTED
        && wanted == name
        && left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        std::process::abort();
    }
}

/// Does nothing.
#[cfg(not(feature = "fail-points"))]
#[inline]
pub fn point(_name: &str) {}
