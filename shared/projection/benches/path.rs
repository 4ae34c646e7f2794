//! What a redemption costs in the owner's thread: `decide`, and the fold of its record with the shard's hash.

use std::hint::black_box;
use std::time::{Duration, Instant};

use coupon::command::{Command, CouponRef, Step, UseCommand};
use coupon::decide::{Proposal, Scene, decide};
use coupon::event::{Actor, Decision, MerchantProfile, Note, StockProfile};
use coupon::id::MerchantId;
use coupon::money::CNY;
use coupon::order::{Order, OrderLine};
use coupon::record::{Entry, Origin, Record, Request, RequestKey};
use coupon::terms::{AppliesTo, CodeMode, Limits, Stacking, Terms, Validity, Value, Zone};
use criterion::{Criterion, criterion_group, criterion_main};
use projection::ledger::Ledger;

const MERCHANT: MerchantId = MerchantId(1);
const NOW: i64 = 1_773_115_200_000;
const CODES: u64 = 1_000_000;

fn append(ledger: &mut Ledger, proposal: Proposal, request: Option<Request>, number: u64) {
    let Proposal { guards, events } = proposal;
    let origin = Origin { instance: 1, number };
    let record = Record { merchant: MERCHANT, origin, proposed_at: NOW, request, guards, events };
    ledger.fold(MERCHANT.shard(), Some(&Entry::Guarded(record)), number, NOW);
}

fn decided(ledger: &Ledger, command: &Command) -> Proposal {
    let scene = Scene { view: ledger.of(MERCHANT), merchant: MERCHANT, now: NOW };
    decide(scene, command).expect("nothing stands against it")
}

/// A merchant with a million codes made ahead, of which the first has the running number 1.
fn shop() -> Ledger {
    let mut ledger = Ledger::new();
    ledger.note_changes();
    let profile = MerchantProfile { name: "bench".into(), zone: Zone(chrono_tz::Asia::Shanghai), livemode: false };
    let stock = StockProfile {
        name: "bench".into(),
        text: String::new(),
        terms: Terms {
            value: Value::SpendAndSave { amount_off: 1_000, minimum_spend: 10_000, every: false, at_most_times: None },
            currency: CNY,
            code_mode: CodeMode::Pool,
            claim_from: None,
            claim_until: None,
            validity: Validity::AfterClaim { delay_days: 0, days: 365 },
            store_ids: Vec::new(),
            applies_to: AppliesTo::default(),
            stacking: Stacking::default(),
            reversal_window_days: 90,
            available_times: Vec::new(),
        },
        total: CODES,
        limits: Limits::default(),
        budget: Some(i64::MAX / 2),
        note: Note::default(),
    };
    let commands = [
        Command::OpenMerchant(profile),
        Command::CreateStock(Box::new(stock), 0),
        Command::MoveStock(2, Step::Activate { tested_above: None }, false),
        Command::MakeCodes(2, CODES, String::new()),
    ];
    for (number, command) in (1..).zip(&commands) {
        let proposal = decided(&ledger, command);
        append(&mut ledger, proposal, None, number);
    }
    ledger
}

fn redeem(number: u64) -> Command {
    let line = OrderLine {
        id: "1".into(),
        sku: "tea".into(),
        category: None,
        quantity: 1,
        unit_amount: 12_800,
        amount: 12_800,
    };
    let order =
        Order { id: format!("order-{number}"), amount: 12_800, currency: CNY, shipping_amount: 0, lines: vec![line] };
    Command::Redeem(Box::new(UseCommand {
        coupons: vec![(CouponRef::Number(number), 1)],
        order,
        actor: Actor::default(),
        lock: None,
        decision: Decision { slots: vec![(4, 1), (5, 1), (6, 1)], evaluator: 1, ..Decision::default() },
        sealed: vec![0; 80],
        note: Note::default(),
    }))
}

fn request(number: u64) -> Request {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&number.to_le_bytes());
    Request { key: RequestKey(key), fingerprint: [0; 16], fences: 0, deadline: NOW + 15_000 }
}

fn path(criterion: &mut Criterion) {
    let mut ledger = shop();
    let mut next = 0;
    criterion.bench_function("decide a redemption", |bencher| {
        bencher.iter_custom(|times| {
            let commands: Vec<Command> = (0..times).map(|n| redeem(1 + (next + n) % CODES)).collect();
            next += times;
            let begun = Instant::now();
            for command in &commands {
                black_box(decided(&ledger, command));
            }
            begun.elapsed()
        });
    });
    let mut number = 0;
    criterion.bench_function("fold a redemption", |bencher| {
        bencher.iter_custom(|times| {
            let mut spent = Duration::ZERO;
            for _ in 0..times {
                if number == CODES {
                    (ledger, number) = (shop(), 0);
                }
                number += 1;
                let proposal = decided(&ledger, &redeem(number));
                let begun = Instant::now();
                append(&mut ledger, proposal, Some(request(number)), 10 + number);
                spent += begun.elapsed();
                // What the flusher would take away.
                if number % 4_096 == 0 {
                    drop(ledger.shard_mut(MERCHANT.shard()).take_dirty());
                }
            }
            spent
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).measurement_time(Duration::from_secs(4));
    targets = path
}
criterion_main!(benches);
