//! Wishes at random, over what the judge's books say there is.

use coupon::command::{
    ClaimCommand, Claimed, Command, CouponRef, LimitName, LockTerms, ReverseCommand, Step, UseCommand,
};
use coupon::event::{Actor, Note, ReleaseReason, StockState};
use coupon::id::{MerchantId, PLATFORM};
use coupon::record::RequestKey;
use coupon::terms::Millis;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::clients::{allowed, any_stock, key, merchant, order, pick, user};
use crate::judge::Book;
use crate::world::{Wish, World};

/// Keys are repeated for less than the day that they are kept.
const REPEATED_FOR_MS: Millis = 20 * 3600 * 1000;
const ORDERS: u64 = 4;
const USERS: u8 = 3;

/// Clients with a memory of what they sent.
pub struct Clients {
    rng: Xoshiro256PlusPlus,
    merchants: Vec<MerchantId>,
    sent: Vec<Sent>,
    next: u64,
}

#[derive(Clone)]
struct Sent {
    merchant: MerchantId,
    key: RequestKey,
    wish: Wish,
    fingerprint: [u8; 16],
    first: Millis,
}

impl Clients {
    /// Clients of these merchants.
    pub fn new(seed: u64, merchants: Vec<MerchantId>) -> Self {
        Self { rng: Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x00C1_1E57), merchants, sent: Vec::new(), next: 1 }
    }

    /// Opens the merchants: each at two instances at once, which must come to one merchant.
    pub fn open(&mut self, world: &mut World) {
        let profile = merchant("tea house");
        let create = Wish::Do(Box::new(Command::CreateMerchant(profile.clone())));
        world.submit(0, PLATFORM, Some(key(PLATFORM, 0)), create, [0; 16]);
        for &of in &self.merchants {
            for i in 0..world.instances().min(2) {
                world.submit(i, of, None, Wish::Do(Box::new(Command::OpenMerchant(profile.clone()))), [0; 16]);
            }
        }
    }

    /// One client does something.
    pub fn act(&mut self, world: &mut World) {
        let i = self.rng.random_range(0..world.instances());
        let old: Vec<usize> = self.recent(world.now);
        let again = (!old.is_empty()).then(|| *pick(&mut self.rng, &old)).filter(|_| self.rng.random_bool(0.3));
        match again {
            None => self.send_new(world, i),
            Some(old) => {
                let sent = self.sent[old].clone();
                let (wish, fingerprint) = match self.rng.random_range(0..10) {
                    0 => (Wish::Cancel, [0; 16]),
                    1 => (self.wish(world, sent.merchant), self.fingerprint()),
                    _ => (sent.wish, sent.fingerprint),
                };
                world.submit(i, sent.merchant, Some(sent.key), wish, fingerprint);
            }
        }
    }

    fn recent(&self, now: Millis) -> Vec<usize> {
        let from = self.sent.len().saturating_sub(12);
        (from..self.sent.len()).filter(|&n| now - self.sent[n].first < REPEATED_FOR_MS).collect()
    }

    fn fingerprint(&mut self) -> [u8; 16] {
        self.rng.random()
    }

    fn send_new(&mut self, world: &mut World, i: usize) {
        let merchant = *pick(&mut self.rng, &self.merchants);
        let wish = self.wish(world, merchant);
        let (key, fingerprint) = (key(merchant, self.next), self.fingerprint());
        self.next += 1;
        self.sent.push(Sent { merchant, key, wish: wish.clone(), fingerprint, first: world.now });
        world.submit(i, merchant, Some(key), wish.clone(), fingerprint);
        // An impatient client sends it elsewhere too.
        if self.rng.random_bool(0.1) {
            let other = self.rng.random_range(0..world.instances());
            world.submit(other, merchant, Some(key), wish, fingerprint);
        }
    }

    fn wish(&mut self, world: &World, merchant: MerchantId) -> Wish {
        let empty = Book::default();
        let book = world.judge.books.get(&merchant).unwrap_or(&empty);
        Wish::Do(Box::new(self.command(book, world.now)))
    }

    fn command(&mut self, book: &Book, now: Millis) -> Command {
        let stocks: Vec<u64> = book.stocks.keys().copied().collect();
        if stocks.len() < 2 || (stocks.len() < 5 && self.rng.random_bool(0.02)) {
            return Command::CreateStock(Box::new(any_stock(&mut self.rng, now)), 0);
        }
        let stock = *pick(&mut self.rng, &stocks);
        if book.stocks[&stock].state == StockState::Draft && self.rng.random_bool(0.7) {
            return Command::MoveStock(stock, Step::Activate { tested_above: None }, false);
        }
        match self.rng.random_range(0..100) {
            0..=19 => Command::Claim(Box::new(self.claim(Claimed::Stock(stock)))),
            20..=27 => {
                let printed = CouponRef::Number(self.coupon(book));
                Command::Claim(Box::new(self.claim(Claimed::Printed(printed))))
            }
            28..=52 => Command::Redeem(Box::new(self.usage(book, None))),
            53..=64 => {
                let ttl_seconds = *pick(&mut self.rng, &[1, 20, 900]);
                let terms = LockTerms { token: self.rng.random(), ttl_seconds };
                Command::Lock(Box::new(self.usage(book, None)), terms)
            }
            65..=80 => self.on_lock(book),
            81..=87 => self.reverse(book),
            88..=89 => Command::VoidCoupon(self.coupon(book), "lost".to_owned()),
            90..=92 => Command::MakeCodes(stock, self.rng.random_range(1..5), "spring".to_owned()),
            _ => self.on_stock(book, stock),
        }
    }

    fn claim(&mut self, what: Claimed) -> ClaimCommand {
        let user = user(self.rng.random_range(0..USERS));
        ClaimCommand { what, user, channel: None, decision: allowed(), sealed: Vec::new(), note: Note::default() }
    }

    /// A number that exists, or nearly.
    fn coupon(&mut self, book: &Book) -> u64 {
        let last = book.coupons.last_key_value().map_or(1, |(number, _)| *number);
        let free: Vec<u64> =
            book.coupons.iter().filter(|(_, c)| !c.voided && !c.is_used_up()).map(|(n, _)| *n).collect();
        if free.is_empty() || self.rng.random_bool(0.3) {
            return self.rng.random_range(1..last + 2);
        }
        *pick(&mut self.rng, &free)
    }

    fn usage(&mut self, book: &Book, lock: Option<(u64, [u8; 16])>) -> UseCommand {
        let count = match self.rng.random_range(0..20) {
            0 => 30,
            1..=4 => self.rng.random_range(2..5),
            _ => 1,
        };
        let mut coupons: Vec<(CouponRef, u32)> = Vec::new();
        for _ in 0..count {
            let coupon = CouponRef::Number(self.coupon(book));
            if !coupons.iter().any(|(other, _)| *other == coupon) {
                coupons.push((coupon, 1 + u32::from(self.rng.random_bool(0.1))));
            }
        }
        let number = self.rng.random_range(0..ORDERS);
        // Mostly nobody says whose it is, so that the coupon decides.
        let user = self.rng.random_bool(0.2).then(|| user(self.rng.random_range(0..USERS)));
        UseCommand {
            coupons,
            order: order(number, 2_000 * (number as i64 + 1)),
            actor: Actor { user, ..Actor::default() },
            lock,
            decision: allowed(),
            sealed: Vec::new(),
            note: Note::default(),
        }
    }

    fn on_lock(&mut self, book: &Book) -> Command {
        let locks: Vec<u64> = book.locks.iter().rev().take(6).map(|(number, _)| *number).collect();
        if locks.is_empty() {
            return Command::Redeem(Box::new(self.usage(book, None)));
        }
        let number = *pick(&mut self.rng, &locks);
        let row = &book.locks[&number];
        let token = if self.rng.random_bool(0.1) { [9; 16] } else { row.lock.token };
        match self.rng.random_range(0..4) {
            0 => Command::ExtendLock(number, token, *pick(&mut self.rng, &[1, 60, 900])),
            1 => Command::ReleaseLock(number, token, ReleaseReason::Abandoned),
            _ => {
                let mut usage = self.usage(book, Some((number, token)));
                usage.coupons.clear();
                usage.actor.user = row.lock.actor.user.or(usage.actor.user);
                let of = row.lock.order.id.strip_prefix("order-").and_then(|n| n.parse().ok()).unwrap_or(0);
                usage.order = order(of, row.lock.order.amount);
                Command::Redeem(Box::new(usage))
            }
        }
    }

    fn reverse(&mut self, book: &Book) -> Command {
        let redemptions: Vec<u64> = book.redemptions.iter().rev().take(6).map(|(number, _)| *number).collect();
        if redemptions.is_empty() {
            return Command::Redeem(Box::new(self.usage(book, None)));
        }
        let redemption = *pick(&mut self.rng, &redemptions);
        let part = book.redemptions[&redemption].parts.first();
        let coupons = part
            .filter(|_| self.rng.random_bool(0.5))
            .map(|(part, ..)| vec![(part.coupon, self.rng.random_bool(0.5).then_some(1))]);
        Command::Reverse(Box::new(ReverseCommand {
            redemption,
            coupons,
            refund_id: None,
            reason: "returned".to_owned(),
            note: Note::default(),
        }))
    }

    fn on_stock(&mut self, book: &Book, stock: u64) -> Command {
        let row = &book.stocks[&stock];
        let profile = &row.profile;
        match self.rng.random_range(0..12) {
            0..=2 => Command::SetTotal(stock, profile.total, self.rng.random_range(1..12)),
            3..=4 => {
                let target = self.rng.random_bool(0.8).then(|| self.rng.random_range(500..8_000));
                Command::SetBudget(stock, profile.budget, target)
            }
            5..=6 => {
                let (name, current) = *pick(
                    &mut self.rng,
                    &[
                        (LimitName::PerUser, profile.limits.per_user),
                        (LimitName::PerUserDay, profile.limits.per_user_day),
                        (LimitName::PerDay, profile.limits.per_day),
                    ],
                );
                let target = self.rng.random_bool(0.8).then(|| self.rng.random_range(1..6));
                Command::SetLimit(stock, name, current, target)
            }
            7 => {
                let batches: Vec<u64> = book.coupons.values().filter_map(|coupon| coupon.batch).collect();
                let batch = if batches.is_empty() { 1 } else { *pick(&mut self.rng, &batches) };
                Command::VoidBatch(batch, "misprint".to_owned())
            }
            8 if self.rng.random_bool(0.3) => Command::MoveStock(stock, Step::Close, self.rng.random_bool(0.3)),
            8..=9 => Command::MoveStock(stock, Step::Pause, self.rng.random_bool(0.3)),
            _ => Command::MoveStock(stock, Step::Resume, false),
        }
    }
}
