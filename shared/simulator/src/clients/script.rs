//! The small model's client, with real commands.

use coupon::command::{ClaimCommand, Claimed, Command, CouponRef, LockTerms, Step, UseCommand};
use coupon::event::{Actor, Note, ReleaseReason};
use coupon::id::MerchantId;
use coupon::terms::Validity;
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use crate::clients::{allowed, cash, key, merchant, order, user};
use crate::run::EVENING;
use crate::world::{Wish, World};

/// The merchant of all scripts.
pub const MERCHANT: MerchantId = MerchantId(1);
/// The first stock, made by the second record.
pub const STOCK: u64 = 2;
const TOKEN: [u8; 16] = [7; 16];

/// One request under key 100, its rival, and what gives the unit back.
pub struct Script {
    request: Command,
    rival: Command,
    /// The rival's unit comes back, once.
    back: Option<Command>,
    sent: u32,
}

/// A claim of a stock.
pub fn claim(stock: u64, who: u8) -> Command {
    let what = Claimed::Stock(stock);
    let user = user(who);
    let claim =
        ClaimCommand { what, user, channel: None, decision: allowed(), sealed: Vec::new(), note: Note::default() };
    Command::Claim(Box::new(claim))
}

/// A use of coupons in an order.
pub fn usage(coupons: &[u64], of: u64) -> UseCommand {
    UseCommand {
        coupons: coupons.iter().map(|number| (CouponRef::Number(*number), 1)).collect(),
        order: order(of, 10_000),
        actor: Actor::default(),
        lock: None,
        decision: allowed(),
        sealed: Vec::new(),
        note: Note::default(),
    }
}

/// Does a command at the first instance and waits for it; the sequence at which the shard then stands.
pub fn done(world: &mut World, number: u64, command: Command) -> u64 {
    world.submit(0, MERCHANT, Some(key(MERCHANT, number)), Wish::Do(Box::new(command)), [number as u8; 16]);
    for _ in 0..3 {
        for i in 0..world.instances() {
            world.turn(i, usize::MAX);
        }
        while world.step_log() {}
    }
    for i in 0..world.instances() {
        world.turn(i, usize::MAX);
    }
    world.observer.of(MERCHANT).sequence
}

/// Opens the merchant, and a stock that is ready to be claimed.
pub fn open(world: &mut World, stock: coupon::event::StockProfile) {
    done(world, 1, Command::OpenMerchant(merchant("tea house")));
    done(world, 2, Command::CreateStock(Box::new(stock), 0));
    done(world, 3, Command::MoveStock(STOCK, Step::Activate { tested_above: None }, false));
}

impl Script {
    /// A stock of one coupon, to be claimed; or to be redeemed while a rival locks it.
    pub fn prepare(world: &mut World, redeems: bool) -> Self {
        let validity = Validity::Fixed { from: EVENING - 1, until: EVENING + 86_400_000 };
        open(world, cash(1, 500, validity));
        if !redeems {
            let back = Some(Command::SetTotal(STOCK, 1, 2));
            return Self { request: claim(STOCK, 0), rival: claim(STOCK, 1), back, sent: 0 };
        }
        done(world, 4, claim(STOCK, 0));
        let rival = Command::Lock(Box::new(usage(&[1], 2)), LockTerms { token: TOKEN, ttl_seconds: 600 });
        Self { request: Command::Redeem(Box::new(usage(&[1], 1))), rival, back: None, sent: 0 }
    }

    /// One of the clients does something.
    pub fn act(&mut self, world: &mut World, rng: &mut Xoshiro256PlusPlus) {
        let i = rng.random_range(0..2);
        let request = Some(key(MERCHANT, 100));
        match rng.random_range(0..10) {
            0..=4 if self.sent < 4 => {
                self.sent += 1;
                world.submit(i, MERCHANT, request, Wish::Do(Box::new(self.request.clone())), [100; 16]);
            }
            5 if self.sent > 0 => {
                world.submit(i, MERCHANT, request, Wish::Cancel, [0; 16]);
            }
            6..=7 => {
                world.submit(i, MERCHANT, Some(key(MERCHANT, 101)), Wish::Do(Box::new(self.rival.clone())), [101; 16]);
            }
            _ => {
                let locks = world.judge.books.get(&MERCHANT).and_then(|book| book.locks.last_key_value());
                let release = locks.map(|(lock, _)| Command::ReleaseLock(*lock, TOKEN, ReleaseReason::Abandoned));
                let Some(back) = self.back.take().or(release) else { return };
                world.submit(i, MERCHANT, Some(key(MERCHANT, 102)), Wish::Do(Box::new(back)), [102; 16]);
            }
        }
    }
}
