//! Reversals: whole, or per coupon and use; bounded in time.

use crate::command::ReverseCommand;
use crate::decide::{Decided, Proposal, Scene};
use crate::event::{CouponState, Event, Reversal, ReversedPart};
use crate::record::{Entity, Guard};
use crate::rejection::{Refusal, Rejection};
use crate::state::{Read, RedeemedPart, RedemptionRow, View};
use crate::terms::Millis;

const DAY_MS: Millis = 24 * 3600 * 1000;

pub(super) fn reverse<V: View + ?Sized>(scene: Scene<'_, V>, command: &ReverseCommand) -> Decided {
    let (guards, reversal) = preview_reversal(scene, command)?;
    Ok(Proposal { guards, events: vec![Event::RedemptionReversed(Box::new(reversal))] })
}

/// What a reversal would give back, and under which guards.
pub fn preview_reversal<V: View + ?Sized>(
    scene: Scene<'_, V>,
    command: &ReverseCommand,
) -> Result<(Vec<Guard>, Reversal), Refusal> {
    let row = scene.view.redemption(scene.merchant, command.redemption).ok_or(Rejection::RedemptionNotFound)?;
    let left = |part: &RedeemedPart| part.uses - part.uses_reversed;
    if row.parts.iter().all(|part| left(part) == 0) {
        return Err(Rejection::AlreadyReversed.into());
    }
    let wanted: Vec<(usize, u64, u32)> = match &command.coupons {
        None => row.parts.iter().filter(|part| left(part) > 0).map(|part| (0, part.coupon, left(part))).collect(),
        Some(coupons) => chosen(row, coupons)?,
    };
    let mut until = Millis::MAX;
    let mut parts = Vec::with_capacity(wanted.len());
    let mut guards = vec![Guard::Version(Entity::Redemption(command.redemption), row.version)];
    for (_, coupon, uses) in &wanted {
        let Some(redeemed) = row.parts.iter().find(|part| part.coupon == *coupon) else { continue };
        let days = Millis::from(scene.stock(redeemed.stock)?.profile.terms.reversal_window_days);
        until = until.min(row.redeemed_at.saturating_add(days * DAY_MS));
        parts.push(give_back(scene, redeemed, *uses, &mut guards)?);
    }
    if scene.now >= until {
        return Err(Rejection::ReversalTooLate(until).into());
    }
    guards.push(Guard::TimeIn(Millis::MIN, until));
    let reversed: u32 = parts.iter().map(|part| part.uses).sum();
    let reversal = Reversal {
        redemption: command.redemption,
        whole: reversed == row.parts.iter().map(left).sum::<u32>(),
        parts,
        refund_id: command.refund_id.clone(),
        reason: command.reason.clone(),
        note: command.note.clone(),
    };
    Ok((guards, reversal))
}

fn chosen(row: &RedemptionRow, coupons: &[(u64, Option<u32>)]) -> Result<Vec<(usize, u64, u32)>, Refusal> {
    let mut problems = Vec::new();
    let mut wanted: Vec<(usize, u64, u32)> = Vec::new();
    for (i, (coupon, uses)) in coupons.iter().enumerate() {
        let Some(part) = row.parts.iter().find(|part| part.coupon == *coupon) else {
            problems.push((i, Rejection::CouponNotFound));
            continue;
        };
        let left = part.uses - part.uses_reversed;
        let uses = uses.unwrap_or(left);
        if wanted.iter().any(|(_, other, _)| other == coupon) {
            problems.push((i, Rejection::NamedTwice));
        } else if left == 0 {
            problems.push((i, Rejection::AlreadyReversed));
        } else if uses > left {
            problems.push((i, Rejection::UsesExceeded { left }));
        } else {
            wanted.push((i, *coupon, uses));
        }
    }
    Refusal::of(problems).map_or(Ok(wanted), Err)
}

fn give_back<V: View + ?Sized>(
    scene: Scene<'_, V>,
    redeemed: &RedeemedPart,
    uses: u32,
    guards: &mut Vec<Guard>,
) -> Result<ReversedPart, Rejection> {
    let coupon = scene.view.coupon_row(scene.merchant, redeemed.coupon).ok_or(Rejection::CouponNotFound)?;
    guards.push(Guard::Version(Entity::Coupon(redeemed.coupon), coupon.version));
    let state = match coupon.state {
        CouponState::Voided => CouponState::Voided,
        CouponState::Locked => CouponState::Locked,
        _ if scene.now >= coupon.valid_until => {
            guards.push(Guard::TimeIn(coupon.valid_until, Millis::MAX));
            CouponState::Expired
        }
        _ => {
            guards.push(Guard::TimeIn(Millis::MIN, coupon.valid_until));
            CouponState::Claimed
        }
    };
    let last = redeemed.uses_reversed + uses == redeemed.uses;
    let share = i128::from(redeemed.discount) * i128::from(uses) / i128::from(redeemed.uses.max(1));
    let discount_returned =
        if last { redeemed.discount - redeemed.discount_returned } else { i64::try_from(share).unwrap_or(0) };
    Ok(ReversedPart {
        coupon: redeemed.coupon,
        stock: redeemed.stock,
        uses,
        uses_left: coupon.uses_left + uses,
        discount_returned,
        state,
        previous: coupon.version,
    })
}
