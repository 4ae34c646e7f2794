//! `counterfoil-redeemer`: validations, locks, redemptions and reversals, on Kafka.

use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::routing::post;
use host::parts::Duties;
use host::{Parts, Service};
use redeemer::{Receipts, Redeemer};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    host::run(&Service {
        name: "redeemer",
        binary: env!("CARGO_BIN_NAME"),
        about: "Validations, locks, redemptions and reversals; any number of instances share one log",
        duties: Duties { leads: true, judges: false, shares: true },
        build: |parts| Box::pin(std::future::ready(Ok(build(parts)))),
    })
}

fn build(parts: Parts) -> Router {
    let Parts { backend, gate, master, .. } = parts;
    let checks =
        Router::new().route("/v1/signature-checks", post(http_api::signature_check::post)).with_state(gate.clone());
    let redeemer = Redeemer { backend, gate, receipts: Arc::new(Receipts::new(&master)) };
    redeemer::router(redeemer).merge(checks)
}
