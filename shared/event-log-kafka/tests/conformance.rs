//! The suite that every log runs, over a real broker.

mod support;

use std::sync::Arc;

use event_log::conformance::Fixture;
use event_log::{EventLog, Offset, Topic};
use event_log_kafka::{KafkaLog, Options};

/// Topics of its own on the broker of this program.
struct OnBroker {
    options: Options,
}

impl OnBroker {
    /// Readers find all, half or none of what they ask for in memory, depending on `tail_bytes`.
    fn new(tail_bytes: usize) -> Self {
        Self { options: Options { tail_bytes, ..support::topics(3) } }
    }
}

impl Fixture for OnBroker {
    fn open(&self) -> Arc<dyn EventLog> {
        KafkaLog::open(&self.options).expect("the log opens")
    }

    fn open_after_crash(&self, log: Arc<dyn EventLog>) -> Arc<dyn EventLog> {
        // What a kill leaves is on the broker; the old client is never closed.
        let reopened = self.open();
        std::mem::forget(log);
        reopened
    }

    fn damage(&self, topic: Topic, partition: u32, offset: Offset) {
        support::damage(&self.options, topic, partition, offset);
    }

    fn open_bounded(&self, queue_bytes: usize) -> Option<Arc<dyn EventLog>> {
        let options = Options { queue_bytes, ..self.options.clone() };
        Some(KafkaLog::open(&options).expect("the log opens"))
    }
}

mod from_memory {
    event_log::conformance_suite!(super::OnBroker::new(32 << 20));
}

mod from_both {
    event_log::conformance_suite!(super::OnBroker::new(2000));
}

mod from_the_broker {
    event_log::conformance_suite!(super::OnBroker::new(0));
}
