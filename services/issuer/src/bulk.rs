//! Work on many rows: chunk by chunk, each a record of its own, so that redemptions go between them; taken up again
//! after a restart, or by another instance.
//!
//! What is folded says which chunk is next, before every chunk. So it does no harm when an answer is lost, or when two
//! instances work on one operation: the ledger takes each chunk once.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use coupon::command::Command;
use coupon::decide::CHUNK_ROWS;
use coupon::event::{Event, Operation, OperationKind};
use coupon::id::{MerchantId, Sequence};
use coupon::record::{Entry, RequestKey};
use coupon::state::{OperationRow, Read, RequestOutcome, live_request};
use coupon_api::backend::ATTEMPT_MS;
use http_api::call::Call;
use http_api::problem::Problem;
use projection::engine::{Answer, What};
use projection::index::List as Index;
use projection::ledger::Ledger;
use projection::shard::ShardState;

use crate::spool::{self, Rows};
use crate::state::{Issuer, blocking};

/// How long to wait where the ledger could not take a chunk.
const PAUSE: Duration = Duration::from_millis(200);

/// How often operations are looked for that nobody works on.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Takes up every operation that is not done, and clears away the rows of those that never began. From then on, takes up
/// those that stand still because the instance that worked on them has ended.
pub async fn resume(state: &Issuer) {
    match unfinished(state).await {
        Ok(operations) => {
            let mut wanted = HashSet::new();
            for (merchant, number) in operations.keys().copied() {
                if let Ok(operation) = started(state, merchant, number).await {
                    wanted.insert(operation.rows);
                }
                tracing::info!(%merchant, operation = number, "operation goes on");
                go_on(state.clone(), merchant, number);
            }
            let storage = state.spool.clone();
            let _ = blocking(move || spool::sweep(&storage, &wanted)).await;
        }
        Err(problem) => tracing::error!(%problem, "operations cannot be taken up"),
    }
    tokio::spawn(take_over(state.clone()));
}

/// Where one has not moved since the last look, whoever worked on it may be gone.
async fn take_over(state: Issuer) {
    let mut before: HashMap<(MerchantId, u64), u64> = HashMap::new();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        crate::state::open_all(&state.backend).await;
        let Ok(now) = unfinished(&state).await else { continue };
        for (operation, chunks) in &now {
            let (merchant, number) = *operation;
            if before.get(operation) == Some(chunks) && !state.working.lock().contains(operation) {
                tracing::info!(%merchant, operation = number, "operation stood still and is taken over");
                go_on(state.clone(), merchant, number);
            }
        }
        before = now;
    }
}

/// All operations that are not done, with the number of their next chunk.
async fn unfinished(state: &Issuer) -> Result<HashMap<(MerchantId, u64), u64>, Problem> {
    let merchants: Vec<MerchantId> = state.backend.directory.merchants().into_iter().map(|(id, _)| id).collect();
    let look = move |ledger: &Ledger, _| {
        let mut found = HashMap::new();
        for merchant in merchants {
            let shard = ledger.of(merchant);
            for number in ledger.index.list(merchant, Index::Operations).iter().copied() {
                if let Some(row) = shard.operation(merchant, number).filter(|row| !row.finished) {
                    found.insert((merchant, number), row.chunks);
                }
            }
        }
        found
    };
    state.backend.ledger.query(look).await.map_err(Problem::internal)
}

/// Begins an operation whose rows are durable. It runs as a task of its own: a caller who goes away while it is being
/// accepted must not leave it behind with nobody working on it.
pub(crate) async fn begin(
    state: &Issuer,
    merchant: MerchantId,
    request: (RequestKey, [u8; 16]),
    (call, operation): (&Call, Operation),
) -> Result<Answer, Problem> {
    let state = state.clone();
    let rows = operation.rows.clone();
    let command = Command::StartOperation(operation).by(&call.caller.key_id);
    let accepting = tokio::spawn(async move {
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
        if !state.working.lock().insert((merchant, number)) {
            return;
        }
        let _working = WorkingOn { state: state.clone(), operation: (merchant, number) };
        if let Err(problem) = work(&state, merchant, number).await {
            tracing::error!(%merchant, operation = number, %problem, "operation stands still until it is taken over");
        }
    });
}

/// Says that an operation is worked on, for as long as that is so.
struct WorkingOn {
    state: Issuer,
    operation: (MerchantId, u64),
}

impl Drop for WorkingOn {
    fn drop(&mut self) {
        self.state.working.lock().remove(&self.operation);
    }
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
            let storage = state.spool.clone();
            return blocking(move || spool::remove(&storage, &operation.rows)).await;
        }
        let (back, command) = blocking(move || {
            let command = next_chunk(&rows, number, &row);
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

fn next_chunk(rows: &Rows, number: u64, row: &OperationRow) -> std::io::Result<Command> {
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
