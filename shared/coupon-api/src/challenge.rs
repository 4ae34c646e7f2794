//! Challenges as callers see them. Their ids say all that has to be known of them, and show that they were made here.

use coupon::challenge::{ANSWER_MS, Challenge, ChallengeAnswered, Method, PASSED_MS};
use coupon::fold::At;
use coupon::id::MerchantId;
use coupon::record::RequestKey;
use coupon::terms::Millis;
use http_api::time::format_ms;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::secrets::Secrets;

const PREFIX: &str = "chl_";
/// Merchant, request, expiry in seconds, tag.
const BYTES: usize = 4 + 16 + 8 + 8;

/// The answer to a challenge's result.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChallengeView {
    /// `chl_...`
    pub id: String,
    /// Whether the same request is let through now.
    pub passed: bool,
    /// `otp`, `captcha` or `real_name`.
    pub method: &'static str,
    /// Until when it is.
    pub valid_until: Option<String>,
}

/// A challenge for a request that is refused now; whole seconds.
pub fn new(request: RequestKey, now: Millis) -> Challenge {
    Challenge { request, expires_at: (now + ANSWER_MS) / 1_000 * 1_000 }
}

/// The id of a merchant's challenge.
pub fn id(secrets: &Secrets, merchant: MerchantId, challenge: &Challenge) -> String {
    let Challenge { request: RequestKey(key), expires_at } = challenge;
    let tag = secrets.challenge_tag(merchant, challenge);
    let seconds = (expires_at / 1_000).to_be_bytes();
    format!("{PREFIX}{}", hex::encode([&merchant.0.to_be_bytes()[..], key, &seconds, &tag].concat()))
}

/// The challenge with an id, and whose it is; nothing where it was not made here.
pub fn read(secrets: &Secrets, id: &str) -> Option<(MerchantId, Challenge)> {
    let mut bytes = [0; BYTES];
    hex::decode_to_slice(id.strip_prefix(PREFIX)?, &mut bytes).ok()?;
    let (merchant, rest) = bytes.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_first_chunk::<16>()?;
    let (seconds, tag) = rest.split_first_chunk::<8>()?;
    let merchant = MerchantId(u32::from_be_bytes(*merchant));
    let expires_at = i64::from_be_bytes(*seconds).checked_mul(1_000)?;
    let challenge = Challenge { request: RequestKey(*key), expires_at };
    (secrets.challenge_tag(merchant, &challenge)[..] == *tag).then_some((merchant, challenge))
}

/// What a refusal says of a challenge.
pub fn view(secrets: &Secrets, merchant: MerchantId, challenge: &Challenge) -> Value {
    json!({
        "id": id(secrets, merchant, challenge),
        "methods": Method::ALL.map(Method::name),
        "expires_at": format_ms(challenge.expires_at),
    })
}

/// What became of a challenge.
pub fn answered(secrets: &Secrets, merchant: MerchantId, answered: &ChallengeAnswered, at: At) -> ChallengeView {
    ChallengeView {
        id: id(secrets, merchant, &answered.challenge),
        passed: answered.passed,
        method: answered.method.name(),
        valid_until: answered.passed.then(|| format_ms(at.time + PASSED_MS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_its_challenge_and_cannot_be_made_elsewhere() {
        let secrets = Secrets::new(vec![7; 32]);
        let challenge = new(RequestKey([9; 16]), 1_773_154_500_999);
        assert_eq!(challenge.expires_at, 1_773_155_100_000);
        let id = id(&secrets, MerchantId(7), &challenge);
        assert_eq!(read(&secrets, &id), Some((MerchantId(7), challenge)));
        for place in PREFIX.len()..id.len() {
            let mut forged = id.clone();
            let digit = if forged.as_bytes()[place] == b'0' { "1" } else { "0" };
            forged.replace_range(place..=place, digit);
            assert_eq!(read(&secrets, &forged), None, "{forged}");
        }
        assert_eq!(read(&secrets, &id[..id.len() - 2]), None);
        assert_eq!(read(&Secrets::new(vec![8; 32]), &id), None);
    }
}
