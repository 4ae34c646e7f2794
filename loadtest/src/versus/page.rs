//! The page that the repository keeps: figures, how they came about, and what each contender leaves out.

use std::fmt::Write as _;
use std::process::Command;

use super::Report;

const LACKS: [(&str, &str); 4] = [
    (
        "axum + PostgreSQL",
        "One merchant, one key, one stock; no roles, quotas, store-bound or rotated keys. No memory of nonces. One coupon \
         per order, used once: no lines, stacking, locks, reversals, validations, metadata. The idempotency key is held \
         against the raw body. Risk is one fixed window per device, without addresses, rules or reasons. Refusals leave no \
         trace; nothing can be derived again; personal data lies in clear. Device counters are lost in a crash, \
         idempotency keys are never cleaned up.",
    ),
    (
        "axum + Redis",
        "As PostgreSQL; and everything must fit into memory, the file of commands is not rewritten during the run, and one \
         machine is all there is.",
    ),
    (
        "durable echo",
        "Checks the signature and the time, appends the request to a file with `fdatasync` in groups, and answers. It knows \
         no coupon: nothing is looked up, decided or kept.",
    ),
    ("echo", "Answers at once, checks and keeps nothing: what HTTP on this machine costs."),
];

/// The page, in Markdown.
pub fn page(report: &Report, command: &str) -> String {
    let mut text = String::from("# Counterfoil beside its peers\n\n");
    let rounds = report.contenders.first().map_or(0, |first| first.rounds.len());
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "`{command}` on {}: the same signed redemptions, each of its own shopper and device, by the same generator on the \
         same machine over {} kept connections (closed loop); {rounds} rounds of {} s, the contenders one after the other in \
         each. Everybody but the echo is durable before the answer.\n\n",
        machine(),
        report.connections,
        report.seconds,
    );
    text.push_str(&report.table());
    let _ = write!(
        text,
        "\nCounterfoil does {:.1} × what axum + PostgreSQL does, and {:.2} of what the durable echo does.\n\n",
        report.ratio("axum + PostgreSQL"),
        report.ratio("durable echo"),
    );
    text.push_str("## How the peers are tuned\n\n");
    text.push_str(concat!(
        "PostgreSQL: one prepared call of a PL/pgSQL function per request, pipelined over a Unix socket on 64 connections; ",
        "the budget in 64 slots, so that no row serves all; `fillfactor` 40, so that updates stay on their page; ",
        "`synchronous_commit` and `fsync` on, `commit_delay` 200 µs, tables warmed and log segments recycled before the ",
        "measurement. Redis: one Lua script per request (`EVALSHA`), `appendfsync always`, four multiplexed connections. ",
        "All of them use the same HTTP library, allocator and signature code as Counterfoil.\n\n",
    ));
    text.push_str("## What they leave out\n\n| | beside Counterfoil it lacks |\n|---|---|\n");
    for (name, lacks) in LACKS {
        let _ = writeln!(text, "| {name} | {lacks} |");
    }
    text
}

/// Processor, cores and system, and the versions of the databases.
fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1)).unwrap_or(" a processor");
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut said = format!("{cores} cores ({}), Linux {}", model.trim(), kernel.trim());
    for (program, argument) in [("psql", "--version"), ("redis-server", "--version")] {
        let version = Command::new(program).arg(argument).output().ok();
        let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        if let Some(version) = version.filter(|version| !version.is_empty()) {
            let short: String = version.split(" sha=").next().unwrap_or_default().to_owned();
            let _ = write!(said, ", {short}");
        }
    }
    said
}
