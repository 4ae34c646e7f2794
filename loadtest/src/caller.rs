//! Calls that are repeated under the same key until there is a definite answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use http_api::client::{Client, ClientError, Credentials, Reply};
use serde::Serialize;
use serde_json::Value;

use crate::{Failure, Result};

/// Pauses between attempts that have no `Retry-After`: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Kinds of calls, whose times are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Setup,
    Claim,
    Redeem,
    Repeat,
    Read,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Setup, Self::Claim, Self::Redeem, Self::Repeat, Self::Read];

    fn name(self) -> &'static str {
        match self {
            Self::Setup => "set up",
            Self::Claim => "claim",
            Self::Redeem => "redeem",
            Self::Repeat => "repeat of a redemption",
            Self::Read => "read",
        }
    }
}

/// A call, to be made as often as it takes.
pub(crate) struct Call<'a> {
    pub(crate) kind: Kind,
    pub(crate) credentials: &'a Credentials,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) key: Option<&'a str>,
    pub(crate) body: Option<Value>,
}

/// What it took beyond one attempt per call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Effort {
    /// Attempts refused for the moment, by code (429 and 503), and repeated after `Retry-After`.
    pub retries: BTreeMap<String, u64>,
    /// Attempts that found no server.
    pub no_connection: u64,
    /// Attempts whose outcome was unknown: the connection was lost, the time limit passed, `outcome_unknown`,
    /// `request_in_flight` or 500.
    pub unknown: u64,
    /// Calls with at least one such attempt that came to a definite answer under the same key.
    pub unknown_resolved: u64,
    /// Calls that did not, in all the time that the run waits.
    pub unknown_unresolved: u64,
}

/// How long answers of one kind took, milliseconds from sending the attempt that was answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Kind of call.
    pub kind: &'static str,
    /// Definite answers.
    pub count: u64,
    /// Half of them were faster.
    pub p50_ms: f64,
    /// All but one in a hundred were faster.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// Makes calls, and keeps count.
pub(crate) struct Caller {
    client: Client,
    patience: Duration,
    retries: Mutex<BTreeMap<String, u64>>,
    no_connection: AtomicU64,
    unknown: AtomicU64,
    unknown_resolved: AtomicU64,
    unknown_unresolved: AtomicU64,
    times: [Mutex<Histogram<u64>>; 5],
}

/// What an attempt came to.
enum Attempt {
    Definite(Reply),
    /// Nothing has happened: repeat after so long.
    NotNow(Option<Duration>),
    /// It may have happened: repeat, to know.
    Unknown(Option<Duration>),
}

impl Caller {
    /// `patience` is how long one call is repeated before the run gives up.
    pub(crate) fn new(target: &str, patience: Duration) -> Result<Self> {
        let client = Client::new(target).map_err(|error| Failure::Usage(error.to_string()))?;
        // Fixed bounds, microseconds up to an hour: one that grows would clamp what `saturating_record` is given.
        let histogram =
            || Histogram::new_with_bounds(1, 3_600_000_000, 3).map_err(|error| Failure::Usage(error.to_string()));
        let mut times = Vec::new();
        for _ in Kind::ALL {
            times.push(Mutex::new(histogram()?));
        }
        let times = times.try_into().map_err(|_| Failure::Usage("a histogram per kind".to_owned()))?;
        Ok(Self {
            client,
            patience,
            retries: Mutex::default(),
            no_connection: AtomicU64::default(),
            unknown: AtomicU64::default(),
            unknown_resolved: AtomicU64::default(),
            unknown_unresolved: AtomicU64::default(),
            times,
        })
    }

