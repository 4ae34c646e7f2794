use coupon::command::Claimed;
use coupon::fold::Outcome;
use coupon::record::{Cancel, Entry, Fence, Fences, GuardKind, Origin, Request, RequestKey};
use coupon::state::REQUEST_KEPT_MS;

use crate::shop::{ANN, HOUR, Shop, cash, claim};

const KEY: RequestKey = RequestKey([5; 16]);
const ORIGIN: Origin = Origin { instance: 2, number: 1 };

fn request(shop: &Shop, fences: u32) -> Request {
    Request { key: KEY, fingerprint: [1; 16], fences, deadline: shop.now + HOUR }
}

fn claims(shop: &mut Shop, stock: u64, fences: u32) -> Outcome {
    let proposal = shop.decides(&claim(Claimed::Stock(stock), ANN)).expect("there are some");
    let request = request(shop, fences);
    shop.fold(proposal, Some(request))
}

fn fence(shop: &mut Shop) -> Outcome {
    let fence = Fence { key: KEY, refusal: 205, decision: None };
    shop.append(&Entry::Fences(Fences { origin: ORIGIN, proposed_at: shop.now, fences: vec![fence] }))
}

fn cancel(shop: &mut Shop) -> Outcome {
    shop.append(&Entry::Cancel(Cancel { origin: ORIGIN, proposed_at: shop.now, key: KEY }))
}

#[test]
fn a_key_has_one_effect() {
    let (mut shop, stock) = Shop::with(cash());
    let Outcome::Applied(number) = claims(&mut shop, stock, 0) else { panic!("the first applies") };
    let Outcome::Replayed(done) = claims(&mut shop, stock, 0) else { panic!("the second does nothing") };
    assert_eq!((done.number, done.fingerprint, shop.counts(stock).issued), (number, [1; 16], 1));
}

#[test]
fn what_was_refused_does_not_happen_later() {
    let (mut shop, stock) = Shop::with(cash());
    fence(&mut shop);
    assert_eq!(claims(&mut shop, stock, 0), Outcome::Fenced(205), "decided before the refusal");
    assert_eq!(claims(&mut shop, stock, 1), Outcome::Fenced(205), "what a fence made void counts as one itself");
    assert!(matches!(claims(&mut shop, stock, 3), Outcome::Applied(_)), "decided after all of them");
}

#[test]
fn a_fence_on_a_used_key_does_nothing() {
    let (mut shop, stock) = Shop::with(cash());
    claims(&mut shop, stock, 0);
    fence(&mut shop);
    assert!(matches!(claims(&mut shop, stock, 0), Outcome::Replayed(_)));
}

#[test]
fn a_cancel_stays() {
    let (mut shop, stock) = Shop::with(cash());
    assert_eq!(cancel(&mut shop), Outcome::Cancelled);
    assert_eq!(claims(&mut shop, stock, 0), Outcome::Cancelled);
    assert_eq!(cancel(&mut shop), Outcome::Cancelled);
    assert_eq!(shop.counts(stock).issued, 0);
}

#[test]
fn a_cancel_of_what_happened_tells_so() {
    let (mut shop, stock) = Shop::with(cash());
    claims(&mut shop, stock, 0);
    assert!(matches!(cancel(&mut shop), Outcome::Replayed(_)));
}

#[test]
fn past_its_deadline_an_attempt_is_void() {
    let (mut shop, stock) = Shop::with(cash());
    let proposal = shop.decides(&claim(Claimed::Stock(stock), ANN)).expect("there are some");
    let request = request(&shop, 0);
    shop.passes(HOUR);
    assert_eq!(shop.fold(proposal, Some(request)), Outcome::Void(GuardKind::Time));
}

#[test]
fn keys_are_kept_a_day_and_then_forgotten() {
    let (mut shop, stock) = Shop::with(cash());
    claims(&mut shop, stock, 0);
    shop.passes(24 * HOUR);
    assert!(matches!(claims(&mut shop, stock, 0), Outcome::Replayed(_)), "the promise is a day");
    shop.passes(REQUEST_KEPT_MS);
    assert!(matches!(claims(&mut shop, stock, 0), Outcome::Applied(_)));
}
