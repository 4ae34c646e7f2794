//! The product as it runs in production: real processes on a real Kafka.

mod copies;
mod kills;
mod penalties;
mod races;
mod releases;
mod support;
mod wrong;
