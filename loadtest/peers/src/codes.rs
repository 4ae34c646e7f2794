//! The key and the codes of a run, as the generator of load reads them.

use std::io::{BufWriter, Write};
use std::path::Path;

use http_api::signature::Secret;
use sha2::{Digest, Sha256};

use crate::failure::Result;

/// Without 0, 1, I and O: 16 of them are 80 random bits.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// A code as it is printed.
pub(crate) type Code = [u8; 16];

/// The one key that may call.
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: Secret,
}

/// What a run begins with.
pub(crate) struct Issued {
    pub(crate) key: Key,
    pub(crate) codes: Vec<Code>,
}

impl Issued {
    /// Makes a key and so many codes, and writes both into the folder if there is one.
    pub(crate) fn make(count: usize, folder: Option<&Path>) -> Result<Self> {
        let id = format!("cfk_test_{}", hex::encode(rand::random::<[u8; 8]>()));
        let secret = format!("cfs_test_{}", hex::encode(rand::random::<[u8; 16]>()));
        let codes: Vec<Code> = (0..count).map(|_| code()).collect();
        if let Some(folder) = folder {
            std::fs::create_dir_all(folder)?;
            let key = serde_json::json!({"key_id": id, "secret": secret});
            std::fs::write(folder.join("key.json"), key.to_string())?;
            let mut file = BufWriter::new(std::fs::File::create(folder.join("codes.txt"))?);
            for code in &codes {
                file.write_all(code)?;
                file.write_all(b"\n")?;
            }
            file.flush()?;
        }
        Ok(Self { key: Key { id, secret: Secret::new(&secret) }, codes })
    }
}

/// What is stored instead of a code: whoever reads the database cannot redeem.
pub(crate) fn code_hash(code: &[u8]) -> [u8; 16] {
    first_half(Sha256::digest(code).into())
}

/// By what a repeated request is told from another one under the same key.
pub(crate) fn body_hash(body: &[u8]) -> [u8; 16] {
    first_half(Sha256::digest(body).into())
}

fn first_half(digest: [u8; 32]) -> [u8; 16] {
    std::array::from_fn(|i| digest[i])
}

fn code() -> Code {
    let mut bits: u128 = rand::random();
    std::array::from_fn(|_| {
        let character = ALPHABET[(bits & 31) as usize];
        bits >>= 5;
        character
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_and_codes_are_written_as_they_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let issued = Issued::make(100, Some(folder.path())).expect("made");
        let text = std::fs::read_to_string(folder.path().join("codes.txt")).expect("codes");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 100);
        assert!(lines.iter().zip(&issued.codes).all(|(line, code)| line.as_bytes() == code));
        assert!(lines.iter().all(|line| line.len() == 16 && line.bytes().all(|b| ALPHABET.contains(&b))));
        let key: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.path().join("key.json")).expect("a key")).expect("json");
        assert_eq!(key["key_id"], issued.key.id);
        assert!(issued.key.secret.matches(key["secret"].as_str().expect("a secret")));
    }
}
