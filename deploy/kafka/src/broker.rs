//! Brokers: their settings, their start, their end.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::fetch::{FetchError, jars};
use crate::process::{Guard, Id, detached, free_ports, guarded};
use crate::proxy::Proxies;

/// How long a broker may take to take connections.
const START: Duration = Duration::from_mins(1);
/// How long it may take to end in good order.
const END: Duration = Duration::from_secs(15);

/// How long brokers live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Until they are stopped, also beyond this program.
    Detached,
    /// At most as long as this program.
    Guarded,
}

/// Why there is no Kafka.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// The jars are not there.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The file system, or the system, refused something.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The storage could not be prepared.
    #[error("the storage of a broker could not be prepared: {0}")]
    Format(String),
    /// The proxy in between does not do what it is told.
    #[error("toxiproxy: {0}")]
    Proxy(String),
    /// A broker did not start.
    #[error("broker {number} did not start; its log is {}", log.display())]
    Start {
        /// Which one, from 1.
        number: usize,
        /// Where it said why.
        log: PathBuf,
    },
}

/// One broker or several.
#[derive(Debug)]
pub struct Kafka {
    folder: PathBuf,
    jars: PathBuf,
    life: Life,
    brokers: Vec<Broker>,
    proxies: Option<Proxies>,
}

#[derive(Debug)]
struct Broker {
    port: u16,
    process: Option<(Id, Option<Guard>)>,
}

impl Kafka {
    /// Starts `count` brokers, numbered from 1, with their files in a folder. What is there already is gone on with, on
    /// the same ports.
    pub fn start(folder: &Path, count: usize, life: Life) -> Result<Self, KafkaError> {
        let jars = jars()?;
        let folder = std::path::absolute(folder)?;
        fs::create_dir_all(&folder)?;
        let ports = match known_ports(&folder)? {
            Some(ports) => ports,
            None => Layout::of(&free_ports(3 * count)?).prepare(&folder, &jars)?,
        };
        Self { folder, jars, life, brokers: Broker::all(&ports), proxies: None }.launched()
    }

    /// Starts `count` brokers in a fresh folder that live as long as this, and a proxy before each through which all
    /// clients go; brokers reach each other without.
    pub fn start_proxied(folder: &Path, count: usize) -> Result<Self, KafkaError> {
        let jars = jars()?;
        let folder = std::path::absolute(folder)?;
        fs::create_dir_all(&folder)?;
        // Drawn together, so that they differ.
        let ports = free_ports(4 * count + 1)?;
        let (brokers, proxies) = ports.split_at(3 * count);
        let mut layout = Layout::of(brokers);
        let proxies = Proxies::start(&folder, &layout.clients, proxies)?;
        proxies.ports().clone_into(&mut layout.advertised);
        let ports = layout.prepare(&folder, &jars)?;
        let brokers = Broker::all(&ports);
        Self { folder, jars, life: Life::Guarded, brokers, proxies: Some(proxies) }.launched()
    }

    fn launched(self) -> Result<Self, KafkaError> {
        let mut kafka = self;
        for number in 1..=kafka.brokers.len() {
            kafka.launch(number)?;
        }
        for number in 1..=kafka.brokers.len() {
            kafka.wait(number)?;
        }
        Ok(kafka)
    }

    /// Where clients begin: `host:port` of all, separated by commas.
    pub fn bootstrap(&self) -> String {
        let own = || self.brokers.iter().map(|broker| broker.port).collect();
        let ports: Vec<u16> = self.proxies.as_ref().map_or_else(own, |proxies| proxies.ports().to_vec());
        let addresses: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        addresses.join(",")
    }

    /// What stands between clients and brokers, where it was asked for.
    pub fn proxies(&self) -> Option<&Proxies> {
        self.proxies.as_ref()
    }

