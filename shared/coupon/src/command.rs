//! What callers want. Clocks, ids, randomness and risk decisions come with the command.

use crate::appeal::{About, Resolution};
use crate::breaker::BreakerReset;
use crate::case::CaseStepped;
use crate::challenge::ChallengeAnswered;
use crate::decision::DecisionKept;
use crate::event::{
    ApiKey, Decision, LoadTest, Location, MerchantProfile, Note, Operation, Pseudonym, Quotas, ReleaseReason, SendRow,
    StockProfile,
};
use crate::id::{MerchantId, Sequence};
use crate::label::LabelSet;
use crate::list::ListStepped;
use crate::order::Order;
use crate::penalty::{Act, Ladder};
use crate::risk_settings::{RiskSettings, Set};
use crate::ruleset::{RulesMoved, RulesPushed};
use crate::snooze::SnoozeStepped;
use crate::terms::{CodeMode, Limits, Millis, Terms};
use crate::user::UserStepped;

/// A command at one merchant.
#[derive(Clone, Debug)]
pub enum Command {
    /// Platform.
    CreateMerchant(MerchantProfile),
    /// Second step: in the merchant's own shard.
    OpenMerchant(MerchantProfile),
    /// Platform.
    SetQuotas(MerchantId, Quotas),
    /// Platform.
    CreateKey(Box<ApiKey>),
    /// Platform: a successor, and an end for the old key.
    RotateKey(Box<ApiKey>, [u8; 16], Millis),
    /// Platform.
    EndKey([u8; 16]),
    /// A store.
    CreateStore(String, Option<Location>),
    /// A stock in draft, and how many redemptions a day it expects; 0 where nothing is said.
    CreateStock(Box<StockProfile>, u64),
    /// Changes a stock.
    ChangeStock(u64, Box<StockPatch>),
    /// Moves a stock.
    MoveStock(u64, Step, bool),
    /// Compare and set: stock, current, target.
    SetTotal(u64, u64, u64),
    /// Compare and set.
    SetBudget(u64, Option<i64>, Option<i64>),
    /// Compare and set.
    SetLimit(u64, LimitName, Option<u64>, Option<u64>),
    /// Makes codes ahead.
    MakeCodes(u64, u64, String),
    /// Voids what is left of a batch.
    VoidBatch(u64, String),
    /// A claim.
    Claim(Box<ClaimCommand>),
    /// A lock.
    Lock(Box<UseCommand>, LockTerms),
    /// Lock, token, seconds from now.
    ExtendLock(u64, [u8; 16], u32),
    /// Lets a lock go.
    ReleaseLock(u64, [u8; 16], ReleaseReason),
    /// A redemption.
    Redeem(Box<UseCommand>),
    /// A reversal.
    Reverse(Box<ReverseCommand>),
    /// Voids a coupon.
    VoidCoupon(u64, String),
    /// Begins an operation.
    StartOperation(Operation),
    /// The next rows of an import: operation, chunk number, rows, whether they are the last.
    ImportChunk(u64, u64, Vec<crate::event::ImportRow>, bool),
    /// The next rows of a send.
    SendChunk(u64, u64, Vec<SendRow>, bool),
    /// A tick: a lock's time is up.
    ExpireLock(u64),
    /// A tick: a stock's coupons with this end are over.
    ExpireCoupons(u64, Millis),
    /// At a merchant's rehearsals: a twin of one of its stocks.
    OpenRehearsal(RehearsalTerms),
    /// A tick: a twin's date has come.
    ForgetRehearsal(u64),
    /// Stores a load test's report.
    StoreLoadTest(Box<LoadTest>),
    /// Platform: a version of a rule set.
    PushRules(Box<RulesPushed>),
    /// Platform: a step in a version's life.
    MoveRules(Box<RulesMoved>),
    /// Labels decisions, together.
    SetLabels(Vec<LabelSet>),
    /// A step of a case, and the coupons that a close voids with it.
    StepCase(Box<CaseStepped>, Vec<u64>),
    /// A step of a snooze.
    StepSnooze(Box<SnoozeStepped>),
    /// A step of a list of risk.
    StepList(Box<ListStepped>),
    /// A version of a model; its text is the artifact.
    PushModel(Box<RulesPushed>),
    /// A step in its life.
    MoveModel(Box<RulesMoved>),
    /// A command by a key, which is noted beside what it does.
    By(String, Box<Command>),
    /// A penalty.
    Impose(Box<Impose>),
    /// A step of a penalty: which, what, by which key.
    MovePenalty(u64, Act, String),
    /// An appeal.
    Appeal(Box<Appeal>),
    /// An appeal's end.
    ResolveAppeal(Box<Resolve>),
    /// How risk is handled at the merchant, and the version that it replaces.
    SetRiskSettings(Set<RiskSettings>, Option<Sequence>),
    /// Platform: the ladder of penalties, and the version that it replaces.
    SetPenaltyLadder(Set<Ladder>, Option<Sequence>),
    /// The merchant's breaker begins anew.
    ResetBreaker(BreakerReset),
    /// An answer to a challenge.
    AnswerChallenge(Box<ChallengeAnswered>),
    /// Keeps a decision that was asked for by itself.
    KeepDecision(Box<DecisionKept>),
    /// Platform: a step of a user.
    StepUser(Box<UserStepped>),
}

