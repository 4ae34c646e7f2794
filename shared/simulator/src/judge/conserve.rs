//! I9 and I5 over counts: what the product counts is what is there when everything is counted anew.

use coupon::fold::At;
use coupon::id::MerchantId;
use coupon::state::Read;
use projection::ledger::Ledger;

use crate::judge::{Book, Violation};

pub(super) fn check(book: &Book, merchant: MerchantId, at: At, ledger: &Ledger, wrong: &mut Vec<Violation>) {
    for (&number, stock) in &book.stocks {
        let Some(counts) = ledger.of(merchant).counts(merchant, number) else {
            wrong.push(Violation { id: "I9", what: format!("stock {number} has no counts") });
            continue;
        };
        let (mut shelf, mut claimed, mut locked, mut redeemed, mut voided, mut expired) = (0, 0, 0, 0, 0, 0);
        for (_, coupon) in book.of_stock(number) {
            *if coupon.voided {
                &mut voided
            } else if coupon.lock.is_some() {
                &mut locked
            } else if coupon.is_on_shelf() {
                &mut shelf
            } else if coupon.is_used_up() {
                &mut redeemed
            } else if coupon.valid.is_some_and(|(_, until)| until <= at.time) {
                &mut expired
            } else {
                &mut claimed
            } += 1;
        }
        let issued = book.of_stock(number).count() as u64;
        let (given, held) = book.discounts(number);
        let total = stock.profile.total;
        let elsewhere: u64 = claimed + locked + redeemed + voided + expired;
        let counted = [
            ("issued", counts.issued, issued),
            ("on the shelf", counts.on_shelf, shelf),
            ("claimed", counts.claimed_at(at.time), claimed),
            ("locked", counts.locked, locked),
            ("redeemed", counts.redeemed, redeemed),
            ("voided", counts.voided, voided),
            ("expired", counts.expired_at(at.time), expired),
            ("available", counts.available(total), total.saturating_sub(elsewhere)),
            ("discount given", counts.discount_given as u64, given as u64),
            ("discount held", counts.discount_held as u64, held as u64),
        ];
        for (what, product, naive) in counted {
            if product != naive {
                let what = format!("stock {number}: {what} is {product}, counted anew {naive}");
                wrong.push(Violation { id: "I9", what });
            }
        }
        if issued > total {
            wrong.push(Violation { id: "I5", what: format!("stock {number} issued {issued} of {total}") });
        }
        if stock.profile.budget.is_some_and(|budget| given + held > budget) {
            let what = format!("stock {number} gave {given} and holds {held} of {:?}", stock.profile.budget);
            wrong.push(Violation { id: "I5", what });
        }
    }
}
