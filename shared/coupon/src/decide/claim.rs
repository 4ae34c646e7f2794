//! Claims: a coupon of a stock, or a printed code that is bound to a user. And voids.

use crate::calendar;
use crate::command::{ClaimCommand, Claimed, CouponRef};
use crate::decide::{Decided, Proposal, Scene};
use crate::event::{Claim, CouponState, Event, StockState, Void};
use crate::fold::find_coupon;
use crate::penalty::Deed;
use crate::record::{Counter, Entity, Guard, Use};
use crate::rejection::Rejection;
use crate::state::{Coupon, Read, Stock, View};
use crate::terms::{CodeMode, Millis, Validity};

pub(super) fn claim<V: View + ?Sized>(scene: Scene<'_, V>, command: &ClaimCommand) -> Decided {
    let (number, printed) = match command.what {
        Claimed::Stock(number) => (number, None),
        Claimed::Printed(code) => {
            let number = scene.resolve(code)?;
            let coupon = find_coupon(scene.view, scene.merchant, number).ok_or(Rejection::CouponNotFound)?;
            (coupon.stock, Some((number, coupon)))
        }
    };
    let stock = scene.stock(number)?;
    scene.free_to(Deed::Claim)?;
    scene.risk(Some(command.user), &command.decision)?;
    if let Some((_, coupon)) = &printed {
        on_the_shelf(scene, coupon)?;
    }
    let (claim_from, claim_until) = claim_window(scene, stock)?;
    let (valid_from, valid_until) = calendar::validity(scene.zone(), stock.profile.terms.validity, scene.now);
    let mut guards = vec![Guard::MerchantOpen, Guard::StockOpen(number, Use::Claim)];
    // The validity was counted from this day, so the claim belongs to it.
    let (from, until) = match stock.profile.terms.validity {
        Validity::Fixed { .. } => (claim_from, claim_until.min(valid_until)),
        Validity::AfterClaim { .. } => {
            let (from, until) = calendar::day_bounds(scene.zone(), scene.now);
            (claim_from.max(from), claim_until.min(until))
        }
    };
    if (from, until) != (Millis::MIN, Millis::MAX) {
        guards.push(Guard::TimeIn(from, until));
    }
    limits(scene, command, number, stock, &mut guards)?;
    let previous = printed.as_ref().map_or(0, |(_, coupon)| coupon.version);
    if let Some((coupon, row)) = &printed {
        guards.push(Guard::Version(Entity::Coupon(*coupon), row.version));
    } else {
        if scene.left(Counter::Claimable(number)).is_some_and(|left| left < 1) {
            return Err(Rejection::StockSoldOut.into());
        }
        guards.push(Guard::Within(Counter::Claimable(number), 1));
    }
    let event = Claim {
        stock: number,
        printed: printed.map(|(number, _)| number),
        imported: stock.profile.terms.code_mode == CodeMode::Imported,
        user: command.user,
        valid_from,
        valid_until,
        uses: stock.profile.terms.value.uses(),
        channel: command.channel.clone(),
        previous,
        decision: scene.recorded(Some(command.user), &command.decision),
        sealed: command.sealed.clone(),
        note: command.note.clone(),
    };
    Ok(Proposal { guards, events: vec![Event::CouponClaimed(Box::new(event))] })
}

fn on_the_shelf<V: View + ?Sized>(scene: Scene<'_, V>, coupon: &Coupon) -> Result<(), Rejection> {
    match coupon.state {
        CouponState::Available => Ok(()),
        CouponState::Voided => Err(Rejection::CouponVoided),
        CouponState::Redeemed => Err(scene.redeemed_by(coupon, None)),
        CouponState::Locked => Err(scene.locked_until(coupon).unwrap_or(Rejection::AlreadyClaimed)),
        CouponState::Claimed | CouponState::Expired => Err(Rejection::AlreadyClaimed),
    }
}

