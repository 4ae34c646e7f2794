//! Decisions that are asked for by themselves.

use coupon::command::Command;
use coupon::decision::DecisionKept;
use coupon::event::Decision;
use coupon::id::MerchantId;
use coupon::rejection::Rejection;

use crate::shop::{MERCHANT, Shop};

fn keep() -> Command {
    Command::KeepDecision(Box::new(DecisionKept {
        decision: Decision::default(),
        sealed: Vec::new(),
        by: "an".to_owned(),
    }))
}

#[test]
fn a_decision_that_is_kept_changes_nothing() {
    let mut shop = Shop::open();
    let (before, sequence) = (shop.rows.of(MERCHANT).len(), shop.sequence);
    shop.does(&keep());
    assert_eq!((shop.rows.of(MERCHANT).len(), shop.sequence), (before, sequence + 1));
}

#[test]
fn a_decision_is_kept_at_a_merchant_that_there_is() {
    let mut shop = Shop::open();
    shop.at = MerchantId(99);
    assert_eq!(shop.refuses(&keep()), Rejection::MerchantNotFound);
}
