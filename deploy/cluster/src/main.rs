//! `counterfoil-cluster`: the whole product on one machine, started and ended by one command each.

#![allow(clippy::print_stdout, reason = "what it says is what was asked for")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use cluster::{Cluster, Life, Plan};

/// Kafka, topics, the services and nginx on the loopback of this machine, all files in one folder
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where all files lie
    #[arg(long, global = true, default_value = "data/cluster")]
    folder: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start everything and wait until it is ready; it goes on when this command ends
    Up {
        /// Brokers: 1, or 3 for a log that survives the loss of one
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=9))]
        brokers: u16,
        /// Partitions of each topic, when the topics are made
        #[arg(long, default_value_t = 8)]
        partitions: u32,
        /// Instances of the issuer
        #[arg(long, default_value_t = 1)]
        issuers: usize,
        /// Instances of the redeemer
        #[arg(long, default_value_t = 1)]
        redeemers: usize,
        /// Instances of the risk-scorer
        #[arg(long, default_value_t = 1)]
        risk_scorers: usize,
        /// Port of nginx; 0 takes a free one
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// Where the services' binaries lie
        #[arg(long, default_value = "target/release")]
        binaries: PathBuf,
    },
    /// End everything that `up` started
    Down,
    /// What runs
    Status,
}

fn main() -> ExitCode {
    let Arguments { folder, command } = Arguments::parse();
    match command {
        Command::Up { brokers, partitions, issuers, redeemers, risk_scorers, port, binaries } => up(Plan {
            brokers: usize::from(brokers),
            partitions,
            issuers: issuers.max(1),
            redeemers: redeemers.max(1),
            scorers: risk_scorers.max(1),
            port: (port > 0).then_some(port),
            life: Life::Detached,
            ..Plan::new(folder, binaries)
        }),
        Command::Down => {
            for name in cluster::down(&folder) {
                println!("{name} had to be killed");
            }
            println!("ended");
            ExitCode::SUCCESS
        }
        Command::Status => {
            for line in cluster::status(&folder) {
                println!("{line}");
            }
            ExitCode::SUCCESS
        }
    }
}

fn up(plan: Plan) -> ExitCode {
    let begun = Instant::now();
    let folder = plan.folder.clone();
    match Cluster::up(plan, |step| println!("{step}")) {
        Ok(cluster) => {
            println!("ready in {:.1} s: {}", begun.elapsed().as_secs_f64(), cluster.address());
            println!("first key: {}", folder.join("platform-key.json").display());
            println!("logs and all other files: {}   `make cluster-down` ends it", folder.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("counterfoil-cluster: {error}");
            if !matches!(error, cluster::ClusterError::Runs(_)) {
                cluster::down(&folder);
            }
            ExitCode::from(2)
        }
    }
}
