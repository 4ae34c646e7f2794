//! Those who watch, and the one task that tells all of them: each board and each batch is made once and goes to
//! everybody who asked for the same. Who is slow loses batches and holds nobody up.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use coupon::id::MerchantId;
use http_api::call::Call;
use http_api::problem::Problem;
use http_api::time::{format_ms, system_clock_ms};
use http_api::traffic::traffic;
use inline_risk::live::Watching;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::batch::{self, Wanted};
use super::board::{Making, sampled};
use super::sampler::Samples;
use crate::api::RiskApi;
use crate::api::books::Books;

/// As many may watch one instance.
pub(super) const MOST_SUBSCRIBERS: usize = 200;
/// Pieces that may wait for a subscriber: some seconds.
const WAITING: usize = 32;
/// How often decisions are told.
const TICK_MS: i64 = 250;
/// A subscriber that has taken nothing for so long is gone, milliseconds.
const STUCK_MS: i64 = 60_000;
/// How often something is said at least, milliseconds.
const HEARTBEAT_MS: i64 = 5_000;

/// What this process is.
pub(super) struct Identity {
    /// Drawn at random when it started.
    pub(super) instance: String,
    /// When it started, milliseconds since 1970.
    pub(super) started_ms: i64,
    /// Its version.
    pub(super) release: &'static str,
}

/// Those who watch.
pub(in crate::api) struct Hub {
    identity: Identity,
    samples: Mutex<Samples>,
    subscribers: Mutex<Vec<Subscriber>>,
    /// Boards of the second.
    boards: Mutex<HashMap<Option<MerchantId>, (i64, Bytes)>>,
}

struct Subscriber {
    call: Call,
    wanted: Arc<Wanted>,
    sender: mpsc::Sender<Bytes>,
    /// Decisions that it lost.
    left_out: u64,
    /// Since when it takes nothing, milliseconds since 1970.
    stuck_since: Option<i64>,
    _watching: Watching,
}

impl Subscriber {
    /// Hands over a piece; false where there is no room.
    fn tell(&mut self, piece: Bytes, now_ms: i64) -> bool {
        let told = self.sender.try_send(piece).is_ok();
        self.stuck_since = if told { None } else { self.stuck_since.or(Some(now_ms)) };
        told
    }

    fn stays(&self, now_ms: i64) -> bool {
        let stuck = self.stuck_since.is_some_and(|since| now_ms - since > STUCK_MS);
        !stuck && !self.sender.is_closed() && self.call.is_still_admitted()
    }
}

impl Hub {
    /// Starts the task that tells them, which ends with the hub. Needs a runtime.
    pub(in crate::api) fn start(make: impl FnOnce(Arc<Self>) -> RiskApi) -> RiskApi {
        let identity = Identity {
            instance: format!("{:016x}", rand::random::<u64>()),
            started_ms: system_clock_ms(),
            release: env!("CARGO_PKG_VERSION"),
        };
        let hub = Arc::new(Self {
            identity,
            samples: Mutex::default(),
            subscribers: Mutex::default(),
            boards: Mutex::default(),
        });
        let state = make(hub.clone());
        tokio::spawn(run(Arc::downgrade(&hub), state.parts()));
        state
    }

    /// The board, made at most once a second.
    pub(super) async fn board(&self, state: &RiskApi, scope: Option<MerchantId>) -> Result<Bytes, Problem> {
        let now_ms = system_clock_ms();
        let second = now_ms.div_euclid(1_000);
        if let Some((_, board)) = self.boards.lock().get(&scope).filter(|(made, _)| *made == second) {
            return Ok(board.clone());
        }
        let making = Making { state, identity: &self.identity, scope, now_ms };
        let board = making.board(|| sampled(&self.samples.lock(), scope, now_ms)).await?;
        let board = Bytes::from(serde_json::to_vec(&board).map_err(Problem::internal)?);
        let mut boards = self.boards.lock();
        boards.retain(|_, (made, _)| *made == second);
        boards.insert(scope, (second, board.clone()));
        Ok(board)
    }

    /// Adds a subscriber, where there is room for one more.
    pub(super) fn subscribe(&self, state: &RiskApi, call: Call, wanted: Wanted) -> Option<mpsc::Receiver<Bytes>> {
        let mut subscribers = self.subscribers.lock();
        subscribers.retain(|one| !one.sender.is_closed());
        if subscribers.len() >= MOST_SUBSCRIBERS {
            return None;
        }
        let (sender, receiver) = mpsc::channel(WAITING);
        let Identity { instance, started_ms, release } = &self.identity;
        let hello = json!({"instance": instance, "started_at": format_ms(*started_ms), "release": release});
        let hello = [b"retry: 1000\n", &event("hello", &hello)[..]].concat();
        let (wanted, watching) = (Arc::new(wanted), Watching::new(state.scorer.inline.clone()));
        let mut one = Subscriber { call, wanted, sender, left_out: 0, stuck_since: None, _watching: watching };
        one.tell(hello.into(), 0);
        subscribers.push(one);
        Some(receiver)
    }

