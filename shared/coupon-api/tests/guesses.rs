//! Guessed codes: none passes, and none costs a look-up.

use std::sync::Arc;

use coupon::command::CouponRef;
use coupon::id::MerchantId;
use coupon_api::backend::Backend;
use coupon_api::metrics::{LOOKUPS, REFUSED};
use coupon_api::secrets::Secrets;
use coupon_api::watch::Directory;
use event_log::memory::MemoryLog;
use inline_risk::{InlineConfig, InlineRisk};
use projection::owner::{self, Start};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

const GUESSES: u64 = 10_000_000;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const MERCHANT: MerchantId = MerchantId(2);

fn backend() -> Backend {
    let secrets = Arc::new(Secrets::new(vec![3; 32]));
    let ledger = owner::start(Start::new(Arc::new(MemoryLog::new(1)), || 0));
    Backend {
        ledger: ledger.expect("an empty log"),
        directory: Arc::new(Directory::new(secrets.clone())),
        secrets,
        risk: Arc::new(InlineRisk::new(&InlineConfig::default())),
        attempts: Box::new(|_, _, _, _| {}),
    }
}

#[test]
fn ten_million_guesses_find_nothing_and_look_nothing_up() {
    let backend = backend();
    let seed: u64 = rand::random();
    eprintln!("seed {seed}");
    let mut rng = SmallRng::seed_from_u64(seed);
    for _ in 0..GUESSES {
        let bits: u128 = rng.random();
        let text: [u8; 16] = std::array::from_fn(|i| ALPHABET[((bits >> (5 * i)) & 31) as usize]);
        let text = std::str::from_utf8(&text).expect("ASCII");
        assert_eq!(backend.coupon_ref(MERCHANT, Some(text), None), CouponRef::Unknown, "{text}");
    }
    assert_eq!((REFUSED.get(), LOOKUPS.get()), (GUESSES, 0));
    let sound = backend.secrets.codes(MERCHANT).encode(7).to_string();
    assert_eq!(backend.coupon_ref(MERCHANT, Some(&sound), None), CouponRef::Number(7));
    assert_eq!((REFUSED.get(), LOOKUPS.get()), (GUESSES, 1), "and a sound one is looked up");
}
