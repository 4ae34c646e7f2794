//! The `peers` command: the redemption endpoint as an engineer would build it on `PostgreSQL` or Redis, well tuned, and
//! two ceilings, so that the product's figures can be held against something measured in the same run.
//!
//! `postgres` and `redis` do the product's work for one call: signature, idempotency, coupon, limits, device, audit.
//! `echo` shows what HTTP alone costs on this machine, `durable-echo` what the signature and a durable append add.

mod admission;
mod answer;
mod app;
mod codes;
mod durable_echo;
mod echo;
mod failure;
mod postgres;
mod redis_store;
mod serve;
mod servers;
mod store;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use failure::Result;

/// The product and its peers allocate alike.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Servers that answer `POST /v1/redemptions` without Counterfoil, to be measured beside it.
#[derive(Parser)]
#[command(version, about, long_about = None)]
struct Arguments {
    #[command(subcommand)]
    peer: Peer,
}

#[derive(Subcommand)]
enum Peer {
    /// One `PL/pgSQL` function per redemption, synchronous commit
    Postgres {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        limits: Limits,
        /// A `PostgreSQL` that runs, empty [default: start one in a temporary folder]
        #[arg(long, value_name = "URL")]
        database_url: Option<String>,
        /// Connections to it, each with one transaction at a time; they share flushes of the log
        #[arg(long, value_name = "N", default_value_t = 64)]
        connections: usize,
    },
    /// One Lua script per redemption, an append-only file that is flushed always
    Redis {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        limits: Limits,
        /// A Redis that runs, empty [default: start one in a temporary folder]
        #[arg(long, value_name = "URL")]
        redis_url: Option<String>,
        /// Connections to it, each with many requests under way
        #[arg(long, value_name = "N", default_value_t = 4)]
        connections: usize,
    },
    /// Answers at once and checks nothing: the ceiling of HTTP
    Echo {
        #[command(flatten)]
        common: Common,
    },
    /// Checks the signature and appends the request to a file, many per flush: the ceiling of a durable server
    DurableEcho {
        #[command(flatten)]
        common: Common,
        /// Where requests are appended; must not exist [default: in a temporary folder]
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// What every peer is told.
#[derive(Args, Clone)]
struct Common {
    /// Address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: String,
    /// Codes made before it listens
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    codes: usize,
    /// Write key.json and codes.txt into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Threads that serve HTTP [default: number of cores]
    #[arg(long, value_name = "N")]
    worker_threads: Option<usize>,
    /// End when the standard input closes
    #[arg(long)]
    end_with_stdin: bool,
}

/// What the one stock allows.
#[derive(Args, Clone, Copy)]
struct Limits {
    /// Attempts of one device per minute
    #[arg(long, value_name = "N", default_value_t = 10)]
    device_limit: i32,
    /// Redemptions of one user
    #[arg(long, value_name = "N", default_value_t = 100)]
    user_limit: i32,
    /// Discounts in all, minor units [default: enough for every code]
    #[arg(long, value_name = "AMOUNT")]
    budget: Option<i64>,
}

fn main() -> ExitCode {
    match run(Arguments::parse().peer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("peers: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(peer: Peer) -> Result<()> {
    let (Peer::Postgres { common, .. }
    | Peer::Redis { common, .. }
    | Peer::Echo { common }
    | Peer::DurableEcho { common, .. }) = &peer;
    let common = common.clone();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = common.worker_threads {
        builder.worker_threads(threads.max(1));
    }
    let runtime = builder.enable_all().build()?;
    // On this thread: a database that this process starts ends with the thread that started it.
    runtime.block_on(async {
        match peer {
            Peer::Postgres { limits, database_url, connections, .. } => {
                postgres::run(common, limits, database_url, connections).await
            }
            Peer::Redis { limits, redis_url, connections, .. } => {
                redis_store::run(common, limits, redis_url, connections).await
            }
            Peer::Echo { .. } => echo::run(common).await,
            Peer::DurableEcho { file, .. } => durable_echo::run(common, file).await,
        }
    })
}
