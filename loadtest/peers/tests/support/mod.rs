//! A peer on a free port, and what tests ask of it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use http_api::axum::http::Request;
use http_api::client::{Client, ClientError, Credentials, Reply};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A running peer; killed when dropped.
pub(crate) struct Peer {
    pub(crate) credentials: Credentials,
    client: Client,
    child: Mutex<Child>,
    codes: Vec<String>,
    /// Where it keeps what is temporary.
    temporary: TempDir,
    _out: TempDir,
}

impl Peer {
    /// Starts it and waits until it serves.
    pub(crate) fn start(name: &str, further: &[&str]) -> Self {
        let (out, temporary) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        // A database that runs as another user must get through to its own folder.
        std::fs::set_permissions(temporary.path(), PermissionsExt::from_mode(0o711)).expect("its own folder");
        let mut child = Command::new(env!("CARGO_BIN_EXE_peers"))
            .args([name, "--end-with-stdin", "--codes", "1000", "--out"])
            .arg(out.path())
            .args(further)
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("no address: {line:?}"));
        let key = std::fs::read(out.path().join("key.json")).expect("a key");
        let key: Value = serde_json::from_slice(&key).expect("json");
        let text = |name: &str| key[name].as_str().expect("text");
        let codes = std::fs::read_to_string(out.path().join("codes.txt")).expect("codes");
        Self {
            credentials: Credentials::new(text("key_id"), text("secret")),
            client: Client::new(url).expect("an address"),
            child: Mutex::new(child),
            codes: codes.lines().map(str::to_owned).collect(),
            temporary,
            _out: out,
        }
    }

    /// The n-th code, beginning anew after the last.
    pub(crate) fn code(&self, n: usize) -> &str {
        &self.codes[n % self.codes.len()]
    }

    /// Redeems.
    pub(crate) async fn redeem(&self, key: &str, request: &Value) -> Reply {
        self.try_redeem(key, request).await.expect("an answer")
    }

    /// Redeems, unless the peer is gone.
    pub(crate) async fn try_redeem(&self, key: &str, request: &Value) -> Result<Reply, ClientError> {
        self.client.signed(&self.credentials, "POST", "/v1/redemptions", Some(key), Some(request)).await
    }

    /// Sends a redemption with any signature, or with none.
    pub(crate) async fn send(&self, authorization: &str, key: &str, body: String) -> Reply {
        let mut request = Request::post("/v1/redemptions").header("idempotency-key", key);
        if !authorization.is_empty() {
            request = request.header("authorization", authorization);
        }
        let request = request.header("content-type", "application/json").body(body.into());
        self.client.send(request.expect("a request")).await.expect("an answer")
    }

    /// What it adds up to.
    pub(crate) async fn audit(&self) -> Value {
        self.client.get("/audit").await.expect("an answer").json().expect("json")
    }

    /// SIGKILL.
    pub(crate) fn kill(&self) {
        let mut child = self.child.lock().expect("not poisoned");
        child.kill().expect("kills");
        child.wait().expect("ends");
    }

    /// SIGTERM; the exit code, and what is left of its temporary files.
    pub(crate) fn terminate(self) -> (Option<i32>, Vec<String>) {
        let mut child = self.child.lock().expect("not poisoned");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
        let code = child.wait().expect("ends").code();
        let left = std::fs::read_dir(self.temporary.path()).expect("a folder").flatten();
        (code, left.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
    }
}

impl Drop for Peer {
    /// By the end of its input, so that its database has ended before its folder goes.
    fn drop(&mut self) {
        if let Ok(child) = self.child.get_mut() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

/// A redemption of one coupon as the generator of load sends it; each order and device is another one.
pub(crate) fn body(code: &str, n: usize) -> Value {
    json!({
        "coupons": [{"code": code}],
        "order": {"id": format!("order-{n}"), "amount": 12_800, "currency": "CNY"},
        "context": {"device_id": format!("device-{n}")},
    })
}

/// What the durable ceiling has written: bodies by their keys.
pub(crate) fn frames(mut bytes: &[u8]) -> HashMap<String, String> {
    let mut frames = HashMap::new();
    while let Some((lengths, rest)) = bytes.split_at_checked(8) {
        let length = |at: usize| u32::from_le_bytes(lengths[at..at + 4].try_into().expect("four bytes")) as usize;
        let (key, body) = (length(0), length(4));
        // What comes after the end is what was filled ahead, or a batch that was cut off.
        if key == 0 || key + body > rest.len() {
            break;
        }
        let text = |part: &[u8]| String::from_utf8(part.to_vec()).expect("text");
        frames.insert(text(&rest[..key]), text(&rest[key..key + body]));
        bytes = &rest[key + body..];
    }
    frames
}
