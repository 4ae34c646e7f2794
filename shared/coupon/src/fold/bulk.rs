//! Work on many rows: what becomes of each is decided where its chunk stands, so that chunks need no guard but
//! their turn.

use std::sync::Arc;

use crate::event::{ImportChunk, ImportRow, Operation, OperationKind, SendChunk, SendRow, StockState};
use crate::fold::Scope;
use crate::fold::guard::{counter_and_limit, free};
use crate::penalty::Deed;
use crate::record::Counter;
use crate::state::{Batch, Coupon, Key, OperationRow, Range, Read, Row, RowResult, Rows};
use crate::terms::Millis;

impl<R: Rows> Scope<'_, R> {
    pub(super) fn operation_started(&mut self, operation: &Operation) {
        let number = self.at.sequence;
        let row = OperationRow {
            version: number,
            previous: 0,
            kind: operation.kind,
            stock: operation.stock,
            total: operation.total,
            done: 0,
            failed: 0,
            chunks: 0,
            finished: operation.total == 0,
            created_at: self.at.time,
        };
        self.rows.put(Key::Operation(self.merchant, number), Row::Operation(Arc::new(row)));
        if operation.kind == OperationKind::ImportCodes {
            self.add_batch(operation.stock, 0, &operation.label);
        }
    }

    fn chunk_done(&mut self, number: u64, results: Vec<RowResult>, last: bool) {
        let Some(row) = self.rows.operation(self.merchant, number) else { return };
        let failed = results.iter().filter(|result| !matches!(result, RowResult::Done(_))).count() as u64;
        let row = OperationRow {
            previous: row.version,
            version: self.at.sequence,
            done: row.done + results.len() as u64,
            failed: row.failed + failed,
            chunks: row.chunks + 1,
            finished: last,
            ..OperationRow::clone(row)
        };
        self.rows.put(Key::Results(self.merchant, number, row.chunks - 1), Row::Results(Arc::new(results)));
        self.rows.put(Key::Operation(self.merchant, number), Row::Operation(Arc::new(row)));
    }

    pub(super) fn codes_imported(&mut self, chunk: &ImportChunk) {
        let Some(operation) = self.rows.operation(self.merchant, chunk.operation).cloned() else { return };
        let free = free(self.rows, self.merchant, Deed::Issue, self.at.time);
        let import = |row| if free { self.import(row, &operation, chunk.operation) } else { RowResult::NotActive };
        let results: Vec<_> = chunk.rows.iter().map(import).collect();
        self.put_on_shelf(&results, operation.stock, chunk.operation);
        self.chunk_done(chunk.operation, results, chunk.last);
    }

    /// The codes that a chunk brought. One record's numbers follow each other, so that they are one range.
    fn put_on_shelf(&mut self, results: &[RowResult], stock: u64, batch: u64) {
        let numbers = || results.iter().filter_map(RowResult::number);
        let Some(start) = numbers().next() else { return };
        self.add_range(Range { start, count: numbers().count() as u64, stock, batch });
        for number in numbers() {
            if let Some(coupon) = crate::fold::untouched(self.rows, self.merchant, number) {
                // It was made by this chunk, and not by the record that began its batch.
                let coupon = Coupon { version: self.at.sequence, ..coupon };
                self.rows.put(Key::Coupon(self.merchant, number), Row::Coupon(Arc::new(coupon)));
            }
        }
    }

    fn import(&mut self, row: &ImportRow, operation: &OperationRow, batch_number: u64) -> RowResult {
        let code = match row {
            ImportRow::Code(code) => code,
            ImportRow::Duplicate(_) => return RowResult::Duplicate,
            ImportRow::Malformed(_) => return RowResult::Malformed,
        };
        let hash = crate::hash::id_hash(code);
        if self.rows.imported_code(self.merchant, hash).is_some() {
            return RowResult::Exists;
        }
        let stock = operation.stock;
        if self.rows.stock(self.merchant, stock).is_none_or(|row| row.state == StockState::Closed) {
            return RowResult::NotActive;
        }
        let (issued, total) = counter_and_limit(self.rows, self.merchant, Counter::Issued(stock), self.at.time);
        if total.is_none_or(|total| issued >= total) {
            return RowResult::SoldOut;
        }
        let Some(batch) = self.rows.batch(self.merchant, batch_number).filter(|batch| batch.voided_at.is_none()) else {
            return RowResult::NotActive;
        };
        let batch = Batch { count: batch.count + 1, ..Batch::clone(batch) };
        self.rows.put(Key::Batch(self.merchant, batch_number), Row::Batch(Arc::new(batch)));
        let number = self.take_numbers(1);
        self.with_counts(stock, |counts, _| {
            counts.issued += 1;
            counts.on_shelf += 1;
        });
        self.rows.put(Key::ImportedCode(self.merchant, hash), Row::ImportedCode(number));
        self.rows.put(Key::CodeText(self.merchant, number), Row::CodeText(code.as_str().into()));
        RowResult::Done(number)
    }

    pub(super) fn coupons_sent(&mut self, chunk: &SendChunk) {
        let Some(operation) = self.rows.operation(self.merchant, chunk.operation).cloned() else { return };
        let free = free(self.rows, self.merchant, Deed::Claim, self.at.time);
        let send = |row| if free { self.send(row, operation.stock, chunk.validity) } else { RowResult::NotActive };
        let results = chunk.rows.iter().map(send).collect();
        self.chunk_done(chunk.operation, results, chunk.last);
    }

    fn send(&mut self, row: &SendRow, stock: u64, validity: (Millis, Millis)) -> RowResult {
        let open = self.rows.stock(self.merchant, stock).is_some_and(|stock| {
            let (from, until) = stock.profile.terms.claim_window();
            stock.state == StockState::Active && (from..until).contains(&self.at.time)
        });
        if !open {
            return RowResult::NotActive;
        }
        let refusals = [
            (Counter::UserClaims(stock, row.user), RowResult::UserLimit),
            (Counter::UserDayClaims(stock, row.user), RowResult::UserLimit),
            (Counter::DayClaims(stock), RowResult::DayLimit),
            (Counter::Claimable(stock), RowResult::SoldOut),
        ];
        for (counter, refusal) in refusals {
            let (count, limit) = counter_and_limit(self.rows, self.merchant, counter, self.at.time);
            if limit.is_some_and(|limit| count + 1 > limit) {
                return refusal;
            }
        }
        let Some(place) = self.hand_out(stock) else { return RowResult::SoldOut };
        let uses = self.rows.stock(self.merchant, stock).map_or(1, |stock| stock.profile.terms.value.uses());
        self.hand_over(place, stock, row.user, uses, validity);
        RowResult::Done(place.0)
    }
}