/// When the stock may be claimed from, if that is now.
pub(super) fn claim_window<V: ?Sized>(scene: Scene<'_, V>, stock: &Stock) -> Result<(Millis, Millis), Rejection> {
    match stock.state {
        StockState::Active => {}
        state => return Err(Rejection::StockNotActive(state)),
    }
    let (from, until) = stock.profile.terms.claim_window();
    if (from..until).contains(&scene.now) {
        return Ok((from, until));
    }
    let until = (until != Millis::MAX).then_some(until);
    Err(Rejection::ClaimNotOpen { from: stock.profile.terms.claim_from, until })
}

fn limits<V: View + ?Sized>(
    scene: Scene<'_, V>,
    command: &ClaimCommand,
    number: u64,
    stock: &Stock,
    guards: &mut Vec<Guard>,
) -> Result<(), Rejection> {
    let limits = stock.profile.limits;
    let none_left = |counter| scene.left(counter).is_some_and(|left| left < 1);
    let by_user = Counter::UserClaims(number, command.user);
    let by_user_day = Counter::UserDayClaims(number, command.user);
    let by_day = Counter::DayClaims(number);
    if let (Some(limit), true) = (limits.per_user, none_left(by_user)) {
        return Err(Rejection::UserLimitReached { limit, today: false });
    }
    if let (Some(limit), true) = (limits.per_user_day, none_left(by_user_day)) {
        return Err(Rejection::UserLimitReached { limit, today: true });
    }
    if none_left(by_day) {
        let until = calendar::day_bounds(scene.zone(), scene.now).1;
        return Err(Rejection::DayLimitReached { limit: "per_day", until });
    }
    // Guarded without a limit too: one may be set before the record stands.
    guards.extend([by_user, by_user_day, by_day].map(|counter| Guard::Within(counter, 1)));
    Ok(())
}

pub(super) fn void_coupon<V: View + ?Sized>(scene: Scene<'_, V>, number: u64, reason: &str) -> Decided {
    let coupon = find_coupon(scene.view, scene.merchant, number).ok_or(Rejection::CouponNotFound)?;
    match coupon.state {
        CouponState::Voided => return Err(Rejection::CouponVoided.into()),
        CouponState::Redeemed => return Err(scene.redeemed_by(&coupon, None).into()),
        CouponState::Claimed | CouponState::Available if coupon.valid_until <= scene.now => {
            return Err(Rejection::CouponExpired(coupon.valid_until).into());
        }
        _ => {}
    }
    let mut guards = vec![Guard::Version(Entity::Coupon(number), coupon.version)];
    if coupon.state != CouponState::Locked && coupon.valid_until != Millis::MAX {
        guards.push(Guard::TimeIn(Millis::MIN, coupon.valid_until));
    }
    let void = Void { coupon: number, reason: reason.to_owned(), previous: coupon.version, lock: coupon.lock };
    Ok(Proposal { guards, events: vec![Event::CouponVoided(void)] })
}

impl<V: View + ?Sized> Scene<'_, V> {
    /// The running number behind a coupon as a caller names it.
    pub(super) fn resolve(&self, coupon: CouponRef) -> Result<u64, Rejection> {
        match coupon {
            CouponRef::Number(number) => Ok(number),
            CouponRef::Imported(hash) => {
                self.view.imported_code(self.merchant, hash).copied().ok_or(Rejection::CouponNotFound)
            }
            CouponRef::Unknown => Err(Rejection::CouponNotFound),
        }
    }

    /// By what a coupon was used up.
    pub(super) fn redeemed_by(&self, coupon: &Coupon, order: Option<&str>) -> Rejection {
        self.redeemed_in(coupon.redemption.unwrap_or(0), order)
    }

    /// By this redemption.
    pub(super) fn redeemed_in(&self, number: u64, order: Option<&str>) -> Rejection {
        let Some(row) = self.view.redemption(self.merchant, number) else { return Rejection::CouponVoided };
        Rejection::AlreadyRedeemed {
            redemption: number,
            order_id: row.order_id.clone(),
            redeemed_at: row.redeemed_at,
            same_order: order == Some(&*row.order_id),
        }
    }

    /// Until when a coupon is held; `None` once its lock is over.
    pub(super) fn locked_until(&self, coupon: &Coupon) -> Option<Rejection> {
        let lock = self.view.lock(self.merchant, coupon.lock?)?;
        Some(Rejection::CouponLocked { until: lock.lock.expires_at })
    }
}
