//! Work on many rows: chunk by chunk, each a record of its own, so that redemptions go between them; taken up again
//! after a restart.
//!
//! What is folded says which chunk is next, before every chunk. So it does no harm when an answer is lost, or when two
//! work on one operation: the ledger takes each chunk once.

use std::collections::HashSet;
use std::time::Duration;

use coupon::command::Command;
use coupon::decide::CHUNK_ROWS;
use coupon::event::{Event, Operation, OperationKind};
use coupon::id::{MerchantId, Sequence};
use coupon::record::{Entry, RequestKey};
use coupon::state::{OperationRow, Read, RequestOutcome, live_request};
use coupon_api::backend::ATTEMPT_MS;
use http_api::problem::Problem;
use projection::engine::{Answer, What};
use projection::index::List as Index;
use projection::ledger::Ledger;
use projection::shard::ShardState;

use crate::spool::{self, Rows};
use crate::state::{Issuer, blocking};

/// How long to wait where the ledger could not take a chunk.
const PAUSE: Duration = Duration::from_millis(200);

/// Takes up every operation that is not done, and clears away the rows of those that never began.
pub async fn resume(state: &Issuer) {
    match take_up(state).await {
        Ok(wanted) => {
            let folder = state.spool.clone();
            let _ = blocking(move || spool::sweep(&folder, &wanted)).await;
        }
        Err(problem) => tracing::error!(%problem, "operations cannot be taken up"),
    }
}

async fn take_up(state: &Issuer) -> Result<HashSet<String>, Problem> {
    let mut wanted = HashSet::new();
    for (merchant, _) in state.backend.directory.merchants() {
        let look = move |shard: &ShardState, ledger: &Ledger, _| {
            let all = ledger.index.list(merchant, Index::Operations).iter();
            all.filter(|n| shard.operation(merchant, **n).is_some_and(|row| !row.finished)).copied().collect::<Vec<_>>()
        };
        for number in state.backend.look(merchant, look).await? {
            wanted.insert(started(state, merchant, number).await?.rows);
            tracing::info!(%merchant, operation = number, "operation goes on");
            go_on(state.clone(), merchant, number);
        }
    }
    Ok(wanted)
}

/// Begins an operation whose rows are durable. It runs as a task of its own: a caller who goes away while it is being
/// accepted must not leave it behind with nobody working on it.
pub(crate) async fn begin(
    state: &Issuer,
    merchant: MerchantId,
    request: (RequestKey, [u8; 16]),
    operation: Operation,
) -> Result<Answer, Problem> {
    let state = state.clone();
    let rows = operation.rows.clone();
    let accepting = tokio::spawn(async move {
        let command = Command::StartOperation(operation);
        let answer = state.backend.submit(merchant, Some(request), What::Command(command)).await;
        match &answer {
            Answer::Applied(applied) => go_on(state, merchant, applied.at.sequence),
            Answer::Unknown => drop(tokio::spawn(find_out(state, merchant, request.0, rows))),
            _ => drop(blocking(move || spool::remove(&state.spool, &rows)).await),
        }
        answer
    });
    accepting.await.map_err(Problem::internal)
}

/// Waits for the outcome of an attempt that took too long: if it came to an operation after all, that has to go on.
async fn find_out(state: Issuer, merchant: MerchantId, key: RequestKey, rows: String) {
    for _ in 0..2 * ATTEMPT_MS / 1_000 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let look = move |shard: &ShardState, _: &Ledger, now| {
            live_request(shard, merchant.shard(), key, now).map(|row| row.outcome.clone())
        };
        let Ok(Some(RequestOutcome::Done(done))) = state.backend.look(merchant, look).await else { continue };
        if started(&state, merchant, done.sequence).await.is_ok_and(|operation| operation.rows == rows) {
            return go_on(state, merchant, done.sequence);
        }
        // Another attempt became the operation, with rows of its own.
        return drop(blocking(move || spool::remove(&state.spool, &rows)).await);
    }
}

/// Works on an operation in the background.
fn go_on(state: Issuer, merchant: MerchantId, number: u64) {
    tokio::spawn(async move {
        if let Err(problem) = work(&state, merchant, number).await {
            tracing::error!(%merchant, operation = number, %problem, "operation stands still until the next start");
        }
    });
}

async fn work(state: &Issuer, merchant: MerchantId, number: u64) -> Result<(), Problem> {
    let operation = started(state, merchant, number).await?;
    let (folder, name) = (state.spool.clone(), operation.rows.clone());
    let opened = blocking(move || Rows::open(&folder, &name)).await?.map_err(Problem::internal)?;
    let Some(mut rows) = opened else { return Ok(()) };
    loop {
        let row = state.backend.look(merchant, move |shard, _, _| shard.operation(merchant, number).cloned()).await?;
        let row = row.ok_or_else(|| Problem::internal("an operation without a row"))?;
        if row.finished {
            return blocking(move || rows.remove()).await;
        }
        let (back, command) = blocking(move || {
            let command = next_chunk(&mut rows, number, &row);
            (rows, command)
        })
        .await?;
        rows = back;
        let what = What::Command(command.map_err(Problem::internal)?);
        match state.backend.submit(merchant, None, what).await {
            Answer::Applied(_) => {}
            Answer::Nothing | Answer::Overloaded | Answer::Unknown => tokio::time::sleep(PAUSE).await,
            other => return Err(state.backend.refused(merchant, other)),
        }
    }
}

fn next_chunk(rows: &mut Rows, number: u64, row: &OperationRow) -> std::io::Result<Command> {
    let left = row.total.saturating_sub(row.done);
    let count = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_ROWS);
    let last = left == count as u64;
    Ok(match row.kind {
        OperationKind::ImportCodes => Command::ImportChunk(number, row.chunks, rows.read(row.done, count)?, last),
        OperationKind::Send => Command::SendChunk(number, row.chunks, rows.read(row.done, count)?, last),
        OperationKind::MakeCodes => return Err(std::io::Error::other("codes are made in one record")),
    })
}

/// The operation as it was accepted.
async fn started(state: &Issuer, merchant: MerchantId, number: Sequence) -> Result<Operation, Problem> {
    let record = state.backend.ledger.record(merchant.shard(), number).await.map_err(Problem::internal)?;
    let Some((_, Entry::Guarded(record))) = record else {
        return Err(Problem::internal("an operation without its first record"));
    };
    let operation = record.events.into_iter().find_map(|event| match event {
        Event::OperationStarted(operation) => Some(operation),
        _ => None,
    });
    operation.ok_or_else(|| Problem::internal("an operation that was not started"))
}
