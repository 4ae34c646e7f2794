//! One table from facts to codes, and the sentences around them.

use coupon::challenge::Method;
use coupon::event::{Action, Decision, StockState};
use coupon::id::{AppealId, MerchantId, RedemptionId};
use coupon::rejection::{Refusal, Rejection};
use http_api::problem::{Code, Problem};
use http_api::time::format_ms;
use serde_json::json;

use crate::dto::answer::{action_name, reason_text};
use crate::dto::penalty::suspension;

/// The code of a fact.
pub fn code(rejection: &Rejection) -> Code {
    match rejection {
        Rejection::MerchantNotFound => Code::MerchantNotFound,
        Rejection::KeyNotFound => Code::KeyNotFound,
        Rejection::StockNotFound => Code::StockNotFound,
        Rejection::BatchNotFound => Code::BatchNotFound,
        Rejection::StoreNotFound => Code::StoreNotFound,
        Rejection::LockNotFound => Code::LockNotFound,
        Rejection::RedemptionNotFound => Code::RedemptionNotFound,
        Rejection::CouponNotFound => Code::CouponNotFound,
        Rejection::MerchantSuspended(_) => Code::MerchantSuspended,
        Rejection::Risk(decision) => match decision.action {
            Action::Challenge => Code::ChallengeRequired,
            Action::Review => Code::RiskReview,
            Action::Allow | Action::Block => Code::RiskBlocked,
        },
        Rejection::StockNotDraft(_) => Code::StockNotDraft,
        Rejection::StockNotActive(_) | Rejection::StockNotPaused(_) => Code::StockNotActive,
        Rejection::KeyRotated => Code::KeyLimitReached,
        Rejection::StockClosed => Code::StockClosed,
        Rejection::CodeModeMismatch => Code::CodeModeMismatch,
        Rejection::LoadTestRequired { .. } => Code::LoadTestRequired,
        Rejection::RehearsalOfRehearsal => Code::StockIsRehearsal,
        Rejection::RuleSetNotFound => Code::RulesetNotFound,
        Rejection::RuleSetNotPending(_) | Rejection::RuleVersionsFull { .. } => Code::RulesetNotPending,
        Rejection::SelfApproval => Code::SelfApproval,
        Rejection::VersionConflict { .. } => Code::VersionConflict,
        Rejection::BelowUsed { .. } => Code::BelowUsed,
        Rejection::ClaimNotOpen { .. } => Code::ClaimNotOpen,
        Rejection::CouponVoided => Code::CouponVoided,
        Rejection::BatchVoided => Code::BatchVoided,
        Rejection::AlreadyClaimed => Code::CouponClaimed,
        Rejection::AlreadyRedeemed { .. } => Code::AlreadyRedeemed,
        Rejection::CouponLocked { .. } => Code::CouponLocked,
        Rejection::CouponExpired(_) => Code::CouponExpired,
        Rejection::NotYetValid(_) => Code::NotYetValid,
        Rejection::OutsideAvailableTimes(_) => Code::OutsideAvailableTimes,
        Rejection::UserMismatch => Code::UserMismatch,
        Rejection::StoreNotEligible => Code::StoreNotEligible,
        Rejection::CurrencyMismatch => Code::CurrencyMismatch,
        Rejection::MinimumInterval(_) => Code::MinimumInterval,
        Rejection::UsesExceeded { .. } => Code::UsesExceeded,
        Rejection::NamedTwice | Rejection::TooManyAtOnce { .. } | Rejection::ViolationUnknown => Code::InvalidField,
        Rejection::OrderBelowMinimum { .. } => Code::OrderBelowMinimum,
        Rejection::NothingEligible => Code::NothingEligible,
        Rejection::NotStackable => Code::NotStackable,
        Rejection::OrderMismatch => Code::LockOrderMismatch,
        Rejection::UserLimitReached { .. } => Code::UserLimitReached,
        Rejection::DayLimitReached { .. } => Code::DayLimitReached,
        Rejection::BudgetExhausted { .. } => Code::BudgetExhausted,
        Rejection::StockSoldOut => Code::StockSoldOut,
        Rejection::LockLost(_) => Code::LockLost,
        Rejection::AlreadyReversed => Code::AlreadyReversed,
        Rejection::ReversalTooLate(_) => Code::ReversalTooLate,
        Rejection::PenaltyNotFound => Code::PenaltyNotFound,
        Rejection::PenaltyNotActive(_) => Code::PenaltyNotActive,
        Rejection::AppealNotFound => Code::AppealNotFound,
        Rejection::AppealOpen(_) => Code::AppealOpen,
        Rejection::AppealResolved => Code::AppealResolved,
        Rejection::DecisionNotFound => Code::DecisionNotFound,
        Rejection::CaseNotFound => Code::CaseNotFound,
        Rejection::CaseClaimed { .. } => Code::CaseClaimed,
        Rejection::CaseNotClaimed => Code::CaseNotClaimed,
        Rejection::CaseClosed => Code::CaseClosed,
        Rejection::CaseNotClosed => Code::CaseNotClosed,
        Rejection::NothingToUndo => Code::NothingToUndo,
        Rejection::SnoozeNotFound => Code::SnoozeNotFound,
        Rejection::ListNotFound => Code::ListNotFound,
        Rejection::ListItemNotFound => Code::ListItemNotFound,
        Rejection::ModelNotFound => Code::ModelNotFound,
        Rejection::ChallengeExpired(_) => Code::ChallengeExpired,
        Rejection::UserNotFound => Code::UserNotFound,
        Rejection::UserExists => Code::UserExists,
        Rejection::UserDisabled => Code::UserDisabled,
        Rejection::SignInFailed => Code::SignInFailed,
        Rejection::LinkExpired => Code::LinkExpired,
    }
}

