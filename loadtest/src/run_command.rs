//! `loadtest run`, `profiles` and `compare`.

use std::path::{Path, PathBuf};

use clap::Args;
use loadtest::run::{self, Keys, Options, Threshold};
use loadtest::{Failure, Result};

/// What `run` takes.
#[derive(Args)]
pub(crate) struct RunArguments {
    /// A profile (see `loadtest profiles`), or a workload's file
    #[arg(value_name = "PROFILE|FILE")]
    workload: String,
    /// A server that runs on this machine
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", conflicts_with = "start")]
    target: String,
    /// platform-key.json of that server's data directory: the run makes a test merchant of its own
    #[arg(long, value_name = "FILE", default_value = "data/platform-key.json", conflicts_with = "start")]
    platform_key: PathBuf,
    /// A file with `key_id` and `secret` of a merchant's admin key, to run as that merchant instead
    #[arg(long, value_name = "FILE", conflicts_with = "platform_key")]
    key_file: Option<PathBuf>,
    /// Start a server on a fresh folder for this run, and end it afterwards
    #[arg(long)]
    start: bool,
    /// With --start: a configuration for that server [default: what the workload says]
    #[arg(long, value_name = "FILE", requires = "start")]
    server_config: Option<PathBuf>,
    /// With --start: the binary [default: the counterfoil beside this executable]
    #[arg(long, value_name = "PATH", requires = "start")]
    server_binary: Option<PathBuf>,
    /// The schedule's peak, requests per second [default: as the workload says]
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// How long is measured, seconds; the warm-up is as the workload says [default: as the workload says]
    #[arg(long, value_name = "SECONDS")]
    duration: Option<f64>,
    /// What must hold besides, such as "p99 < 10ms", "errors < 0.1%", "unknown == 0"; may be given more than once
    #[arg(long, value_name = "THRESHOLD")]
    threshold: Vec<String>,
    /// Go on twins of this stock, beside the real traffic of a running production, and store the report; needs --key-file
    #[arg(long, value_name = "STOCK", requires = "key_file")]
    rehearse: Option<String>,
    /// Store the report with this stock, which may be activated once one has passed; needs --key-file
    #[arg(long, value_name = "STOCK", requires = "key_file", conflicts_with = "rehearse")]
    store: Option<String>,
    /// The real claims, for a workload that replays them: CSV, gzipped or not
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Write the result here as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report here as one page of HTML that needs no network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// No progress
    #[arg(long)]
    quiet: bool,
}

pub(crate) fn run(arguments: &RunArguments) -> Result<u8> {
    let (workload, text) = run::load_workload(&arguments.workload)?;
    let thresholds = arguments.threshold.iter().map(|text| text.parse::<Threshold>());
    let thresholds = thresholds.collect::<std::result::Result<_, _>>().map_err(|no| Failure::Usage(no.to_string()))?;
    // Files that cannot be written are found before the run, not after it.
    for path in [&arguments.json, &arguments.html].into_iter().flatten() {
        write(path, "")?;
    }
    let runtime = super::runtime()?;
    runtime.block_on(async {
        let started = if arguments.start { Some(start(arguments, workload.server.as_ref()).await?) } else { None };
        let (target, keys) = match &started {
            Some(started) => (started.url().to_owned(), Keys::Platform(started.platform_key()?)),
            None => (arguments.target.clone(), keys(arguments)?),
        };
        let options = Options {
            workload,
            text,
            target: target.clone(),
            keys: keys.clone(),
            rate: arguments.rate,
            seconds: arguments.duration,
            thresholds,
            rehearse: arguments.rehearse.clone(),
            data: arguments.data.clone(),
            silent: arguments.quiet,
        };
        let result = run::run(options).await?;
        loadtest::print(&result.table());
        if let Some(path) = &arguments.json {
            let text = serde_json::to_string_pretty(&result).map_err(|error| Failure::Usage(error.to_string()))?;
            write(path, &text)?;
        }
        if let Some(path) = &arguments.html {
            write(path, &run::page(&result)?)?;
        }
        if let Some(stock) = arguments.rehearse.as_ref().or(arguments.store.as_ref()) {
            run::store(&target, &keys, stock, &result).await?;
        }
        if let Some(started) = started {
            started.stop().await?;
        }
        Ok(result.verdict.exit_code)
    })
}

async fn start(arguments: &RunArguments, settings: Option<&toml::Table>) -> Result<loadtest::OwnServer> {
    let (binary, config) = (arguments.server_binary.as_deref(), arguments.server_config.as_deref());
    loadtest::OwnServer::start(binary, config, settings).await
}

fn keys(arguments: &RunArguments) -> Result<Keys> {
    if let Some(file) = &arguments.key_file {
        return loadtest::read_key(file).map(Keys::Merchant);
    }
    let hint = |failure: Failure| match failure {
        Failure::File { path, source } => Failure::Usage(format!(
            "{}: {source}; --platform-key names platform-key.json of the server's data directory, and --start starts a server",
            path.display()
        )),
        other => other,
    };
    loadtest::read_key(&arguments.platform_key).map(Keys::Platform).map_err(hint)
}

pub(crate) fn profiles(name: Option<&str>) -> Result<u8> {
    match name {
        Some(name) => loadtest::print(run::profile_text(name)?),
        None => {
            for (name, _) in run::PROFILES {
                let (workload, _) = run::load_workload(name)?;
                loadtest::print(&format!("{name:14} {}\n", workload.about));
            }
        }
    }
    Ok(0)
}

pub(crate) fn compare(before: &Path, after: &Path) -> Result<u8> {
    loadtest::print(&run::compare(&run::read_result(before)?, &run::read_result(after)?));
    Ok(0)
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|source| Failure::File { path: path.to_owned(), source })
}
