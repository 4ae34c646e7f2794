//! Receipts: a redemption as a JSON Web Signature (RFC 7515) with Ed25519 (RFC 8037), to be checked by anybody.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use coupon::secret::derive;
use ed25519_dalek::{Signer, SigningKey};
use serde::Serialize;
use serde_json::{Value, json};

/// Signs receipts with a key derived from the master key, so that every instance signs alike.
pub struct Receipts {
    key: SigningKey,
    key_id: String,
}

impl Receipts {
    /// Derives the key.
    pub fn new(master: &[u8]) -> Self {
        let key = SigningKey::from_bytes(&derive(master, "receipts v1", &[]));
        let key_id = hex::encode(&key.verifying_key().to_bytes()[..8]);
        Self { key, key_id }
    }

    /// The compact serialisation of a signed body.
    pub fn sign(&self, body: &impl Serialize) -> Result<String, serde_json::Error> {
        let header = json!({"alg": "EdDSA", "typ": "JWS", "kid": self.key_id});
        let part = |value: Vec<u8>| URL_SAFE_NO_PAD.encode(value);
        let signed = format!("{}.{}", part(serde_json::to_vec(&header)?), part(serde_json::to_vec(body)?));
        let signature = self.key.sign(signed.as_bytes());
        Ok(format!("{signed}.{}", part(signature.to_bytes().to_vec())))
    }

    /// The public keys, as RFC 7517 has them.
    pub fn public_keys(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.key.verifying_key().to_bytes());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.key_id, "x": x}]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signature, Verifier, VerifyingKey};

    #[test]
    fn a_receipt_can_be_checked_with_the_public_key_alone() {
        let receipts = Receipts::new(&[9; 32]);
        let token = receipts.sign(&json!({"id": "rdm_1", "订单": "8431"})).expect("JSON");
        let (signed, signature) = token.rsplit_once('.').expect("three parts");
        let keys = receipts.public_keys();
        let x = URL_SAFE_NO_PAD.decode(keys["keys"][0]["x"].as_str().expect("x")).expect("base64");
        let key = VerifyingKey::from_bytes(&x.try_into().expect("32 bytes")).expect("a key");
        let bytes = URL_SAFE_NO_PAD.decode(signature).expect("base64");
        let signature = Signature::from_slice(&bytes).expect("64 bytes");
        assert!(key.verify(signed.as_bytes(), &signature).is_ok());
        assert!(key.verify(format!("{signed}x").as_bytes(), &signature).is_err());
    }
}
