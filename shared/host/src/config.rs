//! Configuration: defaults, then a TOML file, then environment variables, then flags. It is checked before a port is
//! bound.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use inline_risk::{InlineConfig, VelocityRules};
use serde::{Deserialize, Serialize};

/// Everything that can be set. Each key is also an environment variable: `COUNTERFOIL__SECTION__KEY`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The HTTP side.
    pub server: Server,
    /// The embedded log.
    pub log: Log,
    /// The log on Kafka.
    pub kafka: Kafka,
    /// What all instances share.
    pub storage: Shared,
    /// Keys and secrets.
    pub security: Security,
    /// Limits on end users' devices and addresses.
    pub limits: InlineConfig,
    /// The velocity rules of the risk-scorer.
    pub risk: VelocityRules,
    /// What a promotion must show before it is opened.
    pub promotions: Promotions,
    /// The pages for people, and their signing in.
    pub dashboard: Dashboard,
}

/// What a promotion must show before it is opened.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Promotions {
    /// A stock that expects more redemptions a day is activated only once a load test of it has passed; 0 asks for none.
    /// Default 100000.
    pub load_test_required_above: u64,
}

impl Default for Promotions {
    fn default() -> Self {
        Self { load_test_required_above: 100_000 }
    }
}

/// The pages for people, and their signing in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dashboard {
    /// Serve the pages at `/`, and let people sign in. Default `true`.
    pub enabled: bool,
    /// How long a session lasts, hours, 1..=168. Default 12.
    pub session_hours: u64,
    /// Serve the pages that `npm run build` left in this folder, read once at the start, instead of those that are embedded:
    /// for whoever works on them. Default: none.
    pub folder: Option<PathBuf>,
}

/// A switch on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Switch {
    /// It is so.
    On,
    /// It is not.
    Off,
}

impl Dashboard {
    /// What the command line says goes before what is configured.
    pub fn turn(&mut self, said: Option<Switch>) {
        self.enabled = said.map_or(self.enabled, |said| said == Switch::On);
    }
}

impl Default for Dashboard {
    fn default() -> Self {
        Self { enabled: true, session_hours: 12, folder: None }
    }
}

/// The HTTP side.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Address and port; port 0 takes a free one. Default `127.0.0.1:8080`.
    pub listen: String,
    /// Threads that serve HTTP, 1..=256. Default: one per core.
    pub worker_threads: usize,
    /// Requests worked on at once; more wait, then are refused with 503. Default 10000.
    pub max_concurrent_requests: usize,
    /// Requests per second that are let in, 1..=10000000; of more, what changes coupons goes before queries, and queries
    /// before bulk work. Default: as many as can be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_requests_per_second: Option<u32>,
    /// When requests wait longer than this for their turn, fewer are let in, milliseconds, 1..=10000. Default 100.
    pub longest_wait_ms: u64,
    /// Connections at once. Default 10000.
    pub max_connections: usize,
    /// After SIGTERM, when what is left is cut off, seconds, 1..=60. Default 8.
    pub drain_seconds: u64,
}

/// The embedded log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Partitions of each topic, 1..=256, fixed when the log is made. Default 8.
    pub partitions: u32,
    /// The least time from the start of one commit to the next under load, microseconds. Default 1000.
    pub commit_interval_microseconds: u64,
}

/// The log on Kafka, for the three services.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kafka {
    /// `host:port` of brokers to begin with, separated by commas. Default: none.
    pub brokers: String,
    /// Stands before the names of the topics, so that several systems may share brokers. Default: nothing.
    pub topic_prefix: String,
    /// How many partitions each topic must have, 1..=256. Default: whatever is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partitions: Option<u32>,
    /// Take topics with one replica. Default `false`.
    pub single_broker: bool,
    /// How long a start waits for brokers and topics, seconds; 0 does not wait. Default 300.
    pub wait_seconds: u64,
    /// When a record that no broker has acknowledged is given up as an unknown outcome, milliseconds, 500..=10000: below
    /// the time in which a request is answered. Default 5000.
    pub delivery_timeout_ms: u64,
    /// How long a partition's first record waits for others, microseconds, at most 10000. Default 300.
    pub linger_microseconds: u64,
    /// Further settings of librdkafka, such as those of TLS and SASL.
    pub client: BTreeMap<String, String>,
}

/// What all instances share beside the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shared {
    /// `file:///FOLDER`, or `s3://BUCKET/PREFIX` in a build with S3: snapshots and the rows of bulk operations. Default: a
    /// folder in the data directory, which is right where there is one instance of each service only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The least time between two snapshots over all instances, seconds, at least 5. Default 120.
    pub snapshot_every_seconds: u64,
}

impl Default for Shared {
    fn default() -> Self {
        Self { url: None, snapshot_every_seconds: 120 }
    }
}

/// Keys and secrets.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Security {
    /// A file with the master key, 64 hexadecimal digits. Default: `master.key` in the data directory, made at the
    /// first start, mode 0600. The key itself may stand in the variable `COUNTERFOIL_MASTER_KEY` instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master_key_file: Option<PathBuf>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            worker_threads: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            max_concurrent_requests: 10_000,
            max_requests_per_second: None,
            longest_wait_ms: 100,
            max_connections: 10_000,
            drain_seconds: 8,
        }
    }
}

