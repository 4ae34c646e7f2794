//! Validations, locks and redemptions: one evaluation for all three, so that a quote is what is redeemed.

use std::collections::BTreeMap;
use std::fmt::Write;

use subtle::ConstantTimeEq;

use crate::command::{LockTerms, UseCommand};
use crate::decide::{Decided, Proposal, Scene};
use crate::event::{Decision, Event, Lock, OrderSummary, Part, Redemption, ReleaseReason, Share};
use crate::hash::id_hash;
use crate::order::{MAX_COUPONS_PER_ORDER, Order};
use crate::penalty::Deed;
use crate::pricing::{self, Applied, PricingProblem};
use crate::record::{Entity, Guard, Use};
use crate::rejection::{Refusal, Rejection};
use crate::state::{Coupon, LockRow, OrderRow, Read, Stock, View};
use crate::terms::Millis;

mod check;

/// What a use of coupons would come to.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// All conditions but the key's.
    pub guards: Vec<Guard>,
    /// The order with its discount.
    pub order: OrderSummary,
    /// Each coupon's part.
    pub parts: Vec<Part>,
    /// By how much the order exceeds the highest minimum spend of its coupons.
    pub margin: Option<i64>,
}

/// A coupon of the request with its stock.
struct EvaluatedPart<'a> {
    number: u64,
    coupon: Coupon,
    stock: &'a Stock,
    uses: u32,
}

/// Evaluates a use without a lock.
pub fn evaluate<V: View + ?Sized>(scene: Scene<'_, V>, usage: &UseCommand) -> Result<Evaluation, Refusal> {
    scene.free_to(Deed::Use)?;
    let mut problems = Vec::new();
    let mut chosen: Vec<EvaluatedPart<'_>> = Vec::with_capacity(usage.coupons.len());
    for (i, (coupon, uses)) in usage.coupons.iter().enumerate() {
        match check::find(scene, *coupon, *uses) {
            Ok(part) if chosen.iter().any(|other| other.number == part.number) => {
                problems.push((i, Rejection::NamedTwice));
            }
            Ok(part) => chosen.push(part),
            Err(rejection) => problems.push((i, rejection)),
        }
    }
    // What does not exist is said before anything about the others is.
    if let Some(refusal) = Refusal::of(std::mem::take(&mut problems)) {
        return Err(refusal);
    }
    scene.risk(usage.actor.user, &usage.decision)?;
    let mut guards = vec![Guard::MerchantOpen];
    for (i, part) in chosen.iter().enumerate() {
        if let Err(rejection) = check::usable(scene, part, usage, &mut guards) {
            problems.push((i, rejection));
        }
    }
    let hash = id_hash(&usage.order.id);
    let standing = scene.view.order(scene.merchant, hash).map(AsRef::as_ref);
    check::stacking(scene, &chosen, standing, &mut problems);
    if let Some(refusal) = Refusal::of(problems) {
        return Err(refusal);
    }
    guards.push(Guard::Version(Entity::Order(hash), standing.map_or(0, |row| row.version)));
    let (order, parts) = priced(scene, usage, &chosen, standing)?;
    check::limits(scene, &chosen, &parts, usage, &mut guards)?;
    let minima =
        chosen.iter().map(|part| part.stock.profile.terms.value.minimum_spend()).filter(|minimum| *minimum > 0);
    let margin = minima.max().map(|minimum| usage.order.amount - minimum);
    Ok(Evaluation { guards, order, parts, margin })
}

