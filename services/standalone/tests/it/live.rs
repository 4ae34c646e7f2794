//! The live board and the stream of what happens, against what was done.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use http_api::signature::{SignedParts, authorization};
use http_api::time::system_clock_ms;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::risk::{analyst, key};
use crate::support::{Caller, Server, claim, code, merchant, redemption, runtime, stock};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open stream of server-sent events.
struct Stream {
    connection: TcpStream,
    raw: Vec<u8>,
    text: String,
    events: VecDeque<(String, Value)>,
    ended: bool,
}

impl Stream {
    /// Asks for it; the status and the stream behind its head.
    async fn open(caller: &Caller, address: &str, path: &str) -> (u16, Self) {
        let host = address.strip_prefix("http://").expect("an address");
        let mut connection = TcpStream::connect(host).await.expect("a connection");
        let (timestamp, nonce) = ((system_clock_ms() / 1_000).to_string(), format!("{:032x}", rand::random::<u128>()));
        let parts = SignedParts {
            method: "GET",
            path_and_query: path,
            timestamp: &timestamp,
            nonce: &nonce,
            idempotency_key: "",
            body: b"",
        };
        let signed = authorization(&caller.credentials.key_id, &caller.credentials.secret, &parts);
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: {signed}\r\n\r\n");
        connection.write_all(request.as_bytes()).await.expect("written");
        let mut stream =
            Self { connection, raw: Vec::new(), text: String::new(), events: VecDeque::new(), ended: false };
        let head = loop {
            if let Some(end) = stream.raw.windows(4).position(|four| four == b"\r\n\r\n") {
                break String::from_utf8(stream.raw.drain(..end + 4).collect()).expect("a head");
            }
            assert!(stream.read().await, "the connection ended before its head");
        };
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, stream)
    }

    async fn read(&mut self) -> bool {
        let mut piece = vec![0; 16_384];
        let read = tokio::time::timeout(PATIENCE, self.connection.read(&mut piece)).await.expect("something in time");
        let read = read.unwrap_or(0);
        self.raw.extend_from_slice(&piece[..read]);
        read > 0
    }

    /// Takes whole chunks off, and whole events out of them.
    fn parse(&mut self) {
        while let Some(line) = self.raw.windows(2).position(|two| two == b"\r\n") {
            let size = std::str::from_utf8(&self.raw[..line]).expect("a size");
            let size = usize::from_str_radix(size, 16).expect("a size in hex");
            if self.raw.len() < line + 2 + size + 2 {
                return;
            }
            self.ended |= size == 0;
            let chunk: Vec<u8> = self.raw.drain(..line + 2 + size + 2).collect();
            self.text.push_str(std::str::from_utf8(&chunk[line + 2..line + 2 + size]).expect("whole characters"));
            while let Some(end) = self.text.find("\n\n") {
                let event: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                if let (Some(name), Some(data)) = (field("event: "), field("data: ")) {
                    self.events.push_back((name, serde_json::from_str(&data).expect("JSON")));
                }
            }
        }
    }

    /// The next event; nothing where the stream ended in good order.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            assert!(self.read().await, "the stream broke off");
            self.parse();
        }
    }

    /// The next event with this name of which something holds.
    async fn until(&mut self, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let mut last = Value::Null;
        while Instant::now() < deadline {
            let (is, data) = self.next().await.expect("the stream goes on");
            if is == name && holds(&data) {
                return data;
            }
            last = if is == name { data } else { last };
        }
        panic!("no such {name}; the last one was {last}")
    }
}

async fn refused(caller: &Caller, path: &str, body: Value) -> String {
    let reply = caller.post(path, body).await;
    assert!(reply.status.is_client_error(), "{path}: {}", String::from_utf8_lossy(&reply.body));
    code(&reply)
}

fn with_device(mut body: Value, device: &str, ip: &str) -> Value {
    body["context"] = json!({"device_id": device, "ip": ip});
    body
}

