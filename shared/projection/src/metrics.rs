//! What the projection counts.

use std::sync::LazyLock;

use coupon::fold::Outcome;
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};
use prometheus::{register_histogram, register_int_counter, register_int_counter_vec, register_int_gauge};

const DEFINED_ONCE: &str = "each metric is defined once";

/// Records folded, by what became of them.
pub static FOLDED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!("counterfoil_ledger_records_total", "Records folded, by outcome", &["outcome"])
        .expect(DEFINED_ONCE)
});
/// Proposals under way.
pub static PENDING: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("counterfoil_ledger_pending_records", "Records proposed and not yet folded")
        .expect(DEFINED_ONCE)
});
/// Records of a batch.
pub static BATCH: LazyLock<Histogram> = LazyLock::new(|| {
    let buckets = vec![1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];
    register_histogram!("counterfoil_ledger_batch_records", "Records of one group commit", buckets).expect(DEFINED_ONCE)
});
/// From a batch's handing over to its being durable.
pub static APPEND: LazyLock<Histogram> = LazyLock::new(|| {
    let buckets = vec![
        0.0001, 0.0002, 0.0003, 0.0005, 0.00075, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03,
        0.05, 0.1, 0.2, 0.5, 1.0, 5.0,
    ];
    register_histogram!("counterfoil_log_append_seconds", "Until a batch of records was durable", buckets)
        .expect(DEFINED_ONCE)
});
/// Rows written behind.
pub static FLUSHED: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!("counterfoil_projection_flushed_rows_total", "Rows written behind to the image")
        .expect(DEFINED_ONCE)
});
/// Partitions that stopped.
pub static STOPPED: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("counterfoil_ledger_stopped_partitions", "Partitions that cannot be read on")
        .expect(DEFINED_ONCE)
});

/// Hashes that others told, compared with the own ones.
pub static CHECKPOINTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!("counterfoil_hash_checkpoints_total", "Hashes told by instances, compared", &["result"])
        .expect(DEFINED_ONCE)
});

thread_local! {
    static APPLIED: prometheus::core::GenericCounter<prometheus::core::AtomicU64> =
        FOLDED.with_label_values(&["applied"]);
}

/// Counts a folded record.
pub(crate) fn folded(outcome: Outcome) {
    let label = match outcome {
        Outcome::Applied(_) => return APPLIED.with(prometheus::core::GenericCounter::inc),
        Outcome::Replayed(_) => "replayed",
        Outcome::Cancelled => "cancelled",
        Outcome::Fenced(_) => "fenced",
        Outcome::Noted => "noted",
        Outcome::Void(kind) => kind.name(),
    };
    FOLDED.with_label_values(&[label]).inc();
}
