//! Merchants, keys, stores, stocks and batches.

use std::sync::Arc;

use crate::event::{ApiKey, CodesMade, MerchantProfile, Quotas, StockProfile, StoreProfile};
use crate::fold::Scope;
use crate::id::MerchantId;
use crate::state::{Batch, Key, KeyRow, Merchant, OperationRow, Range, Read, Row, Rows, Stock};
use crate::terms::Millis;

impl<R: Rows> Scope<'_, R> {
    pub(super) fn merchant_created(&mut self, profile: &MerchantProfile) {
        let Ok(number) = u32::try_from(self.at.sequence) else { return };
        self.put_merchant(MerchantId(number), profile, Quotas::default());
    }

    pub(super) fn merchant_opened(&mut self, profile: &MerchantProfile) {
        self.put_merchant(self.merchant, profile, Quotas::default());
    }

    fn put_merchant(&mut self, of: MerchantId, profile: &MerchantProfile, quotas: Quotas) {
        let row = Merchant { profile: profile.clone(), quotas, created_at: self.at.time, standing: None };
        self.rows.put(Key::Merchant(self.merchant, of), Row::Merchant(Arc::new(row)));
    }

    pub(super) fn quotas_set(&mut self, of: MerchantId, quotas: Quotas) {
        let Some(row) = self.rows.merchant_row(self.merchant, of) else { return };
        let row = Merchant { quotas, ..Merchant::clone(row) };
        self.rows.put(Key::Merchant(self.merchant, of), Row::Merchant(Arc::new(row)));
    }

    pub(super) fn api_key_created(&mut self, key: &ApiKey) {
        let row = KeyRow { key: key.clone(), created_at: self.at.time, ends_at: None, version: self.at.sequence };
        let hash = crate::hash::id_hash(&key.key_id);
        self.rows.put(Key::ApiKey(self.merchant, hash), Row::ApiKey(Arc::new(row)));
    }

    pub(super) fn api_key_ends(&mut self, hash: [u8; 16], at: Millis) {
        let Some(row) = self.rows.api_key(self.merchant, hash) else { return };
        let row = KeyRow { ends_at: Some(at), version: self.at.sequence, ..KeyRow::clone(row) };
        self.rows.put(Key::ApiKey(self.merchant, hash), Row::ApiKey(Arc::new(row)));
    }

    pub(super) fn store_created(&mut self, profile: &StoreProfile) {
        self.rows.put(Key::Store(self.merchant, self.at.sequence), Row::Store(Arc::new(profile.clone())));
    }

    pub(super) fn stock_created(&mut self, profile: &StockProfile) {
        let row = Stock::draft(profile.clone(), self.at.sequence, self.at.time);
        self.rows.put(Key::Stock(self.merchant, self.at.sequence), Row::Stock(Arc::new(row)));
        self.rows.put(Key::Counts(self.merchant, self.at.sequence), Row::Counts(Arc::default()));
    }

    pub(super) fn stock_changed(&mut self, number: u64, change: impl FnOnce(&mut Stock)) {
        let Some(row) = self.rows.stock(self.merchant, number) else { return };
        let mut row = Stock::clone(row);
        row.previous = row.version;
        row.version = self.at.sequence;
        change(&mut row);
        self.rows.put(Key::Stock(self.merchant, number), Row::Stock(Arc::new(row)));
    }

    /// A batch and the finished operation of its making; both are called by the record's sequence.
    pub(super) fn codes_made(&mut self, made: &CodesMade) -> u64 {
        let first = self.take_numbers(made.count);
        self.add_batch(made.stock, made.count, &made.label);
        self.add_range(Range { start: first, count: made.count, stock: made.stock, batch: self.at.sequence });
        self.with_counts(made.stock, |counts, _| {
            counts.issued += made.count;
            counts.on_shelf += made.count;
        });
        let row = OperationRow {
            version: self.at.sequence,
            previous: 0,
            kind: crate::event::OperationKind::MakeCodes,
            stock: made.stock,
            total: made.count,
            done: made.count,
            failed: 0,
            chunks: 0,
            finished: true,
            created_at: self.at.time,
        };
        self.rows.put(Key::Operation(self.merchant, self.at.sequence), Row::Operation(Arc::new(row)));
        first
    }

    pub(super) fn add_batch(&mut self, stock: u64, count: u64, label: &str) {
        let row = Batch {
            version: self.at.sequence,
            stock,
            count,
            taken: 0,
            voided_at: None,
            created_at: self.at.time,
            label: label.into(),
        };
        self.rows.put(Key::Batch(self.merchant, self.at.sequence), Row::Batch(Arc::new(row)));
    }

    /// Numbers only grow, so ranges stay sorted; one that goes on where its batch's last ended becomes part of it.
    pub(super) fn add_range(&mut self, range: Range) {
        let mut ranges = self.rows.ranges(self.merchant).cloned().unwrap_or_default();
        let list = Arc::make_mut(&mut ranges);
        match list.last_mut() {
            Some(last) if last.batch == range.batch && last.start + last.count == range.start => {
                last.count += range.count;
            }
            _ => list.push(range),
        }
        self.rows.put(Key::Ranges(self.merchant), Row::Ranges(ranges));
    }

    pub(super) fn batch_voided(&mut self, number: u64) {
        let Some(batch) = self.rows.batch(self.merchant, number).cloned() else { return };
        let left = batch.count - batch.taken;
        let stock = batch.stock;
        self.with_counts(stock, |counts, _| {
            counts.on_shelf -= left;
            counts.voided += left;
        });
        if let Some(returned) = self.rows.returned(self.merchant, stock).cloned() {
            for &coupon in returned.iter() {
                let of_batch = self.rows.coupon_row(self.merchant, coupon).is_some_and(|c| c.batch == Some(number));
                if of_batch {
                    self.take_off(stock, coupon);
                }
            }
        }
        let batch = Batch { version: self.at.sequence, voided_at: Some(self.at.time), ..Batch::clone(&batch) };
        self.rows.put(Key::Batch(self.merchant, number), Row::Batch(Arc::new(batch)));
    }

    pub(super) fn coupons_expired(&mut self, stock: u64, until: Millis) {
        self.with_counts(stock, |counts, at| {
            if until <= at.time
                && let Some(i) = counts.claimed.iter().position(|(end, _)| *end == until)
            {
                counts.expired += counts.claimed.remove(i).1;
            }
        });
    }
}
