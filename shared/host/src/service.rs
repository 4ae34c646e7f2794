//! The process of one service on Kafka, from its command line to its end.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use clap::{CommandFactory, FromArgMatches, Parser};
use event_log::EventLog;
use http_api::server::ServerLimits;
use http_api::server::admission::{Admission, AdmissionLimits};
use inline_risk::Beat;
use projection::codec::known_semantics;
use projection::owner::Progress;
use storage::Storage;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::config::{Config, Switch};
use crate::contact::Contact;
use crate::late::Late;
use crate::parts::{self, Duties, Parts};
use crate::{Failure, StateFolder, docs, kafka, keys, print};

/// Where a running server says where it listens.
pub const ADDRESS_FILE: &str = "address";

/// What is said at `/readyz` of a log on one machine.
const SINGLE: &str = "single broker: the loss of its machine is the loss of the log";

#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where this instance keeps its projections; no other may use it, and all of it can be made anew
    #[arg(long, env = "COUNTERFOIL_DATA_DIR", default_value = "data")]
    data_dir: PathBuf,
    /// A TOML file; every key is also a variable `COUNTERFOIL__SECTION__KEY`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Kafka, `host:port`, separated by commas
    #[arg(long, value_name = "LIST")]
    brokers: Option<String>,
    /// Take topics with one replica: the loss of the broker's machine is the loss of the log
    #[arg(long)]
    single_broker: bool,
    /// The pages for people at `/`, and their signing in [default: on]
    #[arg(long, value_name = "on|off")]
    dashboard: Option<Switch>,
    /// End, as after SIGTERM, when the standard input is closed
    #[arg(long)]
    end_with_stdin: bool,
}

/// A router that is being built.
pub type Building = Pin<Box<dyn Future<Output = Result<Router, Failure>> + Send>>;

/// One of the services.
pub struct Service {
    /// As it is called: `issuer`, `redeemer`, `risk-scorer`.
    pub name: &'static str,
    /// Its binary.
    pub binary: &'static str,
    /// In one line, for `--help`.
    pub about: &'static str,
    /// What it does beside serving.
    pub duties: Duties,
    /// Its routes, and what it takes up when it starts.
    pub build: fn(Parts) -> Building,
}

/// The whole life of a service's process.
pub fn run(service: &Service) -> ExitCode {
    let name = service.binary;
    let command = Arguments::command().name(name).about(service.about);
    let arguments = Arguments::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
    telemetry::start();
    crate::memory::small_pages();
    match live(service, arguments) {
        Ok(code) => code,
        Err(error) => {
            // Said plainly: whoever started the process reads it.
            eprintln!("{name}: {error}");
            ExitCode::from(2)
        }
    }
}

fn live(service: &Service, arguments: Arguments) -> Result<ExitCode, Failure> {
    let mut config = Config::read(arguments.config.as_deref())?;
    config.server.listen = arguments.listen.unwrap_or(config.server.listen);
    config.kafka.brokers = arguments.brokers.unwrap_or(config.kafka.brokers);
    config.kafka.single_broker |= arguments.single_broker;
    config.dashboard.turn(arguments.dashboard);
    config.check()?;
    if config.kafka.brokers.is_empty() {
        return Err("kafka.brokers is empty; --brokers HOST:PORT,... says where the log is".into());
    }
    let data_dir = arguments.data_dir;
    let _folder = StateFolder::take(&data_dir)?;
    let master = keys::master_key(&config.security, &data_dir, false)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.server.worker_threads)
        .enable_all()
        .build()?;
    let stdin = arguments.end_with_stdin.then(stdin_closed);
    let code = runtime.block_on(serve(service, config, master, data_dir, stdin))?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(code)
}

