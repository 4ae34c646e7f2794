//! Steps of users.

use coupon::event::Event;
use coupon::user::{Link, Proof, UserProfile, UserStep, UserStepped};

use super::{MERCHANT, NOON};

const LINK: Link = Link { seed: [23; 16], token: [24; 16], expires_at: NOON };

fn step(user: u64, step: UserStep) -> Event {
    Event::UserStepped(Box::new(UserStepped { user, step }))
}

pub(super) fn created() -> Event {
    let profile = UserProfile {
        name: "an".to_owned(),
        display_name: "安".to_owned(),
        role: "merchant".to_owned(),
        merchant: Some(MERCHANT),
    };
    step(0, UserStep::Create(profile, Proof::Link(LINK)))
}

/// All that comes after.
pub(super) fn more() -> Vec<Event> {
    let hash = || "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".to_owned();
    let steps = [
        UserStep::Link(LINK),
        UserStep::SetPassword(hash()),
        UserStep::SignIn(Proof::Password(hash())),
        UserStep::SignIn(Proof::Link(LINK)),
        UserStep::SignOut,
        UserStep::Disable,
    ];
    steps.into_iter().map(|it| step(600, it)).collect()
}