/// A penalty that somebody wants imposed.
#[derive(Clone, Debug)]
pub struct Impose {
    /// For what.
    pub violation: String,
    /// By this ladder.
    pub ladder: Ladder,
    /// What shows it: a JSON text each.
    pub evidence: Vec<String>,
    /// By which key.
    pub by: String,
}

/// An appeal that a merchant makes.
#[derive(Clone, Debug)]
pub struct Appeal {
    /// About what.
    pub about: About,
    /// What the merchant says.
    pub statement: String,
    /// What shows it: a JSON text each.
    pub evidence: Vec<String>,
    /// Days in which it is to be decided.
    pub due_days: u16,
    /// By which key.
    pub by: String,
}

/// What somebody decides of an appeal.
#[derive(Clone, Debug)]
pub struct Resolve {
    /// Of which.
    pub appeal: u64,
    /// What, and why.
    pub resolution: Resolution,
}

/// What a rehearsal is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RehearsalTerms {
    /// Of which stock.
    pub of: u64,
    /// How many coupons at most; as many as the stock itself has where left out.
    pub total: Option<u64>,
    /// Where its codes come from; where the stock's own come from where left out, or from batches made ahead where those
    /// are the merchant's.
    pub code_mode: Option<CodeMode>,
    /// Closed and forgotten from here on.
    pub until: Millis,
}

/// A step of a stock's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Draft → active; stocks that expect more redemptions a day than this need a load test that passed.
    Activate {
        /// No limit where left out.
        tested_above: Option<u64>,
    },
    /// Active → paused.
    Pause,
    /// Paused → active.
    Resume,
    /// → closed.
    Close,
}

/// A limit by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitName {
    /// See [`Limits::per_user`].
    PerUser,
    /// See [`Limits::per_user_day`].
    PerUserDay,
    /// See [`Limits::per_day`].
    PerDay,
    /// See [`Limits::user_day_redemptions`].
    UserDayRedemptions,
    /// See [`Limits::store_day_redemptions`].
    StoreDayRedemptions,
}

/// Changes of a stock; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct StockPatch {
    /// The version of the stock that it was laid over: terms are replaced whole, so that another's change would be lost.
    pub based_on: u64,
    /// The name.
    pub name: Option<String>,
    /// What a customer reads.
    pub text: Option<String>,
    /// The caller's reference; `Some(None)` takes it away.
    pub reference: Option<Option<String>>,
    /// The caller's metadata.
    pub metadata: Option<std::collections::BTreeMap<String, String>>,
    /// Only in draft.
    pub terms: Option<Terms>,
    /// Only in draft.
    pub total: Option<u64>,
    /// Only in draft.
    pub limits: Option<Limits>,
    /// Only in draft; `Some(None)` takes the budget away.
    pub budget: Option<Option<i64>>,
    /// How many redemptions a day it expects at most; 0 takes that back.
    pub expected_daily: Option<u64>,
}

