//! The platform's first key.

use std::path::Path;
use std::sync::Arc;

use coupon::command::Command;
use coupon::event::ApiKey;
use coupon::id::PLATFORM;
use coupon_api::backend::Backend;
use projection::engine::{Answer, What};

use crate::{Failure, keys};

/// The first start makes a platform key; a later one, or another instance, writes its file again where it is missing.
/// Its id is derived from the master key, so that instances that start together make the same.
pub async fn platform_key(backend: &Arc<Backend>, master: &[u8], data_dir: &Path) -> Result<(), Failure> {
    if keys::platform_key_file(data_dir).exists() {
        return Ok(());
    }
    let write = |key_id: &str| keys::write_platform_key(data_dir, key_id, &backend.secrets.api_secret(key_id));
    if let Some(key_id) = backend.directory.platform_key() {
        return Ok(write(&key_id)?);
    }
    let key_id = keys::first_key_id(master);
    let key = ApiKey {
        key_id: key_id.clone(),
        merchant: None,
        role: "platform".to_owned(),
        name: "first key".to_owned(),
        stores: None,
        livemode: true,
    };
    match backend.submit(PLATFORM, None, What::Command(Command::CreateKey(Box::new(key)))).await {
        Answer::Applied(_) => Ok(write(&key_id)?),
        // Another instance was faster.
        _ if backend.directory.platform_key().as_deref() == Some(&key_id) => Ok(write(&key_id)?),
        other => Err(format!("the platform key could not be made: {}", backend.refused(PLATFORM, other)).into()),
    }
}
