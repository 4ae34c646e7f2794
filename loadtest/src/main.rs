//! The `loadtest` command. Exit codes: 0 when everything holds, 1 when something does not or the run could not be
//! finished, 2 when it was asked for something that cannot be done, 3 when the generator was itself the bottleneck.

mod run_command;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use loadtest::{Failure, Result, bench, prove, replay, versus};
use serde::Serialize;

/// Load tests with a verdict, real traffic and plain figures, for a Counterfoil server on this machine.
///
/// Exit codes: 0 PASS, 1 FAIL, 2 usage, 3 INVALID (the generator could not keep its schedule).
#[derive(Parser)]
#[command(version, about, long_about = None)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Send a workload by its schedule, hold it against its thresholds, and audit what the server says afterwards
    Run(run_command::RunArguments),
    /// The workloads that ship with this tool; with a name, that one's file, to change and run
    Profiles {
        /// Which
        name: Option<String>,
    },
    /// Two results of `run --json` side by side
    Compare {
        /// The first
        #[arg(value_name = "A")]
        before: PathBuf,
        /// The second
        #[arg(value_name = "B")]
        after: PathBuf,
    },
    /// Send a file of real claims, let two checkouts fight over every third coupon, and judge what came of it
    Replay(ReplayArguments),
    /// Make risk decisions at random, kill the server, make its projections anew, and look at every decision again
    Prove(ProveArguments),
    /// Measure redemptions, claims and validations per second, bytes of log per redemption, and the rebuild
    Bench(BenchArguments),
    /// Measure the product beside what one would build without it, and beside the machine's ceilings
    Versus(VersusArguments),
    /// Measure what more coupons cost: memory, log, latency, the next start, the rebuild
    Growth(GrowthArguments),
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
struct ProveArguments {
    /// Shoppers, each of whom makes one decision or two
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    shoppers: u64,
    /// Decisions that are derived again one by one
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    derived: usize,
    /// What the shoppers are drawn from [default: another each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Calls in flight
    #[arg(long, value_name = "N", default_value_t = 64)]
    concurrency: usize,
    /// The server to start [default: the counterfoil beside this executable]
    #[arg(long, value_name = "PATH")]
    server_binary: Option<PathBuf>,
    /// Where that server keeps its data; must be fresh [default: a temporary folder]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Write the result here as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
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

#[derive(Clone, Copy, clap::ValueEnum)]
enum FieldArgument {
    Peers,
    Stocks,
}

#[derive(Args)]
struct VersusArguments {
    /// Who is measured beside the product: what one would build without it, or itself with all redemptions on one stock
    /// and spread over a hundred
    #[arg(long, value_enum, default_value_t = FieldArgument::Peers)]
    of: FieldArgument,
    /// Each contender is measured so often
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// Length of each measurement, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    seconds: u64,
    /// Before each measurement, not counted, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    warm_up: u64,
    /// Connections, each with one request in flight
    #[arg(long, value_name = "N", default_value_t = 256)]
    connections: usize,
    /// The product [default: the counterfoil beside this executable]
    #[arg(long, value_name = "PATH")]
    server_binary: Option<PathBuf>,
    /// The peers [default: the peers beside this executable]
    #[arg(long, value_name = "PATH")]
    peers_binary: Option<PathBuf>,
    /// Write the page here, in Markdown
    #[arg(long, value_name = "FILE", conflicts_with = "of")]
    page: Option<PathBuf>,
    /// How the page says that it was made
    #[arg(long, value_name = "TEXT", default_value = "loadtest versus")]
    made_by: String,
    /// Write the result here as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Args)]
struct GrowthArguments {
    /// Claimed coupons; may be given more than once, each with a fresh server
    #[arg(long, value_name = "N", default_values_t = [10_000, 1_000_000, 10_000_000])]
    coupons: Vec<u64>,
    /// How long redemptions are sent, seconds, 1 to 8
    #[arg(long, value_name = "SECONDS", default_value_t = 8)]
    seconds: u64,
    /// The server to start [default: the counterfoil beside this executable]
    #[arg(long, value_name = "PATH")]
    server_binary: Option<PathBuf>,
    /// Write the result here as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let holds = |done: Result<bool>| done.map(|holds| u8::from(!holds));
    let done = match Arguments::parse().command {
        Command::Run(arguments) => run_command::run(&arguments),
        Command::Profiles { name } => run_command::profiles(name.as_deref()),
        Command::Compare { before, after } => run_command::compare(&before, &after),
        Command::Replay(arguments) => holds(replay(arguments)),
        Command::Prove(arguments) => holds(prove(arguments)),
        Command::Bench(arguments) => holds(bench(arguments)),
        Command::Versus(arguments) => versus(arguments).map(|()| 0),
        Command::Growth(arguments) => holds(growth(arguments)),
    };
    match done {
        Ok(code) => ExitCode::from(code),
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

fn prove(arguments: ProveArguments) -> Result<bool> {
    let options = prove::Options {
        server_binary: arguments.server_binary,
        data_dir: arguments.data_dir,
        shoppers: arguments.shoppers,
        derived: arguments.derived,
        seed: arguments.seed.unwrap_or_else(rand::random),
        concurrency: arguments.concurrency,
        silent: false,
    };
    let report = runtime()?.block_on(prove::run(&options))?;
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
        stocks: 1,
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

fn versus(arguments: VersusArguments) -> Result<()> {
    let options = versus::Options {
        field: match arguments.of {
            FieldArgument::Peers => versus::Field::Peers,
            FieldArgument::Stocks => versus::Field::Stocks,
        },
        server_binary: arguments.server_binary,
        peers_binary: arguments.peers_binary,
        rounds: arguments.rounds,
        duration: Duration::from_secs(arguments.seconds),
        warm_up: Duration::from_secs(arguments.warm_up),
        connections: arguments.connections,
        silent: false,
    };
    let report = runtime()?.block_on(versus::run(&options))?;
    result(&report, &report.table(), arguments.json.as_deref())?;
    let Some(path) = arguments.page else { return Ok(()) };
    let page = versus::page(&report, &arguments.made_by);
    std::fs::write(&path, page).map_err(|source| Failure::File { path, source })
}

fn growth(arguments: GrowthArguments) -> Result<bool> {
    let options = bench::GrowthOptions {
        server_binary: arguments.server_binary,
        coupons: arguments.coupons,
        duration: Duration::from_secs(arguments.seconds),
        silent: false,
    };
    let all = runtime()?.block_on(bench::grow(&options))?;
    result(&all, &bench::growth_table(&all), arguments.json.as_deref())?;
    Ok(all.iter().all(bench::Growth::holds))
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
