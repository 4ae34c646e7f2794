//! Decisions that are asked for by themselves.

use crate::decide::{Decided, Scene, only};
use crate::decision::DecisionKept;
use crate::event::Event;
use crate::state::View;

pub(super) fn keep<V: View + ?Sized>(scene: Scene<'_, V>, kept: &DecisionKept) -> Decided {
    scene.known_merchant()?;
    Ok(only(Event::Decided(Box::new(kept.clone()))))
}
