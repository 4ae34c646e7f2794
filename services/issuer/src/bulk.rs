//! Work on many rows: chunk by chunk, each a record of its own, so that redemptions go between them; taken up again
//! after a restart.

use coupon::command::Command;
use coupon::decide::CHUNK_ROWS;
use coupon::event::{Event, ImportRow, Operation, OperationKind, SendRow};
use coupon::id::MerchantId;
use coupon::record::Entry;
use coupon::state::{OperationRow, Read};
use http_api::problem::Problem;
use projection::engine::{Answer, What};
use projection::index::List as Index;

use crate::spool;
use crate::state::Issuer;

/// Rows that are read from disk at once.
const READ_ROWS: usize = 100 * CHUNK_ROWS;

/// Takes up every operation that is not done.
pub async fn resume(state: &Issuer) {
    for (merchant, _) in state.backend.directory.merchants() {
        let look = move |shard: &projection::shard::ShardState, ledger: &projection::ledger::Ledger, _| {
            let all = ledger.index.list(merchant, Index::Operations).iter();
            all.filter(|n| shard.operation(merchant, **n).is_some_and(|row| !row.finished)).copied().collect::<Vec<_>>()
        };
        for number in state.backend.look(merchant, look).await.unwrap_or_default() {
            tracing::info!(%merchant, operation = number, "operation goes on");
            go_on(state.clone(), merchant, number);
        }
    }
}

/// Works on an operation in the background.
pub(crate) fn go_on(state: Issuer, merchant: MerchantId, number: u64) {
    tokio::spawn(async move {
        if let Err(problem) = work(&state, merchant, number).await {
            tracing::error!(%merchant, operation = number, %problem, "operation stands still until the next start");
        }
    });
}

async fn work(state: &Issuer, merchant: MerchantId, number: u64) -> Result<(), Problem> {
    let started = state.backend.ledger.record(merchant.shard(), number).await.map_err(Problem::internal)?;
    let Some((_, Entry::Guarded(record))) = started else {
        return Err(Problem::internal("an operation without its first record"));
    };
    let operation = record.events.iter().find_map(|event| match event {
        Event::OperationStarted(operation) => Some(operation.clone()),
        _ => None,
    });
    let operation = operation.ok_or_else(|| Problem::internal("an operation that was not started"))?;
    let row = operation_row(state, merchant, number).await?;
    let mut chunk = row.chunks;
    let mut done = row.done;
    while done < operation.total {
        let taken = match operation.kind {
            OperationKind::ImportCodes => {
                let rows: Vec<ImportRow> = read(state, &operation, done)?;
                chunks(state, merchant, &operation, &mut chunk, done, &rows, |chunk, rows, last| {
                    Command::ImportChunk(number, chunk, rows, last)
                })
                .await?
            }
            OperationKind::Send => {
                let rows: Vec<SendRow> = read(state, &operation, done)?;
                chunks(state, merchant, &operation, &mut chunk, done, &rows, |chunk, rows, last| {
                    Command::SendChunk(number, chunk, rows, last)
                })
                .await?
            }
            OperationKind::MakeCodes => return Ok(()),
        };
        if taken == 0 {
            return Err(Problem::internal("an operation's rows are gone"));
        }
        done += taken;
    }
    spool::remove(&state.spool, &operation.rows);
    Ok(())
}

async fn operation_row(state: &Issuer, merchant: MerchantId, number: u64) -> Result<OperationRow, Problem> {
    let row = state.backend.look(merchant, move |shard, _, _| shard.operation(merchant, number).cloned()).await?;
    row.ok_or_else(|| Problem::internal("an operation without a row"))
}

fn read<T: serde::de::DeserializeOwned>(state: &Issuer, operation: &Operation, from: u64) -> Result<Vec<T>, Problem> {
    spool::read(&state.spool, &operation.rows, from, READ_ROWS).map_err(Problem::internal)
}

/// Hands in rows chunk by chunk; how many.
async fn chunks<T: Clone>(
    state: &Issuer,
    merchant: MerchantId,
    operation: &Operation,
    chunk: &mut u64,
    done: u64,
    rows: &[T],
    command: impl Fn(u64, Vec<T>, bool) -> Command,
) -> Result<u64, Problem> {
    let mut taken = 0;
    for part in rows.chunks(CHUNK_ROWS) {
        taken += part.len() as u64;
        let last = done + taken >= operation.total;
        loop {
            let what = What::Command(command(*chunk, part.to_vec(), last));
            match state.backend.submit(merchant, None, what).await {
                // Nothing: another instance, or an attempt whose answer was lost, did this chunk.
                Answer::Applied(_) | Answer::Nothing => break,
                Answer::Overloaded | Answer::Unknown => {
                    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                }
                other => return Err(state.backend.refused(merchant, other)),
            }
        }
        *chunk += 1;
    }
    Ok(taken)
}