    /// Repeats the call until the answer is definite: anything but 429, 5xx and `request_in_flight`.
    pub(crate) async fn settle(&self, call: &Call<'_>) -> Result<Reply> {
        let begun = Instant::now();
        let mut was_unknown = false;
        let mut pause = FIRST_PAUSE;
        loop {
            let sent = Instant::now();
            let wait = match self.attempt(call).await? {
                Attempt::Definite(reply) => {
                    self.record(call.kind, sent.elapsed());
                    self.unknown_resolved.fetch_add(u64::from(was_unknown), Ordering::Relaxed);
                    return Ok(reply);
                }
                Attempt::NotNow(wait) => wait,
                Attempt::Unknown(wait) => {
                    was_unknown = true;
                    self.unknown.fetch_add(1, Ordering::Relaxed);
                    wait
                }
            };
            if begun.elapsed() > self.patience {
                self.unknown_unresolved.fetch_add(u64::from(was_unknown), Ordering::Relaxed);
                return Err(Failure::Unsettled { what: call.what(), seconds: begun.elapsed().as_secs() });
            }
            tokio::time::sleep(wait.unwrap_or(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Settles a call that must succeed, and reads its answer.
    pub(crate) async fn expect(&self, call: &Call<'_>) -> Result<Value> {
        let reply = self.settle(call).await?;
        if reply.status.is_success() {
            return reply.json().map_err(|source| Failure::Client { what: call.what(), source });
        }
        let problem = reply.json().unwrap_or_default();
        let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        let (code, detail) = (text("code"), text("detail"));
        Err(Failure::Refused { what: call.what(), status: reply.status.as_u16(), code, detail })
    }

    pub(crate) fn effort(&self) -> Effort {
        Effort {
            retries: self.retries.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            no_connection: self.no_connection.load(Ordering::Relaxed),
            unknown: self.unknown.load(Ordering::Relaxed),
            unknown_resolved: self.unknown_resolved.load(Ordering::Relaxed),
            unknown_unresolved: self.unknown_unresolved.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn latencies(&self) -> Vec<Latency> {
        let latency = |kind: Kind| {
            let times = self.times[kind as usize].lock().unwrap_or_else(PoisonError::into_inner);
            let ms = |microseconds: u64| microseconds as f64 / 1_000.0;
            Latency {
                kind: kind.name(),
                count: times.len(),
                p50_ms: ms(times.value_at_quantile(0.5)),
                p99_ms: ms(times.value_at_quantile(0.99)),
                max_ms: ms(times.max()),
            }
        };
        Kind::ALL.into_iter().map(latency).collect()
    }

    async fn attempt(&self, call: &Call<'_>) -> Result<Attempt> {
        let Call { credentials, method, path, key, .. } = call;
        let reply = match self.client.signed(credentials, method, path, *key, call.body.as_ref()).await {
            Ok(reply) => reply,
            Err(ClientError::Connect(_)) => {
                self.no_connection.fetch_add(1, Ordering::Relaxed);
                return Ok(Attempt::NotNow(None));
            }
            Err(error) if error.outcome_unknown() => return Ok(Attempt::Unknown(None)),
            Err(source) => return Err(Failure::Client { what: call.what(), source }),
        };
        let after = reply.header("retry-after").parse().ok().map(Duration::from_secs);
        let code = problem_code(&reply);
        Ok(match (reply.status.as_u16(), code.as_str()) {
            (503, "outcome_unknown") | (409, "request_in_flight") | (500, _) => Attempt::Unknown(after),
            (429 | 503, _) => {
                *self.retries.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
                Attempt::NotNow(after)
            }
            _ => Attempt::Definite(reply),
        })
    }

    fn record(&self, kind: Kind, time: Duration) {
        let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.times[kind as usize].lock().unwrap_or_else(PoisonError::into_inner).saturating_record(microseconds);
    }
}

impl Call<'_> {
    fn what(&self) -> String {
        match self.key {
            Some(key) => format!("{} {} (key {key})", self.method, self.path),
            None => format!("{} {}", self.method, self.path),
        }
    }
}

/// The code of a problem; of another refusal its status; nothing for a success.
pub(crate) fn problem_code(reply: &Reply) -> String {
    if reply.status.is_success() {
        return String::new();
    }
    let problem = reply.json().unwrap_or_default();
    problem["code"].as_str().map_or_else(|| reply.status.as_u16().to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_kept_as_they_were() {
        let caller = Caller::new("http://127.0.0.1:1", Duration::ZERO).expect("a caller");
        for ms in 1..=100 {
            caller.record(Kind::Claim, Duration::from_millis(ms));
        }
        let claim = caller.latencies().swap_remove(Kind::Claim as usize);
        let near = |is: f64, must: f64| (is - must).abs() <= must / 500.0;
        assert_eq!((claim.kind, claim.count), ("claim", 100));
        assert!(near(claim.p50_ms, 50.0) && near(claim.p99_ms, 99.0) && near(claim.max_ms, 100.0), "{claim:?}");
    }
}
