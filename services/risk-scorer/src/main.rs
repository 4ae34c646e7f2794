//! `counterfoil-risk-scorer`: counts, publishes verdicts, and answers analysts, on Kafka.

use std::process::ExitCode;

use axum::Router;
use host::parts::Duties;
use host::{Parts, Service};
use risk_scorer::RiskApi;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    host::run(&Service {
        name: "risk-scorer",
        binary: env!("CARGO_BIN_NAME"),
        about: "Counts what the log tells, publishes verdicts, and answers analysts",
        duties: Duties { leads: false, judges: true, shares: true },
        build: |parts| Box::pin(std::future::ready(Ok(build(parts)))),
    })
}

fn build(parts: Parts) -> Router {
    let Parts { backend, gate, scorer, .. } = parts;
    risk_scorer::router(RiskApi::new(scorer, backend, gate))
}
