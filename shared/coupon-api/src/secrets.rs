//! What is derived from the master key: API secrets, code keys, request keys, pseudonyms, and the sealing of personal
//! data. None of it stands in the log.

use std::net::IpAddr;

use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use coupon::challenge::Challenge;
use coupon::code::CodeKey;
use coupon::event::Pseudonym;
use coupon::id::MerchantId;
use coupon::record::RequestKey;
use coupon::secret::{MasterKey, PseudonymKey, pseudonym};
use dashmap::DashMap;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// How sealed data begins: sealed under a key derived from the master key and the subject's pseudonym.
const SEALED_V1: u8 = 1;

/// The end user's data in clear: kept encrypted beside the pseudonyms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Personal {
    /// The caller's id of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// The browser or app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// The master key and what was derived from it for each merchant.
pub struct Secrets {
    master: MasterKey,
    merchants: DashMap<MerchantId, MerchantSecrets>,
}

#[derive(Clone)]
struct MerchantSecrets {
    codes: CodeKey,
    pseudonyms: PseudonymKey,
}

impl Secrets {
    /// Derives from a master key of at least 32 bytes.
    pub fn new(master: Vec<u8>) -> Self {
        Self { master: MasterKey::new(&Zeroizing::new(master)), merchants: DashMap::new() }
    }

    /// The secret of an API key.
    pub fn api_secret(&self, key_id: &str) -> String {
        format!("cfs_{}", hex::encode(self.master.derive("api secret v1", &[key_id.as_bytes()])))
    }

    /// The token of a one-time link, from what stands of it in the log.
    pub fn sign_in_token(&self, seed: &[u8; 16]) -> String {
        hex::encode(self.master.derive("sign-in link v1", &[seed]))
    }

    /// The key under which sessions of people are made and known again, by all instances.
    pub fn session_key(&self) -> [u8; 32] {
        self.master.derive("sessions v1", &[])
    }

    /// A request's fingerprint that says nothing of its body to those who read the log: for bodies with a password, which
    /// otherwise could be tried against a quick hash.
    pub fn private_fingerprint(&self, fingerprint: [u8; 16]) -> [u8; 16] {
        let whole = self.master.derive("private fingerprint v1", &[&fingerprint]);
        whole.first_chunk().copied().unwrap_or_default()
    }

    /// The merchant's code key.
    pub fn codes(&self, merchant: MerchantId) -> CodeKey {
        self.of(merchant).codes
    }

    /// The key under which a request is known: a hash of the merchant and its idempotency key.
    pub fn request_key(&self, merchant: MerchantId, idempotency_key: &str) -> RequestKey {
        RequestKey(pseudonym(&self.of(merchant).pseudonyms, "request", idempotency_key))
    }

    /// What stands for a user.
    pub fn user(&self, merchant: MerchantId, user_id: &str) -> Pseudonym {
        pseudonym(&self.of(merchant).pseudonyms, "user", user_id)
    }

    /// What stands for a device.
    pub fn device(&self, merchant: MerchantId, device_id: &str) -> Pseudonym {
        pseudonym(&self.of(merchant).pseudonyms, "device", device_id)
    }

