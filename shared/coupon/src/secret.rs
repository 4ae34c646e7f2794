//! Keyed hashes: keys derived from keys, and pseudonyms of personal data.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// HMAC-SHA256 with the key already absorbed: cloning it saves two of four compressions per message.
pub(crate) type KeyedHash = Hmac<Sha256>;

/// The block of SHA-256, in bytes: what an HMAC key is padded to.
const BLOCK: usize = 64;

/// A key under which values are made pseudonyms.
#[derive(Clone)]
pub struct PseudonymKey(KeyedHash);

impl PseudonymKey {
    /// Prepares the key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(keyed(key))
    }
}

/// A key from which others are derived, prepared.
#[derive(Clone)]
pub struct MasterKey(KeyedHash);

impl MasterKey {
    /// Prepares a key of any length.
    pub fn new(key: &[u8]) -> Self {
        Self(keyed(key))
    }

    /// See [`derive`].
    pub fn derive(&self, label: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut hash = self.0.clone();
        absorb(&mut hash, label.as_bytes());
        for part in parts {
            absorb(&mut hash, part);
        }
        hash.finalize().into_bytes().into()
    }
}

/// Derives a key from `master`: HMAC-SHA256 over the label and the parts, each behind its length as 8 big-endian
/// bytes, so that no two lists of texts are the same message. Another label gives an independent key (the single
/// block case of NIST SP 800-108).
pub fn derive(master: &[u8], label: &str, parts: &[&[u8]]) -> [u8; 32] {
    MasterKey::new(master).derive(label, parts)
}

/// What stands for a personal `value` of a `kind` (such as `user` or `device`) in guards and state: HMAC-SHA256 cut to
/// 128 bits, half its length and thus the least that RFC 2104 section 5 allows. Equal values have equal pseudonyms
/// under one key; nobody without the key can try values.
pub fn pseudonym(key: &PseudonymKey, kind: &str, value: &str) -> [u8; 16] {
    let mut hash = key.0.clone();
    absorb(&mut hash, kind.as_bytes());
    absorb(&mut hash, value.as_bytes());
    first_bytes(hash)
}

/// HMAC-SHA256 under a key of any length. RFC 2104 section 2: a key longer than a block is hashed, a shorter one is
/// padded with zeros.
pub(crate) fn keyed(key: &[u8]) -> KeyedHash {
    let mut block = [0_u8; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    KeyedHash::new(&block.into())
}

/// The first `N` bytes of a keyed hash, at most its 32.
pub(crate) fn first_bytes<const N: usize>(hash: KeyedHash) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.iter_mut().zip(hash.finalize().into_bytes()).for_each(|(to, from)| *to = from);
    bytes
}

fn absorb(hash: &mut KeyedHash, part: &[u8]) {
    hash.update(&(part.len() as u64).to_be_bytes());
    hash.update(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keyed_hash_is_hmac_sha256() {
        // RFC 4231, test cases 2 and 6: a key shorter and one longer than a block.
        let short = keyed(b"Jefe").chain_update(b"what do ya want for nothing?");
        let long = keyed(&[0xaa; 131]).chain_update(b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(
            hex::encode(first_bytes::<32>(short)),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex::encode(first_bytes::<32>(long)),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn derived_keys_and_pseudonyms_are_kept() {
        let derived = derive(b"master", "code key", &[b"mer_0000007", &[1]]);
        let pseudonym = pseudonym(&PseudonymKey::new(&[7; 32]), "user", "u-1");
        assert_eq!(
            hex::encode(derived),
            "d52eac62961ca993528e3301bef63844fcb320f02475105d331a04813db82879",
            "what is in the ledger depends on it"
        );
        assert_eq!(hex::encode(pseudonym), "a001d78610d430d80ae0dcc43dfd36ab", "what is in the ledger depends on it");
    }

    #[test]
    fn no_two_lists_of_parts_are_the_same_message() {
        let keys = [
            derive(b"m", "a", &[b"b", b"c"]),
            derive(b"m", "a", &[b"bc"]),
            derive(b"m", "a", &[b"bc", b""]),
            derive(b"m", "ab", &[b"c"]),
            derive(b"n", "a", &[b"bc"]),
        ];
        for (i, key) in keys.iter().enumerate() {
            assert!(!keys[..i].contains(key), "key {i} is another's");
        }
        let key = PseudonymKey::new(&[7; 32]);
        assert_ne!(pseudonym(&key, "user", "1"), pseudonym(&key, "device", "1"), "kinds are apart");
        assert_ne!(pseudonym(&key, "user", "1"), pseudonym(&PseudonymKey::new(&[8; 32]), "user", "1"));
    }
}
