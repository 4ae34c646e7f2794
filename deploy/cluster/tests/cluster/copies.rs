//! The shop that outgrows one machine: from the embedded log to Kafka.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use cluster::{Cluster, Plan};
use kafka_broker::process::{Guard, Id, guarded};
use kafka_broker::{Kafka, Life};
use serde_json::json;
use testkit::{Caller, claim, merchant, redemption, runtime, stock};

use crate::support::{binaries, sound_audit};

/// The product in one process, and where it listens.
fn serve(data_dir: &Path) -> (Id, Guard, String) {
    let address = data_dir.join("address");
    let _ = fs::remove_file(&address);
    let mut command = Command::new(binaries().join("counterfoil"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir);
    let log = data_dir.with_extension("log");
    let (id, guard) = guarded(&command, &log).expect("starts");
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        if let Ok(text) = fs::read_to_string(&address)
            && text.ends_with('\n')
        {
            return (id, guard, text.trim().to_owned());
        }
        assert!(id.lives() && Instant::now() < deadline, "{}", fs::read_to_string(&log).unwrap_or_default());
        std::thread::yield_now();
    }
}

fn copy(data_dir: &Path, brokers: &str) -> Output {
    Command::new(binaries().join("counterfoil"))
        .args(["copy", "--single-broker", "--to-brokers", brokers, "--data-dir"])
        .arg(data_dir)
        .output()
        .expect("the binary runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_shop_moves_to_kafka_with_its_keys_and_codes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data_dir, there) = (folder.path().join("embedded"), folder.path().join("cluster"));
    fs::create_dir_all(&data_dir).expect("a folder");
    let runtime = runtime();
    let (id, guard, address) = serve(&data_dir);
    let (caller, codes, first, body) = runtime.block_on(async {
        let (_, caller) = merchant(&address, &data_dir).await;
        let stock = stock(&caller, json!({})).await;
        let mut codes = Vec::new();
        for n in 0..20 {
            codes.push(claim(&caller, &stock, &format!("u{n}")).await["code"].clone());
        }
        let body = redemption(&codes[0], "order-0");
        let first = caller.send("POST", "/v1/redemptions", Some("first"), Some(&body)).await;
        assert_eq!(first.status.as_u16(), 201);
        (caller, codes, first, body)
    });

    let mut kafka = Kafka::start(&there.join("kafka"), 1, Life::Guarded).expect("a broker");
    let made = Command::new(binaries().join("counterfoil"))
        .args(["topics", "create", "--single-broker", "--partitions", "5", "--brokers", &kafka.bootstrap()])
        .output()
        .expect("the binary runs");
    assert!(made.status.success(), "{}", said(&made));
    // While the shop is open, only a part can be copied; and nobody starts on a part.
    let part = copy(&data_dir, &kafka.bootstrap());
    assert_eq!(part.status.code(), Some(3), "{}", said(&part));
    runtime.block_on(async {
        let late = caller.post("/v1/redemptions", redemption(&codes[1], "order-1")).await;
        assert_eq!(late.status.as_u16(), 201);
    });
    assert!(id.end(Duration::from_secs(20)));
    drop(guard);
    fs::create_dir_all(&there).expect("a folder");
    fs::copy(data_dir.join("master.key"), there.join("master.key")).expect("the same key");
    let early = Command::new(binaries().join("counterfoil-redeemer"))
        .args(["--listen", "127.0.0.1:0", "--single-broker", "--brokers", &kafka.bootstrap(), "--data-dir"])
        .arg(folder.path().join("early"))
        .env("COUNTERFOIL__SECURITY__MASTER_KEY_FILE", there.join("master.key"))
        .output()
        .expect("the binary runs");
    assert!(said(&early).contains("copying the ledger to this log was begun and not ended"), "{}", said(&early));

    let whole = copy(&data_dir, &kafka.bootstrap());
    assert!(whole.status.success(), "{}", said(&whole));
    assert!(said(&whole).contains("going on behind") && said(&whole).contains("hashes of all 256 shards are equal"));
    let again = copy(&data_dir, &kafka.bootstrap());
    assert!(said(&again).contains("a copy that is finished"), "{}", said(&again));
    kafka.stop();
    drop(kafka);

    let cluster = Cluster::up(Plan::new(there, binaries()), |_| {}).expect("a cluster on the copy");
    runtime.block_on(async {
        let caller: Caller = caller.at(cluster.address());
        let again = caller.send("POST", "/v1/redemptions", Some("first"), Some(&body)).await;
        assert_eq!((again.status.as_u16(), &again.body), (201, &first.body), "the first answer, byte for byte");
        let other = caller.post("/v1/redemptions", redemption(&codes[1], "order-2")).await;
        assert_eq!(other.code().map(|code| code.to_string()), Some("already_redeemed".into()));
        for (n, code) in codes.iter().enumerate().skip(2) {
            caller.ok("/v1/redemptions", redemption(code, &format!("order-{n}"))).await;
        }
    });
    assert_eq!(sound_audit(&cluster)["redemptions"], codes.len());
}
