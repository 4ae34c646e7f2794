//! The events of a coupon's story as callers read them.

use coupon::event::{Event, Note, Part};
use coupon::fold::At;
use coupon::id::{CouponId, LedgerRef, LockId, RedemptionId, ReversalId, StockId};
use coupon::record::Record;
use http_api::time::format_ms;
use serde_json::{Map, Value, json};

use crate::render;

/// The events of a record that concern one coupon: type, when and where it stands, and what it says of the coupon.
pub fn describe(coupon: CouponId, record: &Record, at: At) -> Vec<Value> {
    let own = |event: &&Event| matches!(event, Event::CouponVoided(void) if void.coupon == coupon.number);
    let voided = record.events.iter().any(|event| own(&event));
    let concern =
        record.events.iter().filter(|event| !matches!(event, Event::CouponVoided(_)) || !voided || own(event));
    concern.filter_map(|event| one(coupon, event, at)).collect()
}

fn one(coupon: CouponId, event: &Event, at: At) -> Option<Value> {
    let (kind, facts) = facts(coupon, event, at)?;
    let mut entry = Map::new();
    entry.insert("type".to_owned(), kind.into());
    entry.insert("at".to_owned(), format_ms(at.time).into());
    entry.insert("ledger_ref".to_owned(), LedgerRef(at.sequence).to_string().into());
    if let Value::Object(facts) = facts {
        entry.extend(facts.into_iter().filter(|(_, fact)| !fact.is_null()));
    }
    Some(entry.into())
}

fn facts(coupon: CouponId, event: &Event, at: At) -> Option<(&'static str, Value)> {
    let merchant = coupon.merchant;
    let lock_id = |number: u64| LockId::new(merchant, number).to_string();
    Some(match event {
        Event::CodesMade(made) => ("codes_made", json!({"label": made.label, "count": made.count})),
        Event::CodesImported(_) => ("codes_imported", Value::Null),
        Event::BatchVoided(_, reason) => ("batch_voided", json!({"reason": reason})),
        Event::CouponClaimed(claim) => {
            let stock_id = StockId::new(merchant, claim.stock).to_string();
            ("coupon_claimed", noted(json!({"stock_id": stock_id, "channel": claim.channel}), &claim.note))
        }
        Event::CouponsSent(_) => ("coupon_sent", Value::Null),
        Event::CouponsLocked(lock) => {
            let facts = json!({
                "lock_id": lock_id(at.sequence), "order_id": lock.order.id, "expires_at": format_ms(lock.expires_at),
                "part": part(coupon, &lock.parts),
            });
            ("coupon_locked", noted(facts, &lock.note))
        }
        Event::LockReleased(lock, reason) => {
            ("lock_released", json!({"lock_id": lock_id(*lock), "reason": render::release_reason(*reason)}))
        }
        Event::LockExpired(lock) => ("lock_expired", json!({"lock_id": lock_id(*lock)})),
        Event::CouponsRedeemed(redemption) => {
            let facts = json!({
                "redemption_id": RedemptionId::new(merchant, at.sequence).to_string(),
                "order_id": redemption.order.id, "lock_id": redemption.lock.map(lock_id),
                "part": part(coupon, &redemption.parts),
            });
            ("coupon_redeemed", noted(facts, &redemption.note))
        }
        Event::RedemptionReversed(reversal) => {
            let given_back = reversal.parts.iter().find(|part| part.coupon == coupon.number);
            let facts = json!({
                "reversal_id": ReversalId::new(merchant, at.sequence).to_string(),
                "redemption_id": RedemptionId::new(merchant, reversal.redemption).to_string(),
                "reason": reversal.reason, "refund_id": reversal.refund_id,
                "uses": given_back.map(|part| part.uses),
                "discount_returned": given_back.map(|part| part.discount_returned),
            });
            ("redemption_reversed", noted(facts, &reversal.note))
        }
        Event::CouponVoided(void) if void.coupon == coupon.number => ("coupon_voided", json!({"reason": void.reason})),
        // Another coupon of its lock was, and with it the lock ended.
        Event::CouponVoided(void) => ("lock_voided", json!({"lock_id": lock_id(void.lock?)})),
        // Beside it the record says who did it, and why.
        _ => return None,
    })
}

fn part(coupon: CouponId, parts: &[Part]) -> Value {
    let own = parts.iter().find(|part| part.coupon == coupon.number);
    json!(own.map(|part| render::part(coupon.merchant, part)))
}

fn noted(mut facts: Value, note: &Note) -> Value {
    facts["reference"] = json!(note.reference);
    if !note.metadata.is_empty() {
        facts["metadata"] = json!(note.metadata);
    }
    facts
}