    /// What stands for an address; IPv6 by its /64, which is what one subscriber has.
    pub fn ip(&self, merchant: MerchantId, ip: IpAddr) -> Pseudonym {
        let text = match ip.to_canonical() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        };
        pseudonym(&self.of(merchant).pseudonyms, "ip", &text)
    }

    /// What stands for an address's network: the /24 of IPv4, the /64 of IPv6.
    pub fn ip24(&self, merchant: MerchantId, ip: IpAddr) -> Pseudonym {
        let text = match ip.to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                format!("{a}.{b}.{c}.0/24")
            }
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        };
        pseudonym(&self.of(merchant).pseudonyms, "ip24", &text)
    }

    /// What stands for an item of a list of risk, by its type and its normal form.
    pub fn item(&self, owner: MerchantId, item_type: &str, text: &str) -> Pseudonym {
        pseudonym(&self.of(owner).pseudonyms, "list item", &format!("{item_type}:{text}"))
    }

    /// What shows that a challenge was made here.
    pub fn challenge_tag(&self, merchant: MerchantId, challenge: &Challenge) -> [u8; 8] {
        let Challenge { request: RequestKey(key), expires_at } = challenge;
        let text = format!("{}:{expires_at}", hex::encode(key));
        let whole = pseudonym(&self.of(merchant).pseudonyms, "challenge", &text);
        whole.first_chunk().copied().unwrap_or_default()
    }

    fn of(&self, merchant: MerchantId) -> MerchantSecrets {
        if let Some(known) = self.merchants.get(&merchant) {
            return known.clone();
        }
        let number = merchant.0.to_be_bytes();
        let made = MerchantSecrets {
            codes: CodeKey::new(&self.master.derive("codes v1", &[&number])),
            pseudonyms: PseudonymKey::new(&self.master.derive("pseudonyms v1", &[&number])),
        };
        self.merchants.insert(merchant, made.clone());
        made
    }

    /// Seals personal data under its subject's key.
    pub fn seal(&self, merchant: MerchantId, subject: Pseudonym, personal: &Personal) -> Vec<u8> {
        if *personal == Personal::default() {
            return Vec::new();
        }
        let nonce: [u8; 12] = rand::random();
        let clear = serde_json::to_vec(personal).unwrap_or_default();
        let Ok(sealed) = self.cipher(merchant, subject).encrypt(&Nonce::from(nonce), clear.as_slice()) else {
            return Vec::new();
        };
        [&[SEALED_V1][..], &nonce, &sealed].concat()
    }

    /// Opens what was sealed; nothing where there is nothing, or the key is gone.
    pub fn open(&self, merchant: MerchantId, subject: Pseudonym, sealed: &[u8]) -> Personal {
        let Some((&SEALED_V1, rest)) = sealed.split_first() else { return Personal::default() };
        let Some((nonce, sealed)) = rest.split_first_chunk::<12>() else { return Personal::default() };
        let clear = self.cipher(merchant, subject).decrypt(&Nonce::from(*nonce), sealed);
        clear.ok().and_then(|clear| serde_json::from_slice(&clear).ok()).unwrap_or_default()
    }

    fn cipher(&self, merchant: MerchantId, subject: Pseudonym) -> ChaCha20Poly1305 {
        let key = self.master.derive("sealed v1", &[&merchant.0.to_be_bytes(), &subject]);
        ChaCha20Poly1305::new(&Key::from(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_subject_only() {
        let secrets = Secrets::new(vec![7; 32]);
        let (merchant, personal) = (MerchantId(3), Personal { user_id: Some("用户-1".into()), ..Personal::default() });
        let user = secrets.user(merchant, "用户-1");
        let sealed = secrets.seal(merchant, user, &personal);
        assert_eq!(secrets.open(merchant, user, &sealed), personal);
        assert_eq!(secrets.open(MerchantId(4), user, &sealed), Personal::default());
        assert_eq!(secrets.open(merchant, [0; 16], &sealed), Personal::default());
        assert!(!sealed.windows(8).any(|w| w == "用户-1".as_bytes()));
        assert_ne!(user, secrets.user(MerchantId(4), "用户-1"), "merchants cannot compare their users");
    }

    #[test]
    fn addresses_of_one_subscriber_are_one() {
        let secrets = Secrets::new(vec![7; 32]);
        let ip = |text: &str| secrets.ip(MerchantId(1), text.parse().expect("an address"));
        assert_eq!(ip("2001:db8:1:2::1"), ip("2001:db8:1:2:ffff::9"));
        assert_ne!(ip("2001:db8:1:2::1"), ip("2001:db8:1:3::1"));
        assert_eq!(ip("::ffff:192.0.2.1"), ip("192.0.2.1"));
    }
}
