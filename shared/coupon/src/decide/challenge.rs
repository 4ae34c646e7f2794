//! Answers to challenges.

use crate::challenge::ChallengeAnswered;
use crate::decide::{Decided, Proposal, Scene};
use crate::event::Event;
use crate::record::Guard;
use crate::rejection::Rejection;
use crate::state::View;
use crate::terms::Millis;

pub(super) fn answer<V: View + ?Sized>(scene: Scene<'_, V>, answered: &ChallengeAnswered) -> Decided {
    scene.known_merchant()?;
    let expires_at = answered.challenge.expires_at;
    if scene.now >= expires_at {
        return Err(Rejection::ChallengeExpired(expires_at).into());
    }
    let guards = vec![Guard::TimeIn(Millis::MIN, expires_at)];
    Ok(Proposal { guards, events: vec![Event::ChallengeAnswered(Box::new(answered.clone()))] })
}
