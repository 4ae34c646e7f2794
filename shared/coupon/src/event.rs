//! What happened. Events record outcomes, never commands: replaying them decides nothing again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::appeal::AppealStep;
use crate::audit::Audited;
use crate::breaker::BreakerReset;
use crate::case::CaseStepped;
use crate::challenge::ChallengeAnswered;
use crate::decision::DecisionKept;
pub use crate::decision::{Action, Decision, Reason};
use crate::id::{MerchantId, Sequence};
use crate::label::LabelSet;
use crate::list::ListStepped;
use crate::money::Currency;
use crate::penalty::{Ladder, PenaltyStep};
use crate::risk_settings::{RiskSettings, Set};
use crate::ruleset::{RulesMoved, RulesPushed};
use crate::snooze::SnoozeStepped;
use crate::terms::{Limits, Millis, Terms, Zone};
use crate::user::UserStepped;

/// A keyed hash that stands for a user, device or address in guards and state.
pub type Pseudonym = [u8; 16];

/// An event of the ledger. Numbers of entities are those of the record's merchant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// Platform: a merchant, whose id is this record's sequence.
    MerchantCreated(MerchantProfile),
    /// Platform: what a merchant may call how often.
    QuotasSet(MerchantId, Quotas),
    /// Platform: a key; its secret is derived from the master key and the id.
    ApiKeyCreated(Box<ApiKey>),
    /// Platform: a key by its id's hash gets an end; at once is revocation.
    ApiKeyEnds([u8; 16], Millis),
    /// A merchant's own shard knows it.
    MerchantOpened(MerchantProfile),
    /// A store.
    StoreCreated(StoreProfile),
    /// A stock, in draft.
    StockCreated(Box<StockProfile>),
    /// All that may be changed of a stock.
    StockChanged(u64, Box<StockProfile>),
    /// A step of a stock's life.
    StockMoved(u64, StockState, StopRedemptions),
    /// A stock's total.
    TotalSet(u64, u64),
    /// A stock's budget in minor units.
    BudgetSet(u64, Option<i64>),
    /// A stock's limits.
    LimitsSet(u64, Limits),
    /// Codes made ahead.
    CodesMade(CodesMade),
    /// What is left of a batch is void.
    BatchVoided(u64, String),
    /// A coupon came into a user's hands.
    CouponClaimed(Box<Claim>),
    /// Coupons were locked for an order.
    CouponsLocked(Box<Lock>),
    /// A lock lives longer.
    LockExtended(u64, Millis),
    /// A lock was let go.
    LockReleased(u64, ReleaseReason),
    /// A lock's time was up.
    LockExpired(u64),
    /// Coupons were used in an order.
    CouponsRedeemed(Box<Redemption>),
    /// A redemption was taken back, in part or whole.
    RedemptionReversed(Box<Reversal>),
    /// A coupon is void.
    CouponVoided(Void),
    /// A stock's claimed coupons with this end are over; moves their count.
    CouponsExpired(u64, Millis),
    /// Work on many rows begins.
    OperationStarted(Operation),
    /// A chunk of merchant's codes; what became of each is decided where it stands.
    CodesImported(ImportChunk),
    /// A chunk of users; what became of each is decided where it stands.
    CouponsSent(SendChunk),
    /// At a merchant's rehearsals: a twin of one of its stocks, open until a date.
    RehearsalOpened(Box<Rehearsal>),
    /// A twin's date has come: it is closed, and so much of it is forgotten.
    RehearsalForgotten(Forgotten),
    /// How many redemptions a day a stock expects at most; stock 0 is the one that this record makes.
    RedemptionsExpected(u64, u64),
    /// A load test's report.
    LoadTestStored(Box<LoadTest>),
    /// Platform: a version of a rule set.
    RulesPushed(Box<RulesPushed>),
    /// Platform: a step in a version's life.
    RulesMoved(Box<RulesMoved>),
    /// A decision is labelled.
    LabelSet(Box<LabelSet>),
    /// A step of a case.
    CaseStepped(Box<CaseStepped>),
    /// A step of a snooze.
    SnoozeStepped(Box<SnoozeStepped>),
    /// Who did what the record says, where that is a deed of somebody.
    Audited(Box<Audited>),
    /// A step of a list of risk.
    ListStepped(Box<ListStepped>),
    /// Platform: a version of a model; its text is the artifact.
    ModelPushed(Box<RulesPushed>),
    /// Platform: a step in its life.
    ModelMoved(Box<RulesMoved>),
    /// A penalty is imposed, or moves on.
    Penalty(Box<PenaltyStep>),
    /// An appeal is made, or decided.
    Appeal(Box<AppealStep>),
    /// How risk is handled at the merchant.
    RiskSettingsSet(Box<Set<RiskSettings>>),
    /// Platform: the ladder of penalties.
    PenaltyLadderSet(Box<Set<Ladder>>),
    /// The merchant's breaker begins anew.
    BreakerReset(Box<BreakerReset>),
    /// A challenge is answered.
    ChallengeAnswered(Box<ChallengeAnswered>),
    /// A decision was asked for by itself; its number is this record's sequence.
    Decided(Box<DecisionKept>),
    /// Platform: a step of a user.
    UserStepped(Box<UserStepped>),
}

