//! State as rows: what folding the ledger leaves behind. Rows hold nothing that depends on the log's layout.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::appeal::AppealRow;
use crate::audit::{AuditEnds, AuditRow};
use crate::breaker::BreakerRow;
use crate::case::CaseRow;
use crate::challenge::{PassedEnds, PassedRow};
use crate::event::{
    ApiKey, CouponState, LoadTest, MerchantProfile, OperationKind, Pseudonym, Quotas, StockProfile, StockState,
    StoreProfile,
};
use crate::id::{MerchantId, Sequence, Shard};
use crate::label::LabelRow;
use crate::list::{ItemRow, ListRow};
use crate::penalty::{Deed, Ladder, PenaltyRow, Sanctioned, Standing};
use crate::record::RequestKey;
use crate::risk_settings::{Kept, RiskSettings};
use crate::ruleset::RuleSetRow;
use crate::snooze::SnoozeRow;
use crate::subject::Subject;
use crate::terms::Millis;
use crate::user::UserRow;

/// Which row. The merchant decides the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Key {
    /// A merchant: its profile in the platform's shard under `PLATFORM`, its own copy under itself.
    Merchant(MerchantId, MerchantId),
    /// An API key by the hash of its id; under `PLATFORM`.
    ApiKey(MerchantId, [u8; 16]),
    /// A store.
    Store(MerchantId, u64),
    /// A stock.
    Stock(MerchantId, u64),
    /// A stock's counts.
    Counts(MerchantId, u64),
    /// Numbers that went back on a stock's shelf behind its cursor.
    Returned(MerchantId, u64),
    /// The next running number.
    NextNumber(MerchantId),
    /// Ranges of numbers made ahead or imported.
    Ranges(MerchantId),
    /// A batch of codes.
    Batch(MerchantId, u64),
    /// A coupon.
    Coupon(MerchantId, u64),
    /// A merchant's own code, by its hash.
    ImportedCode(MerchantId, [u8; 16]),
    /// The text of a merchant's own code.
    CodeText(MerchantId, u64),
    /// A lock.
    Lock(MerchantId, u64),
    /// A redemption.
    Redemption(MerchantId, u64),
    /// What stands for an order id.
    Order(MerchantId, [u8; 16]),
    /// A user's counts at a stock.
    UserCounts(MerchantId, u64, Pseudonym),
    /// A store's redemptions of a stock today.
    StoreCounts(MerchantId, u64, u64),
    /// An operation.
    Operation(MerchantId, u64),
    /// What became of the rows of an operation's chunk.
    Results(MerchantId, u64, u64),
    /// A request, in the shard of its merchant.
    Request(Shard, RequestKey),
    /// A twin to rehearse on.
    Rehearsal(MerchantId, u64),
    /// What a stock's promotion expects, and whether it was tested.
    Readiness(MerchantId, u64),
    /// A load test.
    LoadTest(MerchantId, u64),
    /// A rule set; under `PLATFORM`.
    RuleSet(MerchantId, u64),
    /// The labels of a decision.
    Label(MerchantId, u64),
    /// Which decision a label is of, by the label's number.
    LabelId(MerchantId, u64),
    /// A case.
    Case(MerchantId, u64),
    /// Which case of a subject is not closed.
    OpenCase(MerchantId, Subject),
    /// A snooze.
    Snooze(MerchantId, u64),
    /// A deed, by its record.
    Audit(MerchantId, Sequence),
    /// The first and the last deed that can be found.
    AuditEnds(MerchantId),
    /// A list of risk; of a merchant, or the platform's.
    List(MerchantId, u64),
    /// An item of it, by what stands for its value.
    ListItem(MerchantId, u64, [u8; 16]),
    /// A model; under `PLATFORM`.
    Model(MerchantId, u64),
    /// A penalty.
    Penalty(MerchantId, u64),
    /// An appeal by its number; the last one about a penalty or a decision by that one's number too.
    Appeal(MerchantId, u64),
    /// How risk is handled.
    RiskSettings(MerchantId),
    /// The ladder of penalties; under `PLATFORM`.
    PenaltyLadder(MerchantId),
    /// Until when a subject is let through what is to be reviewed.
    Cleared(MerchantId, Subject),
    /// A merchant's breaker.
    Breaker(MerchantId),
    /// A request that is let through for a proof.
    Passed(MerchantId, RequestKey),
    /// The first and the last of them.
    PassedEnds(MerchantId),
    /// A user; under `PLATFORM`.
    User(MerchantId, u64),
    /// Which user has a name, by its hash; under `PLATFORM`.
    UserName(MerchantId, [u8; 16]),
}

