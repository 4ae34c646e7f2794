//! Limits and verdicts on the hot path.
use coupon::event::{Action, Decision, Pseudonym};
use coupon::id::MerchantId;
#[allow(missing_docs)]
pub struct InlineRisk;
#[allow(missing_docs)]
pub enum Limited { Device { retry_after_ms: u64 }, Ip { retry_after_ms: u64 } }
#[allow(missing_docs)]
#[derive(Clone, Copy)]
pub enum Forced { Block, Challenge, Review, Degraded }
impl Forced { #[allow(missing_docs)] pub fn of(id: &str) -> Option<Self> { match id { "test_block" => Some(Self::Block), "test_challenge" => Some(Self::Challenge), "test_review" => Some(Self::Review), "test_degraded" => Some(Self::Degraded), _ => None } } }
#[allow(missing_docs)]
pub struct Question { pub merchant: MerchantId, pub device: Option<Pseudonym>, pub ip: Option<Pseudonym>, pub user: Option<Pseudonym>, pub missing: Vec<String>, pub forced: Option<Forced>, pub now_ms: i64 }
#[allow(missing_docs)]
impl InlineRisk {
    pub fn limit(&self, _: Option<Pseudonym>, _: Option<Pseudonym>) -> Result<(), Limited> { Ok(()) }
    pub fn decide(&self, q: &Question) -> Decision { Decision { action: match q.forced { Some(Forced::Block) => Action::Block, _ => Action::Allow }, missing: q.missing.clone(), device: q.device, ip: q.ip, ..Decision::default() } }
}
