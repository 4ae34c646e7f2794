//! Unkeyed hashes of texts that are no secrets, where state needs an identity of fixed size.

use sha2::{Digest, Sha256};

/// The first 128 bits of SHA-256: an order id, a key id, a merchant's own code.
pub fn id_hash(text: &str) -> [u8; 16] {
    let digest = Sha256::digest(text.as_bytes());
    let mut hash = [0; 16];
    hash.copy_from_slice(&digest[..16]);
    hash
}
