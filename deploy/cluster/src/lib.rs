//! The whole product on one machine, with real processes: Kafka, topics, any number of instances of each service, and
//! nginx in front of them. For development, for load tests of the real shape, and for tests that kill parts of it.

mod member;
mod nginx;
mod plan;
mod record;

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use event_log_kafka::{OpenError, Options, TopicSettings, create};
use kafka_broker::process::{Guard, Id};
use kafka_broker::{Kafka, KafkaError};

pub use kafka_broker::{Disturbance, Life};
pub use member::Member;
pub use plan::{Plan, Service};
pub use record::{down, status};

use record::Record;

/// How long all together may take to be ready.
const READY: Duration = Duration::from_mins(2);

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No brokers.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// No topics.
    #[error("topics: {0}")]
    Topics(#[from] OpenError),
    /// The file system, or the system, refused something.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Something did not start.
    #[error("{name} did not start; its log is {}", log.display())]
    Start {
        /// What.
        name: String,
        /// Where it said why.
        log: PathBuf,
    },
    /// A cluster runs there already.
    #[error("a cluster runs in {} already; `make cluster-down` ends it", .0.display())]
    Runs(PathBuf),
    /// A program is missing.
    #[error("{0}")]
    Missing(String),
}

/// A running cluster.
pub struct Cluster {
    plan: Plan,
    /// The brokers.
    pub kafka: Kafka,
    /// The instances of the services.
    pub members: Vec<Member>,
    nginx: Option<(Id, Option<Guard>)>,
    address: String,
}

impl Cluster {
    /// Starts everything and waits until it is ready. `say` is told of each step.
    pub fn up(plan: Plan, mut say: impl FnMut(&str)) -> Result<Self, ClusterError> {
        record::not_running(&plan.folder)?;
        fs::create_dir_all(&plan.folder)?;
        let master = plan.folder.join("master.key");
        if !master.exists() {
            write_secret(&master, &hex::encode(rand::random::<[u8; 32]>()))?;
        }
        let folder = plan.folder.join("kafka");
        let kafka = if plan.proxied {
            Kafka::start_proxied(&folder, plan.brokers)?
        } else {
            Kafka::start(&folder, plan.brokers, plan.life)?
        };
        say(&format!("kafka: {} broker(s) at {}", kafka.count(), kafka.bootstrap()));
        make_topics(&plan, &kafka.bootstrap())?;
        let mut cluster = Self { members: Vec::new(), nginx: None, address: String::new(), kafka, plan };
        let wanted = cluster.plan.instances();
        let ports = kafka_broker::process::free_ports(wanted.len() + 1)?;
        for ((service, number), port) in wanted.into_iter().zip(&ports) {
            cluster.members.push(Member::new(service, number, *port, &cluster.plan.folder));
        }
        for at in 0..cluster.members.len() {
            cluster.start(at)?;
        }
        // Written before the wait, so that what hangs can be ended too.
        cluster.write_record()?;
        if cluster.plan.nginx {
            let port = cluster.plan.port.unwrap_or(ports[ports.len() - 1]);
            cluster.nginx = Some(nginx::start(&cluster.plan, &cluster.members, port)?);
            cluster.address = format!("http://127.0.0.1:{port}");
        }
        cluster.write_record()?;
        for at in 0..cluster.members.len() {
            cluster.wait_ready(at, READY)?;
            say(&format!("{}: ready at {}", cluster.members[at].name(), cluster.members[at].address()));
        }
        cluster.publish_key()?;
        Ok(cluster)
    }

    /// Where the one API is; that of the first redeemer where there is no nginx.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The folder with everything.
    pub fn folder(&self) -> &Path {
        &self.plan.folder
    }

    /// The position of an instance among the members; numbers count from 1.
    pub fn find(&self, service: Service, number: usize) -> usize {
        let found = self.members.iter().position(|member| member.service == service && member.number == number);
        found.unwrap_or_else(|| panic!("there is no {service} {number}"))
    }

    /// Starts an instance that does not run.
    pub fn start(&mut self, at: usize) -> Result<(), ClusterError> {
        self.start_with(at, &[])
    }

    /// The same with further variables of the environment.
    pub fn start_with(&mut self, at: usize, environment: &[(&str, &str)]) -> Result<(), ClusterError> {
        let bootstrap = self.kafka.bootstrap();
        self.members[at].start(&self.plan, &bootstrap, environment)?;
        Ok(())
    }

    /// Waits until an instance is ready.
    pub fn wait_ready(&self, at: usize, patience: Duration) -> Result<(), ClusterError> {
        let member = &self.members[at];
        let deadline = Instant::now() + patience;
        while !member.is_ready() {
            if !member.lives() || Instant::now() > deadline {
                return Err(ClusterError::Start { name: member.name(), log: member.log() });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// What instances said when they panicked; nothing, if all is well.
    pub fn panics(&self) -> Vec<String> {
        let logs =
            self.members.iter().filter_map(|member| Some((member.name(), fs::read_to_string(member.log()).ok()?)));
        let lines = logs.flat_map(|(name, log)| {
            let panics = log.lines().filter(|line| line.contains("panicked at")).map(str::to_owned);
            panics.map(move |line| format!("{name}: {line}")).collect::<Vec<_>>()
        });
        lines.collect()
    }

    /// Ends everything in good order: first who asks, then who is asked.
    pub fn down(&mut self) {
        if let Some((id, guard)) = self.nginx.take() {
            id.end(Duration::from_secs(5));
            drop(guard);
        }
        let ids: Vec<Id> = self.members.iter().filter_map(|member| member.id().cloned()).collect();
        for id in &ids {
            id.signal("TERM");
        }
        for member in &mut self.members {
            member.end();
        }
        self.kafka.stop();
        record::remove(&self.plan.folder);
    }

    fn write_record(&self) -> io::Result<()> {
        let mut processes = Vec::new();
        if let Some((id, _)) = &self.nginx {
            processes.push(("nginx".to_owned(), id.clone()));
        }
        for member in &self.members {
            processes.extend(member.id().map(|id| (member.name(), id.clone())));
        }
        for number in 1..=self.kafka.count() {
            processes.extend(self.kafka.process(number).map(|id| (format!("broker-{number}"), id.clone())));
        }
        Record { address: self.address.clone(), brokers: self.kafka.bootstrap(), processes }.write(&self.plan.folder)
    }

    /// The first key, where those who look for it find it: beside the address.
    fn publish_key(&self) -> io::Result<()> {
        let issuer = self.plan.folder.join("issuer-1").join("platform-key.json");
        let key = fs::read_to_string(issuer)?;
        write_secret(&self.plan.folder.join("platform-key.json"), &key)?;
        fs::write(self.plan.folder.join("address"), format!("{}\n", self.address))
    }
}

/// Brokers that take connections may still have to find their controller.
fn make_topics(plan: &Plan, brokers: &str) -> Result<(), ClusterError> {
    let options = Options { brokers: brokers.to_owned(), single_broker: plan.brokers < 3, ..Options::default() };
    let in_sync = if plan.brokers >= 3 { 2 } else { 1 };
    let settings = TopicSettings { partitions: plan.partitions, replicas: plan.brokers.min(3) as i32, in_sync };
    let deadline = Instant::now() + READY;
    loop {
        match create(&options, settings) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            Err(_) => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

fn write_secret(file: &Path, text: &str) -> io::Result<()> {
    let mut out = fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    io::Write::write_all(&mut out, text.as_bytes())
}
