//! Appeals.

use crate::appeal::{About, AppealMade, AppealResolved, AppealStep, Resolution};
use crate::command::{Appeal, Resolve};
use crate::decide::{Decided, Proposal, Scene};
use crate::event::Event;
use crate::fold::entity_version;
use crate::id::MerchantId;
use crate::label::{LABELS_PER_RECORD, LabelSet, LabelSource};
use crate::penalty::{PenaltyState, decisions};
use crate::record::{Entity, Guard};
use crate::rejection::Rejection;
use crate::state::{Read, View};

/// What an expired penalty did cannot be undone, but whether it counts can: it may be appealed against.
pub(super) fn make<V: View + ?Sized>(scene: Scene<'_, V>, command: &Appeal) -> Decided {
    let violation = match command.about {
        About::Decision(_) => None,
        About::Penalty(number) => {
            let row = scene.view.penalty(scene.merchant, number).ok_or(Rejection::PenaltyNotFound)?;
            if row.lifted.is_some() {
                return Err(Rejection::PenaltyNotActive(PenaltyState::Lifted).into());
            }
            Some(row.imposed.violation.clone())
        }
    };
    let about = command.about.number();
    let last = scene.view.appeal(scene.merchant, about);
    if let Some(open) = last.filter(|row| row.resolved.is_none()) {
        return Err(Rejection::AppealOpen(open.number).into());
    }
    let made = AppealMade {
        about: command.about,
        violation,
        statement: command.statement.clone(),
        evidence: command.evidence.clone(),
        due_days: command.due_days,
        by: command.by.clone(),
    };
    let version = entity_version(scene.view, scene.merchant, Entity::Appeal(about));
    Ok(Proposal {
        guards: vec![Guard::Version(Entity::Appeal(about), version)],
        events: vec![Event::Appeal(Box::new(AppealStep::Made(made)))],
    })
}

pub(super) fn resolve<V: View + ?Sized>(scene: Scene<'_, V>, command: &Resolve) -> Decided {
    let row = scene.view.appeal(scene.merchant, command.appeal).filter(|row| row.number == command.appeal);
    let row = row.ok_or(Rejection::AppealNotFound)?;
    if row.resolved.is_some() {
        return Err(Rejection::AppealResolved.into());
    }
    let mut guards = vec![Guard::Version(Entity::Appeal(command.appeal), row.version)];
    let mut penalty = None;
    if let About::Penalty(number) = row.made.about {
        let known = scene.view.penalty(scene.merchant, number).ok_or(Rejection::PenaltyNotFound)?;
        if known.imposed.by == command.resolution.by {
            return Err(Rejection::SelfApproval.into());
        }
        guards.push(Guard::Version(Entity::Penalty(number), known.version));
        penalty = Some(known.as_ref().clone());
    }
    let (was, resolution) = (row.as_ref().clone(), command.resolution.clone());
    let resolved = AppealResolved { appeal: command.appeal, was, penalty, resolution };
    let labels = labels(scene.merchant, &resolved);
    let resolved = Event::Appeal(Box::new(AppealStep::Resolved(Box::new(resolved))));
    let labels = labels.into_iter().map(|label| Event::LabelSet(Box::new(label)));
    Ok(Proposal { guards, events: std::iter::once(resolved).chain(labels).collect() })
}

/// What the outcome says of decisions: of the one that the appeal is about, or of those that showed the violation.
fn labels(merchant: MerchantId, resolved: &AppealResolved) -> Vec<LabelSet> {
    let mut decisions: Vec<u64> = match (resolved.was.made.about, &resolved.penalty) {
        (About::Decision(number), _) => vec![number],
        (About::Penalty(_), penalty) => {
            penalty.iter().flat_map(|it| decisions(merchant, &it.imposed.evidence)).collect()
        }
    };
    decisions.sort_unstable();
    decisions.dedup();
    let Resolution { granted, reason, by } = &resolved.resolution;
    let label = |decision| LabelSet {
        decision,
        fraud: !granted,
        kind: resolved.was.made.violation.clone().filter(|_| !granted),
        source: LabelSource::Appeal,
        reason: reason.clone(),
        by: by.clone(),
    };
    decisions.into_iter().take(LABELS_PER_RECORD as usize).map(label).collect()
}