    /// The process of a broker that was started and not stopped.
    pub fn process(&self, number: usize) -> Option<&Id> {
        self.brokers.get(number - 1)?.process.as_ref().map(|(id, _)| id)
    }

    /// The port of a broker.
    pub fn port(&self, number: usize) -> u16 {
        self.brokers[number - 1].port
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.brokers.len()
    }

    /// Where a broker keeps the records of its partitions.
    pub fn data(&self, number: usize) -> PathBuf {
        self.folder.join(format!("broker-{number}")).join("data")
    }

    /// Starts a broker that was killed, and waits until it takes connections.
    pub fn restart(&mut self, number: usize) -> Result<(), KafkaError> {
        self.launch(number)?;
        self.wait(number)
    }

    /// SIGKILL.
    pub fn kill(&mut self, number: usize) {
        if let Some((id, guard)) = self.brokers[number - 1].process.take() {
            id.signal("KILL");
            id.ends_within(Duration::from_secs(5));
            drop(guard);
        }
    }

    /// Ends all in good order.
    pub fn stop(&mut self) {
        let ids: Vec<Id> = self.brokers.iter().filter_map(|broker| Some(broker.process.as_ref()?.0.clone())).collect();
        for id in &ids {
            id.signal("TERM");
        }
        for id in &ids {
            // The last of a quorum has nobody to hand over to, and would wait long.
            id.end(END);
        }
        for broker in &mut self.brokers {
            broker.process = None;
        }
    }

    fn launch(&mut self, number: usize) -> Result<(), KafkaError> {
        let home = self.folder.join(format!("broker-{number}"));
        let log = home.join("broker.log");
        let mut command = java(&self.jars);
        command.arg("kafka.Kafka").arg(home.join("server.properties"));
        let process = match self.life {
            Life::Detached => (detached(command, &log)?, None),
            Life::Guarded => {
                let (id, guard) = guarded(&command, &log)?;
                (id, Some(guard))
            }
        };
        self.brokers[number - 1].process = Some(process);
        Ok(())
    }