/// A row of state. What is large lies elsewhere: there are millions of rows, most of them requests and redemptions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Row {
    /// See [`Key::Merchant`].
    Merchant(Arc<Merchant>),
    /// See [`Key::ApiKey`].
    ApiKey(Arc<KeyRow>),
    /// See [`Key::Store`].
    Store(Arc<StoreProfile>),
    /// See [`Key::Stock`].
    Stock(Arc<Stock>),
    /// See [`Key::Counts`].
    Counts(Arc<Counts>),
    /// See [`Key::Returned`].
    Returned(Arc<BTreeSet<u64>>),
    /// See [`Key::NextNumber`].
    NextNumber(u64),
    /// See [`Key::Ranges`].
    Ranges(Arc<Vec<Range>>),
    /// See [`Key::Batch`].
    Batch(Arc<Batch>),
    /// See [`Key::Coupon`].
    Coupon(Arc<Coupon>),
    /// See [`Key::ImportedCode`].
    ImportedCode(u64),
    /// See [`Key::CodeText`].
    CodeText(Arc<str>),
    /// See [`Key::Lock`].
    Lock(Arc<LockRow>),
    /// See [`Key::Redemption`].
    Redemption(Arc<RedemptionRow>),
    /// See [`Key::Order`].
    Order(Arc<OrderRow>),
    /// See [`Key::UserCounts`].
    UserCounts(UserCounts),
    /// See [`Key::StoreCounts`].
    StoreCounts(DayCount),
    /// See [`Key::Operation`].
    Operation(Arc<OperationRow>),
    /// See [`Key::Results`].
    Results(Arc<Vec<RowResult>>),
    /// See [`Key::Request`].
    Request(RequestRow),
    /// See [`Key::Rehearsal`].
    Rehearsal(Arc<RehearsalRow>),
    /// See [`Key::Readiness`].
    Readiness(Readiness),
    /// See [`Key::LoadTest`].
    LoadTest(Arc<LoadTestRow>),
    /// See [`Key::RuleSet`].
    RuleSet(Arc<RuleSetRow>),
    /// See [`Key::Label`].
    Label(Arc<LabelRow>),
    /// See [`Key::LabelId`].
    LabelId(u64),
    /// See [`Key::Case`].
    Case(Arc<CaseRow>),
    /// See [`Key::OpenCase`].
    OpenCase(u64),
    /// See [`Key::Snooze`].
    Snooze(Arc<SnoozeRow>),
    /// See [`Key::Audit`].
    Audit(Arc<AuditRow>),
    /// See [`Key::AuditEnds`].
    AuditEnds(AuditEnds),
    /// See [`Key::List`].
    List(Arc<ListRow>),
    /// See [`Key::ListItem`].
    ListItem(Arc<ItemRow>),
    /// See [`Key::Model`].
    Model(Arc<RuleSetRow>),
    /// See [`Key::Penalty`].
    Penalty(Arc<PenaltyRow>),
    /// See [`Key::Appeal`].
    Appeal(Arc<AppealRow>),
    /// See [`Key::RiskSettings`].
    RiskSettings(Arc<Kept<RiskSettings>>),
    /// See [`Key::PenaltyLadder`].
    PenaltyLadder(Arc<Kept<Ladder>>),
    /// See [`Key::Cleared`].
    Cleared(Millis),
    /// See [`Key::Breaker`].
    Breaker(BreakerRow),
    /// See [`Key::Passed`].
    Passed(PassedRow),
    /// See [`Key::PassedEnds`].
    PassedEnds(PassedEnds),
    /// See [`Key::User`].
    User(Arc<UserRow>),
    /// See [`Key::UserName`].
    UserName(u64),
}

