//! A `counterfoil` server of this run's own: started, stopped, killed, and looked over afterwards.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use http_api::client::Credentials;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::{Failure, Result};

/// How long a start may take; a large log is folded first.
const START_LIMIT: Duration = Duration::from_mins(5);
/// How long an orderly end may take: the drain and the last write of the projection.
const STOP_LIMIT: Duration = Duration::from_mins(2);

const SAYS: &str = "listening on ";
const PID_FILE: &str = "loadtest-server.pid";
const OUTPUT_FILE: &str = "loadtest-server.log";

/// A server's binary and where its data lies.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) binary: PathBuf,
    pub(crate) data_dir: PathBuf,
    /// A configuration's file.
    pub(crate) config: Option<PathBuf>,
}

/// A server on a temporary folder, which goes with it.
pub struct OwnServer {
    server: Server,
    place: Place,
    _folder: tempfile::TempDir,
}

impl OwnServer {
    /// Starts the given binary, or the `counterfoil` beside this executable; with a configuration as a file, else with
    /// these settings.
    pub async fn start(binary: Option<&Path>, config: Option<&Path>, settings: Option<&toml::Table>) -> Result<Self> {
        let folder = tempfile::tempdir().map_err(Failure::io("a temporary folder"))?;
        let config = match (config, settings) {
            (Some(config), _) => Some(config.to_owned()),
            (None, None) => None,
            (None, Some(settings)) => {
                let file = folder.path().join("server.toml");
                std::fs::write(&file, settings.to_string()).map_err(Failure::file(&file))?;
                Some(file)
            }
        };
        let place = Place { config, ..Place::new(binary, folder.path())? };
        let server = place.start("127.0.0.1:0").await?;
        Ok(Self { server, place, _folder: folder })
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.server.url
    }

    /// The platform's key.
    pub fn platform_key(&self) -> Result<Credentials> {
        self.place.platform_key()
    }

    /// Ends it in order, and looks its log over: `counterfoil audit`.
    pub async fn stop(self) -> Result<()> {
        self.server.stop().await?;
        let audit = self.place.tool(&["audit"]).await?;
        if audit.status.success() {
            Ok(())
        } else {
            Err(Failure::Server(format!("its audit failed: {}", audit.text.trim())))
        }
    }
}

/// A running server. Dropping it kills it.
pub(crate) struct Server {
    child: Child,
    /// `http://127.0.0.1:port`
    pub(crate) url: String,
}

/// What a tool of the binary said.
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) text: String,
}

#[derive(Deserialize)]
struct KeyFile {
    key_id: String,
    secret: String,
}

