//! Twins of stocks to rehearse on, and load tests.
//!
//! A rehearsal's scene is that of the merchant's rehearsals; the stock that it is a twin of stands at the merchant.

use crate::command::RehearsalTerms;
use crate::decide::{Decided, Proposal, Scene, only};
use crate::event::{Event, Forgotten, LoadTest, Rehearsal, StockProfile, StockState};
use crate::id::{MerchantId, StoreId};
use crate::penalty::Deed;
use crate::record::{Entity, Guard};
use crate::rejection::Rejection;
use crate::state::{Read, View};
use crate::terms::{CodeMode, Millis, Terms, Validity};

/// Running numbers, and sequences, that one record forgets: about a millisecond of the owner's time.
const AT_ONCE: u64 = 2_000;

pub(super) fn open<V: View + ?Sized>(scene: Scene<'_, V>, wanted: RehearsalTerms) -> Decided {
    // Where the scene is the merchant's own, a twin's twin is asked for.
    if !scene.merchant.is_rehearsals() {
        return Err(Rejection::RehearsalOfRehearsal.into());
    }
    let real = scene.merchant.real();
    let merchant = scene.view.merchant_row(real, real).ok_or(Rejection::MerchantNotFound)?;
    if let Some(barring) = merchant.barred(Deed::Use, scene.now) {
        return Err(Rejection::MerchantSuspended(barring).into());
    }
    let stock = scene.view.stock(real, wanted.of).ok_or(Rejection::StockNotFound)?;
    if stock.state == StockState::Closed {
        return Err(Rejection::StockClosed.into());
    }
    let rehearsal = Rehearsal {
        merchant: merchant.profile.clone(),
        of: wanted.of,
        until: wanted.until,
        stock: twin(scene.merchant, scene.now, &stock.profile, wanted),
    };
    Ok(only(Event::RehearsalOpened(Box::new(rehearsal))))
}

/// The same promise, but for the times: a rehearsal is held before the sale, at any time of the day.
fn twin(rehearsals: MerchantId, now: Millis, profile: &StockProfile, wanted: RehearsalTerms) -> StockProfile {
    let terms = &profile.terms;
    let own_mode = if terms.code_mode == CodeMode::Imported { CodeMode::Pool } else { terms.code_mode };
    let validity = match terms.validity {
        Validity::Fixed { from, until } => Validity::Fixed { from: from.min(now), until: until.max(wanted.until) },
        Validity::AfterClaim { days, .. } => Validity::AfterClaim { delay_days: 0, days },
    };
    StockProfile {
        total: wanted.total.unwrap_or(profile.total),
        terms: Terms {
            code_mode: wanted.code_mode.unwrap_or(own_mode),
            claim_from: None,
            claim_until: None,
            validity,
            available_times: Vec::new(),
            store_ids: terms.store_ids.iter().map(|store| StoreId::new(rehearsals, store.number)).collect(),
            ..terms.clone()
        },
        ..profile.clone()
    }
}

/// A tick: closes the twin, and forgets the next part of it.
pub(super) fn forget<V: View + ?Sized>(scene: Scene<'_, V>, stock: u64) -> Decided {
    let Some(row) = scene.view.rehearsal(scene.merchant, stock) else { return Ok(Proposal::default()) };
    // Only what stood before it was closed can be forgotten for good, so that the first step does nothing but that.
    let last = row.closed.map_or(row.sequences, |closed| closed.min(row.sequences + AT_ONCE));
    let numbers = if row.closed.is_some() { row.numbers + AT_ONCE } else { row.numbers };
    let forgotten = Forgotten { stock, numbers, sequences: last };
    let mut guards = vec![Guard::TimeIn(row.until, Millis::MAX)];
    if row.closed.is_none() {
        let version = scene.stock(stock)?.version;
        guards.push(Guard::Version(Entity::Stock(stock), version));
    }
    Ok(Proposal { guards, events: vec![Event::RehearsalForgotten(forgotten)] })
}

pub(super) fn store<V: View + ?Sized>(scene: Scene<'_, V>, test: &LoadTest) -> Decided {
    scene.free_to(Deed::Use)?;
    if let Some(stock) = test.stock {
        scene.stock(stock)?;
    }
    Ok(only(Event::LoadTestStored(Box::new(test.clone()))))
}
