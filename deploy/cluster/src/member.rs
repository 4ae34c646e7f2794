//! One instance of a service.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf, absolute};
use std::process::Command;
use std::time::Duration;

use kafka_broker::Life;
use kafka_broker::process::{Guard, Id, detached, guarded};

use crate::plan::{Plan, Service};

/// Longer than an instance's own drain.
const END: Duration = Duration::from_secs(20);

/// An instance of a service, running or not.
pub struct Member {
    /// Which service.
    pub service: Service,
    /// Which of its instances, from 1.
    pub number: usize,
    port: u16,
    folder: PathBuf,
    process: Option<(Id, Option<Guard>)>,
}

impl Member {
    pub(crate) fn new(service: Service, number: usize, port: u16, folder: &Path) -> Self {
        Self { service, number, port, folder: folder.join(format!("{service}-{number}")), process: None }
    }

    /// Such as `redeemer-2`.
    pub fn name(&self) -> String {
        format!("{}-{}", self.service, self.number)
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What it says.
    pub fn log(&self) -> PathBuf {
        self.folder.with_extension("log")
    }

    /// Its data directory.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its process, if one was started.
    pub fn id(&self) -> Option<&Id> {
        self.process.as_ref().map(|(id, _)| id)
    }

    /// Whether its process lives.
    pub fn lives(&self) -> bool {
        self.id().is_some_and(Id::lives)
    }

    pub(crate) fn start(&mut self, plan: &Plan, brokers: &str, environment: &[(&str, &str)]) -> io::Result<()> {
        self.process = None;
        fs::create_dir_all(&self.folder)?;
        let mut command = Command::new(plan.binaries.join(format!("counterfoil-{}", self.service)));
        command
            .args(["--listen", &format!("127.0.0.1:{}", self.port), "--brokers", brokers, "--data-dir"])
            .arg(&self.folder)
            .env("COUNTERFOIL__SECURITY__MASTER_KEY_FILE", plan.folder.join("master.key"))
            .env("COUNTERFOIL__STORAGE__URL", format!("file://{}", absolute(plan.folder.join("storage"))?.display()))
            .envs(plan.environment.iter().map(|(name, value)| (name, value)))
            .envs(environment.iter().copied());
        if plan.brokers < 3 {
            command.arg("--single-broker");
        }
        let log = self.log();
        self.process = Some(match plan.life {
            Life::Detached => (detached(command, &log)?, None),
            Life::Guarded => {
                let (id, guard) = guarded(&command, &log)?;
                (id, Some(guard))
            }
        });
        Ok(())
    }

    /// Whether it says that it is ready.
    pub fn is_ready(&self) -> bool {
        self.probe("/readyz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// A probe's whole answer.
    pub fn probe(&self, path: &str) -> Option<String> {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(500)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some((id, guard)) = self.process.take() {
            id.signal("KILL");
            id.ends_within(Duration::from_secs(5));
            drop(guard);
        }
    }

    /// SIGTERM, and the end that follows. Whether it came in good order.
    pub fn end(&mut self) -> bool {
        let Some((id, guard)) = self.process.take() else { return true };
        let well = id.end(END);
        drop(guard);
        well
    }
}
