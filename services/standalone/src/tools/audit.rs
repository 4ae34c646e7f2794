//! `counterfoil audit`: the invariants over the whole log, counted anew by simple means.

use std::collections::HashMap;
use std::process::ExitCode;

use coupon::event::{CouponState, Event};
use coupon::fold::{At, Outcome};
use coupon::id::{MerchantId, StockId};
use coupon::record::{Entry, RequestKey};
use coupon::state::{Counts, Coupon, Key, Read, Row};
use projection::ledger::Ledger;
use serde_json::json;

use super::{Source, fold_all, print};
use host::Failure;

/// A broken invariant, with where it broke.
struct Broken {
    id: &'static str,
    what: String,
}

/// What is counted from the events alone.
#[derive(Default)]
struct Tally {
    redemptions: u64,
    claims: u64,
    voids: u64,
    /// Uses of each coupon that are redeemed and not reversed.
    uses: HashMap<(MerchantId, u64), u32>,
    /// When a key had its effect; kept for a day like the ledger's own.
    effects: HashMap<(u8, RequestKey), i64>,
    broken: Vec<Broken>,
}

/// How long two effects of one key would be a fault, milliseconds: as long as the contract keeps keys.
const KEY_KEPT_MS: i64 = 24 * 3_600 * 1_000;

impl Tally {
    fn record(&mut self, at: At, entry: Option<&Entry>, outcome: Outcome) {
        let Some(Entry::Guarded(record)) = entry else { return };
        if !matches!(outcome, Outcome::Applied(_)) {
            self.voids += 1;
            return;
        }
        if let Some(request) = &record.request
            && let Some(before) = self.effects.insert((at.shard.0, request.key), at.time)
            && at.time - before < KEY_KEPT_MS
        {
            self.break_it("I3", format!("shard {} sequence {}: a key had a second effect", at.shard.0, at.sequence));
        }
        for event in &record.events {
            self.event(record.merchant, event, at);
        }
    }

    fn event(&mut self, merchant: MerchantId, event: &Event, at: At) {
        match event {
            Event::CouponClaimed(_) => self.claims += 1,
            Event::CouponsRedeemed(redemption) => {
                self.redemptions += 1;
                let decision = &redemption.decision;
                if decision.evaluator == 0 && !decision.degraded {
                    let place = format!("shard {} sequence {}", at.shard.0, at.sequence);
                    self.break_it("I6", format!("{place}: a redemption without a decision"));
                }
                for part in &redemption.parts {
                    *self.uses.entry((merchant, part.coupon)).or_default() += part.uses;
                }
            }
            Event::RedemptionReversed(reversal) => {
                for part in &reversal.parts {
                    let uses = self.uses.entry((merchant, part.coupon)).or_default();
                    *uses = uses.saturating_sub(part.uses);
                }
            }
            _ => {}
        }
    }

    fn break_it(&mut self, id: &'static str, what: String) {
        self.broken.push(Broken { id, what });
    }

    fn check_uses(&mut self, ledger: &Ledger) {
        for ((merchant, number), used) in std::mem::take(&mut self.uses) {
            let Some(coupon) = ledger.of(merchant).coupon_row(merchant, number) else {
                self.break_it("I1", format!("{merchant}: coupon {number} was redeemed and does not exist"));
                continue;
            };
            if used > coupon.uses || used != coupon.uses - coupon.uses_left {
                self.break_it(
                    "I1",
                    format!("{merchant}: coupon {number} has {} uses, {used} are redeemed", coupon.uses),
                );
            }
        }
    }

    fn check_stocks(&mut self, ledger: &Ledger) -> u64 {
        let mut stocks = 0;
        let mut counted: HashMap<(MerchantId, u64), Counts> = HashMap::new();
        for (key, row) in ledger.shards().flat_map(projection::shard::ShardState::rows) {
            if let (Key::Coupon(merchant, _), Row::Coupon(coupon)) = (key, row) {
                count(counted.entry((*merchant, coupon.stock)).or_default(), coupon);
            }
        }
        for (key, row) in ledger.shards().flat_map(projection::shard::ShardState::rows) {
            let (Key::Stock(merchant, number), Row::Stock(stock)) = (key, row) else { continue };
            stocks += 1;
            let shard = ledger.of(*merchant);
            let counts = shard.counts(*merchant, *number).cloned().unwrap_or_default();
            let naive = counted.remove(&(*merchant, *number)).unwrap_or_default();
            self.check_stock(StockId::new(*merchant, *number), stock.profile.total, &counts, &naive, shard.time);
            if stock.profile.budget.is_some_and(|budget| counts.budget_used() > budget) {
                self.break_it("I5", format!("{}: the budget is overspent", StockId::new(*merchant, *number)));
            }
        }
        stocks
    }

    fn check_stock(&mut self, id: StockId, total: u64, counts: &Counts, naive: &Counts, now: i64) {
        if counts.issued > total {
            self.break_it("I5", format!("{id}: {} issued of {total}", counts.issued));
        }
        let places = |c: &Counts| (c.claimed_at(now) + c.expired_at(now), c.locked, c.redeemed);
        if places(counts) != places(naive) {
            self.break_it("I9", format!("{id}: counts {:?}, coupons say {:?}", places(counts), places(naive)));
        }
        let sum = counts.available(total)
            + counts.claimed_at(now)
            + counts.expired_at(now)
            + counts.locked
            + counts.redeemed
            + counts.voided;
        if sum != total {
            self.break_it("I9", format!("{id}: the six sum to {sum}, the total is {total}"));
        }
    }
}

fn count(counts: &mut Counts, coupon: &Coupon) {
    match coupon.state {
        CouponState::Claimed | CouponState::Expired => counts.claimed.push((coupon.valid_until, 1)),
        CouponState::Locked => counts.locked += 1,
        CouponState::Redeemed => counts.redeemed += 1,
        CouponState::Available | CouponState::Voided => {}
    }
}

pub(crate) fn run(source: &Source, as_json: bool) -> Result<ExitCode, Failure> {
    let log = source.open()?;
    let mut ledger = Ledger::new();
    let mut tally = Tally::default();
    let folded = fold_all(log.as_ref(), &mut ledger, |at, entry, outcome| tally.record(at, entry, outcome));
    for damage in &folded.damaged {
        tally.break_it("I2", damage.clone());
    }
    tally.check_uses(&ledger);
    let stocks = tally.check_stocks(&ledger);
    let sound = tally.broken.is_empty();
    if as_json {
        let broken: Vec<_> = tally.broken.iter().map(|b| json!({"invariant": b.id, "what": b.what})).collect();
        print(
            &json!({
                "sound": sound, "records": folded.records, "void": tally.voids, "claims": tally.claims,
                "redemptions": tally.redemptions, "stocks": stocks, "broken": broken,
            })
            .to_string(),
        );
    } else {
        print(&format!(
            "{} records ({} void), {} claims, {} redemptions, {stocks} stocks",
            folded.records, tally.voids, tally.claims, tally.redemptions
        ));
        for broken in tally.broken.iter().take(100) {
            print(&format!("{} BROKEN  {}", broken.id, broken.what));
        }
        print(if sound { "I1 I2 I3 I5 I6 I9 hold" } else { "the ledger is NOT sound" });
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