/// A merchant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Merchant {
    /// Who it is.
    pub profile: MerchantProfile,
    /// What it may call how often; only the platform's copy counts.
    pub quotas: Quotas,
    /// Made at.
    pub created_at: Millis,
    /// What its penalties come to, in its own copy; nothing where it never had one. Stored as one zero byte then, which
    /// is what stood here before there were penalties.
    pub standing: Option<Box<Standing>>,
}

/// An API key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// Who may call.
    pub key: ApiKey,
    /// Made at.
    pub created_at: Millis,
    /// Good before this only.
    pub ends_at: Option<Millis>,
    /// The last change.
    pub version: Sequence,
}

/// A stock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stock {
    /// The last change of this row.
    pub version: Sequence,
    /// The change before; 0 when this is the first.
    pub previous: Sequence,
    /// Made at.
    pub created_at: Millis,
    /// Where in its life it is.
    pub state: StockState,
    /// Its coupons may not be used now.
    pub redemptions_stopped: bool,
    /// What its maker says.
    pub profile: StockProfile,
}

/// A stock's counts. `available` is what is missing from the total.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Numbers issued: claimed ones and all that were made ahead.
    pub issued: u64,
    /// Made ahead and in nobody's hands.
    pub on_shelf: u64,
    /// Where the search for the next number on the shelf begins.
    pub cursor: u64,
    /// Claimed coupons by the end of their validity, which a tick moves to `expired`.
    pub claimed: Vec<(Millis, u64)>,
    /// Held for orders.
    pub locked: u64,
    /// All uses used.
    pub redeemed: u64,
    /// Taken out of use.
    pub voided: u64,
    /// Counted as expired by a tick.
    pub expired: u64,
    /// Discount given and not returned, minor units.
    pub discount_given: i64,
    /// Discount held by locks, minor units.
    pub discount_held: i64,
    /// Claims of the day.
    pub claims: DayCount,
}

/// A count of the merchant's day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayCount {
    /// The day's first moment.
    pub day: Millis,
    /// How many.
    pub count: u64,
}

/// A user's counts at a stock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserCounts {
    /// Claims in all.
    pub claims: u64,
    /// Claims of the day.
    pub day_claims: DayCount,
    /// Redemptions of the day.
    pub day_redemptions: DayCount,
}

/// Numbers `start..start + count` of a batch, all of one stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The first.
    pub start: u64,
    /// How many.
    pub count: u64,
    /// Whose.
    pub stock: u64,
    /// In which batch.
    pub batch: u64,
}

/// A batch of codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Made, or voided, by.
    pub version: Sequence,
    /// Of which stock.
    pub stock: u64,
    /// How many.
    pub count: u64,
    /// How many left the shelf.
    pub taken: u64,
    /// What was on the shelf is void since.
    pub voided_at: Option<Millis>,
    /// Made at.
    pub created_at: Millis,
    /// As the merchant calls it.
    pub label: Arc<str>,
}

/// A coupon that somebody has touched. One made ahead that nobody touched has no row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coupon {
    /// The last record that changed it; events name the one before, so that its whole story can be followed.
    pub version: Sequence,
    /// Of which stock.
    pub stock: u64,
    /// Of which batch, if made ahead.
    pub batch: Option<u64>,
    /// Whose.
    pub user: Option<Pseudonym>,
    /// Available, claimed, locked, redeemed or voided; that it expired is seen from the time.
    pub state: CouponState,
    /// First moment of use.
    pub valid_from: Millis,
    /// First moment after.
    pub valid_until: Millis,
    /// Uses it started with.
    pub uses: u32,
    /// Uses that are left.
    pub uses_left: u32,
    /// Claimed at.
    pub claimed_at: Option<Millis>,
    /// The last use.
    pub used_at: Option<Millis>,
    /// Its lock.
    pub lock: Option<u64>,
    /// Its last redemption.
    pub redemption: Option<u64>,
    /// The claim.
    pub claim: Option<Sequence>,
    /// What had changed it last when it was claimed from the shelf; 0 if it was made by its claim.
    pub before_claim: Sequence,
    /// Reversals of earlier uses while a lock held it: the lock, and the reversal's record. The end of a lock names
    /// the lock as what was before it, and without these the story would leave them out.
    pub reversed_in_lock: Vec<(u64, Sequence)>,
}

