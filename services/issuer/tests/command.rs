//! The command line of `counterfoil-issuer`.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_counterfoil-issuer"));
    command.args(arguments).output().expect("the binary runs")
}

#[test]
fn it_explains_itself() {
    let help = run(&["--help"]);
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    assert!(help.status.success());
    for flag in ["--data-dir", "--config", "--listen", "--brokers", "--single-broker"] {
        assert!(text.contains(flag), "{text}");
    }
}

#[test]
fn it_does_not_start_without_brokers() {
    let output = run(&[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("counterfoil-issuer: kafka.brokers is empty"), "{said}");
}