/// Where `close` and `pause` stop redemptions too.
pub type StopRedemptions = bool;

/// A merchant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MerchantProfile {
    /// As the platform calls it.
    pub name: String,
    /// Decides what a day is.
    pub zone: Zone,
    /// Live, or test.
    pub livemode: bool,
}

/// What a merchant may call how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quotas {
    /// Stocks, stores, batches.
    pub create_per_second: u32,
    /// Claims, validations, locks, redemptions, reversals.
    pub redeem_per_second: u32,
    /// Imports and sends.
    pub import_per_minute: u32,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { create_per_second: 50, redeem_per_second: 200, import_per_minute: 10 }
    }
}

/// Who may call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// As it stands in requests.
    pub key_id: String,
    /// `None` for those who see all merchants.
    pub merchant: Option<MerchantId>,
    /// As the API spells it.
    pub role: String,
    /// As its owner calls it.
    pub name: String,
    /// Bound to these stores.
    pub stores: Option<Vec<u64>>,
    /// Of a live merchant.
    pub livemode: bool,
}

/// A store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoreProfile {
    /// As the merchant calls it.
    pub name: String,
    /// Where it is.
    pub location: Option<Location>,
}

/// A point on earth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Location {
    /// Degrees, -90..=90.
    pub latitude: f64,
    /// Degrees, -180..=180.
    pub longitude: f64,
    /// In China maps are drawn in GCJ-02, satellites speak WGS 84.
    pub gcj02: bool,
}

/// What the caller wants to find again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The caller's own id.
    pub reference: Option<String>,
    /// At most 20 texts.
    pub metadata: BTreeMap<String, String>,
}

/// All of a stock that its maker says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockProfile {
    /// As the merchant calls it.
    pub name: String,
    /// What a customer reads.
    pub text: String,
    /// What it promises.
    pub terms: Terms,
    /// How many coupons at most.
    pub total: u64,
    /// Caps on events.
    pub limits: Limits,
    /// Of discount given, in minor units.
    pub budget: Option<i64>,
    /// The caller's.
    pub note: Note,
}

/// A twin of a stock, to rehearse on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rehearsal {
    /// Whose stock it is; rehearsals have the merchant's zone.
    pub merchant: MerchantProfile,
    /// The stock that it is a twin of.
    pub of: u64,
    /// Closed and forgotten from here on.
    pub until: Millis,
    /// What it promises.
    pub stock: StockProfile,
}

/// How far a twin is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// The twin.
    pub stock: u64,
    /// Running numbers below this one are.
    pub numbers: u64,
    /// What was made by records before this one is.
    pub sequences: Sequence,
}

/// A load test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadTest {
    /// Of which stock's promotion.
    pub stock: Option<u64>,
    /// Whether everything held.
    pub passed: bool,
    /// The profile that was run.
    pub profile: String,
    /// What it came to, in a line.
    pub verdict: String,
    /// The highest rate asked for, requests per second.
    pub peak_per_second: u64,
    /// All of it: JSON in zlib's format (RFC 1950).
    pub report: Vec<u8>,
    /// The caller's.
    pub note: Note,
}

/// A stock's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StockState {
    /// Terms may change, nothing may be claimed.
    Draft,
    /// Open.
    Active,
    /// No claims for now.
    Paused,
    /// No claims ever again.
    Closed,
}

/// A range of running numbers made ahead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodesMade {
    /// Of which stock.
    pub stock: u64,
    /// How many.
    pub count: u64,
    /// As the merchant calls the batch.
    pub label: String,
}

/// A claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Of which stock.
    pub stock: u64,
    /// The printed code's number; otherwise the stock hands out one.
    pub printed: Option<u64>,
    /// Its code is the merchant's own.
    pub imported: bool,
    /// Whose it is.
    pub user: Pseudonym,
    /// First moment of use.
    pub valid_from: Millis,
    /// First moment after.
    pub valid_until: Millis,
    /// Uses it starts with.
    pub uses: u32,
    /// Where it was handed out.
    pub channel: Option<String>,
    /// The sequence that last changed a printed coupon; 0 otherwise.
    pub previous: Sequence,
    /// Why it was let through.
    pub decision: Decision,
    /// The end user's data, encrypted.
    pub sealed: Vec<u8>,
    /// The caller's.
    pub note: Note,
}

/// A coupon's part in a lock or a redemption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which coupon.
    pub coupon: u64,
    /// Of which stock.
    pub stock: u64,
    /// How many uses.
    pub uses: u32,
    /// Uses that are left after it.
    pub uses_left: u32,
    /// Taken off, in minor units.
    pub discount: i64,
    /// Of which lines.
    pub shares: Vec<Share>,
    /// The sequence that last changed the coupon.
    pub previous: Sequence,
    /// What a made-ahead coupon that nobody claimed starts with.
    pub valid_from: Millis,
    /// As `valid_from`.
    pub valid_until: Millis,
}

