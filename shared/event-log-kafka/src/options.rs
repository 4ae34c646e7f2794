//! How a log on Kafka is opened.

use std::collections::BTreeMap;
use std::time::Duration;

use event_log::Offset;
use rdkafka::error::KafkaError;

use crate::topics::Finding;

/// Settings of librdkafka on which the promises of this log rest; nobody sets them from outside.
const OWN: [&str; 14] = [
    "bootstrap.servers",
    "group.id",
    "enable.idempotence",
    "acks",
    "request.required.acks",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "auto.offset.reset",
    "check.crcs",
    "isolation.level",
    "max.in.flight.requests.per.connection",
    "transactional.id",
    "retries",
];

/// How a log is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// `host:port`, separated by commas.
    pub brokers: String,
    /// Stands before the names of the topics, so that several systems may share brokers.
    pub topic_prefix: String,
    /// How many partitions each topic must have; `None` takes what is there.
    pub partitions: Option<u32>,
    /// Whether one replica is enough: the loss of the machine is the loss of the log.
    pub single_broker: bool,
    /// When a record that no broker has acknowledged is given up as an unknown outcome.
    pub delivery_timeout: Duration,
    /// How long a partition's first record waits for others. The owner of the ledger gathers batches of its own, so this
    /// only has to bridge the time in which one batch is handed over.
    pub linger: Duration,
    /// How much may wait for its acknowledgement, in bytes; beyond it appends are refused.
    pub queue_bytes: usize,
    /// How much of the ends of all partitions is kept in memory for readers, in bytes.
    pub tail_bytes: usize,
    /// Further settings of librdkafka, such as those of TLS and SASL.
    pub client: BTreeMap<String, String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            brokers: String::new(),
            topic_prefix: String::new(),
            partitions: None,
            single_broker: false,
            delivery_timeout: Duration::from_secs(5),
            linger: Duration::from_micros(300),
            queue_bytes: 64 << 20,
            tail_bytes: 64 << 20,
            client: BTreeMap::new(),
        }
    }
}

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No broker answers, or not yet. Trying again may help.
    #[error("no broker answers: {0}")]
    Unreachable(String),
    /// A topic is not there. Trying again may help.
    #[error("there is no topic {0}; `counterfoil topics create` makes it")]
    NoTopic(String),
    /// The settings could lose or reorder records.
    #[error("the topics' settings could lose or reorder records: {}", listed(.0))]
    Unsafe(Vec<Finding>),
    /// Another number of partitions than was asked for, or not the same for all topics.
    #[error("{topic} has {found} partitions, not {asked}; the number is fixed when the topics are made")]
    Partitions {
        /// Which topic.
        topic: String,
        /// What it has.
        found: u32,
        /// What it should have.
        asked: u32,
    },
    /// The beginning of the ledger was deleted.
    #[error(
        "{topic}/{partition} begins at offset {low}: the beginning of the ledger was deleted, nothing can be proved from the rest"
    )]
    Beheaded {
        /// Which topic.
        topic: String,
        /// Which partition.
        partition: u32,
        /// Its first offset.
        low: Offset,
    },
    /// A setting of librdkafka that is wrong or not to be set.
    #[error("{0}")]
    Setting(String),
    /// librdkafka could not be started.
    #[error("the Kafka client cannot be started: {0}")]
    Client(#[from] KafkaError),
    /// No thread could be made.
    #[error("no thread: {0}")]
    Thread(#[from] std::io::Error),
}

fn listed(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

impl OpenError {
    /// Whether it may go away by itself.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::NoTopic(_))
    }
}

impl Options {
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let wrong = |text: String| Err(OpenError::Setting(text));
        for broker in self.brokers.split(',') {
            let port = broker.trim().rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            if port.is_none_or(|port| port == 0) {
                return wrong(format!("kafka.brokers: {broker:?} is not host:port"));
            }
        }
        if let Some(key) = self.client.keys().find(|key| OWN.contains(&key.as_str())) {
            return wrong(format!("kafka.client: {key} is set by the log itself"));
        }
        Ok(())
    }
}
