//! Sending: one idempotent producer, made anew when it has failed for good.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use event_log::{Ack, AppendError, Entry, Offset, envelope};
use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, PurgeConfig, ThreadedProducer};

use crate::Layout;
use crate::acks::{Acks, Batch};
use crate::client;
use crate::options::{OpenError, Options};

/// Beyond the delivery time, for the last answers to arrive.
const CLOSING_PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Sender {
    options: Options,
    layout: Arc<Layout>,
    acks: Arc<Acks>,
    /// Held while a batch is handed over, so that it is in one piece within each partition.
    producer: Mutex<Option<ThreadedProducer<Deliveries>>>,
    failed: Arc<AtomicBool>,
}

struct Deliveries {
    layout: Arc<Layout>,
    acks: Arc<Acks>,
    failed: Arc<AtomicBool>,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.failed.store(true, Ordering::Release);
        }
        tracing::debug!(%error, reason, "kafka producer");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Arc<Batch>;

    fn delivery(&self, result: &DeliveryResult<'_>, batch: Arc<Batch>) {
        match result {
            Ok(message) => match self.layout.index_of(message.topic(), message.partition()) {
                Some(index) => batch.stands(index, message.offset() as Offset),
                None => batch.failed(format!("delivered to {}/{}", message.topic(), message.partition())),
            },
            Err((error, _)) => {
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
                    self.failed.store(true, Ordering::Release);
                }
                batch.failed(error.to_string());
            }
        }
        if batch.is_last() {
            self.acks.delivered(batch);
        }
    }
}

impl Sender {
    pub(crate) fn new(options: &Options, layout: Arc<Layout>, acks: Arc<Acks>) -> Result<Self, OpenError> {
        let failed = Arc::new(AtomicBool::new(false));
        let sender = Self { options: options.clone(), layout, acks, producer: Mutex::new(None), failed };
        *sender.producer.lock() = Some(sender.producer()?);
        Ok(sender)
    }

    fn producer(&self) -> Result<ThreadedProducer<Deliveries>, KafkaError> {
        let mut config = client::config(&self.options);
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("max.in.flight.requests.per.connection", "5")
            .set("message.timeout.ms", self.options.delivery_timeout.as_millis().to_string())
            .set("request.timeout.ms", (self.options.delivery_timeout.as_millis() / 2).to_string())
            .set("linger.ms", format!("{:.3}", self.options.linger.as_secs_f64() * 1_000.0))
            .set("batch.num.messages", "10000")
            .set("message.max.bytes", (envelope::MAX_PAYLOAD + (64 << 10)).to_string())
            .set("compression.type", "none")
            // The bound is that of the acknowledgements, which is lower.
            .set("queue.buffering.max.messages", "10000000")
            .set("queue.buffering.max.kbytes", (4 * self.options.queue_bytes / 1024).max(65_536).to_string());
        let context = Deliveries { layout: self.layout.clone(), acks: self.acks.clone(), failed: self.failed.clone() };
        config.create_with_context(context)
    }

    pub(crate) fn send(&self, entries: Vec<Entry>, ack: Ack) -> Result<(), AppendError> {
        let batch = self.acks.admit(&entries, ack)?;
        if entries.is_empty() {
            self.acks.delivered(batch);
            return Ok(());
        }
        let mut current = self.producer.lock();
        self.renew(&mut current);
        for Entry { topic, partition, bytes } in entries {
            let Some(producer) = current.as_ref() else {
                self.given_up(&batch, "there is no producer".to_owned());
                continue;
            };
            let record = BaseRecord::<[u8], [u8], _>::with_opaque_to(self.layout.name(topic), batch.clone());
            let record = record.partition(partition as i32).payload(&bytes[..]);
            if let Err((error, _)) = producer.send(record) {
                self.given_up(&batch, error.to_string());
            }
        }
        Ok(())
    }

    /// A record that was not handed over. Others of its batch may have been, so its outcome is unknown too.
    fn given_up(&self, batch: &Arc<Batch>, reason: String) {
        batch.failed(reason);
        if batch.is_last() {
            self.acks.delivered(batch.clone());
        }
    }

    /// After a fatal error a producer takes nothing more. What it had is left to the readers of the log.
    fn renew(&self, current: &mut Option<ThreadedProducer<Deliveries>>) {
        if current.is_some() && !self.failed.swap(false, Ordering::AcqRel) {
            return;
        }
        if let Some(old) = current.take() {
            tracing::warn!(error = ?old.client().fatal_error(), "the producer failed for good and is made anew");
            old.purge(PurgeConfig::default().queue().inflight());
            // Its thread is joined here, after it has told what became of the rest.
            drop(old);
        }
        match self.producer() {
            Ok(new) => *current = Some(new),
            Err(error) => tracing::error!(%error, "the producer cannot be made anew"),
        }
    }

    pub(crate) fn close(&self) {
        self.acks.close(self.options.delivery_timeout + CLOSING_PATIENCE);
    }
}
