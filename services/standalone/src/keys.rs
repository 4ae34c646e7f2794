//! The master key and the platform's first key, as files that only their owner may read.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::config::Security;

/// Reads the master key from where the configuration says; makes one in the data directory where it says nothing.
pub(crate) fn master_key(security: &Security, data_dir: &Path) -> std::io::Result<Vec<u8>> {
    if let Ok(text) = std::env::var("COUNTERFOIL_MASTER_KEY") {
        return parse(&text, "COUNTERFOIL_MASTER_KEY");
    }
    let file = security.master_key_file.clone().unwrap_or_else(|| data_dir.join("master.key"));
    if !file.exists() && security.master_key_file.is_none() {
        let key: [u8; 32] = rand::random();
        write_secret(&file, &format!("{}\n", hex::encode(key)))?;
    }
    let text = fs::read_to_string(&file)
        .map_err(|error| std::io::Error::new(error.kind(), format!("master key {}: {error}", file.display())))?;
    parse(&text, &file.display().to_string())
}

fn parse(text: &str, place: &str) -> std::io::Result<Vec<u8>> {
    let wrong = || {
        let message = format!("{place} must hold the master key: at least 64 hexadecimal digits");
        std::io::Error::new(std::io::ErrorKind::InvalidData, message)
    };
    let key = hex::decode(text.trim()).map_err(|_| wrong())?;
    if key.len() < 32 { Err(wrong()) } else { Ok(key) }
}

/// Where the platform's first key stands.
pub(crate) fn platform_key_file(data_dir: &Path) -> PathBuf {
    data_dir.join("platform-key.json")
}

/// Writes the platform's first key.
pub(crate) fn write_platform_key(data_dir: &Path, key_id: &str, secret: &str) -> std::io::Result<()> {
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
