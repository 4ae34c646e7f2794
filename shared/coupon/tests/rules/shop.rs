//! A merchant over plain maps: what is decided is folded at once.

use std::collections::HashMap;

use coupon::command::{ClaimCommand, Claimed, Command, CouponRef, LockTerms, ReverseCommand, Step, UseCommand};
use coupon::decide::{Decided, Proposal, Scene, decide};
use coupon::event::{Actor, Decision, MerchantProfile, Note, Pseudonym, ReleaseReason, StockProfile};
use coupon::fold::{At, Outcome, Rules, find_coupon, fold};
use coupon::id::MerchantId;
use coupon::money::CNY;
use coupon::order::{Order, OrderLine};
use coupon::record::{Entry, Origin, Record, Request};
use coupon::rejection::Rejection;
use coupon::state::{Counts, Coupon, Key, Read, Row, Rows, View};
use coupon::terms::{AppliesTo, CodeMode, Limits, Millis, Stacking, Terms, Validity, Value, Zone};

pub(crate) const MERCHANT: MerchantId = MerchantId(7);
pub(crate) const TOKEN: [u8; 16] = [9; 16];
/// 2026-03-10 12:00 in Shanghai, a Tuesday.
pub(crate) const NOON: Millis = 1_773_115_200_000;
pub(crate) const SECOND: Millis = 1_000;
pub(crate) const HOUR: Millis = 3_600_000;
pub(crate) const DAY: Millis = 24 * HOUR;
pub(crate) const ANN: Pseudonym = [1; 16];
pub(crate) const BOB: Pseudonym = [2; 16];

#[derive(Default)]
pub(crate) struct Maps(HashMap<Key, Row>);

impl Maps {
    /// The keys of all rows of a merchant, but for the numbers that it counts on with.
    pub(crate) fn of(&self, merchant: MerchantId) -> Vec<Key> {
        let own = |key: &&Key| {
            matches!(key,
                Key::Merchant(of, _) | Key::Stock(of, _) | Key::Counts(of, _) | Key::Returned(of, _)
                | Key::Batch(of, _) | Key::Coupon(of, _) | Key::Lock(of, _) | Key::Redemption(of, _)
                | Key::Order(of, _) | Key::UserCounts(of, ..) | Key::StoreCounts(of, ..) | Key::Operation(of, _)
                | Key::Results(of, ..) | Key::Rehearsal(of, _) if *of == merchant)
        };
        self.0.keys().filter(own).copied().collect()
    }
}

impl View for Maps {
    fn get(&self, key: &Key) -> Option<&Row> {
        self.0.get(key)
    }
}

impl Rows for Maps {
    fn put(&mut self, key: Key, row: Row) {
        self.0.insert(key, row);
    }

    fn remove(&mut self, key: &Key) {
        self.0.remove(key);
    }

    fn forget_requests(&mut self, _: coupon::id::Shard, older_than: u32) {
        self.0.retain(|_, row| !matches!(row, Row::Request(request) if request.stamp < older_than));
    }
}

/// A merchant at a moment.
pub(crate) struct Shop {
    pub(crate) rows: Maps,
    pub(crate) sequence: u64,
    pub(crate) now: Millis,
    /// Whose is what is done: the merchant, or its rehearsals.
    pub(crate) at: MerchantId,
}

impl Shop {
    /// A merchant in Shanghai at noon.
    pub(crate) fn open() -> Self {
        let mut shop = Self { rows: Maps::default(), sequence: 0, now: NOON, at: MERCHANT };
        let profile =
            MerchantProfile { name: "茶铺".to_owned(), zone: Zone(chrono_tz::Asia::Shanghai), livemode: false };
        shop.does(&Command::OpenMerchant(profile));
        shop
    }

    /// A merchant with an active stock, and the stock's number.
    pub(crate) fn with(stock: StockProfile) -> (Self, u64) {
        let mut shop = Self::open();
        let number = shop.stock(stock);
        (shop, number)
    }

