//! What `loadtest run` says to those who use it wrongly: at once, with exit code 2, and what to do.

use std::process::{Command, Output};

fn loadtest(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadtest")).args(arguments).output().expect("it starts")
}

/// It is refused, and each of these is said.
fn refused(arguments: &[&str], said: &[&str]) {
    let output = loadtest(arguments);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    for part in said {
        assert!(text.contains(part), "{part:?} is not said of {arguments:?}: {text}");
    }
}

/// A port at which nothing listens: it was free a moment ago.
fn nobody() -> String {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", socket.local_addr().expect("an address"))
}

#[test]
fn an_unknown_profile_is_named() {
    refused(&["run", "sunday"], &["sunday"]);
}

#[test]
fn a_threshold_that_says_nothing_is_named() {
    refused(&["run", "redeem-200", "--threshold", "p99 ~ 10ms"], &["p99 ~ 10ms"]);
}

#[test]
fn a_misspelt_field_of_a_workload_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("own.toml");
    let own = String::from_utf8(loadtest(&["profiles", "redeem-200"]).stdout).expect("text");
    std::fs::write(&file, own.replacen("about", "abuot", 1)).expect("written");
    refused(&["run", file.to_str().expect("a name")], &["abuot"]);
}

#[test]
fn a_key_that_is_not_there_is_told_with_what_to_do() {
    refused(
        &["run", "redeem-200", "--target", &nobody(), "--platform-key", "/nowhere/key.json"],
        &["/nowhere/key.json", "--start"],
    );
}

#[test]
fn a_server_that_is_not_there_is_told_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("key.json");
    std::fs::write(&key, r#"{"key_id":"cfk_live_x","secret":"s"}"#).expect("written");
    let target = nobody();
    refused(
        &["run", "redeem-200", "--quiet", "--target", &target, "--platform-key", key.to_str().expect("a name")],
        &[&target],
    );
}

#[test]
fn each_profile_is_listed_with_what_it_is_for() {
    let output = loadtest(&["profiles"]);
    let text = String::from_utf8(output.stdout).expect("text");
    for name in ["redeem-200", "saturday", "flash-sale", "spike-10x", "soak", "capacity", "replay"] {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} is not listed"));
        assert!(line.len() > name.len() + 20, "{line}");
    }
}
