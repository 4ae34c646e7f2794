//! What is set as a whole: a merchant's risk settings, and the ladder of penalties; and the reset of a breaker.

use crate::breaker::BreakerReset;
use crate::decide::{Decided, Proposal, Scene};
use crate::event::Event;
use crate::fold::entity_version;
use crate::id::Sequence;
use crate::penalty::Ladder;
use crate::record::{Entity, Guard};
use crate::rejection::Rejection;
use crate::risk_settings::{RiskSettings, Set};
use crate::state::View;

pub(super) fn set<V: View + ?Sized>(
    scene: Scene<'_, V>,
    set: &Set<RiskSettings>,
    current: Option<Sequence>,
) -> Decided {
    scene.known_merchant()?;
    replace(scene, Entity::RiskSettings, current, Event::RiskSettingsSet(Box::new(set.clone())))
}

pub(super) fn set_ladder<V: View + ?Sized>(
    scene: Scene<'_, V>,
    set: &Set<Ladder>,
    current: Option<Sequence>,
) -> Decided {
    replace(scene, Entity::PenaltyLadder, current, Event::PenaltyLadderSet(Box::new(set.clone())))
}

/// Whatever it has come to by then is over.
pub(super) fn reset_breaker<V: View + ?Sized>(scene: Scene<'_, V>, reset: &BreakerReset) -> Decided {
    scene.known_merchant()?;
    Ok(super::only(Event::BreakerReset(Box::new(reset.clone()))))
}

/// Guarded only for those who say what they replace: for all others the last one to write is right.
fn replace<V: View + ?Sized>(scene: Scene<'_, V>, entity: Entity, current: Option<Sequence>, event: Event) -> Decided {
    let Some(current) = current else { return Ok(super::only(event)) };
    let version = entity_version(scene.view, scene.merchant, entity);
    if version != current {
        return Err(Rejection::VersionConflict { current: Some(version as i64) }.into());
    }
    Ok(Proposal { guards: vec![Guard::Version(entity, version)], events: vec![event] })
}
