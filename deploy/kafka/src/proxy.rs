//! Connections that are slow, torn or silent: toxiproxy between clients and brokers.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::broker::KafkaError;
use crate::fetch::toxiproxy;
use crate::process::{Guard, guarded};

/// How long the proxy may take to take orders.
const START: Duration = Duration::from_secs(10);

/// What happens to all connections between clients and brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// What brokers send arrives so much later.
    Latency(Duration),
    /// Each connection is reset so long after it was made.
    Reset(Duration),
    /// Nothing arrives any more, in either direction, and nothing says so.
    Silence,
}

/// One proxy per broker, in a process that ends with this.
#[derive(Debug)]
pub struct Proxies {
    api: String,
    names: Vec<String>,
    ports: Vec<u16>,
    _process: Guard,
}

impl Proxies {
    /// Starts a proxy before each of these ports. It takes as many ports, and one more to be told what to do.
    pub(crate) fn start(folder: &Path, brokers: &[u16], ports: &[u16]) -> Result<Self, KafkaError> {
        let (ports, api) = (ports[1..].to_vec(), ports[0]);
        let mut command = Command::new(toxiproxy()?);
        command.args(["-host", "127.0.0.1", "-port", &api.to_string()]);
        let (id, process) = guarded(&command, &folder.join("toxiproxy.log"))?;
        let names = (1..=brokers.len()).map(|number| format!("broker-{number}")).collect();
        let proxies = Self { api: format!("http://127.0.0.1:{api}"), names, ports, _process: process };
        let deadline = Instant::now() + START;
        while ureq::get(format!("{}/version", proxies.api)).call().is_err() {
            if !id.lives() || Instant::now() > deadline {
                return Err(KafkaError::Proxy("it does not start".to_owned()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        for ((name, port), broker) in proxies.names.iter().zip(&proxies.ports).zip(brokers) {
            let (listen, upstream) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{broker}"));
            proxies.post("/proxies", &json!({"name": name, "listen": listen, "upstream": upstream}))?;
        }
        Ok(proxies)
    }

    /// The ports that clients take for those of the brokers.
    pub(crate) fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// Disturbs all connections until [`Proxies::heal`].
    pub fn disturb(&self, disturbance: Disturbance) -> Result<(), KafkaError> {
        let milliseconds = |time: Duration| time.as_millis() as u64;
        let (kind, attributes, streams): (_, _, &[&str]) = match disturbance {
            Disturbance::Latency(time) => ("latency", json!({"latency": milliseconds(time)}), &["downstream"]),
            Disturbance::Reset(after) => ("reset_peer", json!({"timeout": milliseconds(after)}), &["downstream"]),
            // It keeps the connection, and lets nothing through.
            Disturbance::Silence => ("timeout", json!({"timeout": 0}), &["downstream", "upstream"]),
        };
        for name in &self.names {
            for stream in streams {
                let toxic = json!({"type": kind, "stream": stream, "attributes": attributes});
                self.post(&format!("/proxies/{name}/toxics"), &toxic)?;
            }
        }
        Ok(())
    }

    /// Ends all disturbances.
    pub fn heal(&self) -> Result<(), KafkaError> {
        self.post("/reset", &Value::Null)
    }

    fn post(&self, path: &str, body: &Value) -> Result<(), KafkaError> {
        let sent = ureq::post(format!("{}{path}", self.api)).send(body.to_string());
        sent.map(drop).map_err(|error| KafkaError::Proxy(format!("{path}: {error}")))
    }
}
