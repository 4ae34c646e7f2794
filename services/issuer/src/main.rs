//! `counterfoil-issuer`: merchants, stocks, codes and claims, on Kafka.

use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use host::parts::Duties;
use host::{Failure, Parts, Service};
use issuer::Issuer;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    host::run(&Service {
        name: "issuer",
        binary: env!("CARGO_BIN_NAME"),
        about: "Merchants, stocks, codes and claims; any number of instances share one log",
        duties: Duties { leads: true, judges: false, shares: true },
        build: |parts| Box::pin(build(parts)),
    })
}

async fn build(parts: Parts) -> Result<Router, Failure> {
    let Parts { backend, gate, master, data_dir, storage, tested_above, .. } = parts;
    host::platform_key(&backend, &master, &data_dir).await?;
    let issuer = Issuer { backend, gate, spool: storage, working: Arc::default(), tested_above };
    issuer::open_all(&issuer.backend).await;
    issuer::resume(&issuer).await;
    Ok(issuer::router(issuer))
}
