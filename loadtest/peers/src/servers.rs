//! A `PostgreSQL` or a Redis of this run's own: in a temporary folder, on a socket in it, tuned, and gone with this
//! process, however that ends.

use std::fmt::Write;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use crate::failure::Result;

/// How long a database may take to be ready.
const START_LIMIT: Duration = Duration::from_mins(1);

/// How long it may take to end.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// Whom `PostgreSQL` runs as, since it refuses to run as root.
const USER: &str = "postgres";

/// Nothing that makes a commit less durable is turned off; what only serves replicas, older versions or reports is.
const POSTGRES_SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", "''"),
    ("unix_socket_permissions", "0700"),
    ("max_connections", "200"),
    ("shared_buffers", "1GB"),
    ("huge_pages", "off"),
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("wal_compression", "off"),
    ("wal_buffers", "64MB"),
    // A fifth of what a flush takes: commits that come meanwhile share it. Measured: a tenth more redemptions.
    ("commit_delay", "200"),
    ("commit_siblings", "5"),
    ("min_wal_size", "4GB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "15min"),
    ("checkpoint_completion_target", "0.9"),
    ("autovacuum", "on"),
    ("jit", "off"),
    // The function's statements are looked up by whole keys: planning them for each call would gain nothing.
    ("plan_cache_mode", "force_generic_plan"),
    ("random_page_cost", "1.1"),
    ("update_process_title", "off"),
    ("lc_messages", "'C'"),
    ("logging_collector", "off"),
    ("log_destination", "'stderr'"),
];

/// Every write is flushed before its answer; the file is not written anew meanwhile, and no snapshots are taken.
const REDIS_SETTINGS: &[&str] = &[
    "--port",
    "0",
    "--appendonly",
    "yes",
    "--appendfsync",
    "always",
    "--save",
    "",
    "--auto-aof-rewrite-percentage",
    "0",
    "--maxmemory",
    "0",
    "--daemonize",
    "no",
];

/// A running database.
pub(crate) struct Server {
    /// How to reach it.
    pub(crate) url: String,
    child: Child,
    /// Ends it at once: its folder goes too, so that it need not put anything in order.
    end: Signal,
    folder: TempDir,
}

impl Server {
    /// Starts `PostgreSQL` with an empty database.
    pub(crate) async fn postgres() -> Result<Self> {
        let binaries = postgres_binaries()?;
        let folder = tempfile::tempdir()?;
        if is_root() {
            let (uid, gid) = (id_of("-u").await?, id_of("-g").await?);
            chown(folder.path(), Some(uid), Some(gid))?;
        }
        let data = folder.path().join("data");
        let made = lowered(&binaries.join("initdb"))
            .args(["--username", USER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"])
            .args(["--wal-segsize", "64", "--pgdata"])
            .arg(&data)
            .stdin(Stdio::null())
            .output()
            .await?;
        if !made.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)).into());
        }
        let mut settings = String::new();
        for (name, value) in POSTGRES_SETTINGS {
            writeln!(settings, "{name} = {value}")?;
        }
        writeln!(settings, "unix_socket_directories = '{}'", folder.path().display())?;
        let mut file = OpenOptions::new().append(true).open(data.join("postgresql.conf"))?;
        file.write_all(settings.as_bytes())?;
        let mut command = lowered(&binaries.join("postgres"));
        command.arg("-D").arg(&data);
        let child = start(command, "database system is ready to accept connections").await?;
        let url = format!("host={} user={USER} dbname=postgres", folder.path().display());
        Ok(Self { url, child, end: Signal::QUIT, folder })
    }

    /// Starts Redis with nothing in it.
    pub(crate) async fn redis() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("redis.sock");
        let mut command = ending_with_parent();
        command.arg("redis-server").args(REDIS_SETTINGS);
        command.arg("--unixsocket").arg(&socket).arg("--dir").arg(folder.path());
        let child = start(command, "connections at").await?;
        Ok(Self { url: format!("redis+unix://{}", socket.display()), child, end: Signal::KILL, folder })
    }

    /// Ends it, and removes its folder.
    pub(crate) async fn stop(mut self) -> Result<()> {
        if let Some(pid) = self.child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
            kill_process(pid, self.end)?;
        }
        tokio::time::timeout(STOP_LIMIT, self.child.wait()).await.map_err(|_| "the database does not end")??;
        self.folder.close()?;
        Ok(())
    }
}

/// The newest that is installed, as Debian lays it out.
fn postgres_binaries() -> Result<PathBuf> {
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let folders = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path());
    let newest = folders.filter(|path| path.join("bin/initdb").is_file()).max_by_key(version);
    Ok(newest.ok_or("there is no PostgreSQL below /usr/lib/postgresql; deploy/setup.sh peers installs it")?.join("bin"))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

async fn id_of(which: &str) -> Result<u32> {
    let output = Command::new("id").args([which, USER]).output().await?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| format!("there is no user {USER}").into())
}

/// What follows ends when the thread that starts it does, which is the one that began this process.
fn ending_with_parent() -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    command
}

/// The same, and not as root.
fn lowered(program: &Path) -> Command {
    let mut command = ending_with_parent();
    if is_root() {
        command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]);
    }
    // A folder that it may enter: initdb complains about others.
    command.arg(program).current_dir("/");
    command
}

/// Starts a database and waits for the line that says that it is ready.
async fn start(mut command: Command, ready: &str) -> Result<Child> {
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.kill_on_drop(true).spawn()?;
    let (stdout, stderr) = (child.stdout.take().ok_or("no output")?, child.stderr.take().ok_or("no output")?);
    let saying = async {
        tokio::select! {
            said = says(stdout, ready) => said,
            said = says(stderr, ready) => said,
        }
    };
    tokio::time::timeout(START_LIMIT, saying).await.map_err(|_| "the database does not get ready")??;
    Ok(child)
}

async fn says(output: impl AsyncRead + Unpin + Send + 'static, ready: &str) -> Result<()> {
    let mut lines = BufReader::new(output).lines();
    let mut before = String::new();
    while let Some(line) = lines.next_line().await? {
        if line.contains(ready) {
            // What it says later is read, so that it never waits for a full pipe; what went wrong is passed on.
            tokio::spawn(async move {
                while let Ok(Some(line)) = lines.next_line().await {
                    if ["ERROR", "FATAL", "PANIC"].iter().any(|word| line.contains(word)) {
                        eprintln!("{line}");
                    }
                }
            });
            return Ok(());
        }
        writeln!(before, "{line}")?;
    }
    if before.is_empty() {
        // The other stream is the one that matters.
        std::future::pending::<()>().await;
    }
    Err(format!("the database ended: {before}").into())
}
