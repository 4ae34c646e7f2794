//! What a run knows of its merchants, kept between runs.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Failure, Result};

/// A run's merchants and stocks, by the names of their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// Of which server this is true: a server of another data directory has another platform key.
    pub(super) platform_key_id: String,
    pub(super) shops: BTreeMap<String, Shop>,
    pub(super) stocks: BTreeMap<String, String>,
}

/// A merchant with its admin key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shop {
    pub(super) merchant_id: String,
    pub(super) key_id: String,
    pub(super) secret: String,
}

impl std::fmt::Debug for Shop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shop({})", self.merchant_id)
    }
}

impl State {
    /// What is kept of this server, or nothing.
    pub(super) fn load(file: &Path, platform_key_id: &str) -> Self {
        let empty = || Self { platform_key_id: platform_key_id.to_owned(), ..Self::default() };
        let Ok(text) = std::fs::read_to_string(file) else { return empty() };
        // A file that is cut off is no loss: everything in it can be asked for again under the same keys.
        let kept: Option<Self> = serde_json::from_str(&text).ok();
        kept.filter(|kept| kept.platform_key_id == platform_key_id).unwrap_or_else(empty)
    }

    /// Keeps it: it holds secrets, so that only its owner may read it.
    pub(super) fn save(&self, file: &Path) -> Result<()> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(Failure::file(folder))?;
        }
        let text = serde_json::to_vec_pretty(self).map_err(|error| Failure::Usage(error.to_string()))?;
        let next = file.with_extension("json.next");
        let mut open = OpenOptions::new();
        let written = open.write(true).create(true).truncate(true).mode(0o600).open(&next);
        written.and_then(|mut out| out.write_all(&text)).map_err(Failure::file(&next))?;
        std::fs::rename(&next, file).map_err(Failure::file(file))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn state_is_kept_for_its_server_alone_and_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("deeper/replay.json");
        let mut state = State::load(&file, "cfk_1");
        assert_eq!(state.shops.len(), 0);
        let shop = Shop { merchant_id: "mer_1".into(), key_id: "cfk_test_1".into(), secret: "s".into() };
        state.shops.insert("450".into(), shop);
        state.save(&file).expect("saves");
        assert_eq!(State::load(&file, "cfk_1"), state);
        assert_eq!(State::load(&file, "cfk_2").shops.len(), 0, "another server");
        let mode = std::fs::metadata(&file).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&file, "{\"platform").expect("writes");
        assert_eq!(State::load(&file, "cfk_1").shops.len(), 0, "cut off");
    }
}
