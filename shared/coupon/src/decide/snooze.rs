//! Snoozes.

use crate::decide::{Decided, Proposal, Scene};
use crate::event::Event;
use crate::record::{Entity, Guard};
use crate::rejection::Rejection;
use crate::snooze::{SnoozeStep, SnoozeStepped};
use crate::state::{Read, View};

pub(super) fn step<V: View + ?Sized>(scene: Scene<'_, V>, stepped: &SnoozeStepped) -> Decided {
    let mut guards = Vec::new();
    match &stepped.step {
        SnoozeStep::Begin(_) => {
            scene.known_merchant()?;
        }
        SnoozeStep::End(number) => {
            let row = scene.view.snooze(scene.merchant, *number).filter(|row| row.is_active(scene.now));
            let row = row.ok_or(Rejection::SnoozeNotFound)?;
            guards.push(Guard::Version(Entity::Snooze(*number), row.version));
        }
    }
    Ok(Proposal { guards, events: vec![Event::SnoozeStepped(Box::new(stepped.clone()))] })
}
