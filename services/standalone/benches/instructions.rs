//! How many instructions a redemption takes from the edge to the answer, all threads together, as callgrind counts them.
//!
//! Two runs prepare the same requests and send more or fewer of them; what the difference of their counts comes to for
//! each is a redemption's own, without start, set-up, and the signing that is the client's.

mod support;

use std::path::Path;
use std::process::{Command, ExitCode};

use support::Shop;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PREPARED: usize = 5_000;
const FEW: usize = 1_000;
/// Says how many are sent, in the process that is counted.
const SENT: &str = "COUNTERFOIL_BENCH_SENT";

fn main() -> ExitCode {
    if let Some(sent) = std::env::var(SENT).ok().and_then(|sent| sent.parse().ok()) {
        send(sent);
        return ExitCode::SUCCESS;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let counted = [FEW, PREPARED].map(|sent| count(sent, folder.path()));
    #[expect(clippy::print_stdout, clippy::print_stderr, reason = "it is what this is for")]
    match counted {
        [Ok(few), Ok(all)] => {
            println!("instructions per redemption: {:.0}", (all - few) as f64 / (PREPARED - FEW) as f64);
            ExitCode::SUCCESS
        }
        [Err(why), _] | [_, Err(why)] => {
            eprintln!("instructions are not counted: {why}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn send(count: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut shop = Shop::open(folder.path(), PREPARED).await;
    let mut requests = shop.redemptions(PREPARED);
    requests.truncate(count);
    shop.redeem(requests).await;
    shop.close().await;
}

/// Runs this executable under callgrind; the instructions of all its threads.
fn count(sent: usize, folder: &Path) -> Result<u64, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let counts = folder.join(format!("callgrind.{sent}"));
    let ended = Command::new("valgrind")
        // Threads that spin for a lock would be counted for as long as others are not let run.
        .args(["--tool=callgrind", "--quiet", "--fair-sched=yes"])
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(own)
        .env(SENT, sent.to_string())
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    if !ended.status.success() {
        return Err(String::from_utf8_lossy(&ended.stderr).into_owned());
    }
    let text = std::fs::read_to_string(counts).map_err(|error| error.to_string())?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
    total.and_then(|total| total.trim().parse().ok()).ok_or_else(|| "callgrind's file has no total".to_owned())
}