/// A live lock; a lock that ended keeps its row, without parts, for those who come late.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LockRow {
    /// The last change.
    pub version: Sequence,
    /// What it holds.
    pub lock: crate::event::Lock,
    /// Made at.
    pub created_at: Millis,
    /// How it ended.
    pub end: Option<LockEnd>,
    /// The redemption that used it up.
    pub redemption: Option<u64>,
    /// The first moment of the day for whose limits it counts.
    pub day: Millis,
}

/// How a lock ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LockEnd {
    /// Its coupons were redeemed.
    Redeemed,
    /// It was released.
    Released,
    /// Its time was up.
    Expired,
    /// One of its coupons was voided.
    Voided,
}

/// A redemption and what is left of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedemptionRow {
    /// The last change.
    pub version: Sequence,
    /// Redeemed at.
    pub redeemed_at: Millis,
    /// The order's hash.
    pub order: [u8; 16],
    /// The order id.
    pub order_id: Arc<str>,
    /// Which coupons, with what was reversed of them.
    pub parts: Vec<RedeemedPart>,
    /// Of which user.
    pub user: Option<Pseudonym>,
    /// In which store.
    pub store: Option<u64>,
    /// For which store it was counted, on the day that begins then.
    pub counted_store: Option<(u64, Millis)>,
    /// By whom.
    pub cashier: Option<Arc<str>>,
}

/// A coupon's part in a redemption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedeemedPart {
    /// Which coupon.
    pub coupon: u64,
    /// Of which stock.
    pub stock: u64,
    /// Uses.
    pub uses: u32,
    /// Uses that were given back.
    pub uses_reversed: u32,
    /// Discount, minor units.
    pub discount: i64,
    /// Discount that was given back.
    pub discount_returned: i64,
    /// Of which lines, by their hash.
    pub shares: Vec<(u64, i64)>,
    /// Whose use it was counted as, on the day that begins then.
    pub counted_user: Option<(Pseudonym, Millis)>,
    /// The coupon's redemption before this one: all of them can be followed back.
    pub earlier: Option<u64>,
}

/// What stands for an order id: unreversed redemptions and live locks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    /// The last change.
    pub version: Sequence,
    /// Coupons in it.
    pub parts: Vec<OrderPart>,
    /// Redemptions ever made for it, whatever became of them.
    pub redemptions: Vec<u64>,
}

/// A coupon that stands for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPart {
    /// By this redemption or lock.
    pub by: u64,
    /// By a lock.
    pub locked: bool,
    /// Which coupon.
    pub coupon: u64,
    /// Of which stock.
    pub stock: u64,
    /// What it takes off which lines.
    pub shares: Vec<(u64, i64)>,
}

/// An operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationRow {
    /// The last change, by which the story of its chunks can be followed.
    pub version: Sequence,
    /// The change before.
    pub previous: Sequence,
    /// What is done.
    pub kind: OperationKind,
    /// On which stock.
    pub stock: u64,
    /// Rows.
    pub total: u64,
    /// Rows that are done, good or bad.
    pub done: u64,
    /// Rows that went wrong.
    pub failed: u64,
    /// Chunks that are done.
    pub chunks: u64,
    /// No more chunks come.
    pub finished: bool,
    /// Begun at.
    pub created_at: Millis,
}

/// What became of a row of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowResult {
    /// It was done; the coupon's running number.
    Done(u64),
    /// The merchant has this code already.
    Exists,
    /// The same upload had it before.
    Duplicate,
    /// Not of the right form.
    Malformed,
    /// The stock has no room, or nothing is left of it.
    SoldOut,
    /// The user has as many as one may have.
    UserLimit,
    /// Of the day no more are left.
    DayLimit,
    /// The stock is not open.
    NotActive,
}

impl RowResult {
    /// The coupon's running number, when it was done.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Done(number) => Some(*number),
            _ => None,
        }
    }
}