/// Reads `{"key_id", "secret"}`.
pub fn read_key(path: &Path) -> Result<Credentials> {
    let text = std::fs::read_to_string(path).map_err(Failure::file(path))?;
    let key: KeyFile =
        serde_json::from_str(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
    Ok(Credentials::new(key.key_id, &key.secret))
}

impl Place {
    /// The given binary, or the `counterfoil` beside this executable.
    pub(crate) fn new(binary: Option<&Path>, data_dir: &Path) -> Result<Self> {
        let beside = || -> Result<PathBuf> {
            let own = std::env::current_exe().map_err(Failure::io("the path of this executable"))?;
            Ok(own.with_file_name("counterfoil"))
        };
        let binary = binary.map_or_else(beside, |binary| Ok(binary.to_owned()))?;
        if !binary.is_file() {
            let text = format!("there is no server binary {}; --server-binary names another", binary.display());
            return Err(Failure::Usage(text));
        }
        std::fs::create_dir_all(data_dir).map_err(Failure::file(data_dir))?;
        Ok(Self { binary, data_dir: data_dir.to_owned(), config: None })
    }

    /// The platform's key of this server.
    pub(crate) fn platform_key(&self) -> Result<Credentials> {
        read_key(&self.data_dir.join("platform-key.json"))
    }

    /// Starts the server and waits for the line that says where it listens.
    pub(crate) async fn start(&self, listen: &str) -> Result<Server> {
        self.end_orphan().await?;
        let output = self.data_dir.join(OUTPUT_FILE);
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&output);
        let config = self.config.iter().flat_map(|file| [std::ffi::OsStr::new("--config"), file.as_os_str()]);
        let mut child = Command::new(&self.binary)
            .args(["serve", "--end-with-stdin", "--listen", listen, "--data-dir"])
            .arg(&self.data_dir)
            .args(config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.map_err(Failure::file(&output))?)
            .kill_on_drop(true)
            .spawn()
            .map_err(Failure::file(&self.binary))?;
        let pid = child.id().map_or_else(String::new, |pid| pid.to_string());
        let pid_file = self.data_dir.join(PID_FILE);
        std::fs::write(&pid_file, pid).map_err(Failure::file(&pid_file))?;
        let stdout = child.stdout.take().ok_or_else(|| Failure::Server("it has no standard output".to_owned()))?;
        let mut lines = BufReader::new(stdout).lines();
        let said = tokio::time::timeout(START_LIMIT, address(&mut lines)).await;
        let ended = || Failure::Server(format!("it did not begin to listen; {} may say why", output.display()));
        let url = said.map_err(|_| ended())??.ok_or_else(ended)?;
        // What it says later is read, so that it never waits for a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Server { child, url })
    }

    /// Runs `counterfoil NAME... --data-dir DIR`.
    pub(crate) async fn tool(&self, name: &[&str]) -> Result<Said> {
        let output = Command::new(&self.binary)
            .args(name)
            .arg("--data-dir")
            .arg(&self.data_dir)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(Failure::file(&self.binary))?;
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        Ok(Said { status: output.status, text })
    }

    /// Ends the server of an earlier run that was killed itself, which still holds the data directory.
    async fn end_orphan(&self) -> Result<()> {
        let text = std::fs::read_to_string(self.data_dir.join(PID_FILE)).unwrap_or_default();
        let Ok(pid) = text.trim().parse::<u32>() else { return Ok(()) };
        let its_command = || std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        // The number may be another process's by now: only one with this data directory on its command line is ours.
        let ours = self.data_dir.to_string_lossy().into_owned();
        let is_ours = |command: &[u8]| command.split(|&b| b == 0).any(|part| part == ours.as_bytes());
        if !is_ours(&its_command()) {
            return Ok(());
        }
        signal(pid, "KILL").await?;
        for _ in 0..500 {
            if !is_ours(&its_command()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(Failure::Server(format!("process {pid} of an earlier run does not end")))
    }
}

impl Server {
    /// SIGTERM: answers what it has accepted, and ends.
    pub(crate) async fn stop(mut self) -> Result<ExitStatus> {
        let pid = self.child.id().ok_or_else(|| Failure::Server("it had ended before it was stopped".to_owned()))?;
        signal(pid, "TERM").await?;
        tokio::time::timeout(STOP_LIMIT, self.child.wait())
            .await
            .map_err(|_| Failure::Server(format!("it goes on {} s after SIGTERM", STOP_LIMIT.as_secs())))?
            .map_err(Failure::io("waiting for the server"))
    }

    /// SIGKILL: no last word.
    pub(crate) async fn kill(mut self) -> Result<()> {
        self.child.kill().await.map_err(Failure::io("killing the server"))
    }

    /// Address and port.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }
}

async fn address(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<Option<String>> {
    while let Some(line) = lines.next_line().await.map_err(Failure::io("the server's output"))? {
        if let Some(url) = line.strip_prefix(SAYS) {
            return Ok(Some(url.trim().to_owned()));
        }
    }
    Ok(None)
}

/// Signals go by the command, since a system call would need unsafe code.
async fn signal(pid: u32, name: &str) -> Result<()> {
    let status = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().await;
    let status = status.map_err(Failure::io("the command kill"))?;
    if status.success() { Ok(()) } else { Err(Failure::Server(format!("SIG{name} did not reach process {pid}"))) }
}