async fn serve(
    service: &Service,
    config: Config,
    master: Vec<u8>,
    data_dir: PathBuf,
    stdin: Option<oneshot::Receiver<()>>,
) -> Result<ExitCode, Failure> {
    // Before anybody is told that this process is there: from here on it ends in good order.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let listen = &config.server.listen;
    let listener = http_api::server::bind(listen.parse()?).await;
    let listener = listener.map_err(|error| format!("{listen}: {error}; --listen takes another, port 0 a free one"))?;
    let address = listener.local_addr()?;
    std::fs::write(data_dir.join(ADDRESS_FILE), format!("http://{address}\n"))?;
    print::line(&format!("listening on http://{address}"));

    let progress = Arc::new(Progress::default());
    let late = Late::new(progress.clone());
    let stopping = Arc::new(AtomicBool::new(false));
    let (limits, admission) = (limits(&config), admission(&config));
    let (stop, stopped) = oneshot::channel::<()>();
    let server = http_api::server::serve(listener, late.router(), limits, admission.clone(), async {
        let _ = stopped.await;
    });
    let server = tokio::spawn(server);
    let asked_to_end = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = closed(stdin) => {}
        }
    };
    let mut asked_to_end = std::pin::pin!(asked_to_end);

    let starting = start(service, config, master, data_dir.clone(), progress, stopping.clone());
    let started = tokio::select! {
        started = starting => Some(started?),
        () = &mut asked_to_end => None,
    };
    if let Some((parts, router, contact, single)) = &started {
        let ledger = parts.backend.ledger.clone();
        admission.also_waits(Box::new(move || ledger.waited()));
        late.ready(router.clone(), parts.backend.ledger.clone(), contact.clone(), single.then_some(SINGLE));
        print::line("ready");
        tracing::info!(service = service.name, %address, log = parts.log.partitions(event_log::Topic::Ledger), "ready");
        asked_to_end.await;
    }
    stopping.store(true, Ordering::Release);
    tracing::info!("stopping: answering what was accepted");
    late.stop();
    let _ = stop.send(());
    let report = server.await?;
    let _ = std::fs::remove_file(data_dir.join(ADDRESS_FILE));
    if let Some((parts, ..)) = started {
        parts.stop().await;
    }
    tracing::info!(requests = report.requests_in_flight, dropped = report.requests_dropped, "drained");
    Ok(if report.requests_dropped == 0 { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

/// What all instances share; where nothing is said, a folder of this one.
fn open_storage(config: &Config, data_dir: &Path) -> Result<Storage, Failure> {
    let url = match &config.storage.url {
        Some(url) => url.clone(),
        None => format!("file://{}", std::path::absolute(data_dir.join("storage"))?.display()),
    };
    Ok(Storage::open(&url)?)
}

type Started = (Parts, Router, Arc<Contact>, bool);

async fn start(
    service: &Service,
    config: Config,
    master: Vec<u8>,
    data_dir: PathBuf,
    progress: Arc<Progress>,
    stopping: Arc<AtomicBool>,
) -> Result<Started, Failure> {
    let (name, duties) = (service.name, service.duties);
    let single = config.kafka.single_broker;
    let opening = tokio::task::spawn_blocking(move || {
        let storage = Arc::new(open_storage(&config, &data_dir)?);
        let log: Arc<dyn EventLog> = kafka::open(&config.kafka, &stopping)?;
        let parts = parts::start(&log, &config, &master, &data_dir, duties, storage, progress)?;
        let beat = Beat {
            instance: rand::random(),
            service: name.to_owned(),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            semantics: known_semantics(),
        };
        let contact = Contact::start(log, beat)?;
        Ok::<_, Failure>((parts, contact))
    });
    let (parts, contact) = opening.await??;
    let router = (service.build)(parts.clone()).await?.merge(docs::router(&parts.dashboard)?);
    Ok((parts, router, contact, single))
}

/// What the server keeps to.
pub fn limits(config: &Config) -> ServerLimits {
    ServerLimits {
        max_concurrent_requests: config.server.max_concurrent_requests,
        max_connections: config.server.max_connections,
        drain_deadline: Duration::from_secs(config.server.drain_seconds),
        ..ServerLimits::default()
    }
}

/// How much it lets in.
pub fn admission(config: &Config) -> Admission {
    Admission::new(AdmissionLimits {
        per_second: config.server.max_requests_per_second,
        longest_wait: Duration::from_millis(config.server.longest_wait_ms),
    })
}

/// Told when the standard input is closed; a thread of its own waits, since reading it cannot be given up.
pub fn stdin_closed() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        // What it says does not matter, nor why it ends.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = sender.send(());
    });
    receiver
}

/// Waits for that; for ever where nobody asked for it.
pub async fn closed(stdin: Option<oneshot::Receiver<()>>) {
    match stdin {
        Some(closed) => drop(closed.await),
        None => std::future::pending().await,
    }
}
