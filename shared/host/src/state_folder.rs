//! The folder of one instance, which no other may use meanwhile.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use crate::Failure;

/// Held for as long as the process lives.
pub struct StateFolder {
    _lock: File,
}

impl StateFolder {
    /// Makes the folder where there is none, and takes it.
    pub fn take(folder: &Path) -> Result<Self, Failure> {
        let cannot = |error| format!("data directory {}: {error}", folder.display());
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(cannot)?;
        let lock = File::options().create(true).truncate(false).write(true).open(folder.join("instance.lock"));
        let lock = lock.map_err(cannot)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                let folder = folder.display();
                Err(format!("{folder} is in use by another instance; each needs a data directory of its own").into())
            }
            Err(TryLockError::Error(error)) => Err(cannot(error).into()),
        }
    }
}