    /// An active stock.
    pub(crate) fn stock(&mut self, profile: StockProfile) -> u64 {
        let number = self.draft(profile);
        self.does(&Command::MoveStock(number, Step::Activate { tested_above: None }, false));
        number
    }

    pub(crate) fn draft(&mut self, profile: StockProfile) -> u64 {
        self.does(&Command::CreateStock(Box::new(profile), 0));
        self.sequence
    }

    pub(crate) fn decides(&self, command: &Command) -> Decided {
        decide(Scene { view: &self.rows, merchant: self.at, now: self.now }, command)
    }

    /// What stands against a command.
    pub(crate) fn refuses(&self, command: &Command) -> Rejection {
        match self.decides(command) {
            Ok(proposal) => panic!("{proposal:?}"),
            Err(refusal) => refusal.rejection,
        }
    }

    /// Decides and folds; the running number that it gave.
    pub(crate) fn does(&mut self, command: &Command) -> u64 {
        let proposal = self.decides(command).unwrap_or_else(|refusal| panic!("refused: {refusal:?}"));
        match self.fold(proposal, None) {
            Outcome::Applied(number) => number,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn fold(&mut self, proposal: Proposal, request: Option<Request>) -> Outcome {
        let Proposal { guards, events } = proposal;
        let origin = Origin { instance: 1, number: self.sequence + 1 };
        self.append(&Entry::Guarded(Record {
            merchant: self.at,
            origin,
            proposed_at: self.now,
            request,
            guards,
            events,
        }))
    }

    pub(crate) fn append(&mut self, entry: &Entry) -> Outcome {
        self.sequence += 1;
        let at = At { shard: MERCHANT.shard(), sequence: self.sequence, time: self.now };
        let outcome = fold(&mut self.rows, entry, at, Rules::default());
        self.is_sound();
        outcome
    }

    /// I9, after every record: what is counted is what a count of all coupons gives.
    fn is_sound(&self) {
        for (key, row) in &self.rows.0 {
            let (Key::Stock(merchant, number), Row::Stock(stock)) = (key, row) else { continue };
            let counts = self.rows.counts(*merchant, *number).expect("a stock");
            let claimed: u64 = counts.claimed.iter().map(|(_, n)| n).sum();
            let elsewhere = claimed + counts.locked + counts.redeemed + counts.voided + counts.expired;
            assert_eq!(counts.available(stock.profile.total) + elsewhere, stock.profile.total, "stock {number}");
        }
    }

    pub(crate) fn passes(&mut self, by: Millis) {
        self.now += by;
    }

    pub(crate) fn counts(&self, stock: u64) -> Counts {
        Counts::clone(self.rows.counts(self.at, stock).expect("a stock"))
    }

    pub(crate) fn coupon(&self, number: u64) -> Coupon {
        find_coupon(&self.rows, self.at, number).expect("a coupon")
    }

    /// Claims for a user; the coupon's number.
    pub(crate) fn claims(&mut self, stock: u64, user: Pseudonym) -> u64 {
        self.does(&claim(Claimed::Stock(stock), user))
    }

    /// Redeems one coupon in an order of its own; the redemption's number.
    pub(crate) fn redeems(&mut self, coupon: u64, of: &str) -> u64 {
        self.does(&redeem(&[(coupon, 1)], order(of, 10_000)));
        self.sequence
    }

    /// Locks for an hour; the lock's number.
    pub(crate) fn locks(&mut self, coupons: &[u64], of: &str) -> u64 {
        self.does(&lock(coupons, order(of, 10_000), 3_600));
        self.sequence
    }
}

/// Five yuan off ten, a thousand of them, for thirty days.
pub(crate) fn cash() -> StockProfile {
    StockProfile {
        name: "cash".to_owned(),
        text: String::new(),
        terms: Terms {
            value: Value::Cash { amount_off: 500, minimum_spend: 1_000 },
            currency: CNY,
            code_mode: CodeMode::Generated,
            claim_from: None,
            claim_until: None,
            validity: Validity::AfterClaim { delay_days: 0, days: 30 },
            store_ids: Vec::new(),
            applies_to: AppliesTo::default(),
            stacking: Stacking { max_per_order: 30, ..Stacking::default() },
            reversal_window_days: 2,
            available_times: Vec::new(),
        },
        total: 1_000,
        limits: Limits::default(),
        budget: None,
        note: Note::default(),
    }
}

/// The same with another total.
pub(crate) fn few(total: u64) -> StockProfile {
    StockProfile { total, ..cash() }
}

pub(crate) fn limited(limits: Limits) -> StockProfile {
    StockProfile { limits, ..cash() }
}

pub(crate) fn with_terms(change: impl FnOnce(&mut Terms)) -> StockProfile {
    let mut stock = cash();
    change(&mut stock.terms);
    stock
}

pub(crate) fn pool(total: u64) -> StockProfile {
    let stock = with_terms(|terms| terms.code_mode = CodeMode::Pool);
    StockProfile { total, ..stock }
}

pub(crate) fn multi_use(uses: u32, minimum_interval_seconds: u32) -> StockProfile {
    with_terms(|terms| terms.value = Value::MultiUse { uses, minimum_interval_seconds })
}

pub(crate) fn order(id: &str, amount: i64) -> Order {
    let (sku, category) = ("tea".to_owned(), Some("drinks".to_owned()));
    let line = OrderLine { id: "1".to_owned(), sku, category, quantity: 1, unit_amount: amount, amount };
    Order { id: id.to_owned(), amount, currency: CNY, shipping_amount: 0, lines: vec![line] }
}

pub(crate) fn claim(what: Claimed, user: Pseudonym) -> Command {
    let (decision, sealed, note) = (Decision::default(), Vec::new(), Note::default());
    Command::Claim(Box::new(ClaimCommand { what, user, channel: None, decision, sealed, note }))
}

pub(crate) fn usage(coupons: &[(u64, u32)], order: Order) -> UseCommand {
    UseCommand {
        coupons: coupons.iter().map(|(number, uses)| (CouponRef::Number(*number), *uses)).collect(),
        order,
        actor: Actor::default(),
        lock: None,
        decision: Decision::default(),
        sealed: Vec::new(),
        note: Note::default(),
    }
}

pub(crate) fn redeem(coupons: &[(u64, u32)], order: Order) -> Command {
    Command::Redeem(Box::new(usage(coupons, order)))
}

/// A redemption whose command is changed before it is asked for.
pub(crate) fn redeem_as(coupon: u64, change: impl FnOnce(&mut UseCommand)) -> Command {
    let mut command = usage(&[(coupon, 1)], order("o", 10_000));
    change(&mut command);
    Command::Redeem(Box::new(command))
}

pub(crate) fn redeem_lock(lock: u64, of: &str) -> Command {
    let command = UseCommand { lock: Some((lock, TOKEN)), ..usage(&[], order(of, 10_000)) };
    Command::Redeem(Box::new(command))
}

pub(crate) fn lock(coupons: &[u64], order: Order, ttl_seconds: u32) -> Command {
    let coupons: Vec<(u64, u32)> = coupons.iter().map(|number| (*number, 1)).collect();
    Command::Lock(Box::new(usage(&coupons, order)), LockTerms { token: TOKEN, ttl_seconds })
}

pub(crate) fn release(lock: u64) -> Command {
    Command::ReleaseLock(lock, TOKEN, ReleaseReason::Abandoned)
}

pub(crate) fn reverse(redemption: u64, coupons: Option<Vec<(u64, Option<u32>)>>) -> Command {
    let (refund_id, reason, note) = (None, "returned".to_owned(), Note::default());
    Command::Reverse(Box::new(ReverseCommand { redemption, coupons, refund_id, reason, note }))
}
