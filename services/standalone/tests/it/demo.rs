//! The demonstration: all of it is there at once and once only, and the traffic gives analysts something to do.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{Caller, Server, runtime};
use serde_json::{Value, json};

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}"))
}

fn caller(server: &Server, key: &Value) -> Caller {
    Caller::new(&server.address, text(&key["key_id"]), text(&key["secret"]))
}

fn sample(folder: &Path) -> Value {
    let known = std::fs::read_to_string(folder.join("demo.json")).expect("the stamp");
    serde_json::from_str(&known).expect("JSON")
}

/// How many there are of everything.
async fn counts(server: &Server, folder: &Path) -> BTreeMap<String, usize> {
    let known = sample(folder);
    let lead = caller(server, &known["leads"]["ann"]);
    let platform = Caller::platform(&server.address, folder);
    let mut counts = BTreeMap::new();
    let mut count = async |caller: &Caller, path: &str| {
        let found = caller.get(&format!("{path}?limit=200")).await["data"].as_array().map_or(0, Vec::len);
        *counts.entry(path.to_owned()).or_default() += found;
    };
    count(&platform, "/v1/merchants").await;
    for shop in known["shops"].as_array().expect("shops") {
        let own = caller(server, &shop["key"]);
        for path in ["/v1/stores", "/v1/stocks", "/v1/operations", "/v1/load-tests"] {
            count(&own, path).await;
        }
    }
    for path in ["rulesets", "lists", "penalties", "appeals", "snoozes", "labels"] {
        count(&lead, &format!("/v1/risk/{path}")).await;
    }
    counts
}

#[test]
fn everything_is_there_and_a_second_start_adds_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Server::demo(folder.path(), "off");
    let key = server.printed("test key: ");
    let (first, live) = runtime().block_on(async {
        let lead = caller(&server, &sample(folder.path())["leads"]["ann"]);
        (counts(&server, folder.path()).await, lead.get("/v1/risk/rulesets").await)
    });
    let states = |set: &Value| {
        let versions = set["versions"].as_array().expect("versions").iter();
        versions.map(|version| version["state"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(states(&live["data"][0]), ["draft"], "{live}");
    assert!(states(&live["data"][1]).contains(&json!("live")), "{live}");
    assert!(states(&live["data"][1]).contains(&json!("shadow")), "{live}");
    for (what, at_least) in [("/v1/merchants", 4), ("/v1/stores", 10), ("/v1/stocks", 10), ("/v1/risk/lists", 3)] {
        assert!(first[what] >= at_least, "{first:?}");
    }
    assert_eq!(server.terminate(), Some(0));
    let mut server = Server::demo(folder.path(), "off");
    assert_eq!(server.printed("test key: "), key);
    assert_eq!(runtime().block_on(counts(&server, folder.path())), first);
    assert_eq!(server.terminate(), Some(0));
    // What was interrupted before the stamp was written goes on under the same keys.
    std::fs::remove_file(folder.path().join("demo.json")).expect("removes");
    let mut server = Server::demo(folder.path(), "off");
    assert_eq!(server.printed("test key: "), key);
    assert_eq!(runtime().block_on(counts(&server, folder.path())), first);
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn cases_come_within_ten_seconds_and_are_not_of_shoppers() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Server::demo(folder.path(), "gentle");
    server.printed("test key: ");
    let begun = Instant::now();
    runtime().block_on(async {
        let lead = caller(&server, &sample(folder.path())["leads"]["ann"]);
        let cases = async || lead.get("/v1/risk/cases").await["data"].as_array().map_or(0, Vec::len);
        while cases().await == 0 {
            assert!(begun.elapsed() < Duration::from_secs(10), "no case in ten seconds");
        }
        // Until the first farm is blocked: by then the shoppers have made some dozens of claims.
        while !lead.get("/v1/risk/decisions?action=block").await["data"][0].is_object() {
            assert!(begun.elapsed() < Duration::from_mins(1), "nobody is blocked");
        }
        let (mut stopped, mut shoppers) = (0, 0);
        for decision in lead.get("/v1/risk/decisions?limit=200").await["data"].as_array().expect("a list") {
            let whole = lead.get(&format!("/v1/risk/decisions/{}", text(&decision["id"]))).await;
            let is_shopper = whole["subject"]["user_id"].as_str().is_some_and(|user| user.starts_with("shopper-"));
            assert!(!is_shopper || whole["action"] == "allow", "{whole}");
            shoppers += u32::from(is_shopper);
            stopped += u32::from(whole["action"] != "allow");
        }
        assert!(shoppers > 20 && stopped > 0, "{shoppers} {stopped}");
    });
    assert_eq!(server.terminate(), Some(0));
}
