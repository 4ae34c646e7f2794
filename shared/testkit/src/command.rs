//! The command line that the services have in common.

use std::process::{Command, Output};

fn run(binary: &str, arguments: &[&str]) -> Output {
    Command::new(binary).args(arguments).output().expect("the binary runs")
}

/// `--help` names what everybody needs.
pub fn explains_itself(binary: &str) {
    let help = run(binary, &["--help"]);
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    assert!(help.status.success());
    for flag in ["--data-dir", "--config", "--listen", "--brokers", "--single-broker", "--dashboard"] {
        assert!(text.contains(flag), "{text}");
    }
}

/// Without brokers it ends with one line that begins with its name.
pub fn needs_brokers(binary: &str, name: &str) {
    let output = run(binary, &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with(&format!("{name}: kafka.brokers is empty")), "{said}");
}