impl Default for Kafka {
    fn default() -> Self {
        Self {
            brokers: String::new(),
            topic_prefix: String::new(),
            partitions: None,
            single_broker: false,
            wait_seconds: 300,
            delivery_timeout_ms: 5_000,
            linger_microseconds: 300,
            client: BTreeMap::new(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { partitions: 8, commit_interval_microseconds: 1_000 }
    }
}

/// Why a configuration is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file or variable cannot be read as what it should be.
    #[error("configuration: {0}")]
    Figment(#[from] Box<figment::Error>),
    /// A value is out of its range.
    #[error("configuration: {0}")]
    Range(String),
}

impl Config {
    /// Reads file and environment.
    pub fn read(file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = file {
            if !file.is_file() {
                return Err(ConfigError::Range(format!("there is no file {}", file.display())));
            }
            figment = figment.merge(Toml::file(file));
        }
        figment = figment.merge(Env::prefixed("COUNTERFOIL__").split("__"));
        let config: Self = figment.extract().map_err(Box::new)?;
        config.check()?;
        Ok(config)
    }

    /// Checks ranges.
    pub fn check(&self) -> Result<(), ConfigError> {
        let wrong = |text: String| Err(ConfigError::Range(text));
        if self.server.listen.parse::<std::net::SocketAddr>().is_err() {
            return wrong(format!("server.listen is {:?}; it must be an address and a port", self.server.listen));
        }
        if !(1..=256).contains(&self.server.worker_threads) {
            return wrong(format!("server.worker_threads is {}; it must be 1 to 256", self.server.worker_threads));
        }
        if !(1..=60).contains(&self.server.drain_seconds) {
            return wrong(format!("server.drain_seconds is {}; it must be 1 to 60", self.server.drain_seconds));
        }
        if self.server.max_connections == 0 || self.server.max_concurrent_requests == 0 {
            return wrong("server.max_connections and max_concurrent_requests must be at least 1".to_owned());
        }
        if self.server.max_requests_per_second.is_some_and(|rate| !(1..=10_000_000).contains(&rate)) {
            return wrong("server.max_requests_per_second must be 1 to 10000000".to_owned());
        }
        if !(1..=10_000).contains(&self.server.longest_wait_ms) {
            return wrong(format!("server.longest_wait_ms is {}; it must be 1 to 10000", self.server.longest_wait_ms));
        }
        if !(1..=256).contains(&self.log.partitions) {
            return wrong(format!("log.partitions is {}; it must be 1 to 256", self.log.partitions));
        }
        if self.log.commit_interval_microseconds > 100_000 {
            return wrong("log.commit_interval_microseconds must be at most 100000".to_owned());
        }
        if self.kafka.partitions.is_some_and(|partitions| !(1..=256).contains(&partitions)) {
            return wrong("kafka.partitions must be 1 to 256".to_owned());
        }
        if !(500..=10_000).contains(&self.kafka.delivery_timeout_ms) {
            let found = self.kafka.delivery_timeout_ms;
            return wrong(format!("kafka.delivery_timeout_ms is {found}; it must be 500 to 10000"));
        }
        if self.storage.snapshot_every_seconds < 5 {
            return wrong("storage.snapshot_every_seconds must be at least 5".to_owned());
        }
        if !(1..=168).contains(&self.dashboard.session_hours) {
            let found = self.dashboard.session_hours;
            return wrong(format!("dashboard.session_hours is {found}; it must be 1 to 168"));
        }
        if self.kafka.linger_microseconds > 10_000 {
            return wrong("kafka.linger_microseconds must be at most 10000".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_goes_before_the_file() {
        for (enabled, said, then) in [
            (true, None, true),
            (true, Some(Switch::Off), false),
            (false, None, false),
            (false, Some(Switch::On), true),
        ] {
            let mut dashboard = Dashboard { enabled, ..Dashboard::default() };
            dashboard.turn(said);
            assert_eq!(dashboard.enabled, then);
        }
    }

    #[test]
    fn defaults_are_sound_and_unknown_keys_are_refused() {
        assert!(Config::default().check().is_ok());
        let folder = std::env::temp_dir().join(format!("counterfoil-config-{}", std::process::id()));
        std::fs::write(&folder, "[server]\nlisten = \"127.0.0.1:0\"\n").expect("writes");
        assert_eq!(Config::read(Some(&folder)).expect("sound").server.listen, "127.0.0.1:0");
        std::fs::write(&folder, "[server]\nlissten = \"127.0.0.1:0\"\n").expect("writes");
        assert!(Config::read(Some(&folder)).expect_err("a misspelling").to_string().contains("lissten"));
        std::fs::write(&folder, "[dashboard]\nsession_hours = 0\n").expect("writes");
        assert!(Config::read(Some(&folder)).expect_err("no time").to_string().contains("dashboard.session_hours"));
        std::fs::write(&folder, "[log]\npartitions = 0\n").expect("writes");
        assert!(Config::read(Some(&folder)).expect_err("out of range").to_string().contains("log.partitions"));
        std::fs::remove_file(folder).expect("removes");
    }
}
