//! The `counterfoil` command: all services in one process on the embedded log, and the tools around it.

mod demo;
mod openapi;
mod serve;
mod sign_in;
mod tools;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::tools::Source;
use host::Failure;
use host::config::{Config, Switch};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Coupons that are never redeemed twice: issuer, redeemer and risk-scorer on one log.
#[derive(Parser)]
#[command(name = "counterfoil", version, about, long_about = None)]
struct Arguments {
    /// Where log, projection and keys lie
    #[arg(long, global = true, env = "COUNTERFOIL_DATA_DIR", default_value = "data")]
    data_dir: PathBuf,
    /// A TOML file; every key is also a variable `COUNTERFOIL__SECTION__KEY`
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Kafka, `host:port`, separated by commas: for the tools, whose log is otherwise that of the data directory
    #[arg(long, global = true, value_name = "LIST")]
    brokers: Option<String>,
    /// Take topics with one replica
    #[arg(long, global = true)]
    single_broker: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API; prints one line `listening on http://ADDR` when ready
    Serve {
        /// Address and port; port 0 takes a free one [default: 127.0.0.1:8080]
        #[arg(long, value_name = "ADDR")]
        listen: Option<String>,
        /// The pages for people at `/`, and their signing in [default: on]
        #[arg(long, value_name = "on|off")]
        dashboard: Option<Switch>,
        /// End, as after SIGTERM, when the standard input is closed: a program that starts this one so leaves nothing
        /// behind when it is killed
        #[arg(long)]
        end_with_stdin: bool,
    },
    /// Serve with sample test merchants, shoppers and abusers, and print a session to paste
    Demo {
        /// Address and port; port 0 takes a free one [default: 127.0.0.1:8080]
        #[arg(long, value_name = "ADDR")]
        listen: Option<String>,
        /// The pages for people at `/`, and their signing in [default: on]
        #[arg(long, value_name = "on|off")]
        dashboard: Option<Switch>,
        /// How much goes on
        #[arg(long, value_enum, default_value_t, value_name = "HOW")]
        traffic: demo::Traffic,
        /// Without traffic, as `--traffic off`
        #[arg(long, conflicts_with = "traffic")]
        quiet: bool,
        /// As of `serve`
        #[arg(long)]
        end_with_stdin: bool,
    },
    /// Check the invariants over the whole log; exit code 1 when one is broken
    Audit {
        /// The result as one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Tell a coupon's story from the log, oldest first
    Explain {
        /// Its id, `cpn_...`, or its code
        coupon: String,
    },
    /// Fold the whole log into a new projection; the server must be stopped
    Rebuild {
        /// Compare the hashes of all shards, and of what risk counts, with the projections that are there, and leave them; exit
        /// code 1 if one differs
        #[arg(long)]
        verify: bool,
    },
    /// Send a signed request to the server that runs on this data directory
    Call {
        /// GET, POST, PUT, PATCH or DELETE
        method: String,
        /// With its query, such as /v1/stocks?limit=5
        path: String,
        /// JSON
        body: Option<String>,
        /// Where it listens [default: as the running server says]
        #[arg(long, value_name = "URL")]
        target: Option<String>,
        /// A file with `key_id` and secret [default: platform-key.json in the data directory]
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
        /// The Idempotency-Key [default: a random one for calls that change something]
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
    },
    /// People who sign in to the pages: make them, list them, give them links
    Users(tools::users::Asked),
    /// Records of the ledger as JSON lines
    Log(tools::log::Wanted),
    /// Topics on Kafka: make them, check them
    Topics {
        #[command(subcommand)]
        topics: tools::topics::Topics,
    },
    /// Copy the ledger to Kafka or to more partitions; can be interrupted and run again
    Copy(tools::copy::Target),
    /// Switches of the fold's rules between releases
    Upgrade {
        #[command(subcommand)]
        upgrade: tools::upgrade::Upgrade,
    },
    /// Print the configuration in force
    Config,
    /// Print the `OpenAPI` document of all services
    Openapi,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    telemetry::start();
    host::memory::small_pages();
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            // Said plainly: whoever typed the command reads it.
            eprintln!("counterfoil: {error}");
            ExitCode::from(2)
        }
    }
}

/// Who names brokers expects the log to be there.
fn on_the_embedded_log(config: &Config) -> Result<(), Failure> {
    if config.kafka.brokers.is_empty() {
        return Ok(());
    }
    Err("serve and demo keep their log in the data directory; with brokers (--brokers, kafka.brokers) start \
         counterfoil-issuer, counterfoil-redeemer and counterfoil-risk-scorer"
        .into())
}

fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let mut config = Config::read(arguments.config.as_deref())?;
    config.kafka.brokers = arguments.brokers.unwrap_or(config.kafka.brokers);
    config.kafka.single_broker |= arguments.single_broker;
    let data_dir = arguments.data_dir;
    match arguments.command {
        Command::Serve { listen, dashboard, end_with_stdin } => {
            on_the_embedded_log(&config)?;
            config.dashboard.turn(dashboard);
            config.server.listen = listen.unwrap_or(config.server.listen);
            config.check()?;
            serve::run(&config, &data_dir, None, end_with_stdin)
        }
        Command::Demo { listen, dashboard, traffic, quiet, end_with_stdin } => {
            let traffic = if quiet { demo::Traffic::Off } else { traffic };
            config.limits.max_keys = config.limits.max_keys.min(demo::MOST_KEYS);
            on_the_embedded_log(&config)?;
            config.dashboard.turn(dashboard);
            config.server.listen = listen.unwrap_or(config.server.listen);
            config.check()?;
            serve::run(&config, &data_dir, Some(demo::Demo { traffic }), end_with_stdin)
        }
        Command::Audit { json } => tools::audit::run(&Source { data_dir, config }, json),
        Command::Explain { coupon } => tools::explain::run(&Source { data_dir, config }, &coupon),
        Command::Rebuild { verify } => tools::rebuild::run(&Source { data_dir, config }, verify),
        Command::Topics { topics } => tools::topics::run(&Source { data_dir, config }, &topics),
        Command::Copy(target) => tools::copy::run(&Source { data_dir, config }, &target),
        Command::Upgrade { upgrade } => tools::upgrade::run(&Source { data_dir, config }, &upgrade),
        Command::Call { method, path, body, target, key_file, idempotency_key } => {
            let call = tools::call::Call { method, path, body, target, key_file, idempotency_key };
            tools::call::run(&data_dir, call)
        }
        Command::Users(asked) => tools::users::run(&data_dir, asked),
        Command::Log(wanted) => tools::log::run(&Source { data_dir, config }, &wanted),
        Command::Openapi => {
            tools::print(&openapi::text());
            Ok(ExitCode::SUCCESS)
        }
        Command::Config => {
            tools::print(&toml::to_string_pretty(&config)?);
            Ok(ExitCode::SUCCESS)
        }
    }
}
