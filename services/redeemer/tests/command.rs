//! The command line of `counterfoil-redeemer`.

const BINARY: &str = env!("CARGO_BIN_EXE_counterfoil-redeemer");

#[test]
fn it_explains_itself() {
    testkit::command::explains_itself(BINARY);
}

#[test]
fn it_does_not_start_without_brokers() {
    testkit::command::needs_brokers(BINARY, "counterfoil-redeemer");
}
