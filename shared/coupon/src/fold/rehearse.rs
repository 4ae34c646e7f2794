//! Twins of stocks to rehearse on, and load tests.

use std::sync::Arc;

use crate::event::{Forgotten, LoadTest, Rehearsal, StockState};
use crate::fold::Scope;
use crate::hash::id_hash;
use crate::state::{Key, LoadTestRow, Read, Readiness, RehearsalRow, Row, Rows, Stock};

impl<R: Rows> Scope<'_, R> {
    pub(super) fn rehearsal_opened(&mut self, rehearsal: &Rehearsal) {
        let stock = self.at.sequence;
        if self.rows.merchant_row(self.merchant, self.merchant).is_none() {
            self.merchant_opened(&rehearsal.merchant);
        }
        let draft = Stock::draft(rehearsal.stock.clone(), stock, self.at.time);
        let row = Stock { state: StockState::Active, ..draft };
        self.rows.put(Key::Stock(self.merchant, stock), Row::Stock(Arc::new(row)));
        self.rows.put(Key::Counts(self.merchant, stock), Row::Counts(Arc::default()));
        let row = RehearsalRow {
            of: rehearsal.of,
            until: rehearsal.until,
            created_at: self.at.time,
            closed: None,
            numbers: 0,
            sequences: stock,
        };
        self.rows.put(Key::Rehearsal(self.merchant, stock), Row::Rehearsal(Arc::new(row)));
    }

    pub(super) fn rehearsal_forgotten(&mut self, forgotten: &Forgotten) {
        let Forgotten { stock, numbers, sequences } = *forgotten;
        let Some(row) = self.rows.rehearsal(self.merchant, stock).cloned() else { return };
        let mut row = RehearsalRow::clone(&row);
        let Some(closed) = row.closed else {
            self.stock_changed(stock, |it| (it.state, it.redemptions_stopped) = (StockState::Closed, true));
            row.closed = Some(self.at.sequence);
            self.rows.put(Key::Rehearsal(self.merchant, stock), Row::Rehearsal(Arc::new(row)));
            return;
        };
        let last = self.rows.next_number(self.merchant).copied().unwrap_or(0);
        for number in row.numbers..numbers.min(last) {
            self.forget_coupon(stock, number);
        }
        for sequence in row.sequences..sequences.min(closed) {
            self.forget_made_by(stock, sequence);
        }
        if numbers < last || sequences < closed {
            (row.numbers, row.sequences) = (row.numbers.max(numbers), row.sequences.max(sequences));
            self.rows.put(Key::Rehearsal(self.merchant, stock), Row::Rehearsal(Arc::new(row)));
        } else {
            self.forget_stock(stock);
        }
    }

    fn forget_coupon(&mut self, stock: u64, number: u64) {
        let of_stock = self.rows.coupon_row(self.merchant, number).filter(|row| row.stock == stock);
        let Some(owner) = of_stock.map(|row| row.user) else { return };
        if let Some(user) = owner {
            self.rows.remove(&Key::UserCounts(self.merchant, stock, user));
        }
        self.rows.remove(&Key::Coupon(self.merchant, number));
    }

    /// Redemptions, locks, batches and operations are called by the record that made them.
    fn forget_made_by(&mut self, stock: u64, sequence: u64) {
        let merchant = self.merchant;
        if let Some(row) = self.rows.redemption(merchant, sequence).cloned()
            && row.parts.iter().any(|part| part.stock == stock)
        {
            for (user, _) in row.parts.iter().filter_map(|part| part.counted_user) {
                self.rows.remove(&Key::UserCounts(merchant, stock, user));
            }
            if let Some((store, _)) = row.counted_store {
                self.rows.remove(&Key::StoreCounts(merchant, stock, store));
            }
            self.rows.remove(&Key::Order(merchant, row.order));
            self.rows.remove(&Key::Redemption(merchant, sequence));
        }
        if let Some(row) = self.rows.lock(merchant, sequence).cloned()
            && row.lock.parts.iter().all(|part| part.stock == stock)
        {
            self.rows.remove(&Key::Order(merchant, id_hash(&row.lock.order.id)));
            self.rows.remove(&Key::Lock(merchant, sequence));
        }
        if self.rows.batch(merchant, sequence).is_some_and(|row| row.stock == stock) {
            self.rows.remove(&Key::Batch(merchant, sequence));
        }
        if let Some(row) = self.rows.operation(merchant, sequence).filter(|row| row.stock == stock).cloned() {
            for chunk in 0..row.chunks {
                self.rows.remove(&Key::Results(merchant, sequence, chunk));
            }
            self.rows.remove(&Key::Operation(merchant, sequence));
        }
    }

    fn forget_stock(&mut self, stock: u64) {
        if let Some(ranges) = self.rows.ranges(self.merchant) {
            let left = ranges.iter().filter(|range| range.stock != stock).copied().collect();
            self.rows.put(Key::Ranges(self.merchant), Row::Ranges(Arc::new(left)));
        }
        for key in [Key::Returned, Key::Counts, Key::Stock, Key::Rehearsal] {
            self.rows.remove(&key(self.merchant, stock));
        }
    }

    pub(super) fn redemptions_expected(&mut self, stock: u64, expected_daily: u64) {
        let stock = if stock == 0 { self.at.sequence } else { stock };
        let row = self.rows.readiness(self.merchant, stock).copied().unwrap_or_default();
        let row = Readiness { expected_daily, ..row };
        self.rows.put(Key::Readiness(self.merchant, stock), Row::Readiness(row));
    }

    pub(super) fn load_test_stored(&mut self, test: &LoadTest) {
        let number = self.at.sequence;
        if let (Some(stock), true) = (test.stock, test.passed) {
            let row = self.rows.readiness(self.merchant, stock).copied().unwrap_or_default();
            let row = Readiness { passed: Some(number), ..row };
            self.rows.put(Key::Readiness(self.merchant, stock), Row::Readiness(row));
        }
        let row = LoadTestRow::of(test, self.at.time);
        self.rows.put(Key::LoadTest(self.merchant, number), Row::LoadTest(Arc::new(row)));
    }
}