/// The number under which a refusal stands in the log.
pub fn number(refusal: &Refusal) -> u16 {
    code(&refusal.rejection) as u16
}

/// A refusal as the caller reads it.
pub fn problem(merchant: MerchantId, refusal: &Refusal) -> Problem {
    let mut problem = one(merchant, &refusal.rejection);
    if let Some(coupon) = refusal.coupon {
        problem = problem.pointer(format!("/coupons/{coupon}"));
    }
    if refusal.problems.len() > 1 || (refusal.problems.len() == 1 && refusal.coupon.is_some()) {
        let all: Vec<_> = refusal
            .problems
            .iter()
            .map(|(i, rejection)| {
                let one = one(merchant, rejection);
                let mut entry = json!({
                    "pointer": format!("/coupons/{i}"),
                    "code": one.code.as_str(),
                    "detail": one.detail,
                });
                if let Some(entry) = entry.as_object_mut() {
                    entry.extend(one.extra);
                }
                entry
            })
            .collect();
        problem = problem.with("problems", all);
    }
    problem
}

fn one(merchant: MerchantId, rejection: &Rejection) -> Problem {
    let code = code(rejection);
    let say = |detail: String| Problem::new(code, detail);
    match rejection {
        Rejection::Risk(decision) => risk(code, decision),
        Rejection::MerchantSuspended(by) => suspension(merchant, by).problem(),
        Rejection::PenaltyNotActive(state) => {
            say(format!("The penalty is {}.", state.name())).with("state", state.name())
        }
        Rejection::ViolationUnknown => {
            say("/violation is on no rung of `GET /v1/risk/penalty-ladder`.".to_owned()).pointer("/violation")
        }
        Rejection::AppealOpen(number) => {
            Problem::of(code).with("appeal_id", AppealId::new(merchant, *number).to_string())
        }
        Rejection::StockNotDraft(state) | Rejection::StockNotActive(state) | Rejection::StockNotPaused(state) => {
            say(format!("The stock is {}.", state_name(*state))).with("state", state_name(*state))
        }
        Rejection::VersionConflict { current } => {
            say("The value is another by now; `current` says which.".to_owned()).with("current", current)
        }
        Rejection::LoadTestRequired { expected, above } => {
            say(format!("The stock expects {expected} redemptions a day; above {above} a load test must have passed."))
                .with("expected_daily_redemptions", expected)
                .with("above", above)
        }
        Rejection::RuleSetNotPending(state) => {
            let state = state.name();
            say(format!("The version is {state}, from where this step is not possible.")).with("state", state)
        }
        Rejection::RuleVersionsFull { most } => {
            say(format!("A rule set has at most {most} versions: begin another one.")).with("most", most)
        }
        Rejection::BelowUsed { used } => say(format!("{used} are used already.")).with("used", used),
        Rejection::ClaimNotOpen { from, until } => {
            Problem::of(code).with("claim_from", from.map(format_ms)).with("claim_until", until.map(format_ms))
        }
        Rejection::AlreadyRedeemed { redemption, order_id, redeemed_at, same_order } => {
            say(format!("The coupon was redeemed by order {order_id} at {}.", format_ms(*redeemed_at)))
                .with("redemption_id", RedemptionId::new(merchant, *redemption).to_string())
                .with("redeemed_by_order", &**order_id)
                .with("redeemed_at", format_ms(*redeemed_at))
                .with("same_order", same_order)
        }
        Rejection::CouponLocked { until } => {
            say(format!("Another order holds the coupon until {}.", format_ms(*until)))
                .with("locked_until", format_ms(*until))
        }
        Rejection::CouponExpired(at) => {
            say(format!("It was valid until {}.", format_ms(*at))).with("valid_until", format_ms(*at))
        }
        Rejection::NotYetValid(from) => {
            say(format!("It is valid from {}.", format_ms(*from))).with("valid_from", format_ms(*from))
        }
        Rejection::OutsideAvailableTimes(next) => Problem::of(code).with("next_change", format_ms(*next)),
        Rejection::MinimumInterval(next) => {
            say(format!("It may be used again from {}.", format_ms(*next))).with("next_use", format_ms(*next))
        }
        Rejection::UsesExceeded { left } => say(format!("{left} uses are left.")).with("uses_left", left),
        Rejection::NamedTwice => say("The coupon is named twice in this request.".to_owned()),
        Rejection::OrderBelowMinimum { required, eligible } => {
            say(format!("Eligible lines come to {eligible}, {required} are needed (minor units)."))
                .with("required", required)
                .with("eligible", eligible)
        }
        Rejection::UserLimitReached { limit, today } => {
            let when = if *today { " today" } else { "" };
            say(format!("The user has claimed {limit}{when}, which is the limit.")).with("limit", limit)
        }
        Rejection::DayLimitReached { limit, until } => say(format!("{limit} is used up until {}.", format_ms(*until)))
            .with("limit", limit)
            .with("resets_at", format_ms(*until)),
        Rejection::BudgetExhausted { left } => {
            say(format!("{} minor units of the budget are left.", left.amount)).with("left", left)
        }
        Rejection::LockLost(end) => Problem::of(code).with("ended", end.map(|end| format!("{end:?}").to_lowercase())),
        Rejection::ReversalTooLate(until) => say(format!("It could be reversed until {}.", format_ms(*until)))
            .with("reversible_until", format_ms(*until)),
        Rejection::CaseClaimed { by, until } => say(format!("{by} works on the case until {}.", format_ms(*until)))
            .with("claimed_by", &**by)
            .with("claim_expires_at", format_ms(*until)),
        Rejection::ChallengeExpired(at) => {
            say(format!("It could be answered until {}.", format_ms(*at))).with("expires_at", format_ms(*at))
        }
        Rejection::TooManyAtOnce { most } => say(format!("One request may change at most {most}.")),
        _ => Problem::of(code),
    }
}

fn risk(code: Code, decision: &Decision) -> Problem {
    let reasons: Vec<_> =
        decision.reasons.iter().map(|r| json!({"code": r.code, "text": reason_text(&r.code)})).collect();
    let shown = json!({
        "action": action_name(decision.action),
        "degraded": decision.degraded,
        "missing": decision.missing,
        "reasons": reasons,
    });
    let problem = Problem::of(code).with("decision", shown);
    if decision.action != Action::Challenge {
        return problem;
    }
    problem.with("challenge", json!({"methods": Method::ALL.map(Method::name)}))
}

/// As the API spells a stock's state.
pub fn state_name(state: StockState) -> &'static str {
    match state {
        StockState::Draft => "draft",
        StockState::Active => "active",
        StockState::Paused => "paused",
        StockState::Closed => "closed",
    }
}
