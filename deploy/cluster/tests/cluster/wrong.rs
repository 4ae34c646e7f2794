//! What is set up wrongly is said in one line, and nothing starts halfway.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use event_log_kafka::{Options, TopicSettings, create};
use kafka_broker::{Kafka, Life};

use crate::support::binaries;

fn start(folder: &Path, arguments: &[&str]) -> Output {
    fs::write(folder.join("master.key"), "0123456789abcdef".repeat(4)).expect("writes");
    let data_dir = folder.join("data");
    fs::create_dir_all(&data_dir).expect("a folder");
    Command::new(binaries().join("counterfoil-redeemer"))
        .args(["--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&data_dir)
        .args(arguments)
        .env("COUNTERFOIL__SECURITY__MASTER_KEY_FILE", folder.join("master.key"))
        .env("COUNTERFOIL__KAFKA__WAIT_SECONDS", "0")
        .output()
        .expect("the binary runs")
}

/// It ended at once, and its last line says this.
fn refuses(output: &Output, what: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(last.starts_with("counterfoil-redeemer: ") && last.contains(what), "{said}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("ready"));
}

#[test]
fn each_mistake_has_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let kafka = Kafka::start(&folder.path().join("kafka"), 1, Life::Guarded).expect("a broker");
    let brokers = kafka.bootstrap();
    let options = |prefix: &str| Options {
        brokers: brokers.clone(),
        topic_prefix: prefix.to_owned(),
        single_broker: true,
        ..Options::default()
    };
    let one = TopicSettings { partitions: 2, replicas: 1, in_sync: 1 };

    refuses(&start(folder.path(), &[]), "kafka.brokers is empty");
    refuses(&start(folder.path(), &["--brokers", "nonsense"]), "is not host:port");
    let nobody = kafka_broker::process::free_ports(1).expect("a port")[0];
    refuses(&start(folder.path(), &["--brokers", &format!("127.0.0.1:{nobody}")]), "no broker answers");
    refuses(&start(folder.path(), &["--brokers", &brokers, "--single-broker"]), "there is no topic counterfoil.ledger");

    create(&options(""), one).expect("topics");
    refuses(&start(folder.path(), &["--brokers", &brokers]), "replication factor is 1, needed is 3 or more");
    let config = folder.path().join("config.toml");
    let file = config.to_str().expect("text");
    fs::write(&config, "[kafka]\npartitions = 3\n").expect("writes");
    refuses(
        &start(folder.path(), &["--brokers", &brokers, "--single-broker", "--config", file]),
        "has 2 partitions, not 3",
    );
    fs::write(&config, "[kafka]\nbrokrs = \"x\"\n").expect("writes");
    refuses(&start(folder.path(), &["--config", file]), "brokrs");
    fs::write(&config, "[kafka.client]\nacks = \"1\"\n").expect("writes");
    refuses(&start(folder.path(), &["--brokers", &brokers, "--config", file]), "acks is set by the log itself");

    let lock =
        fs::File::options().create(true).truncate(false).write(true).open(folder.path().join("data/instance.lock"));
    let lock = lock.expect("opens");
    lock.lock().expect("locks");
    refuses(&start(folder.path(), &["--brokers", &brokers, "--single-broker"]), "is in use by another instance");
}
