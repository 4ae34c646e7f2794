//! Clients of librdkafka: their settings, and where their words go.

use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;

use crate::options::{OpenError, Options};

/// Passes on what librdkafka says.
pub(crate) struct Logged;

impl ClientContext for Logged {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka client");
    }
}

impl ConsumerContext for Logged {}

/// A lost connection is said again and again while a broker is away; the log's own lines say it once.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    let lost = matches!(facility, "FAIL" | "REQTMOUT" | "ERROR" | "FETCHERR" | "MAXPOLL");
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical if !lost => {
            tracing::error!(facility, message, "kafka client");
        }
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning if !lost => {
            tracing::warn!(facility, message, "kafka client");
        }
        _ => tracing::debug!(facility, message, "kafka client"),
    }
}

/// What a consumer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Metadata and watermarks.
    Queries,
    /// The ends of all partitions, with little delay.
    Tail,
    /// A long stretch of one partition, with much throughput.
    Stream,
    /// Single records.
    Lookup,
}

/// What all clients have in common.
pub(crate) fn config(options: &Options) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.extend(options.client.clone());
    config
        .set("bootstrap.servers", &options.brokers)
        .set("client.id", "counterfoil")
        .set("socket.nagle.disable", "true")
        .set("socket.keepalive.enable", "true")
        .set("socket.timeout.ms", "6000")
        .set("socket.connection.setup.timeout.ms", "2000")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "500")
        .set("retry.backoff.ms", "20")
        .set("retry.backoff.max.ms", "200")
        .set("topic.metadata.refresh.interval.ms", "10000")
        .set("topic.metadata.refresh.fast.interval.ms", "100")
        .set("metadata.max.age.ms", "30000");
    config.set_log_level(RDKafkaLogLevel::Warning);
    config
}

/// A consumer that commits nothing and jumps nowhere.
pub(crate) fn consumer(options: &Options, purpose: Use) -> Result<BaseConsumer<Logged>, OpenError> {
    let mut config = config(options);
    config
        .set("group.id", "counterfoil")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("check.crcs", "true")
        .set("isolation.level", "read_uncommitted")
        .set("fetch.error.backoff.ms", "50")
        .set("fetch.queue.backoff.ms", "0");
    match purpose {
        Use::Queries => {}
        Use::Tail => {
            config
                .set("fetch.wait.max.ms", "100")
                .set("queued.min.messages", "20000")
                .set("queued.max.messages.kbytes", "32768");
        }
        Use::Stream => {
            config
                .set("fetch.wait.max.ms", "10")
                .set("queued.min.messages", "50000")
                .set("queued.max.messages.kbytes", "16384")
                .set("fetch.message.max.bytes", "4194304");
        }
        Use::Lookup => {
            config
                .set("fetch.wait.max.ms", "10")
                .set("queued.min.messages", "1")
                .set("queued.max.messages.kbytes", "1024")
                .set("fetch.message.max.bytes", "65536");
        }
    }
    Ok(config.create_with_context(Logged)?)
}