/// A twin to rehearse on, until its date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RehearsalRow {
    /// The stock that it is a twin of.
    pub of: u64,
    /// Closed and forgotten from here on.
    pub until: Millis,
    /// Made at.
    pub created_at: Millis,
    /// The record that closed it, once its date has come: nothing was made after it.
    pub closed: Option<Sequence>,
    /// Running numbers below this one are forgotten.
    pub numbers: u64,
    /// What was made by records before this one is.
    pub sequences: Sequence,
}

/// What a stock's promotion expects, and whether it was tested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Redemptions a day at most; 0 where nothing was said.
    pub expected_daily: u64,
    /// The last load test that passed.
    pub passed: Option<Sequence>,
}

/// A load test; the report stands in its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadTestRow {
    /// Of which stock's promotion.
    pub stock: Option<u64>,
    /// Stored at.
    pub created_at: Millis,
    /// Whether everything held.
    pub passed: bool,
    /// The profile that was run.
    pub profile: Arc<str>,
    /// What it came to, in a line.
    pub verdict: Arc<str>,
    /// The highest rate asked for, requests per second.
    pub peak_per_second: u64,
}

/// A request's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRow {
    /// The last change, in steps of [`REQUEST_STAMP_MS`] since the epoch; forgotten a day later.
    pub stamp: u32,
    /// Refusals, and attempts that they made void.
    pub fences: u32,
    /// The last refusal's code number.
    pub refusal: u16,
    /// What became of it.
    pub outcome: RequestOutcome,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestOutcome {
    /// Refused so far.
    Open,
    /// It happened.
    Done(Done),
    /// It never will.
    Cancelled,
}

/// The record that a request became.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Where it stands.
    pub sequence: Sequence,
    /// The running number that it was given, if it was.
    pub number: u64,
    /// Of the request.
    pub fingerprint: [u8; 16],
}

/// Read access to rows.
pub trait View {
    /// The row under a key.
    fn get(&self, key: &Key) -> Option<&Row>;
}

/// Write access to rows.
pub trait Rows: View {
    /// Puts a row in place of what was there.
    fn put(&mut self, key: Key, row: Row);
    /// Takes a row away.
    fn remove(&mut self, key: &Key);
    /// Takes away the requests of a shard with an older stamp.
    fn forget_requests(&mut self, shard: Shard, older_than: u32);
}

impl Key {
    /// In which shard it lies.
    pub fn shard(&self) -> Shard {
        match *self {
            Self::Request(shard, _) => shard,
            Self::Merchant(m, _)
            | Self::ApiKey(m, _)
            | Self::Store(m, _)
            | Self::Stock(m, _)
            | Self::Counts(m, _)
            | Self::Returned(m, _)
            | Self::NextNumber(m)
            | Self::Ranges(m)
            | Self::Batch(m, _)
            | Self::Coupon(m, _)
            | Self::ImportedCode(m, _)
            | Self::CodeText(m, _)
            | Self::Lock(m, _)
            | Self::Redemption(m, _)
            | Self::Order(m, _)
            | Self::UserCounts(m, _, _)
            | Self::StoreCounts(m, _, _)
            | Self::Operation(m, _)
            | Self::Results(m, _, _)
            | Self::Rehearsal(m, _)
            | Self::Readiness(m, _)
            | Self::LoadTest(m, _)
            | Self::RuleSet(m, _)
            | Self::Label(m, _)
            | Self::LabelId(m, _)
            | Self::Case(m, _)
            | Self::OpenCase(m, _)
            | Self::Snooze(m, _)
            | Self::List(m, _)
            | Self::ListItem(m, _, _)
            | Self::Model(m, _)
            | Self::Audit(m, _)
            | Self::AuditEnds(m)
            | Self::Penalty(m, _)
            | Self::Appeal(m, _)
            | Self::RiskSettings(m)
            | Self::PenaltyLadder(m)
            | Self::Cleared(m, _)
            | Self::Breaker(m)
            | Self::Passed(m, _)
            | Self::PassedEnds(m)
            | Self::User(m, _)
            | Self::UserName(m, _) => m.shard(),
        }
    }
}

macro_rules! readers {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*) -> $variant:ident as $out:ty;)*) => {
        /// Typed reads over any [`View`].
        pub trait Read: View {
            $($(#[$doc])*
            fn $name(&self, merchant: MerchantId $(, $arg: $ty)*) -> Option<&$out> {
                match self.get(&Key::$variant(merchant $(, $arg)*)) {
                    Some(Row::$variant(row)) => Some(row),
                    _ => None,
                }
            })*
        }
    };
}

