//! Why a command is refused: facts, without words. Others turn them into codes and sentences.

use std::sync::Arc;

use crate::event::{Decision, StockState};
use crate::money::Money;
use crate::penalty::{PenaltyState, Sanctioned};
use crate::ruleset::RuleState;
use crate::state::LockEnd;
use crate::terms::Millis;

/// A fact that stands against a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// No such merchant.
    MerchantNotFound,
    /// No such key.
    KeyNotFound,
    /// No such stock.
    StockNotFound,
    /// No such batch.
    BatchNotFound,
    /// No such store.
    StoreNotFound,
    /// No such lock.
    LockNotFound,
    /// No such redemption.
    RedemptionNotFound,
    /// No such coupon.
    CouponNotFound,
    /// A sanction bars the merchant from this.
    MerchantSuspended(Sanctioned),
    /// The risk decision says no, asks for proof, or holds for a review.
    Risk(Box<Decision>),
    /// The stock is past its draft.
    StockNotDraft(StockState),
    /// The stock is not open for this.
    StockNotActive(StockState),
    /// Only a paused stock can be resumed.
    StockNotPaused(StockState),
    /// The key has a successor already.
    KeyRotated,
    /// The stock is closed for ever.
    StockClosed,
    /// So many redemptions a day need a load test that passed.
    LoadTestRequired {
        /// What the stock expects.
        expected: u64,
        /// More than this need one.
        above: u64,
    },
    /// A rehearsal is of a real stock.
    RehearsalOfRehearsal,
    /// No such rule set, or no such version of it.
    RuleSetNotFound,
    /// The version's state does not allow the step.
    RuleSetNotPending(RuleState),
    /// Who proposed may not approve.
    SelfApproval,
    /// A set has no more versions than this.
    RuleVersionsFull {
        /// So many.
        most: u64,
    },
    /// The stock's codes come from elsewhere.
    CodeModeMismatch,
    /// What the caller thinks is current is not.
    VersionConflict {
        /// What it is; `None` is no limit.
        current: Option<i64>,
    },
    /// Lower than what is used already.
    BelowUsed {
        /// What is used.
        used: i64,
    },
    /// Claims are open in this time only.
    ClaimNotOpen {
        /// From here.
        from: Option<Millis>,
        /// Up to here.
        until: Option<Millis>,
    },
    /// Voided.
    CouponVoided,
    /// What was left of the batch is void already.
    BatchVoided,
    /// In somebody's hands already.
    AlreadyClaimed,
    /// Used up.
    AlreadyRedeemed {
        /// By this redemption.
        redemption: u64,
        /// For this order.
        order_id: Arc<str>,
        /// At this time.
        redeemed_at: Millis,
        /// It is the order of this request too.
        same_order: bool,
    },
    /// Held for another order, at the latest until here.
    CouponLocked {
        /// The end of the lock.
        until: Millis,
    },
    /// Over since.
    CouponExpired(Millis),
    /// Valid from here on.
    NotYetValid(Millis),
    /// Not at this time of the week; next.
    OutsideAvailableTimes(Millis),
    /// Somebody else's.
    UserMismatch,
    /// Not in this store.
    StoreNotEligible,
    /// The order is in another currency.
    CurrencyMismatch,
    /// Not before.
    MinimumInterval(Millis),
    /// More uses than are left.
    UsesExceeded {
        /// What is left.
        left: u32,
    },
    /// Named twice in one request.
    NamedTwice,
    /// The eligible lines come to less than needed.
    OrderBelowMinimum {
        /// Minor units needed.
        required: i64,
        /// Minor units there.
        eligible: i64,
    },
    /// No line to which it applies has anything left to discount.
    NothingEligible,
    /// It may not stand beside what stands for the order.
    NotStackable,
    /// A lock was made for another order.
    OrderMismatch,
    /// The user has as many as one may have.
    UserLimitReached {
        /// The limit.
        limit: u64,
        /// Only for today.
        today: bool,
    },
    /// No more today; what is limited, up to when.
    DayLimitReached {
        /// Which limit, as the API spells it.
        limit: &'static str,
        /// The end of the merchant's day.
        until: Millis,
    },
    /// The budget would be overspent.
    BudgetExhausted {
        /// What is left of it.
        left: Money,
    },
    /// None is left.
    StockSoldOut,
    /// The lock ended, or its token is another.
    LockLost(Option<LockEnd>),
    /// Nothing is left to take back.
    AlreadyReversed,
    /// Could be taken back up to here.
    ReversalTooLate(Millis),
    /// No such decision.
    DecisionNotFound,
    /// More than one request may change.
    TooManyAtOnce {
        /// So many.
        most: u64,
    },
    /// No such case.
    CaseNotFound,
    /// Somebody else works on the case.
    CaseClaimed {
        /// Who, by key.
        by: Arc<str>,
        /// Until then, unless it is claimed again.
        until: Millis,
    },
    /// The caller does not work on the case.
    CaseNotClaimed,
    /// The case is decided.
    CaseClosed,
    /// The case is not decided.
    CaseNotClosed,
    /// The caller's last step on the case cannot be taken back.
    NothingToUndo,
    /// No such snooze, or it has ended.
    SnoozeNotFound,
    /// No such list of risk.
    ListNotFound,
    /// No such item on it.
    ListItemNotFound,
    /// No such model, or no such version.
    ModelNotFound,
    /// No such penalty.
    PenaltyNotFound,
    /// The penalty's state does not allow the step.
    PenaltyNotActive(PenaltyState),
    /// The ladder knows no such violation.
    ViolationUnknown,
    /// No such appeal.
    AppealNotFound,
    /// An appeal about the same is open: its number.
    AppealOpen(u64),
    /// The appeal is decided.
    AppealResolved,
    /// The challenge could be answered until then.
    ChallengeExpired(Millis),
    /// No such user.
    UserNotFound,
    /// Another user has the name.
    UserExists,
    /// The user may not sign in any more.
    UserDisabled,
    /// The password is not the user's, or no longer.
    SignInFailed,
    /// The link was used, replaced, or is over.
    LinkExpired,
}