/// A line's part of a discount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The caller's id of the line.
    pub line: String,
    /// Minor units.
    pub discount: i64,
}

/// The order as records keep it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderSummary {
    /// The caller's id.
    pub id: String,
    /// All of it.
    pub amount: i64,
    /// Taken off by this request.
    pub discount: i64,
    /// What is left to pay, earlier discounts taken off too.
    pub payable: i64,
    /// Of what.
    pub currency: Currency,
    /// The order's lines as priced: a lock may be redeemed for the same ones only.
    pub lines_hash: [u8; 16],
}

/// A lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Who holds this may extend, release and redeem.
    pub token: [u8; 16],
    /// First moment after.
    pub expires_at: Millis,
    /// For which order.
    pub order: OrderSummary,
    /// Which coupons.
    pub parts: Vec<Part>,
    /// Who and where.
    pub actor: Actor,
    /// Why it was let through.
    pub decision: Decision,
    /// The end user's data, encrypted.
    pub sealed: Vec<u8>,
    /// The caller's.
    pub note: Note,
}

/// Why a lock was let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReleaseReason {
    /// Paying did not work.
    PaymentFailed,
    /// The customer went away.
    Abandoned,
    /// The order changed.
    Changed,
}

/// Who uses coupons, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The customer.
    pub user: Option<Pseudonym>,
    /// The store.
    pub store: Option<u64>,
    /// The cashier.
    pub cashier: Option<String>,
    /// The till.
    pub terminal: Option<String>,
}

/// A redemption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redemption {
    /// For which order.
    pub order: OrderSummary,
    /// Which coupons.
    pub parts: Vec<Part>,
    /// The lock that it uses up.
    pub lock: Option<u64>,
    /// Who and where.
    pub actor: Actor,
    /// Why it was let through.
    pub decision: Decision,
    /// The end user's data, encrypted.
    pub sealed: Vec<u8>,
    /// The caller's.
    pub note: Note,
}

/// A reversal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reversal {
    /// Of which redemption.
    pub redemption: u64,
    /// Which coupons.
    pub parts: Vec<ReversedPart>,
    /// Nothing of the redemption is left.
    pub whole: bool,
    /// The caller's refund.
    pub refund_id: Option<String>,
    /// Why.
    pub reason: String,
    /// The caller's.
    pub note: Note,
}

/// A coupon's part in a reversal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReversedPart {
    /// Which coupon.
    pub coupon: u64,
    /// Of which stock.
    pub stock: u64,
    /// Uses given back.
    pub uses: u32,
    /// Uses left after it.
    pub uses_left: u32,
    /// Discount given back, in minor units.
    pub discount_returned: i64,
    /// What the coupon is after it.
    pub state: CouponState,
    /// The sequence that last changed the coupon.
    pub previous: Sequence,
}

/// A void.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Void {
    /// Which coupon.
    pub coupon: u64,
    /// Why.
    pub reason: String,
    /// The sequence that last changed the coupon.
    pub previous: Sequence,
    /// The lock that it ends, with which all its coupons are free again.
    pub lock: Option<u64>,
}

/// A coupon's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CouponState {
    /// Made ahead, in nobody's hands.
    Available,
    /// In somebody's hands.
    Claimed,
    /// Held for an order.
    Locked,
    /// All uses are used.
    Redeemed,
    /// Taken out of use.
    Voided,
    /// Its time is over.
    Expired,
}

/// Work on many rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// What is done.
    pub kind: OperationKind,
    /// On which stock.
    pub stock: u64,
    /// Rows.
    pub total: u64,
    /// As the merchant calls it.
    pub label: String,
    /// Under which name the rows lie at the instance that took them.
    pub rows: String,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperationKind {
    /// Makes codes ahead.
    MakeCodes,
    /// Takes in the merchant's codes.
    ImportCodes,
    /// Sends coupons to users.
    Send,
}

/// Some rows of an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportChunk {
    /// Of which operation.
    pub operation: u64,
    /// The rows, in order.
    pub rows: Vec<ImportRow>,
    /// Nothing comes after it.
    pub last: bool,
}

/// A row of an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImportRow {
    /// A code of the right form.
    Code(String),
    /// A code that stood earlier in the same upload.
    Duplicate(String),
    /// Not of the right form; what it begins with.
    Malformed(String),
}

/// Some rows of a send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendChunk {
    /// Of which operation.
    pub operation: u64,
    /// To whom.
    pub rows: Vec<SendRow>,
    /// From when; until when.
    pub validity: (Millis, Millis),
    /// Nothing comes after it.
    pub last: bool,
}

/// A row of a send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendRow {
    /// To whom.
    pub user: Pseudonym,
    /// The user's id, encrypted.
    pub sealed: Vec<u8>,
}
