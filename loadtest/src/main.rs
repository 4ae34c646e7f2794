//! The `loadtest` command. Exit codes: 0 when every invariant holds, 1 when one is broken or the run could not be
//! finished, 2 when it was asked for something that cannot be done.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use loadtest::{Failure, Result, bench, replay};
use serde::Serialize;

/// Real traffic and plain figures for a Counterfoil server on this machine.
#[derive(Parser)]
#[command(version, about, long_about = None)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Send a file of real claims, let two checkouts fight over every third coupon, and judge what came of it
    Replay(ReplayArguments),
    /// Measure redemptions, claims and validations per second, bytes of log per redemption, and the rebuild
    Bench(BenchArguments),
}

#[derive(Args)]
struct ReplayArguments {
    /// The claims: CSV, gzipped or not
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// A server that runs on this machine, such as `http://127.0.0.1:8080` [default: start one]
    #[arg(long, value_name = "URL", requires = "platform_key", conflicts_with_all = ["server_binary", "data_dir"])]
    target: Option<String>,
    /// platform-key.json of that server's data directory
    #[arg(long, value_name = "FILE", requires = "target")]
    platform_key: Option<PathBuf>,
    /// Keep the run's merchants, keys and stocks here, so that another run need not ask for them
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// The server to start [default: the counterfoil beside this executable]
    #[arg(long, value_name = "PATH")]
    server_binary: Option<PathBuf>,
    /// Where that server keeps its data [default: a temporary folder]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// One merchant for each of the dataset's, or one for all
    #[arg(long, value_enum, default_value_t = MerchantsArgument::PerRow)]
    merchants: MerchantsArgument,
    /// Claims in flight
    #[arg(long, value_name = "N", default_value_t = 64)]
    concurrency: usize,
    /// The same name against the same server is the same run, and comes to the same counts
    #[arg(long, value_name = "NAME", default_value = "replay")]
    run: String,
    /// How long one call is repeated until its outcome is known, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    patience: u64,
    /// After so many claims, kill the server with SIGKILL and start it again; may be given more than once
    #[arg(long, value_name = "CLAIMS", conflicts_with = "target")]
    kill_after: Vec<u64>,
    /// Write the result here as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum MerchantsArgument {
    PerRow,
    One,
}

#[derive(Args)]
struct BenchArguments {
    /// A server that runs on this machine, such as `http://127.0.0.1:8080`: only redemptions are measured there
    #[arg(long, value_name = "URL", requires = "platform_key", conflicts_with_all = ["server_binary", "data_dir"])]
    target: Option<String>,
    /// platform-key.json of that server's data directory
    #[arg(long, value_name = "FILE", requires = "target")]
    platform_key: Option<PathBuf>,
    /// Redemptions per second by a schedule that waits for no answer (open loop) [default: as fast as answers come]
    #[arg(long, value_name = "N", requires = "target")]
    rate: Option<f64>,
    /// The server to start [default: the counterfoil beside this executable]
    #[arg(long, value_name = "PATH")]
    server_binary: Option<PathBuf>,
    /// Where it keeps its data; must be fresh [default: a temporary folder]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Length of each measurement, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    seconds: u64,
    /// Before each measurement, not counted, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    warm_up: u64,
    /// Connections, each with one request in flight
    #[arg(long, value_name = "N", default_value_t = 64)]
    connections: usize,
    /// Codes made ahead
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    codes: u64,
    /// Write the result here as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Replay(arguments) => replay(arguments),
        Command::Bench(arguments) => bench(arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(failure) => {
            eprintln!("loadtest: {failure}");
            ExitCode::from(if matches!(failure, Failure::Usage(_)) { 2 } else { 1 })
        }
    }
}

fn replay(arguments: ReplayArguments) -> Result<bool> {
    let server = match (arguments.target, arguments.platform_key) {
        (Some(target), Some(platform_key)) => replay::ServerChoice::Running { target, platform_key },
        _ => replay::ServerChoice::Own { binary: arguments.server_binary, data_dir: arguments.data_dir },
    };
    let options = replay::Options {
        run: arguments.run,
        state: arguments.state,
        merchants: match arguments.merchants {
            MerchantsArgument::PerRow => replay::Merchants::PerRow,
            MerchantsArgument::One => replay::Merchants::One,
        },
        concurrency: arguments.concurrency,
        patience: Duration::from_secs(arguments.patience),
        kill_after: arguments.kill_after,
        ..replay::Options::new(arguments.data, server)
    };
    let report = runtime()?.block_on(replay::run(options))?;
    result(&report, &report.table(), arguments.json.as_deref())?;
    Ok(report.holds())
}

fn bench(arguments: BenchArguments) -> Result<bool> {
    let options = bench::Options {
        server_binary: arguments.server_binary,
        data_dir: arguments.data_dir,
        duration: Duration::from_secs(arguments.seconds),
        warm_up: Duration::from_secs(arguments.warm_up),
        connections: arguments.connections,
        codes: arguments.codes,
        rate: arguments.rate,
        silent: false,
    };
    if let (Some(target), Some(platform_key)) = (arguments.target, arguments.platform_key) {
        let platform = loadtest::read_key(&platform_key)?;
        let phase = runtime()?.block_on(bench::run_on(&target, platform, options))?;
        result(&phase, &phase.line(), arguments.json.as_deref())?;
        return Ok(phase.other_statuses.is_empty());
    }
    let report = runtime()?.block_on(bench::run(options))?;
    result(&report, &report.table(), arguments.json.as_deref())?;
    Ok(report.holds())
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|source| Failure::Io { what: "the event loop".to_owned(), source })
}

fn result(report: &impl Serialize, table: &str, json: Option<&Path>) -> Result<()> {
    loadtest::print(table);
    let Some(path) = json else { return Ok(()) };
    let text = serde_json::to_vec_pretty(report).map_err(|error| Failure::Usage(error.to_string()))?;
    std::fs::write(path, text).map_err(|source| Failure::File { path: path.to_owned(), source })
}