/// A refusal: the fact that counts most, where it stands, and all facts of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The coupon of the request, if it is about one.
    pub coupon: Option<usize>,
    /// The fact.
    pub rejection: Rejection,
    /// Every coupon's, for stacks.
    pub problems: Vec<(usize, Rejection)>,
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self { coupon: None, rejection, problems: Vec::new() }
    }
}

impl Refusal {
    /// Of the problems of a stack: the one of the highest precedence names the refusal, the first coupon among equals.
    pub fn of(problems: Vec<(usize, Rejection)>) -> Option<Self> {
        let (coupon, rejection) = problems.iter().min_by_key(|(i, r)| (r.precedence(), *i))?.clone();
        Some(Self { coupon: Some(coupon), rejection, problems })
    }
}

impl Rejection {
    /// Lower goes first: what does not exist, who may not, what is over for good, what is so for now, what does not
    /// fit the order, what is limited.
    pub fn precedence(&self) -> u8 {
        match self {
            Self::MerchantNotFound
            | Self::KeyNotFound
            | Self::StockNotFound
            | Self::BatchNotFound
            | Self::StoreNotFound
            | Self::LockNotFound
            | Self::RedemptionNotFound
            | Self::CouponNotFound
            | Self::RuleSetNotFound
            | Self::DecisionNotFound
            | Self::CaseNotFound
            | Self::SnoozeNotFound
            | Self::ListNotFound
            | Self::ListItemNotFound
            | Self::ModelNotFound
            | Self::PenaltyNotFound
            | Self::ViolationUnknown
            | Self::AppealNotFound
            | Self::UserNotFound => 0,
            Self::MerchantSuspended(_) | Self::SelfApproval | Self::SignInFailed | Self::LinkExpired => 1,
            Self::NamedTwice | Self::TooManyAtOnce { .. } => 2,
            Self::Risk(_) => 3,
            Self::CouponVoided | Self::BatchVoided => 4,
            Self::AlreadyRedeemed { .. } | Self::AlreadyReversed => 5,
            Self::AlreadyClaimed => 6,
            Self::LockLost(_) | Self::CouponLocked { .. } => 7,
            Self::CouponExpired(_) | Self::ReversalTooLate(_) => 8,
            Self::StockNotDraft(_) | Self::StockNotActive(_) | Self::StockNotPaused(_) | Self::StockClosed => 9,
            Self::CodeModeMismatch
            | Self::KeyRotated
            | Self::VersionConflict { .. }
            | Self::LoadTestRequired { .. }
            | Self::RehearsalOfRehearsal
            | Self::RuleSetNotPending(_)
            | Self::RuleVersionsFull { .. }
            | Self::CaseClaimed { .. }
            | Self::CaseNotClaimed
            | Self::CaseClosed
            | Self::CaseNotClosed
            | Self::NothingToUndo
            | Self::PenaltyNotActive(_)
            | Self::AppealOpen(_)
            | Self::AppealResolved
            | Self::ChallengeExpired(_)
            | Self::UserExists
            | Self::UserDisabled => 10,
            Self::BelowUsed { .. } => 11,
            Self::ClaimNotOpen { .. } | Self::NotYetValid(_) => 12,
            Self::OutsideAvailableTimes(_) => 13,
            Self::UserMismatch => 14,
            Self::StoreNotEligible => 15,
            Self::CurrencyMismatch => 16,
            Self::OrderMismatch => 17,
            Self::UsesExceeded { .. } => 18,
            Self::MinimumInterval(_) => 19,
            Self::OrderBelowMinimum { .. } => 20,
            Self::NothingEligible => 21,
            Self::NotStackable => 22,
            Self::UserLimitReached { .. } => 23,
            Self::DayLimitReached { .. } => 24,
            Self::BudgetExhausted { .. } => 25,
            Self::StockSoldOut => 26,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One aligned table: in a stack, the fact on the left is named before the one on the right.
    #[test]
    fn precedence() {
        let redeemed =
            Rejection::AlreadyRedeemed { redemption: 1, order_id: "o".into(), redeemed_at: 0, same_order: false };
        let locked = Rejection::CouponLocked { until: 1 };
        let below = Rejection::OrderBelowMinimum { required: 2, eligible: 1 };
        let budget = Rejection::BudgetExhausted { left: Money { amount: 0, currency: crate::money::CNY } };
        #[rustfmt::skip]
        let table = [
            (&Rejection::CouponNotFound,    &Rejection::CouponVoided),
            (&Rejection::CouponVoided,      &redeemed),
            (&redeemed,                     &locked),
            (&locked,                       &Rejection::CouponExpired(1)),
            (&Rejection::CouponExpired(1),  &Rejection::NotYetValid(1)),
            (&Rejection::NotYetValid(1),    &Rejection::UserMismatch),
            (&Rejection::UserMismatch,      &Rejection::StoreNotEligible),
            (&Rejection::StoreNotEligible,  &Rejection::CurrencyMismatch),
            (&Rejection::CurrencyMismatch,  &below),
            (&below,                        &Rejection::NothingEligible),
            (&Rejection::NothingEligible,   &Rejection::NotStackable),
            (&Rejection::NotStackable,      &budget),
            (&budget,                       &Rejection::StockSoldOut),
        ];
        for (first, second) in table {
            let refusal = Refusal::of(vec![(0, second.clone()), (1, first.clone())]).expect("two problems");
            assert_eq!((refusal.coupon, &refusal.rejection), (Some(1), first));
            assert_eq!(refusal.problems.len(), 2);
        }
    }
}
