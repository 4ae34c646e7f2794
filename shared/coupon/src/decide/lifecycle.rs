//! Stores, and a stock's life: draft, active, paused, closed; total, budget and limits by compare-and-set.

use crate::command::{LimitName, Step, StockPatch};
use crate::decide::{Decided, Proposal, Scene, only};
use crate::event::{Event, Location, StockProfile, StockState, StoreProfile};
use crate::penalty::Deed;
use crate::record::{Counter, Entity, Guard};
use crate::rejection::Rejection;
use crate::state::{Read, Stock, View};
use crate::terms::Millis;

pub(super) fn create_store<V: View + ?Sized>(scene: Scene<'_, V>, name: &str, location: Option<Location>) -> Decided {
    scene.free_to(Deed::Use)?;
    Ok(only(Event::StoreCreated(StoreProfile { name: name.to_owned(), location })))
}

pub(super) fn create_stock<V: View + ?Sized>(scene: Scene<'_, V>, profile: &StockProfile, expected: u64) -> Decided {
    let guards = scene.still_free_to(Deed::Issue)?;
    stores_exist(scene, profile)?;
    let mut events = vec![Event::StockCreated(Box::new(profile.clone()))];
    if expected > 0 {
        events.push(Event::RedemptionsExpected(0, expected));
    }
    Ok(Proposal { guards, events })
}

fn stores_exist<V: View + ?Sized>(scene: Scene<'_, V>, profile: &StockProfile) -> Result<(), Rejection> {
    let known = |id: &crate::id::StoreId| {
        let real = scene.merchant.real();
        id.merchant.real() == real && scene.view.store(real, id.number).is_some()
    };
    if profile.terms.store_ids.iter().all(known) { Ok(()) } else { Err(Rejection::StoreNotFound) }
}

/// Everything may change in draft; afterwards what a customer reads and what the caller notes.
pub(super) fn change_stock<V: View + ?Sized>(scene: Scene<'_, V>, number: u64, patch: &StockPatch) -> Decided {
    let stock = scene.stock(number)?;
    let deep = patch.terms.is_some() || patch.total.is_some() || patch.limits.is_some() || patch.budget.is_some();
    if stock.state == StockState::Closed {
        return Err(Rejection::StockClosed.into());
    }
    if deep && stock.state != StockState::Draft {
        return Err(Rejection::StockNotDraft(stock.state).into());
    }
    if deep && stock.version != patch.based_on {
        return Err(Rejection::VersionConflict { current: None }.into());
    }
    let mut profile = stock.profile.clone();
    if let Some(name) = &patch.name {
        profile.name.clone_from(name);
    }
    if let Some(text) = &patch.text {
        profile.text.clone_from(text);
    }
    if let Some(reference) = &patch.reference {
        profile.note.reference.clone_from(reference);
    }
    if let Some(metadata) = &patch.metadata {
        profile.note.metadata.clone_from(metadata);
    }
    profile.terms = patch.terms.clone().unwrap_or(profile.terms);
    profile.total = patch.total.unwrap_or(profile.total);
    profile.limits = patch.limits.unwrap_or(profile.limits);
    profile.budget = patch.budget.unwrap_or(profile.budget);
    stores_exist(scene, &profile)?;
    // Codes may have been made ahead for a draft.
    let issued = scene.view.counts(scene.merchant, number).map_or(0, |counts| counts.issued);
    if profile.total < issued {
        return Err(Rejection::BelowUsed { used: issued as i64 }.into());
    }
    let lowered = stock.profile.total as i64 - profile.total as i64;
    let mut guards = vec![same(number, stock)];
    if lowered > 0 {
        guards.push(Guard::Within(Counter::Issued(number), lowered));
    }
    let mut events = vec![Event::StockChanged(number, Box::new(profile))];
    events.extend(patch.expected_daily.map(|expected| Event::RedemptionsExpected(number, expected)));
    Ok(Proposal { guards, events })
}

fn same(number: u64, stock: &Stock) -> Guard {
    Guard::Version(Entity::Stock(number), stock.version)
}

pub(super) fn move_stock<V: View + ?Sized>(scene: Scene<'_, V>, number: u64, step: Step, stop: bool) -> Decided {
    let stock = scene.stock(number)?;
    let to = match (step, stock.state) {
        // What is closed or paused already may still come to stop redemptions.
        (Step::Close, StockState::Closed) if stop && !stock.redemptions_stopped => StockState::Closed,
        (Step::Pause, StockState::Paused) if stop != stock.redemptions_stopped => StockState::Paused,
        (_, StockState::Closed) => return Err(Rejection::StockClosed.into()),
        (Step::Activate { tested_above }, StockState::Draft) => {
            tested(scene, number, tested_above)?;
            StockState::Active
        }
        (Step::Resume, StockState::Paused) => StockState::Active,
        (Step::Activate { .. }, state) => return Err(Rejection::StockNotDraft(state).into()),
        (Step::Resume, state) => return Err(Rejection::StockNotPaused(state).into()),
        (Step::Pause, StockState::Active) => StockState::Paused,
        (Step::Pause, state) => return Err(Rejection::StockNotActive(state).into()),
        (Step::Close, _) => StockState::Closed,
    };
    // A stock may be stopped at any time; it opens only for merchants whose stocks may be claimed.
    let mut guards = if to == StockState::Active { scene.still_free_to(Deed::Claim)? } else { Vec::new() };
    let stopped = match step {
        Step::Activate { .. } | Step::Resume => false,
        // What was never open stays shut.
        Step::Close if stock.state == StockState::Draft => true,
        Step::Pause | Step::Close => stop,
    };
    guards.push(same(number, stock));
    Ok(Proposal { guards, events: vec![Event::StockMoved(number, to, stopped)] })
}

