//! Claims and redemptions by a schedule that waits for nobody, each repeated under its key until it is answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue};
use http_api::client::Client;
use serde_json::{Value, json};
use testkit::{Caller, redemption};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// Requests per second.
pub(crate) const RATE: u64 = 300;
/// A request that is answered later than this does not count as served.
const SERVED_WITHIN: Duration = Duration::from_secs(2);
/// Whatever has no answer by then is unresolved.
const PATIENCE: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_millis(200);

/// One request, as it ended.
pub(crate) struct Done {
    /// When it was due, since the beginning.
    pub(crate) due: Duration,
    pub(crate) took: Duration,
    pub(crate) redeems: bool,
    /// What it was refused with on the way, by code.
    pub(crate) refused: Vec<String>,
    /// The status that ended it; none where nothing did.
    pub(crate) status: Option<u16>,
}

pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    running: tokio::task::JoinHandle<Vec<Done>>,
    begun: Instant,
}

struct Work {
    caller: Caller,
    /// The same caller, whose answers are lost.
    unlucky: Caller,
    /// Whether every third request loses its first answer.
    losing: Arc<AtomicBool>,
    stock: String,
    codes: Mutex<Vec<Value>>,
    number: AtomicU64,
    begun: Instant,
}

impl Load {
    pub(crate) fn start(caller: &Caller, stock: &str, codes: Vec<Value>, losing: Arc<AtomicBool>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let begun = Instant::now();
        let client = Client::clone(&caller.client);
        let client =
            client.header(HeaderName::from_static("counterfoil-test"), HeaderValue::from_static("drop_response"));
        let unlucky = Caller { client: Arc::new(client), credentials: caller.credentials.clone() };
        let work = Arc::new(Work {
            caller: caller.clone(),
            unlucky,
            losing,
            stock: stock.to_owned(),
            codes: Mutex::new(codes),
            number: AtomicU64::new(0),
            begun,
        });
        let until = stop.clone();
        let running = tokio::spawn(async move {
            let mut tasks = JoinSet::new();
            let mut done = Vec::new();
            let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / RATE));
            while !until.load(Ordering::Relaxed) {
                ticks.tick().await;
                tasks.spawn(work.clone().one());
                while let Some(ended) = tasks.try_join_next() {
                    done.push(ended.expect("no panic"));
                }
            }
            while let Some(ended) = tasks.join_next().await {
                done.push(ended.expect("no panic"));
            }
            done
        });
        Self { stop, running, begun }
    }

    /// Since the beginning.
    pub(crate) fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    pub(crate) async fn end(self) -> Vec<Done> {
        self.stop.store(true, Ordering::Relaxed);
        self.running.await.expect("no panic")
    }
}

impl Work {
    /// Every second one redeems, as long as there are coupons.
    async fn one(self: Arc<Self>) -> Done {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let due = self.begun.elapsed();
        let code = if number.is_multiple_of(2) { self.codes.lock().await.pop() } else { None };
        let redeems = code.is_some();
        let (path, body) = match &code {
            Some(code) => ("/v1/redemptions", redemption(code, &format!("order-{number}"))),
            None => ("/v1/claims", json!({"stock_id": self.stock, "user_id": format!("user-{number}")})),
        };
        let key = format!("load-{number}");
        let mut refused = Vec::new();
        let begun = Instant::now();
        let mut loses = number.is_multiple_of(3) && self.losing.load(Ordering::Relaxed);
        let status = loop {
            let caller = if std::mem::take(&mut loses) { &self.unlucky } else { &self.caller };
            let sent = caller.client.signed(&caller.credentials, "POST", path, Some(&key), Some(&body)).await;
            match sent {
                Ok(reply) if reply.status.as_u16() == 503 => {
                    let told = reply.headers.contains_key("retry-after");
                    let code = reply.code().map(|code| code.to_string()).unwrap_or_default();
                    refused.push(if told { code } else { format!("{code} WITHOUT Retry-After") });
                }
                Ok(reply) => {
                    if !redeems && reply.status.as_u16() == 201 {
                        let code = reply.json().expect("JSON")["code"].clone();
                        self.codes.lock().await.push(code);
                    }
                    break Some(reply.status.as_u16());
                }
                Err(_) => refused.push("connection".to_owned()),
            }
            if begun.elapsed() > PATIENCE {
                break None;
            }
            tokio::time::sleep(PAUSE).await;
        };
        Done { due, took: begun.elapsed(), redeems, refused, status }
    }
}

/// How many requests of each second were served in time.
pub(crate) fn goodput(done: &[Done]) -> BTreeMap<u64, (u64, u64)> {
    let mut seconds: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for one in done {
        let (served, all) = seconds.entry(one.due.as_secs()).or_default();
        *all += 1;
        *served += u64::from(one.status == Some(201) && one.took <= SERVED_WITHIN);
    }
    seconds
}

/// From when on, after a time, three seconds in a row had 95 % of their requests served; in seconds after it.
pub(crate) fn recovery(done: &[Done], from: Duration) -> Option<u64> {
    let seconds = goodput(done);
    let good = |second: u64| {
        let (served, all) = seconds.get(&second).copied().unwrap_or_default();
        all > 0 && served * 100 >= all * 95
    };
    let first = from.as_secs();
    let last = seconds.keys().last().copied().unwrap_or_default();
    (first..last.saturating_sub(2)).find(|second| (*second..second + 3).all(good)).map(|second| second - first)
}
