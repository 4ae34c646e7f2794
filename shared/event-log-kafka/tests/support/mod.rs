//! One broker for all tests of a program, and what they do behind its back.

#![allow(dead_code, reason = "each program of tests uses its part")]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use event_log::{Offset, Topic};
use event_log_kafka::{Options, TopicSettings, create};
use kafka_broker::{Kafka, Life};
use tempfile::TempDir;

/// A header of a batch: up to and with the checksum, which covers what follows.
const BATCH_HEADER: usize = 61;
const BATCH_CRC: std::ops::Range<usize> = 17..21;

struct Running {
    kafka: Kafka,
    _folder: TempDir,
}

static RUNNING: LazyLock<Running> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let kafka = Kafka::start(folder.path(), 1, Life::Guarded).expect("a broker");
    Running { kafka, _folder: folder }
});

/// The broker of this program.
pub(crate) fn kafka() -> &'static Kafka {
    &RUNNING.kafka
}

/// New topics of its own on it.
pub(crate) fn topics(partitions: u32) -> Options {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let topic_prefix = format!("t{}.", NEXT.fetch_add(1, Ordering::Relaxed));
    let options = Options { brokers: kafka().bootstrap(), topic_prefix, single_broker: true, ..Options::default() };
    let settings = TopicSettings { partitions, replicas: 1, in_sync: 1 };
    // A broker that takes connections may still have to find its controller.
    let mut attempts = 0;
    while let Err(error) = create(&options, settings) {
        attempts += 1;
        assert!(attempts < 20, "no topics: {error}");
    }
    options
}

/// The batches of a partition as they stand in the file: base offset, and where each is.
fn batches(bytes: &[u8]) -> Vec<(Offset, std::ops::Range<usize>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at + 12 <= bytes.len() {
        let base = u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let length = u32::from_be_bytes(bytes[at + 8..at + 12].try_into().expect("four bytes")) as usize;
        if length == 0 {
            break;
        }
        found.push((base, at..at + 12 + length));
        at += 12 + length;
    }
    found
}

fn segment(options: &Options, topic: Topic, partition: u32) -> PathBuf {
    let folder = format!("{}{}-{partition}", options.topic_prefix, topic.name());
    kafka().data(1).join(folder).join("00000000000000000000.log")
}

/// Inverts the last byte of a record's payload; the checksum of its batch is made to fit, so that only the record's own
/// one tells.
pub(crate) fn damage(options: &Options, topic: Topic, partition: u32, offset: Offset) {
    let file = segment(options, topic, partition);
    let mut bytes = fs::read(&file).expect("the segment");
    let all = batches(&bytes);
    let (base, range) = all.into_iter().rev().find(|(base, _)| *base <= offset).expect("a batch");
    // Records follow each other, each with its length in front as a zigzag varint; the last byte says that there are no
    // headers, before it ends the payload.
    let mut at = range.start + BATCH_HEADER;
    for n in base..=offset {
        let (length, used) = varint(&bytes[at..]);
        let end = at + used + length;
        if n == offset {
            bytes[end - 2] ^= 0xff;
        }
        at = end;
    }
    let crc = crc32c::crc32c(&bytes[range.start + BATCH_CRC.end..range.end]);
    bytes[range.start + BATCH_CRC.start..range.start + BATCH_CRC.end].copy_from_slice(&crc.to_be_bytes());
    fs::write(file, bytes).expect("the segment is written");
}

/// Inverts a byte in the batch that holds a record and leaves its checksum as it was. Gives the batch's first offset.
pub(crate) fn damage_batch(options: &Options, topic: Topic, partition: u32, offset: Offset) -> Offset {
    let file = segment(options, topic, partition);
    let mut bytes = fs::read(&file).expect("the segment");
    let all = batches(&bytes);
    let (base, range) = all.into_iter().rev().find(|(base, _)| *base <= offset).expect("a batch");
    bytes[range.end - 2] ^= 0xff;
    fs::write(file, bytes).expect("the segment is written");
    base
}

fn varint(bytes: &[u8]) -> (usize, usize) {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return (((value >> 1) as i64 ^ -((value & 1) as i64)) as usize, at + 1);
        }
    }
    panic!("no end of a number")
}
