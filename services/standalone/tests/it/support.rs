//! The real binary on a free port, and what tests ask of it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use coupon::fold::{At, Outcome};
use coupon::record::Entry;
use event_log::{EventLog, Topic};
use event_log_sqlite::SqliteLog;
use http_api::client::{Client, Credentials, Reply};
use projection::codec::{Decoded, decode};
use projection::ledger::Ledger;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde_json::{Value, json};

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    pub(crate) log_lines: Arc<std::sync::Mutex<String>>,
}

impl Server {
    /// Starts on a data directory and waits until it serves.
    pub(crate) fn start(data_dir: &Path, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_counterfoil"));
        command.args(["serve", "--end-with-stdin", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir);
        command.envs(environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let log_lines = Arc::new(std::sync::Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let sink = log_lines.clone();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut all = sink.lock().expect("not poisoned");
                all.push_str(&line);
                all.push('\n');
            }
        });
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        let Some(address) = line.trim().strip_prefix("listening on ") else {
            panic!("expected an address, read {line:?}; {}", log_lines.lock().expect("not poisoned"))
        };
        Self { child, address: address.to_owned(), log_lines }
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().expect("kills");
        self.child.wait().expect("ends");
    }

    /// SIGTERM; the exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
        self.child.wait().expect("ends").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A tool of the binary over a data directory.
pub(crate) fn tool(data_dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_counterfoil"))
        .args(arguments)
        .arg("--data-dir")
        .arg(data_dir)
        .output()
        .expect("the binary runs")
}

/// A merchant's caller.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) client: Arc<Client>,
    pub(crate) credentials: Credentials,
}

impl Caller {
    pub(crate) fn new(address: &str, key_id: &str, secret: &str) -> Self {
        let client = Arc::new(Client::new(address).expect("an address"));
        Self { client, credentials: Credentials::new(key_id, secret) }
    }

    /// The platform's first key.
    pub(crate) fn platform(address: &str, data_dir: &Path) -> Self {
        let text = std::fs::read_to_string(data_dir.join("platform-key.json")).expect("a platform key");
        let key: Value = serde_json::from_str(&text).expect("JSON");
        Self::new(address, key["key_id"].as_str().expect("an id"), key["secret"].as_str().expect("a secret"))
    }

    /// The same caller at another server.
    pub(crate) fn at(&self, server: &Server) -> Self {
        Self { client: Arc::new(Client::new(&server.address).expect("an address")), ..self.clone() }
    }

    /// A new idempotency key.
    pub(crate) fn key() -> String {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        format!("key-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) async fn send(&self, method: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> Reply {
        self.client.signed(&self.credentials, method, path, key, body).await.expect("an answer")
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, Some(&Self::key()), Some(&body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let reply = self.send("GET", path, None, None).await;
        assert_eq!(reply.status.as_u16(), 200, "GET {path}: {}", String::from_utf8_lossy(&reply.body));
        reply.json().expect("JSON")
    }

    /// A post that must succeed.
    pub(crate) async fn ok(&self, path: &str, body: Value) -> Value {
        let reply = self.post(path, body).await;
        assert!(reply.status.is_success(), "POST {path}: {}", String::from_utf8_lossy(&reply.body));
        reply.json().expect("JSON")
    }
}

/// A test merchant with generous quotas and an admin key.
pub(crate) async fn merchant(address: &str, data_dir: &Path) -> (Value, Caller) {
    let platform = Caller::platform(address, data_dir);
    let merchant = platform.ok("/v1/merchants", json!({"name": "茶铺 Tea", "mode": "test"})).await;
    let id = merchant["id"].as_str().expect("an id");
    let quotas =
        json!({"create_per_second": 1_000_000, "redeem_per_second": 1_000_000, "import_per_minute": 1_000_000});
    let path = format!("/v1/merchants/{id}/quotas");
    let reply = platform.send("PUT", &path, Some(&Caller::key()), Some(&quotas)).await;
    assert_eq!(reply.status.as_u16(), 200);
    let key = platform.ok(&format!("/v1/merchants/{id}/keys"), json!({"role": "admin"})).await;
    let caller = Caller::new(address, key["key_id"].as_str().expect("id"), key["secret"].as_str().expect("secret"));
    (merchant, caller)
}

/// A cash stock of 5 yuan off, active.
pub(crate) async fn stock(caller: &Caller, changes: Value) -> String {
    let mut body = json!({
        "type": "cash", "name": "五元券", "terms": "5 off", "total": 1000, "code_mode": "generated",
        "value": {"amount_off": {"amount": 500, "currency": "CNY"}, "minimum_spend": {"amount": 1000, "currency": "CNY"}},
        "valid_after_claim": {"days": 30},
    });
    for (field, value) in changes.as_object().expect("an object") {
        body[field] = value.clone();
    }
    let stock = caller.ok("/v1/stocks", body).await;
    let id = stock["id"].as_str().expect("an id").to_owned();
    caller.ok(&format!("/v1/stocks/{id}/activate"), json!({})).await;
    id
}

pub(crate) async fn claim(caller: &Caller, stock: &str, user: &str) -> Value {
    caller.ok("/v1/claims", json!({"stock_id": stock, "user_id": user})).await
}

/// The body of a redemption of one code.
pub(crate) fn redemption(code: &Value, order: &str) -> Value {
    json!({"coupons": [{"code": code}], "order": {"id": order, "amount": 2000, "currency": "CNY"}})
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Folds the whole log of a data directory and shows the ledger after each record.
pub(crate) fn fold_log(data_dir: &Path, mut each: impl FnMut(&Ledger, At, &Entry, Outcome)) {
    let log = SqliteLog::open_read_only(data_dir.join("log.sqlite")).expect("a log");
    let mut ledger = Ledger::new();
    for partition in 0..log.partitions(Topic::Ledger) {
        for stored in log.read(Topic::Ledger, partition, 0, usize::MAX).expect("a sound log") {
            let Ok((header, Decoded::Entry(entry))) = decode(&stored.bytes) else { panic!("a sound record") };
            let shard = coupon::id::Shard(header.shard);
            let (at, outcome) = ledger.fold(shard, Some(&entry), stored.offset, stored.append_time_ms);
            each(&ledger, at, &entry, outcome);
        }
    }
}

/// Numbers from a seed, which is printed; `COUNTERFOIL_SEED` gives it back.
pub(crate) fn seeded() -> SmallRng {
    let given = std::env::var("COUNTERFOIL_SEED").ok().and_then(|text| text.parse().ok());
    let seed: u64 = given.unwrap_or_else(rand::random);
    eprintln!("COUNTERFOIL_SEED={seed}");
    SmallRng::seed_from_u64(seed)
}

/// The code of a problem; nothing for other answers.
pub(crate) fn code(reply: &Reply) -> String {
    reply.code().map(|code| code.to_string()).unwrap_or_default()
}
