//! Stocks on the board: those that are used most, filled up with the newest ones.

use coupon::id::{LedgerRef, MerchantId, StockId};
use coupon::state::Read;
use coupon::terms::Millis;
use coupon_api::dto::stock::{StockType, conservation};
use coupon_api::refusal::state_name;
use http_api::problem::Problem;
use projection::index::List as Index;
use projection::ledger::Ledger;
use serde_json::{Value, json};

use crate::api::RiskApi;
use crate::api::across::merchants;

/// Rows of the board.
pub(super) const MOST: usize = 20;
/// Merchants whose newest stocks are looked at where few are used.
const MERCHANTS: usize = 50;

/// The rows, those that were used most in the last hour first.
pub(super) async fn rows(
    state: &RiskApi,
    scope: Option<MerchantId>,
    busiest: Vec<(MerchantId, u64)>,
) -> Result<Vec<Value>, Problem> {
    let look = move |ledger: &Ledger, now: Millis| {
        let mut shown = busiest;
        for merchant in merchants(ledger, scope).into_iter().take(MERCHANTS) {
            if shown.len() >= MOST {
                break;
            }
            for number in ledger.index.list(merchant, Index::Stocks).iter().rev().take(MOST) {
                if !shown.contains(&(merchant, *number)) {
                    shown.push((merchant, *number));
                }
            }
        }
        let rows = shown.into_iter().filter_map(|(merchant, number)| row(ledger, merchant, number, now));
        rows.take(MOST).collect()
    };
    state.backend.look(coupon::id::PLATFORM, move |_, ledger, now| look(ledger, now)).await
}

fn row(ledger: &Ledger, merchant: MerchantId, number: u64, now: Millis) -> Option<Value> {
    let shard = ledger.of(merchant);
    let (stock, counts) = (shard.stock(merchant, number)?, shard.counts(merchant, number)?);
    let held = conservation(stock, counts, shard.time.max(now), LedgerRef(shard.sequence));
    Some(json!({
        "stock_id": StockId::new(merchant, number).to_string(),
        "name": stock.profile.name,
        "merchant_id": merchant.real().to_string(),
        "type": StockType::of(&stock.profile.terms.value),
        "state": state_name(stock.state),
        "total": held.total,
        "available": held.available,
        "claimed": held.claimed,
        "locked": held.locked,
        "redeemed": held.redeemed,
        "voided": held.voided,
        "expired": held.expired,
        "balanced": held.holds,
    }))
}
