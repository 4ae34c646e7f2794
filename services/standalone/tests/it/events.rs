//! Queries over what happened, against what was done; and what analysts read of merchants.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::risk::analyst;
use crate::support::{Caller, Server, code, merchant, redemption, runtime, stock};

/// As a value of a query's parameter.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        // Writing to memory cannot fail.
        let _ = write!(out, "%{byte:02X}");
        out
    })
}

/// How many events a query finds.
async fn count(analyst: &Caller, query: &str) -> usize {
    let found = analyst.get(&format!("/v1/risk/events?limit=200&query={}", encoded(query))).await;
    assert_eq!((&found["complete"], &found["next_cursor"]), (&json!(true), &Value::Null), "{query}: {found}");
    found["data"].as_array().expect("a list").len()
}

/// The same once it is so many: attempts without a record come by a way of their own.
async fn until(analyst: &Caller, query: &str, wanted: usize) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while count(analyst, query).await != wanted {
        assert!(Instant::now() < deadline, "{query} is never {wanted}");
    }
}

/// What was done at a merchant: claims that were let through and limited, and a redemption.
async fn shopping(caller: &Caller, stock: &str) -> (usize, usize) {
    let (mut claimed, mut limited, mut code) = (0, 0, Value::Null);
    for n in 0..6 {
        let context = json!({"device_id": "hot", "ip": "203.0.113.9"});
        let body = json!({"stock_id": stock, "user_id": format!("u{n}"), "context": context});
        let reply = caller.post("/v1/claims", body).await;
        match reply.status.as_u16() {
            201 => (claimed, code) = (claimed + 1, reply.json().expect("JSON")["code"].clone()),
            429 => limited += 1,
            other => panic!("{other}"),
        }
    }
    let body =
        json!({"stock_id": stock, "user_id": "u9", "context": {"device_id": "test_block", "ip": "198.51.100.7"}});
    assert_eq!(caller.post("/v1/claims", body).await.status, 403);
    let body = json!({"stock_id": stock, "user_id": "u9", "context": {"device_id": "test_review"}});
    caller.ok("/v1/claims", body).await;
    caller.ok("/v1/redemptions", redemption(&code, "o1")).await;
    (claimed, limited)
}

#[test]
fn a_query_finds_what_was_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = [("COUNTERFOIL__LIMITS__DEVICE_BURST", "3"), ("COUNTERFOIL__LIMITS__DEVICE_PER_SECOND", "1")];
    let server = Server::start(folder.path(), &limits);
    runtime().block_on(async {
        let (tea, caller) = merchant(&server.address, folder.path()).await;
        let id = tea["id"].as_str().expect("an id");
        let stock = stock(&caller, json!({})).await;
        let (claimed, limited) = shopping(&caller, &stock).await;
        assert!(claimed >= 3 && limited > 0, "{claimed} {limited}");
        let analyst = analyst(&server, folder.path()).await;
        until(&analyst, "code:limited", limited).await;
        let all = claimed + limited + 3;
        for (query, wanted) in [
            ("", all),
            ("kind:claim", claimed + 2),
            ("kind:refusal", limited + 1),
            ("kind:claim -kind:refusal", claimed + 1),
            ("kind:redemption", 1),
            ("action:(block,review)", 2),
            ("action:block code:risk_blocked", 1),
            ("device:hot", claimed + limited),
            ("not device:hot", 3),
            ("device:hot or action:block", claimed + limited + 1),
            ("ip:203.0.113.9", claimed + limited),
            ("ip:203.0.113.8/30", claimed + limited),
            // Attempts without a record do not know their network.
            ("ip:203.0.0.0/16 kind:claim", claimed),
            ("ip:(203.0.113.0/24,198.51.100.7) kind:claim", claimed + 1),
            ("user:u9", 2),
            ("amount>=2000", 1),
            ("amount<2000", 0),
            ("score>1000", 0),
            ("degraded:yes", 0),
            (&format!("stock:{stock}"), claimed + 2),
            (&format!("merchant:{id} kind:claim"), claimed + 2),
            ("label:none kind:redemption", 1),
            ("rule:nothing_of_the_kind", 0),
        ] {
            assert_eq!(count(&analyst, query).await, wanted, "{query}");
        }
        labelled(&analyst).await;
        paged(&analyst, all).await;
        charted(&analyst, (claimed, limited)).await;
    });
    assert_eq!(server.terminate(), Some(0));
}

/// A label is found once it stands.
async fn labelled(analyst: &Caller) {
    let redeemed = analyst.get(&format!("/v1/risk/events?query={}", encoded("kind:redemption"))).await;
    let row = &redeemed["data"][0];
    assert_eq!(
        (&row["kind"], &row["event"], &row["label"]),
        (&json!("redemption"), &json!("redemption"), &Value::Null)
    );
    let label = json!({"decision_id": row["id"], "label": "fraud", "source": "analyst", "reason": "seen"});
    analyst.ok("/v1/risk/labels", label).await;
    assert_eq!(count(analyst, "label:fraud").await, 1);
    assert_eq!(count(analyst, "label:none kind:redemption").await, 0);
}

