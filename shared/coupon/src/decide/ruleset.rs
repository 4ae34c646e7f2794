//! Rule sets, and models, which have the same life.

use crate::decide::{Decided, Proposal, Scene};
use crate::event::Event;
use crate::record::{Entity, Guard};
use crate::rejection::Rejection;
use crate::ruleset::{NoStep, RuleSetRow, RulesMoved, RulesPushed};
use crate::state::{Read, View};

/// Versions of one set: a row holds them all.
const MOST_VERSIONS: usize = 500;

pub(super) fn push<V: View + ?Sized>(scene: Scene<'_, V>, pushed: &RulesPushed) -> Decided {
    let row = |number| scene.view.ruleset(scene.merchant, number).map(AsRef::as_ref).ok_or(Rejection::RuleSetNotFound);
    let row = pushed.ruleset.map(row).transpose()?;
    Ok(Proposal {
        guards: room(pushed, row, Entity::RuleSet)?,
        events: vec![Event::RulesPushed(Box::new(pushed.clone()))],
    })
}

/// A model has the life of a rule set.
pub(super) fn push_model<V: View + ?Sized>(scene: Scene<'_, V>, pushed: &RulesPushed) -> Decided {
    let row = |number| scene.view.model(scene.merchant, number).map(AsRef::as_ref).ok_or(Rejection::ModelNotFound);
    let row = pushed.ruleset.map(row).transpose()?;
    Ok(Proposal {
        guards: room(pushed, row, Entity::Model)?,
        events: vec![Event::ModelPushed(Box::new(pushed.clone()))],
    })
}

fn room(pushed: &RulesPushed, row: Option<&RuleSetRow>, entity: fn(u64) -> Entity) -> Result<Vec<Guard>, Rejection> {
    let Some((number, row)) = pushed.ruleset.zip(row) else { return Ok(Vec::new()) };
    if row.versions.len() >= MOST_VERSIONS {
        return Err(Rejection::RuleVersionsFull { most: MOST_VERSIONS as u64 });
    }
    Ok(vec![Guard::Version(entity(number), row.version)])
}

pub(super) fn step<V: View + ?Sized>(scene: Scene<'_, V>, moved: &RulesMoved) -> Decided {
    let row = scene.view.ruleset(scene.merchant, moved.ruleset).ok_or(Rejection::RuleSetNotFound)?;
    row.after(moved, scene.now).map_err(|why| refused(why, Rejection::RuleSetNotFound))?;
    let guards = vec![Guard::Version(Entity::RuleSet(moved.ruleset), row.version)];
    Ok(Proposal { guards, events: vec![Event::RulesMoved(Box::new(moved.clone()))] })
}

/// A step in a model's life.
pub(super) fn step_model<V: View + ?Sized>(scene: Scene<'_, V>, moved: &RulesMoved) -> Decided {
    let row = scene.view.model(scene.merchant, moved.ruleset).ok_or(Rejection::ModelNotFound)?;
    row.after(moved, scene.now).map_err(|why| refused(why, Rejection::ModelNotFound))?;
    let guards = vec![Guard::Version(Entity::Model(moved.ruleset), row.version)];
    Ok(Proposal { guards, events: vec![Event::ModelMoved(Box::new(moved.clone()))] })
}

fn refused(why: NoStep, unknown: Rejection) -> Rejection {
    match why {
        NoStep::Unknown => unknown,
        NoStep::State(state) => Rejection::RuleSetNotPending(state),
        NoStep::Own => Rejection::SelfApproval,
    }
}
