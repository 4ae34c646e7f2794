//! Penalties.

use crate::command::Impose;
use crate::decide::{Decided, Proposal, Scene};
use crate::event::Event;
use crate::fold::entity_version;
use crate::penalty::{Act, Imposed, Moved, NoStep, PenaltyStep};
use crate::record::{Entity, Guard};
use crate::rejection::Rejection;
use crate::state::{Read, View};

/// The merchant's version is guarded: of two that are imposed at once, the later one is the next offence.
pub(super) fn impose<V: View + ?Sized>(scene: Scene<'_, V>, command: &Impose) -> Decided {
    let merchant = scene.known_merchant()?;
    let standing = merchant.standing.as_deref();
    let offence = standing.map_or(1, |standing| standing.next_offence(&command.violation));
    let rung = command.ladder.rung(&command.violation, offence).ok_or(Rejection::ViolationUnknown)?;
    let imposed = Imposed {
        violation: command.violation.clone(),
        offence,
        sanction: rung.sanction,
        duration_seconds: rung.duration_seconds,
        evidence: command.evidence.clone(),
        by: command.by.clone(),
    };
    let version = entity_version(scene.view, scene.merchant, Entity::Merchant);
    Ok(Proposal {
        guards: vec![Guard::Version(Entity::Merchant, version)],
        events: vec![Event::Penalty(Box::new(PenaltyStep::Imposed(imposed)))],
    })
}

pub(super) fn step<V: View + ?Sized>(scene: Scene<'_, V>, number: u64, act: &Act, by: &str) -> Decided {
    let row = scene.view.penalty(scene.merchant, number).ok_or(Rejection::PenaltyNotFound)?;
    row.after(act, by, scene.now).map_err(|why| match why {
        NoStep::State(state) => Rejection::PenaltyNotActive(state),
        NoStep::Own => Rejection::SelfApproval,
    })?;
    let moved = Moved { penalty: number, was: row.as_ref().clone(), act: act.clone(), by: by.to_owned() };
    Ok(Proposal {
        guards: vec![Guard::Version(Entity::Penalty(number), row.version)],
        events: vec![Event::Penalty(Box::new(PenaltyStep::Moved(Box::new(moved))))],
    })
}
