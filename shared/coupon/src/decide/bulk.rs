//! Codes made ahead, and operations that go chunk by chunk.

use crate::calendar;
use crate::decide::claim::claim_window;
use crate::decide::{Decided, Proposal, Scene};
use crate::event::{
    CodesMade, Event, ImportChunk, ImportRow, Operation, OperationKind, SendChunk, SendRow, StockState,
};
use crate::penalty::Deed;
use crate::record::{Counter, Entity, Guard};
use crate::rejection::Rejection;
use crate::state::{Read, View};
use crate::terms::{CodeMode, Validity};

/// Rows of one chunk at the most.
pub const CHUNK_ROWS: usize = 100;

/// A million codes are one record: their numbers are a range.
pub(super) fn make_codes<V: View + ?Sized>(scene: Scene<'_, V>, number: u64, count: u64, label: &str) -> Decided {
    let stock = scene.stock(number)?;
    let mut guards = scene.still_free_to(Deed::Issue)?;
    if stock.state == StockState::Closed {
        return Err(Rejection::StockClosed.into());
    }
    if stock.profile.terms.code_mode == CodeMode::Imported {
        return Err(Rejection::CodeModeMismatch.into());
    }
    if scene.left(Counter::Issued(number)).is_some_and(|left| left < count as i64) {
        return Err(Rejection::StockSoldOut.into());
    }
    let made = CodesMade { stock: number, count, label: label.to_owned() };
    // The version stands for "not closed meanwhile".
    guards.push(Guard::Version(Entity::Stock(number), stock.version));
    guards.push(Guard::Within(Counter::Issued(number), count as i64));
    Ok(Proposal { guards, events: vec![Event::CodesMade(made)] })
}

pub(super) fn void_batch<V: View + ?Sized>(scene: Scene<'_, V>, number: u64, reason: &str) -> Decided {
    let batch = scene.view.batch(scene.merchant, number).ok_or(Rejection::BatchNotFound)?;
    if batch.voided_at.is_some() {
        return Err(Rejection::BatchVoided.into());
    }
    Ok(Proposal {
        guards: vec![Guard::Version(Entity::Batch(number), batch.version)],
        events: vec![Event::BatchVoided(number, reason.to_owned())],
    })
}

pub(super) fn start_operation<V: View + ?Sized>(scene: Scene<'_, V>, operation: &Operation) -> Decided {
    let stock = scene.stock(operation.stock)?;
    let deed = if operation.kind == OperationKind::Send { Deed::Claim } else { Deed::Issue };
    let guards = scene.still_free_to(deed)?;
    let mode = stock.profile.terms.code_mode;
    match operation.kind {
        OperationKind::ImportCodes if mode != CodeMode::Imported => return Err(Rejection::CodeModeMismatch.into()),
        OperationKind::ImportCodes if stock.state == StockState::Closed => return Err(Rejection::StockClosed.into()),
        OperationKind::Send => drop(claim_window(scene, stock)?),
        _ => {}
    }
    Ok(Proposal { guards, events: vec![Event::OperationStarted(operation.clone())] })
}

/// Chunks are taken in turn, whoever offers them; one whose turn is over is nothing to do.
fn turn<V: View + ?Sized>(scene: Scene<'_, V>, operation: u64, chunk: u64) -> Option<Guard> {
    let row = scene.view.operation(scene.merchant, operation)?;
    (row.chunks == chunk && !row.finished).then_some(Guard::Version(Entity::Operation(operation), chunk + 1))
}

#[expect(clippy::unnecessary_wraps, reason = "one signature for all decisions")]
pub(super) fn import_chunk<V: View + ?Sized>(
    scene: Scene<'_, V>,
    operation: u64,
    chunk: u64,
    rows: &[ImportRow],
    last: bool,
) -> Decided {
    let Some(turn) = turn(scene, operation, chunk) else { return Ok(Proposal::default()) };
    let event = ImportChunk { operation, rows: rows.to_vec(), last };
    Ok(Proposal { guards: vec![turn], events: vec![Event::CodesImported(event)] })
}

pub(super) fn send_chunk<V: View + ?Sized>(
    scene: Scene<'_, V>,
    operation: u64,
    chunk: u64,
    rows: &[SendRow],
    last: bool,
) -> Decided {
    let Some(turn) = turn(scene, operation, chunk) else { return Ok(Proposal::default()) };
    let row = scene.view.operation(scene.merchant, operation).ok_or(Rejection::StockNotFound)?;
    let terms = &scene.stock(row.stock)?.profile.terms;
    let validity = calendar::validity(scene.zone(), terms.validity, scene.now);
    let mut guards = vec![turn];
    if let Validity::AfterClaim { .. } = terms.validity {
        let (from, until) = calendar::day_bounds(scene.zone(), scene.now);
        guards.push(Guard::TimeIn(from, until));
    }
    let event = SendChunk { operation, rows: rows.to_vec(), validity, last };
    Ok(Proposal { guards, events: vec![Event::CouponsSent(event)] })
}
