//! The pure crates stay pure: nothing among their dependencies does I/O, and no line of theirs asks for a clock, a
//! random number or a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PURE: [&str; 2] = ["coupon", "risk"];
const FORBIDDEN_CRATES: [&str; 14] = [
    "tokio",
    "axum",
    "hyper",
    "rdkafka",
    "sled",
    "rusqlite",
    "tracing",
    "log",
    "rand",
    "getrandom",
    "reqwest",
    "prometheus",
    "parking_lot",
    "event_log",
];
const FORBIDDEN_WORDS: [&str; 11] = [
    "SystemTime",
    "Instant",
    "Utc::now",
    "Local::now",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "std::io",
    "std::process",
    "println!",
];

fn shared() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder above").to_owned()
}

/// The crates that a crate links, each by its name, and with its features.
fn dependencies(of: &str) -> Vec<String> {
    let arguments =
        ["tree", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{lib} {f}", "--package", of];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(shared()).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn nothing_that_does_io_is_linked() {
    for name in PURE {
        let dependencies = dependencies(name);
        assert!(dependencies.iter().any(|line| line.starts_with("serde ")), "{name}: {dependencies:?}");
        for line in &dependencies {
            let (linked, features) = line.split_once(' ').unwrap_or((line, ""));
            assert!(!FORBIDDEN_CRATES.contains(&linked), "{name} links {linked}");
            let clock = linked == "chrono" && features.split(',').any(|feature| ["clock", "now"].contains(&feature));
            assert!(!clock, "{name} links chrono with a clock");
        }
    }
}

#[test]
fn no_line_asks_for_a_clock_or_a_file() {
    let mut files = Vec::new();
    for name in PURE {
        sources(&shared().join(name).join("src"), &mut files);
    }
    assert!(files.len() > 20, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).expect("a file");
        for word in FORBIDDEN_WORDS {
            assert!(!text.contains(word), "{} has {word}", file.display());
        }
    }
}