/// A promotion that expects many redemptions has a load test on file that passed.
fn tested<V: View + ?Sized>(scene: Scene<'_, V>, number: u64, above: Option<u64>) -> Result<(), Rejection> {
    let readiness = scene.view.readiness(scene.merchant, number).copied().unwrap_or_default();
    match above {
        Some(above) if readiness.expected_daily > above && readiness.passed.is_none() => {
            Err(Rejection::LoadTestRequired { expected: readiness.expected_daily, above })
        }
        _ => Ok(()),
    }
}

pub(super) fn set_total<V: View + ?Sized>(scene: Scene<'_, V>, number: u64, current: u64, target: u64) -> Decided {
    let stock = open_stock(scene, number)?;
    let now = stock.profile.total;
    if now != current {
        return Err(Rejection::VersionConflict { current: Some(now as i64) }.into());
    }
    let lowered = now as i64 - target as i64;
    let left = scene.left(Counter::Issued(number)).unwrap_or(0);
    if lowered > left {
        return Err(Rejection::BelowUsed { used: now as i64 - left }.into());
    }
    Ok(Proposal {
        guards: vec![same(number, stock), Guard::Within(Counter::Issued(number), lowered)],
        events: vec![Event::TotalSet(number, target)],
    })
}

pub(super) fn set_budget<V: View + ?Sized>(
    scene: Scene<'_, V>,
    number: u64,
    current: Option<i64>,
    target: Option<i64>,
) -> Decided {
    let stock = open_stock(scene, number)?;
    let now = stock.profile.budget;
    if now != current {
        return Err(Rejection::VersionConflict { current: now }.into());
    }
    let used = scene.view.counts(scene.merchant, number).map_or(0, |counts| counts.budget_used());
    if target.is_some_and(|target| target < used) {
        return Err(Rejection::BelowUsed { used }.into());
    }
    let mut guards = vec![same(number, stock)];
    if let Some(target) = target {
        guards.push(Guard::Within(Counter::Budget(number), now.unwrap_or(i64::MAX) - target));
    }
    Ok(Proposal { guards, events: vec![Event::BudgetSet(number, target)] })
}

pub(super) fn set_limit<V: View + ?Sized>(
    scene: Scene<'_, V>,
    number: u64,
    name: LimitName,
    current: Option<u64>,
    target: Option<u64>,
) -> Decided {
    let stock = open_stock(scene, number)?;
    let mut limits = stock.profile.limits;
    let place = name.of(&mut limits);
    if *place != current {
        return Err(Rejection::VersionConflict { current: place.map(|n| n as i64) }.into());
    }
    *place = target;
    // What each user or store has used is theirs alone; the day's claims are the stock's.
    if let (LimitName::PerDay, Some(target)) = (name, target) {
        let day = crate::fold::day_start(scene.view, scene.merchant, scene.now);
        let used = scene.view.counts(scene.merchant, number).map_or(0, |counts| counts.claims.on(day));
        if target < used {
            return Err(Rejection::BelowUsed { used: used as i64 }.into());
        }
    }
    Ok(Proposal { guards: vec![same(number, stock)], events: vec![Event::LimitsSet(number, limits)] })
}

fn open_stock<V: View + ?Sized>(scene: Scene<'_, V>, number: u64) -> Result<&Stock, Rejection> {
    let stock = scene.view.stock(scene.merchant, number).ok_or(Rejection::StockNotFound)?;
    if stock.state == StockState::Closed { Err(Rejection::StockClosed) } else { Ok(stock) }
}

/// A tick, due only when something is counted under that end.
pub(super) fn expire_coupons<V: View + ?Sized>(scene: Scene<'_, V>, number: u64, until: Millis) -> Decided {
    let counts = scene.view.counts(scene.merchant, number).ok_or(Rejection::StockNotFound)?;
    if !counts.claimed.iter().any(|(end, _)| *end == until) {
        return Ok(Proposal::default());
    }
    Ok(Proposal { guards: vec![Guard::TimeIn(until, Millis::MAX)], events: vec![Event::CouponsExpired(number, until)] })
}
