//! What is particular to Kafka: batches with checksums of their own, brokers that go and come, settings of topics.

mod support;

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use event_log::envelope::{self, Header, Realm};
use event_log::{AppendError, Entry, EventLog, ReadError, Topic};
use event_log_kafka::{KafkaLog, OpenError, Options, TopicSettings, all_in_sync, check, create};
use kafka_broker::{Kafka, Life};

const DEADLINE: Duration = Duration::from_mins(1);

fn record(number: u8) -> Entry {
    let header = Header { realm: Realm::Live, record_type: 1, semantics: 1, shard: 0, original_time_ms: None };
    let mut bytes = Vec::new();
    envelope::seal(&mut bytes, &header, |out| out.push(number));
    Entry { topic: Topic::Ledger, partition: 0, bytes: bytes.into() }
}

fn append(log: &KafkaLog, entries: Vec<Entry>) -> Receiver<Result<(), AppendError>> {
    let (sender, receiver) = channel();
    let ack = Box::new(move |result| {
        // A test that failed has gone away with the receiver.
        let _ = sender.send(result);
    });
    log.append(entries, ack).expect("room");
    receiver
}

fn durably(log: &KafkaLog, entries: Vec<Entry>) {
    assert_eq!(append(log, entries).recv_timeout(DEADLINE), Ok(Ok(())));
}

#[test]
fn a_batch_with_a_wrong_checksum_is_damage_and_not_skipped() {
    let options = Options { tail_bytes: 0, ..support::topics(2) };
    let log = KafkaLog::open(&options).expect("opens");
    durably(&log, (0..5).map(record).collect());
    durably(&log, (5..10).map(record).collect());
    durably(&log, (10..15).map(record).collect());
    drop(log);
    let base = support::damage_batch(&options, Topic::Ledger, 0, 7);
    assert!((1..=7).contains(&base), "the first batch is whole");
    let log = KafkaLog::open(&options).expect("opens");
    let before = log.read(Topic::Ledger, 0, 0, 100).expect("what is before");
    assert_eq!(before.len() as u64, base);
    match log.read(Topic::Ledger, 0, base, 100) {
        Err(ReadError::Damaged { offset, .. }) => assert_eq!(offset, base),
        other => panic!("{other:?}"),
    }
    assert_eq!(log.read(Topic::Ledger, 0, 10, 100).expect("what is beyond").len(), 5);
}

#[test]
fn a_log_goes_on_when_its_broker_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut kafka = Kafka::start(folder.path(), 1, Life::Guarded).expect("a broker");
    let options = Options {
        brokers: kafka.bootstrap(),
        single_broker: true,
        delivery_timeout: Duration::from_secs(1),
        ..Options::default()
    };
    create(&options, TopicSettings { partitions: 2, replicas: 1, in_sync: 1 }).expect("topics");
    assert!(all_in_sync(&options).expect("an answer"));
    let log = KafkaLog::open(&options).expect("opens");
    // The first send to a cold broker may take longer than it may here.
    while append(&log, vec![record(0)]).recv_timeout(DEADLINE).expect("an answer").is_err() {}
    kafka.kill(1);
    let lost = append(&log, vec![record(1)]).recv_timeout(DEADLINE).expect("an answer");
    assert!(matches!(lost, Err(AppendError::OutcomeUnknown(_))), "{lost:?}");
    // What was read is known on.
    assert!(!log.read(Topic::Ledger, 0, 0, 10).expect("from memory").is_empty());
    assert!(matches!(log.latest(Topic::Ledger, 0), Err(ReadError::Unavailable(_))));
    kafka.restart(1).expect("starts again");
    while append(&log, vec![record(2)]).recv_timeout(DEADLINE).expect("an answer").is_err() {}
    let records = log.read(Topic::Ledger, 0, 0, 10).expect("reads");
    let last = envelope::open(&records.last().expect("a record").bytes).expect("sound").payload[0];
    assert_eq!(last, 2);
    assert_eq!(log.end(Topic::Ledger, 0), log.latest(Topic::Ledger, 0));
}

#[test]
fn topics_are_made_once_and_unsafe_ones_are_refused() {
    let options = support::topics(3);
    let settings = TopicSettings { partitions: 3, replicas: 1, in_sync: 1 };
    assert_eq!(create(&options, settings).expect("an answer"), Vec::<String>::new(), "all are there");
    let report = check(&options).expect("an answer");
    assert_eq!((report.partitions, report.findings), (3, Vec::new()));

    let strict = Options { single_broker: false, ..options.clone() };
    let report = check(&strict).expect("an answer");
    let found: Vec<&str> = report.findings.iter().map(|finding| finding.setting.as_str()).collect();
    assert_eq!(found, ["replication factor", "min.insync.replicas"].repeat(3));
    assert!(matches!(KafkaLog::open(&strict), Err(OpenError::Unsafe(_))));

    let other = Options { partitions: Some(4), ..options.clone() };
    assert!(matches!(KafkaLog::open(&other), Err(OpenError::Partitions { found: 3, asked: 4, .. })));
    let nowhere = Options { topic_prefix: "nowhere.".to_owned(), ..options };
    assert!(matches!(KafkaLog::open(&nowhere), Err(OpenError::NoTopic(_))));
}
