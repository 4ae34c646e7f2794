//! The master key and the platform's first key, as files that only their owner may read.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use crate::config::Security;

/// Reads the master key from where the configuration says. Only for a log that is new, and where the configuration says
/// nothing, one is made in the data directory: another key than the first would make every secret and code invalid.
pub fn master_key(security: &Security, data_dir: &Path, new_log: bool) -> std::io::Result<Vec<u8>> {
    if let Ok(text) = std::env::var("COUNTERFOIL_MASTER_KEY") {
        return parse(&text, "COUNTERFOIL_MASTER_KEY");
    }
    let file = security.master_key_file.clone().unwrap_or_else(|| data_dir.join("master.key"));
    if !file.exists() && security.master_key_file.is_none() && new_log {
        let key: [u8; 32] = rand::random();
        write_secret(&file, &format!("{}\n", hex::encode(key)))?;
    }
    let text = fs::read_to_string(&file).map_err(|error| {
        let what = format!(
            "master key {}: {error}; put back the key that this log was begun with, or name it as \
             security.master_key_file or COUNTERFOIL_MASTER_KEY",
            file.display()
        );
        std::io::Error::new(error.kind(), what)
    })?;
    parse(&text, &file.display().to_string())
}

/// Whether the platform's first key, if its file is there, has its secret from this master key.
pub fn fits(data_dir: &Path, secret_of: impl Fn(&str) -> String) -> bool {
    let text = fs::read_to_string(platform_key_file(data_dir)).unwrap_or_default();
    let key: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let (Some(key_id), Some(secret)) = (key["key_id"].as_str(), key["secret"].as_str()) else { return true };
    secret_of(key_id) == secret
}

fn parse(text: &str, place: &str) -> std::io::Result<Vec<u8>> {
    let wrong = || {
        let message = format!("{place} must hold the master key: at least 64 hexadecimal digits");
        std::io::Error::new(std::io::ErrorKind::InvalidData, message)
    };
    let key = hex::decode(text.trim()).map_err(|_| wrong())?;
    if key.len() < 32 { Err(wrong()) } else { Ok(key) }
}

/// The id of the platform's first key.
pub fn first_key_id(master: &[u8]) -> String {
    // HMAC takes keys of any length.
    let mac = Hmac::<Sha256>::new_from_slice(master).map(|mac| mac.chain_update("counterfoil first platform key"));
    let digest = mac.map(|mac| mac.finalize().into_bytes().to_vec()).unwrap_or_default();
    format!("cfk_live_{}", hex::encode(&digest[..digest.len().min(12)]))
}

/// Where the platform's first key stands.
pub fn platform_key_file(data_dir: &Path) -> PathBuf {
    data_dir.join("platform-key.json")
}

/// Writes the platform's first key.
pub fn write_platform_key(data_dir: &Path, key_id: &str, secret: &str) -> std::io::Result<()> {
    let body = json!({"key_id": key_id, "secret": secret});
    write_secret(&platform_key_file(data_dir), &format!("{body}\n"))
}

/// Writes a file of mode 0600, whole or not at all.
fn write_secret(file: &Path, text: &str) -> std::io::Result<()> {
    let draft = file.with_extension("draft");
    let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(&draft, file)
}
