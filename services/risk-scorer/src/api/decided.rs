//! Decisions, found in the records of the claims, locks and redemptions that they let through.

use coupon::event::{Decision, Event, Pseudonym};
use coupon::id::{DecisionId, MerchantId};
use coupon::record::Entry;
use coupon::state::Read;
use coupon::subject::Subject;
use http_api::problem::Problem;
use projection::index::List as Index;
use projection::ledger::Ledger;

use super::RiskApi;

/// A decision and what it let through.
pub(super) struct Decided {
    /// What was decided.
    pub(super) decision: Decision,
    /// About which user.
    pub(super) user: Option<Pseudonym>,
    /// In which store.
    pub(super) store: Option<u64>,
    /// The coupons of a lock or redemption; a claim's record does not name the one that it gave.
    coupons: Vec<u64>,
    /// Its number.
    number: u64,
}

impl Decided {
    /// Whom it is about.
    pub(super) fn subject(&self) -> Option<Subject> {
        Subject::of(self.user, &self.decision)
    }

    /// The coupons that it let through.
    pub(super) fn coupons(&self, merchant: MerchantId, ledger: &Ledger) -> Vec<u64> {
        let shard = ledger.of(merchant);
        let of_user = self.user.map(|user| ledger.index.list(merchant, Index::CouponsOfUser(user)));
        let own =
            |number: &&u64| shard.coupon_row(merchant, **number).is_some_and(|row| row.claim == Some(self.number));
        let claimed = of_user.into_iter().flatten().filter(own);
        self.coupons.iter().chain(claimed).copied().collect()
    }
}

/// Reads a decision; `None` where there is none with this id. Those at rehearsals are nobody's to judge.
pub(super) async fn find(state: &RiskApi, id: DecisionId) -> Result<Option<Decided>, Problem> {
    if id.merchant.is_rehearsals() {
        return Ok(None);
    }
    let record = state.backend.ledger.record(id.merchant.shard(), id.number).await.map_err(Problem::internal)?;
    let Some((_, Entry::Guarded(record))) = record else { return Ok(None) };
    if record.merchant != id.merchant {
        return Ok(None);
    }
    let number = id.number;
    Ok(record.events.iter().find_map(|event| {
        let (decision, actor, parts) = match event {
            Event::CouponClaimed(claim) => {
                let decision = claim.decision.clone();
                return Some(Decided { decision, user: Some(claim.user), store: None, coupons: Vec::new(), number });
            }
            Event::Decided(kept) => {
                let (decision, who) = (kept.decision.clone(), kept.decision.basis.as_ref()?.who);
                return Some(Decided { decision, user: who.user, store: who.store, coupons: Vec::new(), number });
            }
            Event::CouponsLocked(lock) => (&lock.decision, &lock.actor, &lock.parts),
            Event::CouponsRedeemed(redemption) => (&redemption.decision, &redemption.actor, &redemption.parts),
            _ => return None,
        };
        let coupons = parts.iter().map(|part| part.coupon).collect();
        Some(Decided { decision: decision.clone(), user: actor.user, store: actor.store, coupons, number })
    }))
}
