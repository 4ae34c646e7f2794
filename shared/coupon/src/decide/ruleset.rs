//! Rule sets.

use crate::decide::{Decided, Proposal, Scene};
use crate::event::Event;
use crate::record::{Entity, Guard};
use crate::rejection::Rejection;
use crate::ruleset::{NoStep, RulesMoved, RulesPushed};
use crate::state::{Read, View};

/// Versions of one set: a row holds them all.
const MOST_VERSIONS: usize = 500;

pub(super) fn push<V: View + ?Sized>(scene: Scene<'_, V>, pushed: &RulesPushed) -> Decided {
    let mut guards = Vec::new();
    if let Some(number) = pushed.ruleset {
        let row = scene.view.ruleset(scene.merchant, number).ok_or(Rejection::RuleSetNotFound)?;
        if row.versions.len() >= MOST_VERSIONS {
            return Err(Rejection::RuleVersionsFull { most: MOST_VERSIONS as u64 }.into());
        }
        guards.push(Guard::Version(Entity::RuleSet(number), row.version));
    }
    Ok(Proposal { guards, events: vec![Event::RulesPushed(Box::new(pushed.clone()))] })
}

pub(super) fn step<V: View + ?Sized>(scene: Scene<'_, V>, moved: &RulesMoved) -> Decided {
    let row = scene.view.ruleset(scene.merchant, moved.ruleset).ok_or(Rejection::RuleSetNotFound)?;
    row.after(moved, scene.now).map_err(|why| match why {
        NoStep::Unknown => Rejection::RuleSetNotFound,
        NoStep::State(state) => Rejection::RuleSetNotPending(state),
        NoStep::Own => Rejection::SelfApproval,
    })?;
    let guards = vec![Guard::Version(Entity::RuleSet(moved.ruleset), row.version)];
    Ok(Proposal { guards, events: vec![Event::RulesMoved(Box::new(moved.clone()))] })
}