readers! {
    /// A merchant's row.
    merchant_row(of: MerchantId) -> Merchant as Arc<Merchant>;
    /// A key's row.
    api_key(hash: [u8; 16]) -> ApiKey as Arc<KeyRow>;
    /// A store.
    store(number: u64) -> Store as Arc<StoreProfile>;
    /// A stock.
    stock(number: u64) -> Stock as Arc<Stock>;
    /// A stock's counts.
    counts(stock: u64) -> Counts as Arc<Counts>;
    /// Numbers back on the shelf.
    returned(stock: u64) -> Returned as Arc<BTreeSet<u64>>;
    /// The next running number.
    next_number() -> NextNumber as u64;
    /// Ranges made ahead.
    ranges() -> Ranges as Arc<Vec<Range>>;
    /// A batch.
    batch(number: u64) -> Batch as Arc<Batch>;
    /// A coupon that has a row.
    coupon_row(number: u64) -> Coupon as Arc<Coupon>;
    /// The number behind an imported code's hash.
    imported_code(hash: [u8; 16]) -> ImportedCode as u64;
    /// The text of an imported code.
    code_text(number: u64) -> CodeText as Arc<str>;
    /// A lock.
    lock(number: u64) -> Lock as Arc<LockRow>;
    /// A redemption.
    redemption(number: u64) -> Redemption as Arc<RedemptionRow>;
    /// What stands for an order.
    order(hash: [u8; 16]) -> Order as Arc<OrderRow>;
    /// A user's counts.
    user_counts(stock: u64, user: Pseudonym) -> UserCounts as UserCounts;
    /// A store's counts.
    store_counts(stock: u64, store: u64) -> StoreCounts as DayCount;
    /// An operation.
    operation(number: u64) -> Operation as Arc<OperationRow>;
    /// A twin to rehearse on.
    rehearsal(number: u64) -> Rehearsal as Arc<RehearsalRow>;
    /// What a stock's promotion expects.
    readiness(stock: u64) -> Readiness as Readiness;
    /// A load test.
    load_test(number: u64) -> LoadTest as Arc<LoadTestRow>;
    /// A rule set.
    ruleset(number: u64) -> RuleSet as Arc<RuleSetRow>;
    /// A decision's labels.
    label(decision: u64) -> Label as Arc<LabelRow>;
    /// The decision of a label.
    label_id(number: u64) -> LabelId as u64;
    /// A case.
    case(number: u64) -> Case as Arc<CaseRow>;
    /// A subject's open case.
    open_case(subject: Subject) -> OpenCase as u64;
    /// A snooze.
    snooze(number: u64) -> Snooze as Arc<SnoozeRow>;
    /// A list of risk.
    list(number: u64) -> List as Arc<ListRow>;
    /// An item of it.
    list_item(list: u64, item: [u8; 16]) -> ListItem as Arc<ItemRow>;
    /// A model.
    model(number: u64) -> Model as Arc<RuleSetRow>;
    /// A deed.
    audit(sequence: Sequence) -> Audit as Arc<AuditRow>;
    /// The first and the last deed.
    audit_ends() -> AuditEnds as AuditEnds;
    /// A penalty.
    penalty(number: u64) -> Penalty as Arc<PenaltyRow>;
    /// An appeal, or the last one about something.
    appeal(number: u64) -> Appeal as Arc<AppealRow>;
    /// How risk is handled.
    risk_settings() -> RiskSettings as Arc<Kept<RiskSettings>>;
    /// The ladder of penalties.
    penalty_ladder() -> PenaltyLadder as Arc<Kept<Ladder>>;
    /// Until when a subject is let through.
    cleared(subject: Subject) -> Cleared as Millis;
    /// The merchant's breaker.
    breaker() -> Breaker as BreakerRow;
    /// A request that is let through for a proof.
    passed(request: RequestKey) -> Passed as PassedRow;
    /// The first and the last of them.
    passed_ends() -> PassedEnds as PassedEnds;
    /// A user.
    user(number: u64) -> User as Arc<UserRow>;
    /// The user of a name.
    user_name(name: [u8; 16]) -> UserName as u64;
    /// The results of a chunk.
    results(operation: u64, chunk: u64) -> Results as Arc<Vec<RowResult>>;
}