    async fn tick(&self, state: &RiskApi, books: &mut Books, now_ms: i64, whole_second: bool) {
        if whole_second {
            self.samples.lock().look(traffic(), now_ms.div_euclid(1_000));
            self.subscribers.lock().retain(|one| one.stays(now_ms));
        }
        self.subscribers.lock().retain(|one| !one.sender.is_closed());
        let (fresh, left_out) = state.scorer.inline.live().take_fresh();
        let changed = state.scorer.inline.live().take_changed_cases();
        let wanted: Vec<Arc<Wanted>> = self.subscribers.lock().iter().map(|one| one.wanted.clone()).collect();
        if wanted.is_empty() {
            return;
        }
        if !fresh.is_empty() || left_out > 0 {
            let mut batches = BTreeMap::new();
            for wanted in &wanted {
                if let Entry::Vacant(place) = batches.entry(wanted.key()) {
                    let (chosen, more) = wanted.choose(&fresh);
                    let shown = batch::shown(state, books, chosen).await;
                    place.insert((shown.len() as u64, head(&shown), left_out + more));
                }
            }
            self.tell_decisions(&batches, now_ms);
        }
        self.tell_cases(state, &changed, now_ms);
        if whole_second {
            self.tell_boards(state, now_ms).await;
        }
        if now_ms.div_euclid(TICK_MS) % (HEARTBEAT_MS / TICK_MS) == 0 {
            let beat = Bytes::from_static(b":\n\n");
            for one in self.subscribers.lock().iter_mut() {
                one.tell(beat.clone(), now_ms);
            }
        }
    }

    fn tell_decisions(&self, batches: &BTreeMap<batch::Key, (u64, Vec<u8>, u64)>, now_ms: i64) {
        let mut made: BTreeMap<(batch::Key, u64), Bytes> = BTreeMap::new();
        for one in self.subscribers.lock().iter_mut() {
            let key = one.wanted.key();
            let Some((count, head, more)) = batches.get(&key).filter(|(count, _, more)| count + more > 0) else {
                continue;
            };
            let left_out = more + one.left_out;
            let piece = made
                .entry((key, left_out))
                .or_insert_with(|| [&head[..], format!("{left_out}}}\n\n").as_bytes()].concat().into())
                .clone();
            // What it lost is told with the next batch.
            one.left_out = if one.tell(piece, now_ms) { 0 } else { left_out + count };
        }
    }

    fn tell_cases(&self, state: &RiskApi, changed: &[(MerchantId, u64)], now_ms: i64) {
        if changed.is_empty() {
            return;
        }
        let live = state.scorer.inline.live();
        for one in self.subscribers.lock().iter_mut() {
            let scope = one.wanted.merchant;
            let own = changed.iter().filter(|(merchant, _)| scope.is_none_or(|scope| scope == *merchant));
            let own: Vec<String> =
                own.map(|(merchant, number)| coupon::id::CaseId::new(*merchant, *number).to_string()).collect();
            if !own.is_empty() {
                let cases = json!({"open": live.cases_now(scope, now_ms).open, "changed": own});
                one.tell(event("cases", &cases), now_ms);
            }
        }
    }

    async fn tell_boards(&self, state: &RiskApi, now_ms: i64) {
        let scopes: Vec<_> = self.subscribers.lock().iter().map(|one| one.wanted.merchant).collect();
        let mut made = HashMap::new();
        for scope in scopes {
            if let std::collections::hash_map::Entry::Vacant(vacant) = made.entry(scope)
                && let Ok(board) = self.board(state, scope).await
            {
                vacant.insert(Bytes::from([b"event: board\ndata: ", &board[..], b"\n\n"].concat()));
            }
        }
        for one in self.subscribers.lock().iter_mut() {
            if let Some(board) = made.get(&one.wanted.merchant) {
                one.tell(board.clone(), now_ms);
            }
        }
    }
}

/// Tells everybody, four times a second by the wall clock, as long as the hub is there.
async fn run(hub: Weak<Hub>, parts: impl Fn(Arc<Hub>) -> RiskApi + Send + Sync) {
    let mut books = Books::default();
    let mut second = 0;
    loop {
        let ahead = TICK_MS - system_clock_ms().rem_euclid(TICK_MS);
        tokio::time::sleep(Duration::from_millis(ahead.unsigned_abs())).await;
        let Some(hub) = hub.upgrade() else { return };
        let now_ms = system_clock_ms();
        let whole_second = now_ms.div_euclid(1_000) != second;
        second = now_ms.div_euclid(1_000);
        if whole_second {
            books.keep_few();
        }
        hub.tick(&parts(hub.clone()), &mut books, now_ms, whole_second).await;
    }
}

fn event(name: &str, data: &Value) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}

/// A batch up to the number of those that were left out, which differs.
fn head(shown: &[Value]) -> Vec<u8> {
    format!("event: decisions\ndata: {{\"decisions\":{},\"left_out\":", Value::from(shown)).into_bytes()
}
