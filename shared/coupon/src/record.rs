//! What stands in the ledger: guarded records, fences and cancels.

use serde::{Deserialize, Serialize};

use crate::event::{Decision, Event};
use crate::id::{MerchantId, Sequence};
use crate::terms::Millis;

/// How far before the append a record may have been proposed for its append time to count: a proposer or a broker
/// whose clock runs ahead cannot freeze a shard's time further ahead than this.
pub const MAX_LEAD_MS: Millis = 5_000;

/// A request's key: a 128-bit keyed hash over the merchant and its idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestKey(pub [u8; 16]);

/// What may be written to a shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    /// Events under guards.
    Guarded(Record),
    /// Refusals: earlier attempts under these keys that land later are void.
    Fences(Fences),
    /// From here on the key is used up without effect, unless it was used before.
    Cancel(Cancel),
}

/// Events that happen if all guards hold where the record stands, and otherwise never.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Whose state it changes.
    pub merchant: MerchantId,
    /// Who wrote it: tells a proposer its own records apart.
    pub origin: Origin,
    /// On the proposer's wall clock, and not on its estimate of the log's: a bound that is measured from the log's own
    /// time would let it run away step by step.
    pub proposed_at: Millis,
    /// The keyed request that it answers; ticks and chunks have none.
    pub request: Option<Request>,
    /// All must hold.
    pub guards: Vec<Guard>,
    /// What then happens, in order.
    pub events: Vec<Event>,
}

/// A proposer's running number, and which proposer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// Drawn at random when the instance starts.
    pub instance: u64,
    /// Counted by the instance.
    pub number: u64,
}

/// The keyed request behind a record; guards `absent(request)` and `fences(request) = n` in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Which key.
    pub key: RequestKey,
    /// Of method, path and parsed body: tells a repetition from a reused key.
    pub fingerprint: [u8; 16],
    /// How many fences stood for the key when this was decided.
    pub fences: u32,
    /// Void from here on: bounds how long an attempt can be under way.
    pub deadline: Millis,
}

/// The refusals of one group commit in a shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fences {
    /// Who wrote it.
    pub origin: Origin,
    /// On the proposer's wall clock.
    pub proposed_at: Millis,
    /// One for each refused attempt; none at all just moves the shard's time.
    pub fences: Vec<Fence>,
}

/// A refusal of one attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fence {
    /// Whose key it is.
    pub key: RequestKey,
    /// The number of the refusal's error code.
    pub refusal: u16,
    /// The risk decision, where that refused.
    pub decision: Option<Box<Decision>>,
}

/// A cancel of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// Who wrote it.
    pub origin: Origin,
    /// On the proposer's wall clock.
    pub proposed_at: Millis,
    /// Which key.
    pub key: RequestKey,
}

/// An append condition. The kinds are few and generic: new features use these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Guard {
    /// The entity was last changed by the record with this sequence.
    Version(Entity, Sequence),
    /// The entity does not exist.
    Absent(Entity),
    /// The counter plus so much stays within the limit that is in force here.
    Within(Counter, i64),
    /// The record's time is in `[from, until)`.
    TimeIn(Millis, Millis),
    /// The lock lives and has this token.
    LockToken(u64, [u8; 16]),
    /// No sanction bars the merchant's coupons from use.
    MerchantOpen,
    /// The stock takes this kind of use, and no sanction bars claims, where it is one.
    StockOpen(u64, Use),
}

/// What a stock must be open for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Use {
    /// Claims and sends.
    Claim,
    /// Locks and redemptions.
    Redeem,
}

/// Something with a version, at the record's merchant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entity {
    /// The merchant's own row.
    Merchant,
    /// A coupon by its running number.
    Coupon(u64),
    /// A stock.
    Stock(u64),
    /// A batch of codes.
    Batch(u64),
    /// A lock.
    Lock(u64),
    /// A redemption.
    Redemption(u64),
    /// All that stands for an order id, by its hash.
    Order([u8; 16]),
    /// An operation; its version is the number of the next chunk.
    Operation(u64),
    /// An API key, by the hash of its id.
    ApiKey([u8; 16]),
    /// A rule set.
    RuleSet(u64),
    /// A case.
    Case(u64),
    /// A snooze.
    Snooze(u64),
    /// A list of risk.
    List(u64),
    /// A model.
    Model(u64),
    /// A penalty.
    Penalty(u64),
    /// An appeal by its number, or the last one about something by that one's.
    Appeal(u64),
    /// How risk is handled.
    RiskSettings,
    /// The ladder of penalties.
    PenaltyLadder,
    /// A user.
    User(u64),
    /// The user of a name, by its hash.
    UserName([u8; 16]),
}

/// Something counted against a limit, at the record's merchant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Counter {
    /// Coupons that can still be handed out of the stock.
    Claimable(u64),
    /// Numbers that the stock has issued, against its total.
    Issued(u64),
    /// Claims of a user.
    UserClaims(u64, [u8; 16]),
    /// Claims of a user today.
    UserDayClaims(u64, [u8; 16]),
    /// Claims of today.
    DayClaims(u64),
    /// Redemptions of a user today.
    UserDayRedemptions(u64, [u8; 16]),
    /// Redemptions in a store today.
    StoreDayRedemptions(u64, u64),
    /// Discount given, in minor units.
    Budget(u64),
}

/// The kinds of guards, as metrics and tests name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GuardKind {
    /// `absent(request)`.
    Request,
    /// `fences(request) = n`.
    Fences,
    /// [`Guard::Version`].
    Version,
    /// [`Guard::Absent`].
    Absent,
    /// [`Guard::Within`].
    Counter,
    /// [`Guard::TimeIn`] and a request's deadline.
    Time,
    /// [`Guard::LockToken`].
    LockToken,
    /// [`Guard::MerchantOpen`] and [`Guard::StockOpen`].
    Status,
}

impl Entry {
    /// Who wrote it.
    pub fn origin(&self) -> Origin {
        match self {
            Self::Guarded(record) => record.origin,
            Self::Fences(fences) => fences.origin,
            Self::Cancel(cancel) => cancel.origin,
        }
    }

    /// When its proposer took it to be.
    pub fn proposed_at(&self) -> Millis {
        match self {
            Self::Guarded(record) => record.proposed_at,
            Self::Fences(fences) => fences.proposed_at,
            Self::Cancel(cancel) => cancel.proposed_at,
        }
    }
}

impl GuardKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Request,
        Self::Fences,
        Self::Version,
        Self::Absent,
        Self::Counter,
        Self::Time,
        Self::LockToken,
        Self::Status,
    ];

    /// As metrics spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Fences => "fences",
            Self::Version => "version",
            Self::Absent => "absent",
            Self::Counter => "counter",
            Self::Time => "time",
            Self::LockToken => "lock_token",
            Self::Status => "status",
        }
    }
}

impl Guard {
    /// Of which kind it is.
    pub fn kind(&self) -> GuardKind {
        match self {
            Self::Version(..) => GuardKind::Version,
            Self::Absent(..) => GuardKind::Absent,
            Self::Within(..) => GuardKind::Counter,
            Self::TimeIn(..) => GuardKind::Time,
            Self::LockToken(..) => GuardKind::LockToken,
            Self::MerchantOpen | Self::StockOpen(..) => GuardKind::Status,
        }
    }
}
