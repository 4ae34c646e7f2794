//! The folder of one instance, which no other may use meanwhile.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Failure;

/// How long the instance before may take to write its last and end.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

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
        let deadline = Instant::now() + PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { _lock: lock }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    let folder = folder.display();
                    let text =
                        format!("{folder} is in use by another instance; each needs a data directory of its own");
                    return Err(text.into());
                }
                Err(TryLockError::Error(error)) => return Err(cannot(error).into()),
            }
        }
    }
}