#[test]
fn the_boards_numbers_are_what_was_done_and_a_merchant_sees_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (tea, caller) = merchant(&server.address, folder.path()).await;
        let (_, other) = merchant(&server.address, folder.path()).await;
        let (own, others) = (stock(&caller, json!({})).await, stock(&other, json!({})).await);
        claim(&other, &others, "somebody").await;
        let mut codes = Vec::new();
        for n in 0..5 {
            let body = json!({"stock_id": own, "user_id": format!("u{n}")});
            codes.push(caller.ok("/v1/claims", with_device(body, "d-1", "203.0.113.9")).await["code"].clone());
        }
        for (n, code) in codes.iter().take(3).enumerate() {
            caller.ok("/v1/redemptions", with_device(redemption(code, &format!("o{n}")), "d-1", "203.0.113.9")).await;
        }
        for n in 0..2 {
            let again = refused(&caller, "/v1/redemptions", redemption(&codes[0], &format!("again{n}"))).await;
            assert_eq!(again, "already_redeemed");
        }
        let blocked = json!({"stock_id": own, "user_id": "u9", "context": {"device_id": "test_block"}});
        assert_eq!(refused(&caller, "/v1/claims", blocked).await, "risk_blocked");
        let lock = json!({"ttl_seconds": 600, "coupons": [{"code": codes[3]}], "order": {"id": "l", "amount": 2000, "currency": "CNY"}});
        caller.ok("/v1/locks", lock).await;

        let analyst = analyst(&server, folder.path()).await;
        let (status, mut stream) = Stream::open(&analyst, &server.address, "/v1/risk/stream").await;
        assert_eq!(status, 200);
        let (first, hello) = stream.next().await.expect("a first event");
        assert_eq!((first.as_str(), hello["release"].is_string()), ("hello", true), "{hello}");
        let whole = |board: &Value| board["totals"]["refusals"] == 3 && board["totals"]["locks"] == 1;
        let board = stream.until("board", whole).await;
        assert_eq!(
            board["totals"],
            json!({"redemptions": 3, "claims": 6, "locks": 1, "refusals": 3, "blocks": 1, "reviews": 0, "challenges": 0})
        );
        assert_eq!(
            board["refusals"].as_array().expect("a list").iter().map(|it| (&it["code"], &it["last_hour"])).collect::<Vec<_>>(),
            [(&json!("already_redeemed"), &json!(2)), (&json!("risk_blocked"), &json!(1))]
        );
        assert_eq!(board["started_at"], hello["started_at"]);
        for series in ["redemptions", "claims", "refusals", "blocks", "p99_ms"] {
            assert_eq!(board["series"][series].as_array().map(Vec::len), Some(300), "{series}");
        }
        let device = &board["top"]["devices"][0];
        assert_eq!((&device["value"], &device["now"], &device["before"]), (&json!("d-1"), &json!(8), &json!(0)), "{device}");
        assert_eq!(board["top"]["ips"][0]["value"], "203.0.113.9");
        let held = board["stocks"].as_array().expect("a list").iter().find(|row| row["stock_id"] == json!(own));
        let held = held.expect("the busiest stock is there");
        let conservation = caller.get(&format!("/v1/stocks/{own}/conservation")).await;
        for field in ["total", "available", "claimed", "locked", "redeemed", "voided", "expired"] {
            assert_eq!(held[field], conservation[field], "{field}");
        }
        assert_eq!((&held["balanced"], &held["type"]), (&json!(true), &json!("cash")));
        assert_eq!((&board["log"]["lag_records"], &board["risk"]["state"]), (&json!(0), &json!("ok")), "{}", board["log"]);
        assert_eq!(board["health"][0]["state"], "ok");
        let id = tea["id"].as_str().expect("an id");
        let breaker = analyst.get(&format!("/v1/risk/breakers?merchant_id={id}")).await["data"][0].clone();
        let merchants = board["merchants"].as_array().expect("a list");
        let line = merchants.iter().find(|row| row["merchant_id"] == tea["id"]).expect("it has attempts");
        assert_eq!((&line["attempts_today"], &line["limit_share"]), (&breaker["attempts"], &json!(0.05)));

        let mine = caller.get("/v1/risk/board").await;
        assert_eq!((&mine["totals"]["claims"], &mine["totals"]["refusals"]), (&json!(5), &json!(3)));
        assert!(mine["stocks"].as_array().expect("a list").iter().all(|row| row["merchant_id"] == tea["id"]), "{mine}");
        let theirs = other.get("/v1/risk/board").await;
        assert_eq!((&theirs["totals"]["claims"], &theirs["totals"]["refusals"]), (&json!(1), &json!(0)));
        assert_eq!((&theirs["refusals"], &theirs["top"]["devices"]), (&json!([]), &json!([])));
        let foreign = other.send("GET", &format!("/v1/risk/board?merchant_id={id}"), None, None).await;
        assert_eq!(code(&foreign), "merchant_not_found");
        let operator = Caller::platform(&server.address, folder.path());
        let operator = operator.ok(&format!("/v1/merchants/{id}/keys"), json!({"role": "operator"})).await;
        let key = |field: &str| operator[field].as_str().expect("a text").to_owned();
        let operator = Caller::new(&server.address, &key("key_id"), &key("secret"));
        let forbidden = operator.send("GET", "/v1/risk/board", None, None).await;
        assert_eq!(code(&forbidden), "role_forbidden");
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn the_stream_tells_decisions_as_they_are_made_to_those_who_want_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (tea, caller) = merchant(&server.address, folder.path()).await;
        let (_, other) = merchant(&server.address, folder.path()).await;
        let (own, others) = (stock(&caller, json!({})).await, stock(&other, json!({})).await);
        let analyst = analyst(&server, folder.path()).await;
        let open = async |caller: &Caller, path: &str| Stream::open(caller, &server.address, path).await.1;
        let mut all = open(&analyst, "/v1/risk/stream").await;
        let mut blocks = open(&analyst, "/v1/risk/stream?action=block").await;
        let mut device = open(&analyst, "/v1/risk/stream?subject=device:d-2").await;
        let mut mine = open(&other, "/v1/risk/stream").await;
        for device in ["d-1", "d-2", "test_block"] {
            let body = json!({"stock_id": own, "user_id": device, "context": {"device_id": device}});
            caller.post("/v1/claims", body).await;
        }
        claim(&other, &others, "theirs").await;
        let some = |batch: &Value| batch["decisions"].as_array().is_some_and(|decisions| !decisions.is_empty());
        let mut seen = Vec::new();
        while seen.len() < 4 {
            let batch = all.until("decisions", some).await;
            assert_eq!(batch["left_out"], 0);
            seen.extend(batch["decisions"].as_array().expect("a list").clone());
        }
        let listed = analyst.get("/v1/risk/decisions").await;
        let ids =
            |rows: &[Value]| rows.iter().map(|row| row["id"].to_string()).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(ids(&seen), ids(listed["data"].as_array().expect("a list")));
        assert_eq!(
            (&seen[0]["subject"]["device_id"], &seen[0]["merchant_id"]),
            (&json!("d-1"), &tea["id"]),
            "in clear"
        );
        let batch = blocks.until("decisions", some).await;
        assert_eq!(
            (&batch["decisions"][0]["action"], batch["decisions"].as_array().map(Vec::len)),
            (&json!("block"), Some(1))
        );
        let batch = device.until("decisions", some).await;
        assert_eq!(batch["decisions"][0]["subject"]["device_id"], "d-2");
        let batch = mine.until("decisions", some).await;
        let of: Vec<_> =
            batch["decisions"].as_array().expect("a list").iter().map(|it| &it["subject"]["user_id"]).collect();
        assert_eq!(of, [&json!("theirs")], "only its own");
        let opened = json!({"decision_ids": [seen[0]["id"]]});
        let case = analyst.ok("/v1/risk/cases", opened).await;
        let changed = all.until("cases", |cases| cases["changed"] == json!([case["id"]])).await;
        assert_eq!(changed["open"], 1);
        let board = all.until("board", |board| board["cases"]["open"] == 1).await;
        assert_eq!(board["cases"], json!({"open": 1, "claimed": 0, "overdue": 0}));
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_stream_ends_with_its_key_and_with_the_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    let runtime = runtime();
    let mut lasting = runtime.block_on(async {
        let platform = Caller::platform(&server.address, folder.path());
        let ends = key(&server, folder.path(), "analyst").await;
        let (_, mut ending) = Stream::open(&ends, &server.address, "/v1/risk/stream").await;
        ending.until("hello", |_| true).await;
        let path = format!("/v1/keys/{}", ends.credentials.key_id);
        let reply = platform.send("DELETE", &path, Some(&Caller::key()), None).await;
        assert!(reply.status.is_success(), "{}", String::from_utf8_lossy(&reply.body));
        while ending.next().await.is_some() {}
        let analyst = analyst(&server, folder.path()).await;
        let (_, mut lasting) = Stream::open(&analyst, &server.address, "/v1/risk/stream").await;
        lasting.until("board", |_| true).await;
        lasting
    });
    let begun = Instant::now();
    let stopped = std::thread::spawn(move || server.terminate());
    runtime.block_on(async { while lasting.next().await.is_some() {} });
    assert_eq!(stopped.join().expect("no panic"), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(5), "it held the end up: {:?}", begun.elapsed());
}

#[test]
fn so_many_may_watch_and_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let analyst = analyst(&server, folder.path()).await;
        let mut open = Vec::new();
        for _ in 0..200 {
            let (status, stream) = Stream::open(&analyst, &server.address, "/v1/risk/stream").await;
            assert_eq!(status, 200);
            open.push(stream);
        }
        assert_eq!(Stream::open(&analyst, &server.address, "/v1/risk/stream").await.0, 503);
        open[199].until("board", |board| board["at"].is_string()).await;
        drop(open);
        let deadline = Instant::now() + PATIENCE;
        // A connection that was closed is noticed when the next piece is written to it.
        while Stream::open(&analyst, &server.address, "/v1/risk/stream").await.0 == 503 {
            assert!(Instant::now() < deadline, "places are never given back");
        }
    });
    assert_eq!(server.terminate(), Some(0));
}
