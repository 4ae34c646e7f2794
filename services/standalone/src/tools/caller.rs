//! Whoever calls the server that runs on a data directory, from the command line.

use std::path::{Path, PathBuf};

use host::keys::platform_key_file;
use host::{ADDRESS_FILE, Failure};
use http_api::client::{Client, Credentials, Reply};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct KeyFile {
    key_id: String,
    secret: String,
}

/// A key at a server.
pub(crate) struct Caller {
    pub(crate) client: Client,
    pub(crate) credentials: Credentials,
    /// `http://...`
    pub(crate) address: String,
}

impl Caller {
    /// With the platform's key and at the running server's address, unless others are named.
    pub(crate) fn new(data_dir: &Path, target: Option<String>, key_file: Option<PathBuf>) -> Result<Self, Failure> {
        let key_file = key_file.unwrap_or_else(|| platform_key_file(data_dir));
        let text = std::fs::read_to_string(&key_file)
            .map_err(|error| format!("{}: {error}; --key-file names another key", key_file.display()))?;
        let key: KeyFile = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", key_file.display()))?;
        let address = match target {
            Some(target) => target,
            None => std::fs::read_to_string(data_dir.join(ADDRESS_FILE))
                .map_err(|_| "no server runs on this data directory; --target names one elsewhere")?
                .trim()
                .to_owned(),
        };
        let credentials = Credentials::new(&key.key_id, &key.secret);
        Ok(Self { client: Client::new(&address)?, credentials, address })
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        idempotency_key: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Reply, Failure> {
        Ok(self.client.signed(&self.credentials, method, path, idempotency_key, body).await?)
    }
}

/// An idempotency key for a call that is made once.
pub(crate) fn random_key() -> String {
    format!("cli-{}", hex::encode(rand::random::<[u8; 12]>()))
}
