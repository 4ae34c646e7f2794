//! A real Apache Kafka (`KRaft`) without Docker, for development, tests and faults: one broker or several on free ports
//! of the loopback, with all files in one folder.
//!
//! Maven fetches the jars once, into `target/kafka` of the workspace. Brokers are processes of their own; each can be
//! killed, stopped and started again by its number. With toxiproxy in between, connections can be disturbed too.

mod broker;
mod fetch;
pub mod process;
mod proxy;

pub use broker::{Kafka, KafkaError, Life};
pub use fetch::{FetchError, jars};
pub use proxy::{Disturbance, Proxies};