    fn wait(&self, number: usize) -> Result<(), KafkaError> {
        let broker = &self.brokers[number - 1];
        let address = SocketAddr::from(([127, 0, 0, 1], broker.port));
        let deadline = Instant::now() + START;
        while TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_err() {
            let lives = broker.process.as_ref().is_some_and(|(id, _)| id.lives());
            if !lives || Instant::now() > deadline {
                let log = self.folder.join(format!("broker-{number}")).join("broker.log");
                return Err(KafkaError::Start { number, log });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Broker {
    fn all(ports: &[u16]) -> Vec<Self> {
        ports.iter().map(|port| Self { port: *port, process: None }).collect()
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        if self.life == Life::Guarded {
            for number in 1..=self.brokers.len() {
                self.kill(number);
            }
        }
    }
}

/// A small heap and a collector that costs little on few cores.
fn java(jars: &Path) -> Command {
    let mut command = Command::new("java");
    command
        .args([
            "-Xms256m",
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            "-Dcom.sun.management.jmxremote=false",
        ])
        .arg(format!("-Dlog4j2.configurationFile={}/log4j2.properties", env!("CARGO_MANIFEST_DIR")))
        .arg("-cp")
        .arg(jars.join("*"));
    command
}

/// The ports of brokers that were prepared in a folder before.
fn known_ports(folder: &Path) -> Result<Option<Vec<u16>>, KafkaError> {
    match fs::read_to_string(folder.join("ports.json")) {
        Ok(text) => Ok(serde_json::from_str(&text).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The ports of all brokers.
struct Layout {
    /// For clients.
    clients: Vec<u16>,
    /// What clients are told to connect to.
    advertised: Vec<u16>,
    /// For each other.
    between: Vec<u16>,
    controllers: Vec<u16>,
}

/// As Kafka writes its ids: 16 bytes in URL-safe base64. The first bit is nought, so that the id never begins with `-`,
/// which the tool that formats the storage would take for an option.
fn cluster_id(mut bytes: [u8; 16]) -> String {
    bytes[0] &= 0x7f;
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

impl Layout {
    /// Three ports for each broker.
    fn of(ports: &[u16]) -> Self {
        let count = ports.len() / 3;
        let of = |n: usize| ports[n * count..(n + 1) * count].to_vec();
        Self { clients: of(0), advertised: of(0), between: of(1), controllers: of(2) }
    }

    /// Writes the settings of all brokers and formats their storage; gives the ports for clients.
    fn prepare(self, folder: &Path, jars: &Path) -> Result<Vec<u16>, KafkaError> {
        let cluster = cluster_id(rand::random());
        let mut formats = Vec::new();
        for number in 1..=self.clients.len() {
            let home = folder.join(format!("broker-{number}"));
            fs::create_dir_all(&home)?;
            let settings = home.join("server.properties");
            fs::write(&settings, self.properties(&home, number))?;
            let mut command = java(jars);
            command.args(["kafka.tools.StorageTool", "format", "--cluster-id", &cluster, "--config"]).arg(settings);
            formats.push(std::thread::spawn(move || command.output()));
        }
        for format in formats {
            let output = format.join().map_err(|_| KafkaError::Format("a thread panicked".to_owned()))??;
            if !output.status.success() {
                let said = [output.stdout, output.stderr].concat();
                return Err(KafkaError::Format(String::from_utf8_lossy(&said).into_owned()));
            }
        }
        // Written last: half a preparation is begun anew.
        fs::write(folder.join("ports.json"), serde_json::to_string(&self.clients).unwrap_or_default())?;
        Ok(self.clients)
    }

    /// One process is broker and controller. A broker that is silent for 6 s is taken out; topics say what they need
    /// themselves.
    fn properties(&self, home: &Path, number: usize) -> String {
        let count = self.clients.len();
        let copies = count.min(3);
        let in_sync = if count >= 3 { 2 } else { 1 };
        let mut voters = String::new();
        for (at, port) in self.controllers.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            let _ = write!(voters, "{comma}{}@127.0.0.1:{port}", at + 1);
        }
        let (port, advertised) = (self.clients[number - 1], self.advertised[number - 1]);
        let (between, controller) = (self.between[number - 1], self.controllers[number - 1]);
        format!(
            "process.roles=broker,controller\n\
             node.id={number}\n\
             controller.quorum.voters={voters}\n\
             controller.listener.names=CONTROLLER\n\
             listeners=PLAINTEXT://127.0.0.1:{port},BETWEEN://127.0.0.1:{between},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{advertised},BETWEEN://127.0.0.1:{between}\n\
             inter.broker.listener.name=BETWEEN\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,BETWEEN:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             log.dirs={}\n\
             auto.create.topics.enable=false\n\
             num.network.threads=2\n\
             num.io.threads=4\n\
             num.recovery.threads.per.data.dir=2\n\
             log.cleaner.enable=false\n\
             broker.session.timeout.ms=6000\n\
             broker.heartbeat.interval.ms=1000\n\
             controller.quorum.election.timeout.ms=1000\n\
             controller.quorum.fetch.timeout.ms=2000\n\
             replica.lag.time.max.ms=6000\n\
             replica.fetch.wait.max.ms=100\n\
             offsets.topic.replication.factor={copies}\n\
             offsets.topic.num.partitions=1\n\
             transaction.state.log.replication.factor={copies}\n\
             transaction.state.log.min.isr={in_sync}\n\
             min.insync.replicas={in_sync}\n\
             default.replication.factor={copies}\n",
            home.join("data").display()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::cluster_id;

    #[test]
    fn a_cluster_id_is_never_taken_for_an_option() {
        for first in 0..=u8::MAX {
            let id = cluster_id([first; 16]);
            assert!(id.len() == 22 && !id.starts_with('-'), "{id}");
        }
    }
}
