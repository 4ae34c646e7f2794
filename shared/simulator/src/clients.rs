//! What clients ask for: few users, coupons and orders, so that they are always in each other's way.

pub mod script;
mod wishes;

use coupon::event::{Decision, MerchantProfile, Note, Pseudonym, StockProfile};
use coupon::id::MerchantId;
use coupon::money::CNY;
use coupon::order::{Order, OrderLine};
use coupon::record::RequestKey;
use coupon::terms::{AppliesTo, CodeMode, Limits, Millis, Stacking, Terms, Validity, Value, Zone};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

pub use script::Script;
pub use wishes::Clients;

/// A merchant in the zone for which the judge counts days.
pub fn merchant(name: &str) -> MerchantProfile {
    MerchantProfile { name: name.to_owned(), zone: Zone(chrono_tz::Asia::Shanghai), livemode: false }
}

/// A user.
pub fn user(number: u8) -> Pseudonym {
    [number + 1; 16]
}

/// A key that is nobody else's.
pub fn key(merchant: MerchantId, number: u64) -> RequestKey {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes[8..12].copy_from_slice(&merchant.0.to_be_bytes());
    RequestKey(bytes)
}

/// A stock of cash coupons that anybody may claim.
pub fn cash(total: u64, amount_off: i64, validity: Validity) -> StockProfile {
    StockProfile {
        name: "cash".to_owned(),
        text: String::new(),
        terms: Terms {
            value: Value::Cash { amount_off, minimum_spend: 0 },
            currency: CNY,
            code_mode: CodeMode::Generated,
            claim_from: None,
            claim_until: None,
            validity,
            store_ids: Vec::new(),
            applies_to: AppliesTo::default(),
            stacking: Stacking { max_per_order: 30, ..Stacking::default() },
            reversal_window_days: 2,
            available_times: Vec::new(),
        },
        total,
        limits: Limits::default(),
        budget: None,
        note: Note::default(),
    }
}

/// An order of one line.
pub fn order(number: u64, amount: i64) -> Order {
    let line = OrderLine {
        id: "1".to_owned(),
        sku: "tea".to_owned(),
        category: None,
        quantity: 1,
        unit_amount: amount,
        amount,
    };
    Order { id: format!("order-{number}"), amount, currency: CNY, shipping_amount: 0, lines: vec![line] }
}

/// Risk lets everything through.
pub fn allowed() -> Decision {
    Decision::default()
}

/// A stock at random, with caps that are soon reached.
fn any_stock(rng: &mut Xoshiro256PlusPlus, now: Millis) -> StockProfile {
    let validity = match rng.random_range(0..3) {
        0 => Validity::AfterClaim { delay_days: rng.random_range(0..2), days: rng.random_range(1..3) },
        1 => Validity::Fixed { from: now - 1_000, until: now + rng.random_range(60_000..7_200_000) },
        _ => Validity::Fixed { from: now, until: now + 30 * 86_400_000 },
    };
    let mut stock = cash(rng.random_range(1..8), 100 * rng.random_range(1..20), validity);
    let cap = |rng: &mut Xoshiro256PlusPlus, upto: u64| rng.random_bool(0.4).then(|| rng.random_range(1..upto));
    stock.limits = Limits {
        per_user: cap(rng, 4),
        per_user_day: cap(rng, 3),
        per_day: cap(rng, 6),
        user_day_redemptions: cap(rng, 3),
        store_day_redemptions: None,
    };
    stock.budget = rng.random_bool(0.4).then(|| rng.random_range(1_000..6_000));
    stock.terms.stacking =
        Stacking { exclusive: rng.random_bool(0.2), group: None, max_per_order: *pick(rng, &[1, 2, 30]) };
    match rng.random_range(0..4) {
        0 => {
            let minimum_interval_seconds = *pick(rng, &[0, 60]);
            stock.terms.value = Value::MultiUse { uses: rng.random_range(2..5), minimum_interval_seconds };
        }
        1 => stock.terms.code_mode = CodeMode::Pool,
        _ => {}
    }
    if rng.random_bool(0.3) {
        stock.terms.claim_until = Some(now + rng.random_range(60_000..7_200_000));
    }
    stock
}

/// One of several.
pub(crate) fn pick<'a, T>(rng: &mut Xoshiro256PlusPlus, from: &'a [T]) -> &'a T {
    &from[rng.random_range(0..from.len())]
}
