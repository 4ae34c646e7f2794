//! Labels.

use crate::decide::{Decided, Proposal, Scene};
use crate::event::Event;
use crate::label::{LABELS_PER_RECORD, LabelSet};
use crate::rejection::Rejection;
use crate::state::View;

/// Labels of one request, set together. That the decisions exist is seen by who reads their records.
pub(super) fn set<V: View + ?Sized>(scene: Scene<'_, V>, labels: &[LabelSet]) -> Decided {
    if labels.is_empty() {
        return Err(Rejection::DecisionNotFound.into());
    }
    if labels.len() as u64 > LABELS_PER_RECORD {
        return Err(Rejection::TooManyAtOnce { most: LABELS_PER_RECORD }.into());
    }
    scene.known_merchant()?;
    let events = labels.iter().map(|label| Event::LabelSet(Box::new(label.clone()))).collect();
    Ok(Proposal { guards: Vec::new(), events })
}
