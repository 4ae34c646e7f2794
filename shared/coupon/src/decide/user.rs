//! Users.

use crate::decide::{Decided, Proposal, Scene};
use crate::event::Event;
use crate::hash::id_hash;
use crate::record::{Entity, Guard};
use crate::rejection::Rejection;
use crate::state::{Read, View};
use crate::user::{Proof, UserProfile, UserRow, UserStep, UserStepped};

pub(super) fn step<V: View + ?Sized>(scene: Scene<'_, V>, stepped: &UserStepped) -> Decided {
    let guard = match &stepped.step {
        UserStep::Create(profile, _) => is_new(scene, profile)?,
        step => {
            let row = scene.view.user(scene.merchant, stepped.user).ok_or(Rejection::UserNotFound)?;
            may(row, step, scene.now)?;
            // A link works once, and a password no longer once it is another: both are compared and set.
            Guard::Version(Entity::User(stepped.user), row.version)
        }
    };
    Ok(Proposal { guards: vec![guard], events: vec![Event::UserStepped(Box::new(stepped.clone()))] })
}

fn is_new<V: View + ?Sized>(scene: Scene<'_, V>, profile: &UserProfile) -> Result<Guard, Rejection> {
    if let Some(merchant) = profile.merchant {
        scene.view.merchant_row(scene.merchant, merchant).ok_or(Rejection::MerchantNotFound)?;
    }
    let name = id_hash(&profile.name);
    if scene.view.user_name(scene.merchant, name).is_some() {
        return Err(Rejection::UserExists);
    }
    Ok(Guard::Absent(Entity::UserName(name)))
}

fn may(row: &UserRow, step: &UserStep, now: i64) -> Result<(), Rejection> {
    let is_disabled = row.disabled_at.is_some();
    match step {
        UserStep::SignIn(by) if is_disabled || !row.is_proven(by, now) => {
            Err(if matches!(by, Proof::Link(_)) { Rejection::LinkExpired } else { Rejection::SignInFailed })
        }
        UserStep::SignIn(_) => Ok(()),
        _ if is_disabled => Err(Rejection::UserDisabled),
        _ => Ok(()),
    }
}
