//! Lists of risk.

use crate::decide::{Decided, Proposal, Scene};
use crate::event::Event;
use crate::list::{ListStep, ListStepped};
use crate::record::{Entity, Guard};
use crate::rejection::Rejection;
use crate::state::{Read, View};

pub(super) fn step<V: View + ?Sized>(scene: Scene<'_, V>, stepped: &ListStepped) -> Decided {
    let mut guards = Vec::new();
    match &stepped.step {
        ListStep::Make(_) => {}
        ListStep::Add(_) => {
            scene.view.list(scene.merchant, stepped.list).ok_or(Rejection::ListNotFound)?;
        }
        ListStep::Remove(item, _) => {
            let row = scene.view.list(scene.merchant, stepped.list).ok_or(Rejection::ListNotFound)?;
            let known = scene.view.list_item(scene.merchant, stepped.list, *item).filter(|row| row.removed.is_none());
            known.ok_or(Rejection::ListItemNotFound)?;
            guards.push(Guard::Version(Entity::List(stepped.list), row.version));
        }
    }
    Ok(Proposal { guards, events: vec![Event::ListStepped(Box::new(stepped.clone()))] })
}
