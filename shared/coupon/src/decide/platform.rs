//! Merchants, quotas and keys.

use crate::decide::{Decided, Proposal, Scene, only};
use crate::event::{ApiKey, Event, MerchantProfile, Quotas};
use crate::hash::id_hash;
use crate::id::MerchantId;
use crate::record::{Entity, Guard};
use crate::rejection::Rejection;
use crate::state::{Read, View};
use crate::terms::Millis;

/// The second step of making a merchant; whoever offers it again does nothing.
#[expect(clippy::unnecessary_wraps, reason = "one signature for all decisions")]
pub(super) fn open_merchant<V: View + ?Sized>(scene: Scene<'_, V>, profile: &MerchantProfile) -> Decided {
    if scene.view.merchant_row(scene.merchant, scene.merchant).is_some() {
        return Ok(Proposal::default());
    }
    Ok(Proposal { guards: vec![Guard::Absent(Entity::Merchant)], events: vec![Event::MerchantOpened(profile.clone())] })
}

pub(super) fn set_quotas<V: View + ?Sized>(scene: Scene<'_, V>, of: MerchantId, quotas: Quotas) -> Decided {
    scene.view.merchant_row(scene.merchant, of).ok_or(Rejection::MerchantNotFound)?;
    Ok(only(Event::QuotasSet(of, quotas)))
}

pub(super) fn create_key<V: View + ?Sized>(scene: Scene<'_, V>, key: &ApiKey) -> Decided {
    if let Some(merchant) = key.merchant {
        scene.view.merchant_row(scene.merchant, merchant).ok_or(Rejection::MerchantNotFound)?;
    }
    Ok(Proposal {
        guards: vec![Guard::Absent(Entity::ApiKey(id_hash(&key.key_id)))],
        events: vec![Event::ApiKeyCreated(Box::new(key.clone()))],
    })
}

pub(super) fn rotate_key<V: View + ?Sized>(
    scene: Scene<'_, V>,
    successor: &ApiKey,
    old: [u8; 16],
    until: Millis,
) -> Decided {
    let version = live_key(scene, old)?;
    // Two live keys of a caller: the one that ends, and its successor.
    if scene.view.api_key(scene.merchant, old).is_some_and(|row| row.ends_at.is_some()) {
        return Err(Rejection::KeyRotated.into());
    }
    Ok(Proposal {
        guards: vec![
            Guard::Version(Entity::ApiKey(old), version),
            Guard::Absent(Entity::ApiKey(id_hash(&successor.key_id))),
        ],
        events: vec![Event::ApiKeyCreated(Box::new(successor.clone())), Event::ApiKeyEnds(old, until)],
    })
}

pub(super) fn end_key<V: View + ?Sized>(scene: Scene<'_, V>, hash: [u8; 16]) -> Decided {
    let version = live_key(scene, hash)?;
    Ok(Proposal {
        guards: vec![Guard::Version(Entity::ApiKey(hash), version)],
        events: vec![Event::ApiKeyEnds(hash, scene.now)],
    })
}

fn live_key<V: View + ?Sized>(scene: Scene<'_, V>, hash: [u8; 16]) -> Result<u64, Rejection> {
    let row = scene.view.api_key(scene.merchant, hash).ok_or(Rejection::KeyNotFound)?;
    if row.ends_at.is_some_and(|end| end <= scene.now) {
        return Err(Rejection::KeyNotFound);
    }
    Ok(row.version)
}
