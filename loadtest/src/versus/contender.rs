//! Who is measured: each is started on a fresh folder, and ended.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::{Field, Options};
use crate::bench::{self, Phase};
use crate::codes::Codes;
use crate::server::{Place, read_key};
use crate::{Failure, Result};

/// How long a start may take: codes are made ahead, and a database may be started first.
const START_LIMIT: Duration = Duration::from_mins(10);
const SAYS: &str = "listening on ";
/// Over so many stocks redemptions are spread, where they are.
const STOCKS: u64 = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contender {
    Counterfoil,
    /// It too, where redemptions are spread over many stocks.
    Spread,
    Postgres,
    Redis,
    DurableEcho,
    Echo,
}

impl Contender {
    pub(super) fn of(field: Field) -> Vec<Self> {
        match field {
            Field::Peers => vec![Self::Counterfoil, Self::Postgres, Self::Redis, Self::DurableEcho, Self::Echo],
            Field::Stocks => vec![Self::Counterfoil, Self::Spread],
        }
    }

    pub(super) fn name(self, field: Field) -> &'static str {
        match self {
            Self::Counterfoil if field == Field::Stocks => "all on one stock",
            Self::Counterfoil => "Counterfoil",
            Self::Spread => "spread over 100 stocks",
            Self::Postgres => "axum + PostgreSQL",
            Self::Redis => "axum + Redis",
            Self::DurableEcho => "durable echo",
            Self::Echo => "echo",
        }
    }

    /// More than any machine of today uses up in the time; making them takes time too.
    fn codes(self, options: &Options) -> u64 {
        let per_second = match self {
            Self::Counterfoil | Self::Spread | Self::Postgres | Self::Redis => 60_000.0,
            Self::DurableEcho | Self::Echo => 250_000.0,
        };
        (per_second * (options.duration + options.warm_up).as_secs_f64()) as u64
    }

    pub(super) async fn measure(self, options: &Options) -> Result<Phase> {
        let folder = tempfile::tempdir().map_err(Failure::io("a temporary folder"))?;
        match self {
            Self::Counterfoil | Self::Spread => {
                let place = Place::new(options.server_binary.as_deref(), folder.path())?;
                let server = place.start("127.0.0.1:0").await?;
                let load = bench::Options {
                    duration: options.duration,
                    warm_up: options.warm_up,
                    connections: options.connections,
                    codes: self.codes(options),
                    stocks: if self == Self::Spread { STOCKS } else { 1 },
                    ..bench::Options::default()
                };
                let phase = bench::run_on(&server.url, place.platform_key()?, load).await?;
                bench::stop(server).await?;
                Ok(phase)
            }
            peer => peer.measure_peer(options, folder.path()).await,
        }
    }

    async fn measure_peer(self, options: &Options, folder: &Path) -> Result<Phase> {
        let binary = peers_binary(options)?;
        let mut child = Command::new(&binary)
            .arg(match self {
                Self::Postgres => "postgres",
                Self::Redis => "redis",
                Self::DurableEcho => "durable-echo",
                Self::Echo | Self::Counterfoil | Self::Spread => "echo",
            })
            .args(["--end-with-stdin", "--listen", "127.0.0.1:0", "--codes", &self.codes(options).to_string(), "--out"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(Failure::file(&binary))?;
        let address = listening(&mut child).await?;
        let key = read_key(&folder.join("key.json"))?;
        let codes = Codes::lines(&folder.join("codes.txt"))?;
        let load = (options.connections, options.warm_up, options.duration);
        let phase = bench::run_with(&address, key, codes, load).await?;
        drop(child.stdin.take());
        let ended = tokio::time::timeout(Duration::from_mins(1), child.wait()).await;
        ended
            .map_err(|_| Failure::Server(format!("{} does not end", binary.display())))?
            .map_err(Failure::io("a peer"))?;
        Ok(phase)
    }
}

fn peers_binary(options: &Options) -> Result<PathBuf> {
    if let Some(binary) = &options.peers_binary {
        return Ok(binary.clone());
    }
    let own = std::env::current_exe().map_err(Failure::io("the path of this executable"))?;
    let beside = own.with_file_name("peers");
    if beside.is_file() {
        return Ok(beside);
    }
    Err(Failure::Usage(format!("there is no {}; --peers-binary names another", beside.display())))
}

/// Waits for the line that says where it listens.
async fn listening(child: &mut Child) -> Result<String> {
    let stdout = child.stdout.take().ok_or_else(|| Failure::Server("a peer has no standard output".to_owned()))?;
    let mut lines = BufReader::new(stdout).lines();
    let said = async {
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(address) = line.strip_prefix(SAYS) {
                return Some(address.trim_start_matches("http://").to_owned());
            }
        }
        None
    };
    let address = tokio::time::timeout(START_LIMIT, said).await.ok().flatten();
    let address = address.ok_or_else(|| Failure::Server("a peer did not begin to listen".to_owned()))?;
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok(address)
}