impl<V: View + ?Sized> Read for V {}

/// How long a request's key is kept: the promise is 24 h.
pub const REQUEST_KEPT_MS: Millis = 25 * 3600 * 1000;
/// Keys are forgotten in steps of this.
pub const REQUEST_STAMP_MS: Millis = 10_000;

/// The row of a request that is not forgotten at `now`.
pub fn live_request<V: View + ?Sized>(view: &V, shard: Shard, key: RequestKey, now: Millis) -> Option<&RequestRow> {
    match view.get(&Key::Request(shard, key)) {
        Some(Row::Request(row)) if row.stamp >= oldest_stamp(now) => Some(row),
        _ => None,
    }
}

/// The stamp of a request row that changes at `now`.
pub fn stamp(now: Millis) -> u32 {
    u32::try_from(now.max(0) / REQUEST_STAMP_MS).unwrap_or(u32::MAX)
}

/// Request rows with an older stamp are forgotten at `now`.
pub fn oldest_stamp(now: Millis) -> u32 {
    stamp(now - REQUEST_KEPT_MS)
}

impl Merchant {
    /// The sanction that bars a deed at a time.
    pub fn barred(&self, deed: Deed, now: Millis) -> Option<Sanctioned> {
        self.standing.as_deref()?.barred(deed, now)
    }
}

impl Stock {
    /// A stock as the record that makes it leaves it.
    pub fn draft(profile: StockProfile, sequence: Sequence, created_at: Millis) -> Self {
        Self {
            version: sequence,
            previous: 0,
            created_at,
            state: StockState::Draft,
            redemptions_stopped: false,
            profile,
        }
    }
}

impl LoadTestRow {
    /// What stays of a load test beside its record.
    pub fn of(test: &LoadTest, created_at: Millis) -> Self {
        Self {
            stock: test.stock,
            created_at,
            passed: test.passed,
            profile: test.profile.as_str().into(),
            verdict: test.verdict.as_str().into(),
            peak_per_second: test.peak_per_second,
        }
    }
}

impl RedemptionRow {
    /// Whose it is: who was named, and the owners of its coupons; some more than once.
    pub fn users(&self) -> impl Iterator<Item = Pseudonym> {
        self.user.into_iter().chain(self.parts.iter().filter_map(|part| part.counted_user.map(|(user, _)| user)))
    }
}

impl DayCount {
    /// The count on the day that begins at `day`.
    pub fn on(self, day: Millis) -> u64 {
        if self.day == day { self.count } else { 0 }
    }

    /// Adds on a day; an older day's count is gone.
    pub fn add(&mut self, day: Millis, n: u64) {
        *self = Self { day, count: self.on(day) + n };
    }

    /// Adds on a day, or takes back from it, if it is still that day.
    pub fn change(&mut self, day: Millis, n: i64) {
        if n >= 0 {
            self.add(day, n.unsigned_abs());
        } else if self.day == day {
            self.count = self.count.saturating_sub(n.unsigned_abs());
        }
    }
}

impl Counts {
    /// Coupons in users' hands whose time is not over at `now`.
    pub fn claimed_at(&self, now: Millis) -> u64 {
        self.claimed.iter().filter(|(until, _)| *until > now).map(|(_, n)| n).sum()
    }

    /// Coupons whose time is over at `now`, whether or not a tick has counted them.
    pub fn expired_at(&self, now: Millis) -> u64 {
        self.expired + self.claimed.iter().filter(|(until, _)| *until <= now).map(|(_, n)| n).sum::<u64>()
    }

    /// What is not yet in anybody's hands.
    pub fn available(&self, total: u64) -> u64 {
        let elsewhere: u64 = self.claimed.iter().map(|(_, n)| n).sum();
        total.saturating_sub(elsewhere + self.locked + self.redeemed + self.voided + self.expired)
    }

    /// Budget that is used or held, minor units.
    pub fn budget_used(&self) -> i64 {
        self.discount_given + self.discount_held
    }
}