fn priced<V: View + ?Sized>(
    scene: Scene<'_, V>,
    usage: &UseCommand,
    chosen: &[EvaluatedPart<'_>],
    standing: Option<&OrderRow>,
) -> Result<(OrderSummary, Vec<Part>), Refusal> {
    let mut prior = BTreeMap::new();
    for part in standing.map(|row| row.parts.as_slice()).unwrap_or_default() {
        for (line, discount) in &part.shares {
            *prior.entry(*line).or_insert(0) += discount;
        }
    }
    let prior: Vec<(u64, i64)> = prior.into_iter().collect();
    let applied: Vec<Applied<'_>> = chosen
        .iter()
        .map(|part| Applied {
            value: &part.stock.profile.terms.value,
            applies_to: &part.stock.profile.terms.applies_to,
            uses: part.uses,
        })
        .collect();
    let quote = pricing::price(&usage.order, &prior, &applied).map_err(|problems| {
        let facts = problems.into_iter().map(|(i, problem)| (i, fact(problem))).collect();
        Refusal::of(facts).unwrap_or_else(|| Rejection::NothingEligible.into())
    })?;
    let parts = chosen
        .iter()
        .zip(&quote.coupons)
        .map(|(part, discount)| part_of(scene, part, discount, &usage.order))
        .collect();
    let order = OrderSummary {
        id: usage.order.id.clone(),
        amount: usage.order.amount,
        discount: quote.discount,
        payable: quote.payable,
        currency: usage.order.currency,
        lines_hash: lines_hash(&usage.order),
    };
    Ok((order, parts))
}

/// Only here is it known what the coupons ask for.
fn with_margin<V: View + ?Sized>(scene: Scene<'_, V>, usage: &UseCommand, margin: Option<i64>) -> Decision {
    let mut decision = scene.recorded(usage.actor.user, &usage.decision);
    if let Some(basis) = &mut decision.basis {
        basis.margin = margin;
    }
    decision
}

fn fact(problem: PricingProblem) -> Rejection {
    match problem {
        PricingProblem::BelowMinimum { required, eligible } => Rejection::OrderBelowMinimum { required, eligible },
        PricingProblem::NothingEligible => Rejection::NothingEligible,
    }
}

fn part_of<V: View + ?Sized>(
    scene: Scene<'_, V>,
    part: &EvaluatedPart<'_>,
    discount: &pricing::CouponDiscount,
    order: &Order,
) -> Part {
    let line = |i: usize| order.lines.get(i).map_or_else(String::new, |line| line.id.clone());
    let (valid_from, valid_until) = check::validity(scene, part);
    Part {
        coupon: part.number,
        stock: part.coupon.stock,
        uses: part.uses,
        uses_left: part.coupon.uses_left.saturating_sub(part.uses),
        discount: discount.discount,
        shares: discount.shares.iter().map(|s| Share { line: line(s.line), discount: s.discount }).collect(),
        previous: part.coupon.version,
        valid_from,
        valid_until,
    }
}

/// What of an order a quote holds for: a lock is redeemed for the same order only.
pub(crate) fn lines_hash(order: &Order) -> [u8; 16] {
    let mut text = format!("{}\n{}\n{}\n", order.amount, order.currency, order.shipping_amount);
    for line in &order.lines {
        let category = line.category.as_deref().unwrap_or("");
        // Writing to memory cannot fail.
        let _ = writeln!(
            text,
            "{}\u{0}{}\u{0}{category}\u{0}{}\u{0}{}",
            line.id, line.sku, line.quantity, line.unit_amount
        );
    }
    id_hash(&text)
}

/// What a redemption would come to, under its lock or without one.
pub fn preview<V: View + ?Sized>(scene: Scene<'_, V>, usage: &UseCommand) -> Result<Evaluation, Refusal> {
    let Some((number, token)) = usage.lock else { return evaluate(scene, usage) };
    under_lock(scene, usage, number, token)
}

pub(super) fn redeem<V: View + ?Sized>(scene: Scene<'_, V>, usage: &UseCommand) -> Decided {
    let evaluation = match usage.lock {
        Some((number, token)) => under_lock(scene, usage, number, token)?,
        None => evaluate(scene, usage)?,
    };
    let Evaluation { guards, order, parts, margin } = evaluation;
    let lock = usage.lock.map(|(number, _)| number);
    let event = Redemption {
        order,
        parts,
        lock,
        actor: usage.actor.clone(),
        decision: with_margin(scene, usage, margin),
        sealed: usage.sealed.clone(),
        note: usage.note.clone(),
    };
    Ok(Proposal { guards, events: vec![Event::CouponsRedeemed(Box::new(event))] })
}

/// What was locked is redeemed exactly as it was quoted, whatever the terms say by now.
fn under_lock<V: View + ?Sized>(
    scene: Scene<'_, V>,
    usage: &UseCommand,
    number: u64,
    token: [u8; 16],
) -> Result<Evaluation, Refusal> {
    scene.free_to(Deed::Use)?;
    let row = scene.view.lock(scene.merchant, number).ok_or(Rejection::LockNotFound)?;
    scene.risk(usage.actor.user, &usage.decision)?;
    if let Some(redemption) = row.redemption.filter(|_| has_token(row, token)) {
        let rejection = scene.redeemed_in(redemption, Some(&usage.order.id));
        return Err(Refusal { coupon: Some(0), problems: vec![(0, rejection.clone())], rejection });
    }
    alive(scene, row, token)?;
    if row.lock.order.id != usage.order.id || row.lock.order.lines_hash != lines_hash(&usage.order) {
        return Err(Rejection::OrderMismatch.into());
    }
    same_coupons(scene, row, usage)?;
    let mut parts = row.lock.parts.clone();
    let mut guards = vec![Guard::MerchantOpen, Guard::LockToken(number, token)];
    check::same_actor(scene, row, usage, &mut guards)?;
    for part in &mut parts {
        // An earlier use of it may have been reversed while it was held.
        let Some(coupon) = scene.view.coupon_row(scene.merchant, part.coupon) else { continue };
        part.previous = coupon.version;
        part.uses_left = coupon.uses_left.saturating_sub(part.uses);
        guards.push(Guard::Version(Entity::Coupon(part.coupon), coupon.version));
    }
    // What was locked stays redeemable while its stock is merely paused, but not once redemptions are stopped.
    let mut stocks: Vec<u64> = parts.iter().map(|part| part.stock).collect();
    stocks.sort_unstable();
    stocks.dedup();
    for stock in stocks {
        let redemptions_stopped = scene.stock(stock)?.redemptions_stopped;
        if redemptions_stopped {
            return Err(Rejection::StockNotActive(scene.stock(stock)?.state).into());
        }
        guards.push(Guard::StockOpen(stock, Use::Redeem));
    }
    let margin = row.lock.decision.basis.as_ref().and_then(|basis| basis.margin);
    Ok(Evaluation { guards, order: row.lock.order.clone(), parts, margin })
}

/// Coupons need not be named beside a lock; where they are, they must be the lock's, with the uses that it holds.
fn same_coupons<V: View + ?Sized>(scene: Scene<'_, V>, row: &LockRow, usage: &UseCommand) -> Result<(), Refusal> {
    for (i, (coupon, uses)) in usage.coupons.iter().enumerate() {
        let named = scene.resolve(*coupon)?;
        if !row.lock.parts.iter().any(|part| part.coupon == named && part.uses == *uses) {
            let rejection = Rejection::OrderMismatch;
            return Err(Refusal { coupon: Some(i), problems: vec![(i, rejection.clone())], rejection });
        }
    }
    let all = usage.coupons.is_empty() || usage.coupons.len() == row.lock.parts.len();
    if all { Ok(()) } else { Err(Rejection::OrderMismatch.into()) }
}

fn has_token(row: &LockRow, token: [u8; 16]) -> bool {
    bool::from(row.lock.token.ct_eq(&token))
}

fn alive<V: View + ?Sized>(scene: Scene<'_, V>, row: &LockRow, token: [u8; 16]) -> Result<(), Rejection> {
    let end = crate::fold::lock_end(row, scene.now);
    if end.is_some() || !has_token(row, token) {
        return Err(Rejection::LockLost(end));
    }
    Ok(())
}

pub(super) fn lock<V: View + ?Sized>(scene: Scene<'_, V>, usage: &UseCommand, terms: LockTerms) -> Decided {
    let evaluation = evaluate(scene, usage)?;
    let event = Lock {
        token: terms.token,
        expires_at: scene.now + Millis::from(terms.ttl_seconds) * 1000,
        order: evaluation.order,
        parts: evaluation.parts,
        actor: usage.actor.clone(),
        decision: with_margin(scene, usage, evaluation.margin),
        sealed: usage.sealed.clone(),
        note: usage.note.clone(),
    };
    Ok(Proposal { guards: evaluation.guards, events: vec![Event::CouponsLocked(Box::new(event))] })
}

/// A lock lives at the longest a week from now; an extension never shortens it.
pub(super) fn extend_lock<V: View + ?Sized>(
    scene: Scene<'_, V>,
    number: u64,
    token: [u8; 16],
    ttl_seconds: u32,
) -> Decided {
    scene.free_to(Deed::Use)?;
    let row = scene.view.lock(scene.merchant, number).ok_or(Rejection::LockNotFound)?;
    alive(scene, row, token)?;
    let until = row.lock.expires_at.max(scene.now + Millis::from(ttl_seconds) * 1000);
    Ok(Proposal {
        guards: vec![
            Guard::MerchantOpen,
            Guard::LockToken(number, token),
            Guard::Version(Entity::Lock(number), row.version),
        ],
        events: vec![Event::LockExtended(number, until)],
    })
}

pub(super) fn release_lock<V: View + ?Sized>(
    scene: Scene<'_, V>,
    number: u64,
    token: [u8; 16],
    reason: ReleaseReason,
) -> Decided {
    let row = scene.view.lock(scene.merchant, number).ok_or(Rejection::LockNotFound)?;
    alive(scene, row, token)?;
    Ok(Proposal { guards: vec![Guard::LockToken(number, token)], events: vec![Event::LockReleased(number, reason)] })
}

/// A tick: nothing to do when the lock ended otherwise.
pub(super) fn expire_lock<V: View + ?Sized>(scene: Scene<'_, V>, number: u64) -> Decided {
    let row = scene.view.lock(scene.merchant, number).ok_or(Rejection::LockNotFound)?;
    if row.end.is_some() || row.lock.expires_at > scene.now {
        return Ok(Proposal::default());
    }
    Ok(Proposal {
        guards: vec![
            Guard::Version(Entity::Lock(number), row.version),
            Guard::TimeIn(row.lock.expires_at, Millis::MAX),
        ],
        events: vec![Event::LockExpired(number)],
    })
}

/// The most coupons that may stand for one order.
pub(crate) const PER_ORDER: usize = MAX_COUPONS_PER_ORDER;
