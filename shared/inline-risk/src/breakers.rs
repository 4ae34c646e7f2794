//! Which merchants' breakers have tripped, for those who watch: a line in the log, and metrics.

use std::sync::LazyLock;

use coupon::breaker::BreakerRow;
use coupon::id::MerchantId;
use coupon::terms::Millis;
use dashmap::DashMap;
use prometheus::{IntCounter, IntGaugeVec, register_int_counter, register_int_gauge_vec};

const DEFINED_ONCE: &str = "each metric is defined once";

static TRIPS: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!("counterfoil_breaker_trips_total", "Breakers that tripped since the start")
        .expect(DEFINED_ONCE)
});
/// Only tripped ones have a line, so that there are few.
static TRIPPED: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!("counterfoil_breaker_tripped", "Merchants whose breaker is tripped", &["merchant"])
        .expect(DEFINED_ONCE)
});
static SHARE: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let help = "Abnormal share of the day's redemptions where the breaker is tripped, basis points";
    register_int_gauge_vec!("counterfoil_breaker_abnormal_share_bp", help, &["merchant"]).expect(DEFINED_ONCE)
});

/// Each merchant's breaker, of those that were seen.
#[derive(Default)]
pub(crate) struct Breakers(DashMap<MerchantId, BreakerRow>);

impl Breakers {
    /// All of them, in the order of their merchants.
    pub(crate) fn rows(&self) -> Vec<(MerchantId, BreakerRow)> {
        let mut rows: Vec<_> = self.0.iter().map(|entry| (*entry.key(), *entry.value())).collect();
        rows.sort_unstable_by_key(|(merchant, _)| *merchant);
        rows
    }

    /// Takes note of a breaker that changed. One that was tripped when it was first seen has tripped before.
    pub(crate) fn changed(&self, merchant: MerchantId, row: &BreakerRow) {
        let before: Option<Option<Millis>> = self.0.insert(merchant, *row).map(|before| before.tripped_at);
        let label = || merchant.to_string();
        if row.tripped_at.is_some() {
            SHARE.with_label_values(&[&label()]).set(i64::try_from(row.share_bp()).unwrap_or(i64::MAX));
        }
        match (before.flatten(), row.tripped_at) {
            (None, Some(tripped_at)) => {
                TRIPPED.with_label_values(&[&label()]).set(1);
                if before.is_some() || row.attempts == 1 {
                    TRIPS.inc();
                    let (attempts, abnormal, share_bp) = (row.attempts, row.abnormal, row.share_bp());
                    tracing::warn!(%merchant, attempts, abnormal, share_bp, tripped_at, "a merchant's breaker tripped");
                }
            }
            (Some(_), None) => {
                // Both have a line: they were set when it tripped.
                let _ = (TRIPPED.remove_label_values(&[&label()]), SHARE.remove_label_values(&[&label()]));
                tracing::info!(%merchant, "a merchant's breaker was reset");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trip_counts_once_and_a_reset_takes_the_lines_away() {
        let merchant = MerchantId(4_242);
        let breakers = Breakers::default();
        let row = |attempts, tripped_at| BreakerRow { day: 0, attempts, abnormal: attempts / 2, tripped_at };
        let tripped = || TRIPPED.with_label_values(&[&merchant.to_string()]).get();
        let before = TRIPS.get();
        breakers.changed(merchant, &row(10, None));
        assert_eq!((TRIPS.get() - before, tripped()), (0, 0));
        breakers.changed(merchant, &row(11, Some(7)));
        breakers.changed(merchant, &row(12, Some(7)));
        assert_eq!((TRIPS.get() - before, tripped()), (1, 1));
        assert_eq!(SHARE.with_label_values(&[&merchant.to_string()]).get(), 5_000);
        breakers.changed(merchant, &row(0, None));
        assert!(TRIPPED.remove_label_values(&[&merchant.to_string()]).is_err(), "no line is left");
        let restarted = Breakers::default();
        restarted.changed(merchant, &row(12, Some(7)));
        assert_eq!((TRIPS.get() - before, tripped()), (1, 1), "it tripped before the start");
    }
}
