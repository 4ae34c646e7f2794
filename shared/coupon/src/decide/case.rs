//! Cases.

use crate::case::{CaseStep, CaseStepped, Closing, NoCaseStep};
use crate::decide::{Decided, Proposal, Scene, claim, only};
use crate::event::Event;
use crate::fold::find_coupon;
use crate::label::{LabelSet, LabelSource};
use crate::record::{Entity, Guard};
use crate::rejection::Rejection;
use crate::state::{Read, View};
use crate::terms::Millis;

/// A step; a close may void coupons with it. That the decisions of an opening exist is seen by who reads their records.
pub(super) fn step<V: View + ?Sized>(scene: Scene<'_, V>, stepped: &CaseStepped, voids: &[u64]) -> Decided {
    if let CaseStep::Open(opening) = &stepped.step {
        if opening.subject.is_none() && opening.decisions.is_empty() {
            return Err(Rejection::DecisionNotFound.into());
        }
        scene.known_merchant()?;
        return Ok(only(Event::CaseStepped(Box::new(stepped.clone()))));
    }
    let row = scene.view.case(scene.merchant, stepped.case).ok_or(Rejection::CaseNotFound)?;
    row.after(&stepped.step, &stepped.by, scene.now, 0).map_err(|why| match why {
        NoCaseStep::Claimed(by, until) => Rejection::CaseClaimed { by: by.into(), until },
        NoCaseStep::NotClaimed => Rejection::CaseNotClaimed,
        NoCaseStep::Closed => Rejection::CaseClosed,
        NoCaseStep::NotClosed => Rejection::CaseNotClosed,
        NoCaseStep::NothingToUndo => Rejection::NothingToUndo,
    })?;
    let mut guards = vec![Guard::Version(Entity::Case(stepped.case), row.version)];
    let (from, until) = row.possible(&stepped.step, &stepped.by);
    if (from, until) != (Millis::MIN, Millis::MAX) {
        guards.push(Guard::TimeIn(from, until));
    }
    let closing = match &stepped.step {
        CaseStep::Close(closing) => closing,
        CaseStep::Claim(_) => {
            let step = CaseStep::Claim(Box::new(row.facts.clone()));
            let event = Event::CaseStepped(Box::new(CaseStepped { step, ..stepped.clone() }));
            return Ok(Proposal { guards, events: vec![event] });
        }
        _ => return Ok(Proposal { guards, events: vec![Event::CaseStepped(Box::new(stepped.clone()))] }),
    };
    let labels = closing.outcome.label().map(|fraud| {
        row.facts.decisions.iter().map(move |decision| LabelSet {
            decision: *decision,
            fraud,
            kind: None,
            source: LabelSource::Analyst,
            reason: closing.reason.clone(),
            by: stepped.by.clone(),
        })
    });
    let labels = labels.into_iter().flatten().map(|label| Event::LabelSet(Box::new(label)));
    let voided = voided(scene, voids, &closing.reason);
    let closing = Closing { voided: voided.events.len() as u64, ..closing.clone() };
    let stepped = CaseStepped { step: CaseStep::Close(closing), ..stepped.clone() };
    guards.extend(voided.guards);
    let events = std::iter::once(Event::CaseStepped(Box::new(stepped))).chain(labels).chain(voided.events).collect();
    Ok(Proposal { guards, events })
}

/// Voids what can be voided still. A coupon's story tells of one lock that ended in a record, so of the locks that hold
/// these coupons the first one ends, and what the others hold is left.
fn voided<V: View + ?Sized>(scene: Scene<'_, V>, coupons: &[u64], reason: &str) -> Proposal {
    let mut all = Proposal::default();
    let mut ended = None;
    for coupon in coupons {
        let lock = find_coupon(scene.view, scene.merchant, *coupon).and_then(|row| row.lock);
        if lock.is_some() && ended.is_some() && lock != ended {
            continue;
        }
        let Ok(void) = claim::void_coupon(scene, *coupon, reason) else { continue };
        ended = ended.or(lock);
        all.guards.extend(void.guards);
        all.events.extend(void.events);
    }
    all
}
