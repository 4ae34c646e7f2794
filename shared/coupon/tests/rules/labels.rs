//! Labels.

use coupon::command::Command;
use coupon::label::{LabelRow, LabelSet, LabelSource, MOST_LABELS, number};
use coupon::rejection::Rejection;
use coupon::state::{Key, Read, View};

use crate::shop::{ANN, HOUR, MERCHANT, NOON, Shop, cash};

pub(crate) fn label(decision: u64, fraud: bool) -> LabelSet {
    let (kind, source) = (Some("farm".to_owned()), LabelSource::Analyst);
    LabelSet { decision, fraud, kind, source, reason: "seen".to_owned(), by: "an".to_owned() }
}

/// A shop with a claim, and the number of its decision.
fn with_a_claim() -> (Shop, u64) {
    let (mut shop, stock) = Shop::with(cash());
    shop.claims(stock, ANN);
    let decision = shop.sequence;
    (shop, decision)
}

fn row(shop: &Shop, decision: u64) -> LabelRow {
    shop.rows.label(MERCHANT, decision).map(|row| LabelRow::clone(row)).expect("labelled")
}

#[test]
fn the_last_label_stands_and_names_the_one_before() {
    let (mut shop, decision) = with_a_claim();
    assert_eq!(shop.does(&Command::SetLabels(vec![label(decision, true)])), 0, "nothing stood before");
    let first = number(shop.sequence, 0);
    shop.now += HOUR;
    assert_eq!(shop.does(&Command::SetLabels(vec![label(decision, false)])), first);
    let row = row(&shop, decision);
    let stands = row.standing().expect("stands");
    assert_eq!((stands.set.fraud, stands.supersedes, stands.known_at), (false, Some(first), NOON + HOUR));
    assert_eq!(row.numbered(first).map(|label| (label.set.fraud, label.known_at)), Some((true, NOON)));
    assert_eq!(shop.rows.label_id(MERCHANT, first), Some(&decision));
}

#[test]
fn one_record_labels_several_each_with_an_id() {
    let (mut shop, decision) = with_a_claim();
    shop.does(&Command::SetLabels(vec![label(decision, true), label(decision + 7, true)]));
    let second = number(shop.sequence, 1);
    assert_eq!(row(&shop, decision + 7).standing().map(|label| label.number), Some(second));
    assert_eq!(shop.rows.label_id(MERCHANT, second), Some(&(decision + 7)));
}

#[test]
fn the_newest_labels_are_kept() {
    let (mut shop, decision) = with_a_claim();
    shop.does(&Command::SetLabels(vec![label(decision, true)]));
    let first = number(shop.sequence, 0);
    for _ in 0..MOST_LABELS {
        shop.does(&Command::SetLabels(vec![label(decision, true)]));
    }
    let row = row(&shop, decision);
    assert_eq!((row.labels.len(), row.numbered(first)), (MOST_LABELS, None));
    assert_eq!(shop.rows.get(&Key::LabelId(MERCHANT, first)), None);
}

#[test]
fn what_is_nothing_or_too_much_is_refused() {
    let (shop, decision) = with_a_claim();
    assert_eq!(shop.refuses(&Command::SetLabels(Vec::new())), Rejection::DecisionNotFound);
    let many = vec![label(decision, true); 1_025];
    assert_eq!(shop.refuses(&Command::SetLabels(many)), Rejection::TooManyAtOnce { most: 1_024 });
}
