//! `counterfoil topics`: the topics on Kafka and their settings.

use std::process::ExitCode;

use clap::Subcommand;
use event_log_kafka::{TopicSettings, check, create};
use host::Failure;

use super::{Source, print};

#[derive(Subcommand)]
pub(crate) enum Topics {
    /// Make those that are not there, with settings that lose and reorder nothing
    Create {
        /// Partitions of each topic, fixed from then on
        #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
        partitions: u32,
        /// Copies of each record [default: 3; 1 with --single-broker]
        #[arg(long)]
        replicas: Option<i32>,
        /// Copies that must be there before a record is acknowledged [default: 2; 1 with --single-broker]
        #[arg(long)]
        in_sync: Option<i32>,
    },
    /// Look at everything that matters; exit code 1 when a setting could lose or reorder records
    Check,
}

pub(crate) fn run(source: &Source, topics: &Topics) -> Result<ExitCode, Failure> {
    if !source.is_kafka() {
        return Err("--brokers HOST:PORT,... says which Kafka".into());
    }
    let options = host::kafka_options(&source.config.kafka);
    if let Topics::Create { partitions, replicas, in_sync } = *topics {
        let (all, some) = if options.single_broker { (1, 1) } else { (3, 2) };
        let settings =
            TopicSettings { partitions, replicas: replicas.unwrap_or(all), in_sync: in_sync.unwrap_or(some) };
        for name in create(&options, settings)? {
            print(&format!("made {name}"));
        }
    }
    let report = check(&options)?;
    for finding in &report.findings {
        print(&format!("UNSAFE  {finding}"));
    }
    if report.findings.is_empty() {
        print(&format!("all topics are sound, with {} partitions each", report.partitions));
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::from(1))
}