/// Page after page is the same as all at once.
async fn paged(analyst: &Caller, all: usize) {
    let whole = analyst.get("/v1/risk/events?limit=200").await["data"].clone();
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = analyst.get(&format!("/v1/risk/events?limit=2{cursor}")).await;
        rows.extend(page["data"].as_array().expect("a list").clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!((rows.len(), json!(rows)), (all, whole.clone()));
    let blocked = whole.as_array().expect("a list").iter().find(|row| row["code"] == "risk_blocked");
    assert_eq!(blocked.map(|row| &row["kind"]), Some(&json!("refusal")));
    let clear = whole.as_array().expect("a list").iter().find(|row| row["subject"]["device_id"] == "hot");
    assert!(clear.is_some(), "what a record has is shown in clear");
}

async fn charted(analyst: &Caller, (claimed, limited): (usize, usize)) {
    let series = analyst.get("/v1/risk/events/series?step_seconds=60&by=kind").await;
    let sum = |name: &str| {
        let series = series["series"].as_array().expect("a list");
        let one = series.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no {name}"));
        one["counts"].as_array().expect("counts").iter().filter_map(Value::as_u64).sum::<u64>() as usize
    };
    assert_eq!((sum("claim"), sum("refusal"), sum("redemption")), (claimed + 1, limited + 1, 1));
    assert_eq!(series["complete"], true);
    let all = analyst.get("/v1/risk/events/series?query=kind:claim").await;
    assert_eq!((&all["series"][0]["name"], &all["step_seconds"]), (&json!("events"), &json!(60)));
    let top = analyst.get("/v1/risk/events/top?field=device&limit=3").await;
    let first = &top["data"][0];
    assert_eq!(
        (&first["value"], &first["count"], &first["before"], &first["change"]),
        (&json!("hot"), &json!(claimed + limited), &json!(0), &Value::Null)
    );
    let top = analyst.get("/v1/risk/events/top?field=action").await;
    assert_eq!((&top["field"], &top["data"][0]["value"]), (&json!("action"), &json!("allow")));
}

#[test]
fn what_is_wrong_with_a_query_is_told_with_its_column() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let analyst = analyst(&server, folder.path()).await;
        for (path, query) in [("events", "kind:claim devise:x"), ("events/series", "kind:claim stock:nine")] {
            let path = format!("/v1/risk/{path}?query={}", encoded(query));
            let reply = analyst.send("GET", &path, None, None).await;
            assert_eq!((reply.status.as_u16(), code(&reply).as_str()), (422, "query_invalid"));
            let problem = reply.json().expect("JSON");
            let first = &problem["problems"][0];
            let column = if query.contains("devise") { 12 } else { 18 };
            assert_eq!(first["column"], column, "{problem}");
            assert!(first["message"].is_string() && first["hint"].is_string(), "{problem}");
        }
        for (path, told) in [
            ("events/series?step_seconds=1&from=2026-01-01T00:00:00Z", "invalid_field"),
            ("events/series?by=score", "invalid_field"),
            ("events/top?field=nothing", "invalid_field"),
            ("events/top?field=device&limit=1000", "invalid_field"),
            ("events/series?from=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "invalid_field"),
        ] {
            let reply = analyst.send("GET", &format!("/v1/risk/{path}"), None, None).await;
            assert_eq!(code(&reply), told, "{path}");
        }
        let fields = analyst.get("/v1/risk/events/fields").await;
        let names: Vec<_> = fields["fields"].as_array().expect("a list").iter().map(|field| &field["name"]).collect();
        assert!(names.contains(&&json!("device")) && names.contains(&&json!("degraded")), "{names:?}");
        let (_, admin) = merchant(&server.address, folder.path()).await;
        let reply = admin.send("GET", "/v1/risk/events", None, None).await;
        assert_eq!(code(&reply), "role_forbidden");
    });
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn analysts_read_what_merchants_have() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &[]);
    runtime().block_on(async {
        let (tea, caller) = merchant(&server.address, folder.path()).await;
        let stock = stock(&caller, json!({})).await;
        let analyst = analyst(&server, folder.path()).await;
        let id = tea["id"].as_str().expect("an id");
        let merchants = analyst.get("/v1/merchants").await;
        assert_eq!(merchants["data"][0]["id"], tea["id"]);
        let read = analyst.get(&format!("/v1/merchants/{id}")).await;
        assert_eq!(read["id"], tea["id"]);
        for list in ["stocks", "stores", "operations", "load-tests", "redemptions"] {
            let own = caller.get(&format!("/v1/{list}")).await;
            assert_eq!(analyst.get(&format!("/v1/{list}?merchant_id={id}")).await, own, "{list}");
            let unsaid = analyst.send("GET", &format!("/v1/{list}"), None, None).await;
            assert_eq!(code(&unsaid), "missing_field", "{list}");
            let other = caller.send("GET", &format!("/v1/{list}?merchant_id=mer_00000000"), None, None).await;
            assert_eq!(code(&other), "merchant_not_found", "{list}");
        }
        analyst.get(&format!("/v1/stocks/{stock}/conservation")).await;
        analyst.get(&format!("/v1/stocks/{stock}/code-batches")).await;
        let changing = analyst.post(&format!("/v1/stocks/{stock}/pause"), json!({})).await;
        assert_eq!(code(&changing), "role_forbidden");
    });
    assert_eq!(server.terminate(), Some(0));
}
