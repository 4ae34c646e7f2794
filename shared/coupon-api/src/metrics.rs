//! What is counted where callers name coupons.

use std::sync::LazyLock;

use prometheus::{IntCounter, register_int_counter};

const DEFINED_ONCE: &str = "each metric is defined once";

/// Coupons that were named by an id, a sound code or a text that may be a merchant's own code: each is looked up.
pub static LOOKUPS: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!("counterfoil_coupon_lookups_total", "Coupons named in a way that has to be looked up")
        .expect(DEFINED_ONCE)
});
/// Texts that can be no coupon: refused without a look-up.
pub static REFUSED: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!("counterfoil_codes_refused_total", "Codes refused without a look-up").expect(DEFINED_ONCE)
});

pub(crate) fn named(looked_up: bool) {
    if looked_up { LOOKUPS.inc() } else { REFUSED.inc() }
}