/// A claim, of a stock or of a printed code.
#[derive(Clone, Debug)]
pub struct ClaimCommand {
    /// What is claimed.
    pub what: Claimed,
    /// By whom.
    pub user: Pseudonym,
    /// Where it was handed out.
    pub channel: Option<String>,
    /// What risk says.
    pub decision: Decision,
    /// The end user's data, encrypted.
    pub sealed: Vec<u8>,
    /// The caller's.
    pub note: Note,
}

/// What is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// Any coupon of a stock.
    Stock(u64),
    /// The coupon of a printed code.
    Printed(CouponRef),
}

/// A coupon as a caller names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CouponRef {
    /// By its id, or by a code that was verified.
    Number(u64),
    /// By the hash of the merchant's own code.
    Imported([u8; 16]),
    /// By a text that can be no code of the merchant.
    Unknown,
}

/// Coupons used in an order: a validation, a lock or a redemption.
#[derive(Clone, Debug)]
pub struct UseCommand {
    /// Which coupons, and how many uses of each.
    pub coupons: Vec<(CouponRef, u32)>,
    /// In which order.
    pub order: Order,
    /// By whom.
    pub actor: crate::event::Actor,
    /// Under this lock, with this token.
    pub lock: Option<(u64, [u8; 16])>,
    /// What risk says.
    pub decision: Decision,
    /// The end user's data, encrypted.
    pub sealed: Vec<u8>,
    /// The caller's.
    pub note: Note,
}

/// How long a lock shall live, and its token.
#[derive(Clone, Copy, Debug)]
pub struct LockTerms {
    /// Drawn at random.
    pub token: [u8; 16],
    /// From now.
    pub ttl_seconds: u32,
}

/// A reversal.
#[derive(Clone, Debug)]
pub struct ReverseCommand {
    /// Of which redemption.
    pub redemption: u64,
    /// Which coupons and how many uses; all that is left where `None`.
    pub coupons: Option<Vec<(u64, Option<u32>)>>,
    /// The caller's refund.
    pub refund_id: Option<String>,
    /// Why.
    pub reason: String,
    /// The caller's.
    pub note: Note,
}

impl Command {
    /// The same by a key, noted beside what it does. What the service is for, claims, locks, redemptions and reversals,
    /// stays as it is: it is found by what it changed.
    #[must_use]
    pub fn by(self, key_id: &str) -> Self {
        match self {
            Self::Claim(_)
            | Self::Lock(..)
            | Self::ExtendLock(..)
            | Self::ReleaseLock(..)
            | Self::Redeem(_)
            | Self::Reverse(_) => self,
            deed => Self::By(key_id.to_owned(), Box::new(deed)),
        }
    }
}

impl LimitName {
    /// As the API spells it.
    pub const ALL: [(&'static str, Self); 5] = [
        ("per_user", Self::PerUser),
        ("per_user_day", Self::PerUserDay),
        ("per_day", Self::PerDay),
        ("user_day_redemptions", Self::UserDayRedemptions),
        ("store_day_redemptions", Self::StoreDayRedemptions),
    ];

    /// This limit's place.
    pub fn of(self, limits: &mut Limits) -> &mut Option<u64> {
        match self {
            Self::PerUser => &mut limits.per_user,
            Self::PerUserDay => &mut limits.per_user_day,
            Self::PerDay => &mut limits.per_day,
            Self::UserDayRedemptions => &mut limits.user_day_redemptions,
            Self::StoreDayRedemptions => &mut limits.store_day_redemptions,
        }
    }
}
