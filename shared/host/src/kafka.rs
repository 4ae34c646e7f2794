//! The log on Kafka, waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use event_log_kafka::{KafkaLog, OpenError, Options};

use crate::Failure;
use crate::config::Kafka;

/// How long to wait between two attempts, and how often it is said.
const PAUSE: Duration = Duration::from_millis(500);
const SAY_EVERY: Duration = Duration::from_secs(5);

/// The options of the log as they are configured.
pub fn options(kafka: &Kafka) -> Options {
    Options {
        brokers: kafka.brokers.clone(),
        topic_prefix: kafka.topic_prefix.clone(),
        partitions: kafka.partitions,
        single_broker: kafka.single_broker,
        delivery_timeout: Duration::from_millis(kafka.delivery_timeout_ms),
        linger: Duration::from_micros(kafka.linger_microseconds),
        client: kafka.client.clone(),
        ..Options::default()
    }
}

/// Opens the log; waits for brokers and topics as long as is configured, and says so.
pub(crate) fn open(kafka: &Kafka, stopping: &AtomicBool) -> Result<Arc<KafkaLog>, Failure> {
    let options = options(kafka);
    let begun = Instant::now();
    let mut said: Option<Instant> = None;
    loop {
        let error = match KafkaLog::open(&options) {
            Ok(log) => return Ok(log),
            Err(error) => error,
        };
        let over = begun.elapsed() >= Duration::from_secs(kafka.wait_seconds);
        if !error.may_pass() || over || stopping.load(Ordering::Acquire) {
            return Err(said_plainly(&error, &kafka.brokers));
        }
        if said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
            said = Some(Instant::now());
            tracing::warn!(brokers = kafka.brokers, %error, waited = begun.elapsed().as_secs(), "waiting for the log");
        }
        std::thread::sleep(PAUSE);
    }
}

fn said_plainly(error: &OpenError, brokers: &str) -> Failure {
    match error {
        OpenError::Unreachable(_) => format!("{error}; kafka.brokers is {brokers}").into(),
        _ => error.to_string().into(),
    }
}
