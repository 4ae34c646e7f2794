//! One fixed record of each type and event, with a value in every field.

mod penalties;
mod users;

use std::collections::BTreeMap;

use coupon::appeal::AppealStep;
use coupon::audit::{AuditObject, Audited};
use coupon::case::{CaseFacts, CaseOutcome, CaseStep, CaseStepped, Closing, Opening, Priority};
use coupon::challenge::{Challenge, ChallengeAnswered, Method};
use coupon::decision::{
    Asked, Basis, Cluster, Cut, DecisionKept, EnforcedBy, ListHit, ModelUsed, Place, RuleOutcome, RuleSaid, SetUsed,
    Value as Feature, Who,
};
use coupon::event::{
    Action, Actor, ApiKey, Claim, CodesMade, CouponState, Decision, Event, Forgotten, ImportChunk, ImportRow, LoadTest,
    Location, Lock, MerchantProfile, Note, Operation, OperationKind, OrderSummary, Part, Quotas, Reason, Redemption,
    Rehearsal, ReleaseReason, Reversal, ReversedPart, SendChunk, SendRow, Share, StockProfile, StockState,
    StoreProfile, Void,
};
use coupon::id::{MerchantId, StoreId};
use coupon::label::{LabelSet, LabelSource};
use coupon::list::{ItemAdded, ItemKind, ItemValue, ListStep, ListStepped};
use coupon::money::CNY;
use coupon::penalty::PenaltyStep;
use coupon::record::{Cancel, Counter, Entity, Entry, Fence, Fences, Guard, Origin, Record, Request, RequestKey, Use};
use coupon::ruleset::{RuleState, RuleStep, RulesMoved, RulesPushed};
use coupon::snooze::{SnoozeStep, SnoozeStepped, Snoozed};
use coupon::subject::{Subject, SubjectKind};
use coupon::terms::{AppliesTo, AvailableTime, CodeMode, Limits, Millis, Stacking, Terms, Validity, Value, Zone};

const MERCHANT: MerchantId = MerchantId(7);
const NOON: Millis = 1_773_154_500_000;
const ORIGIN: Origin = Origin { instance: 0x0123_4567_89ab_cdef, number: 42 };

/// How many events there are; the compiler counts them in [`name`].
pub(crate) const EVENTS: usize = 49;

/// The file of an event's record. A new event needs a name, a sample and a file.
pub(crate) fn name(event: &Event) -> &'static str {
    match event {
        Event::MerchantCreated(_) => "merchant_created",
        Event::QuotasSet(..) => "quotas_set",
        Event::ApiKeyCreated(_) => "api_key_created",
        Event::ApiKeyEnds(..) => "api_key_ends",
        Event::MerchantOpened(_) => "merchant_opened",
        Event::StoreCreated(_) => "store_created",
        Event::StockCreated(_) => "stock_created",
        Event::StockChanged(..) => "stock_changed",
        Event::StockMoved(..) => "stock_moved",
        Event::TotalSet(..) => "total_set",
        Event::BudgetSet(..) => "budget_set",
        Event::LimitsSet(..) => "limits_set",
        Event::CodesMade(_) => "codes_made",
        Event::BatchVoided(..) => "batch_voided",
        Event::CouponClaimed(_) => "coupon_claimed",
        Event::CouponsLocked(_) => "coupons_locked",
        Event::LockExtended(..) => "lock_extended",
        Event::LockReleased(..) => "lock_released",
        Event::LockExpired(_) => "lock_expired",
        Event::CouponsRedeemed(_) => "coupons_redeemed",
        Event::RedemptionReversed(_) => "redemption_reversed",
        Event::CouponVoided(_) => "coupon_voided",
        Event::CouponsExpired(..) => "coupons_expired",
        Event::OperationStarted(_) => "operation_started",
        Event::CodesImported(_) => "codes_imported",
        Event::CouponsSent(_) => "coupons_sent",
        Event::RehearsalOpened(_) => "rehearsal_opened",
        Event::RehearsalForgotten(_) => "rehearsal_forgotten",
        Event::RedemptionsExpected(..) => "redemptions_expected",
        Event::LoadTestStored(_) => "load_test_stored",
        Event::RulesPushed(_) => "rules_pushed",
        Event::RulesMoved(_) => "rules_moved",
        Event::LabelSet(_) => "label_set",
        Event::CaseStepped(_) => "case_stepped",
        Event::SnoozeStepped(_) => "snooze_stepped",
        Event::Audited(_) => "audited",
        Event::ListStepped(_) => "list_stepped",
        Event::ModelPushed(_) => "model_pushed",
        Event::ModelMoved(_) => "model_moved",
        Event::Penalty(step) => match &**step {
            PenaltyStep::Imposed(_) => "penalty_imposed",
            PenaltyStep::Moved(_) => "penalty_moved",
        },
        Event::Appeal(step) => match &**step {
            AppealStep::Made(_) => "appeal_made",
            AppealStep::Resolved(_) => "appeal_resolved",
        },
        Event::RiskSettingsSet(_) => "risk_settings_set",
        Event::PenaltyLadderSet(_) => "penalty_ladder_set",
        Event::BreakerReset(_) => "breaker_reset",
        Event::ChallengeAnswered(_) => "challenge_answered",
        Event::Decided(_) => "decided",
        Event::UserStepped(_) => "user_stepped",
    }
}

/// All samples with the names of their files.
pub(crate) fn all() -> Vec<(String, Entry)> {
    let mut all: Vec<(String, Entry)> =
        events().into_iter().map(|event| (name(&event).to_owned(), record(Vec::new(), vec![event]))).collect();
    all.push(("guards".to_owned(), record(guards(), Vec::new())));
    for (name, value) in values() {
        let stock = StockProfile { terms: Terms { value, ..terms() }, ..stock() };
        all.push((format!("value_{name}"), record(Vec::new(), vec![Event::StockCreated(Box::new(stock))])));
    }
    all.extend(more_steps());
    let cases = [Entity::Case(500), Entity::Snooze(501)];
    let guards = cases.into_iter().map(|entity| Guard::Version(entity, 300)).collect();
    all.push(("guards_of_cases".to_owned(), record(guards, Vec::new())));
    let guards = vec![Guard::Version(Entity::User(600), 300), Guard::Absent(Entity::UserName([8; 16]))];
    all.push(("guards_of_users".to_owned(), record(guards, Vec::new())));
    let decision = Some(Box::new(decision()));
    let fences = vec![Fence { key: key(3), refusal: 17, decision: None }, Fence { key: key(4), refusal: 31, decision }];
    all.push(("fences".to_owned(), Entry::Fences(Fences { origin: ORIGIN, proposed_at: NOON, fences })));
    let refused = Fence { key: key(6), refusal: 31, decision: Some(Box::new(decision_with_basis())) };
    let fences = Fences { origin: ORIGIN, proposed_at: NOON, fences: vec![refused] };
    all.push(("fence_with_basis".to_owned(), Entry::Fences(fences)));
    all.push(("cancel".to_owned(), Entry::Cancel(Cancel { origin: ORIGIN, proposed_at: NOON, key: key(5) })));
    all
}

fn record(guards: Vec<Guard>, events: Vec<Event>) -> Entry {
    let request = Request { key: key(1), fingerprint: [2; 16], fences: 3, deadline: NOON + 10_000 };
    let request = Some(request);
    Entry::Guarded(Record { merchant: MERCHANT, origin: ORIGIN, proposed_at: NOON, request, guards, events })
}

fn key(fill: u8) -> RequestKey {
    RequestKey([fill; 16])
}

fn guards() -> Vec<Guard> {
    let entities = [
        Entity::Merchant,
        Entity::Coupon(1),
        Entity::Stock(2),
        Entity::Batch(3),
        Entity::Lock(4),
        Entity::Redemption(5),
        Entity::Order([6; 16]),
        Entity::Operation(7),
        Entity::ApiKey([8; 16]),
    ];
    let counters = [
        Counter::Claimable(1),
        Counter::Issued(2),
        Counter::UserClaims(3, [3; 16]),
        Counter::UserDayClaims(4, [4; 16]),
        Counter::DayClaims(5),
        Counter::UserDayRedemptions(6, [6; 16]),
        Counter::StoreDayRedemptions(7, 8),
        Counter::Budget(9),
    ];
    let mut guards: Vec<Guard> = entities.into_iter().map(|entity| Guard::Version(entity, 300)).collect();
    guards.extend(counters.into_iter().map(|counter| Guard::Within(counter, -500)));
    guards.push(Guard::Absent(Entity::Merchant));
    guards.push(Guard::TimeIn(Millis::MIN, NOON));
    guards.push(Guard::LockToken(4, [9; 16]));
    guards.push(Guard::MerchantOpen);
    guards.push(Guard::StockOpen(2, Use::Claim));
    guards.push(Guard::StockOpen(2, Use::Redeem));
    guards
}

fn values() -> Vec<(&'static str, Value)> {
    let sku = || "tea".to_owned();
    vec![
        (
            "spend_and_save",
            Value::SpendAndSave { amount_off: 500, minimum_spend: 3_000, every: true, at_most_times: Some(2) },
        ),
        ("discount", Value::Discount { percent_off_bp: 1_500, minimum_spend: 0, maximum_off: Some(2_000) }),
        ("group_buy", Value::GroupBuy { sku: sku(), deal_price: 900, list_price: 1_500 }),
        ("gift", Value::Gift { sku: sku(), quantity: 2 }),
        ("experience", Value::Experience { sku: sku(), quantity: 1 }),
        ("multi_use", Value::MultiUse { uses: 10, minimum_interval_seconds: 3_600 }),
    ]
}

/// One of each.
pub(crate) fn events() -> Vec<Event> {
    let mut events = of_the_platform();
    events.extend(of_stocks());
    events.extend(of_coupons());
    events.extend(of_operations());
    events.extend(of_load_tests());
    events.extend(of_rules());
    events.extend(of_cases());
    events.extend(penalties::samples());
    events.extend(penalties::settings());
    events.extend(of_decisions());
    events
}

fn of_load_tests() -> Vec<Event> {
    let merchant =
        MerchantProfile { name: "茶 House".to_owned(), zone: Zone(chrono_tz::Asia::Shanghai), livemode: true };
    let rehearsal = Rehearsal { merchant, of: 20, until: NOON + 86_400_000, stock: stock() };
    let test = LoadTest {
        stock: Some(20),
        passed: true,
        profile: "saturday".to_owned(),
        verdict: "PASS saturday: p99 < 10ms (4 ms, 60 % headroom)".to_owned(),
        peak_per_second: 900,
        report: vec![120, 156, 3],
        note: note(),
    };
    vec![
        Event::RehearsalOpened(Box::new(rehearsal)),
        Event::RehearsalForgotten(Forgotten { stock: 501, numbers: 2_000, sequences: 2_501 }),
        Event::RedemptionsExpected(20, 250_000),
        Event::LoadTestStored(Box::new(test)),
    ]
}

fn of_rules() -> Vec<Event> {
    let pushed = RulesPushed {
        ruleset: Some(7),
        name: "starter 起步".to_owned(),
        text: "rule a { when count(claim by device, 1h) > 3 then block }".to_owned(),
        comment: "羊毛党".to_owned(),
        by: "cfk_live_an".to_owned(),
    };
    let step = RuleStep::Submit(RuleState::Live);
    let moved = RulesMoved { ruleset: 7, version: 2, step, comment: String::new(), by: "cfk_live_an".to_owned() };
    let item = |value| ItemAdded {
        item: [21; 16],
        kind: ItemKind::Cidr,
        value,
        reason: "退款".to_owned(),
        expires_at: Some(NOON),
    };
    let items = vec![item(ItemValue::Clear("192.0.2.0/24".to_owned())), item(ItemValue::Sealed(vec![1, 2]))];
    let listed = ListStepped { list: 8, by: "cfk_live_an".to_owned(), step: ListStep::Add(items) };
    vec![
        Event::RulesPushed(Box::new(pushed.clone())),
        Event::RulesMoved(Box::new(moved.clone())),
        Event::ModelPushed(Box::new(pushed)),
        Event::ModelMoved(Box::new(moved)),
        Event::ListStepped(Box::new(listed)),
    ]
}

fn of_decisions() -> Vec<Event> {
    let challenge = Challenge { request: key(7), expires_at: NOON };
    let (method, by) = (Method::RealName, "cfk_live_an".to_owned());
    let kept = DecisionKept { decision: decision_with_basis(), sealed: vec![1, 2, 3], by: by.clone() };
    vec![
        Event::ChallengeAnswered(Box::new(ChallengeAnswered { challenge, passed: true, method, by })),
        Event::Decided(Box::new(kept)),
        users::created(),
    ]
}

fn of_cases() -> Vec<Event> {
    let label = LabelSet {
        decision: 301,
        fraud: true,
        kind: Some("羊毛党".to_owned()),
        source: LabelSource::Chargeback,
        reason: "card not present".to_owned(),
        by: "cfk_live_an".to_owned(),
    };
    let [opening, ..] = case_steps();
    vec![
        Event::LabelSet(Box::new(label)),
        opening,
        snooze(SnoozeStep::Begin(snoozed())),
        audited(AuditObject::Id("cfk_live_1".to_owned())),
    ]
}

/// What an event may be beside its own sample.
fn more_steps() -> Vec<(String, Entry)> {
    let named = |name: &str, events: Vec<Event>| (name.to_owned(), record(Vec::new(), events));
    vec![
        named("case_steps", case_steps().into_iter().skip(1).collect()),
        named("snooze_ended", vec![snooze(SnoozeStep::End(501))]),
        named("audited_made", vec![audited(AuditObject::Made("stk_".to_owned()))]),
        named("user_steps", users::more()),
    ]
}

fn snooze(step: SnoozeStep) -> Event {
    Event::SnoozeStepped(Box::new(SnoozeStepped { by: "cfk_live_an".to_owned(), step }))
}

fn audited(object: AuditObject) -> Event {
    Event::Audited(Box::new(Audited { by: "cfk_live_an".to_owned(), what: "key.end".to_owned(), object }))
}

fn subject() -> Subject {
    Subject { kind: SubjectKind::Device, pseudonym: [15; 16] }
}

fn snoozed() -> Snoozed {
    let (rule, reason) = ("night".to_owned(), "a tester".to_owned());
    Snoozed { rule, ruleset: Some(7), subject: subject(), until: NOON, reason }
}

fn case_steps() -> [Event; 9] {
    let why = || "why 为何".to_owned();
    let opening = Opening {
        subject: Some(subject()),
        decisions: vec![301, 302],
        reasons: vec!["velocity".to_owned()],
        queue: Some("night".to_owned()),
        priority: Priority::High,
        note: why(),
    };
    let facts = CaseFacts {
        opened_at: NOON - 1,
        due_at: NOON,
        queue: "lead".to_owned(),
        priority: Priority::High,
        subject: Some(subject()),
        decisions: vec![301],
        decision_count: 101,
        reasons: vec!["velocity".to_owned()],
    };
    let steps = [
        CaseStep::Open(opening),
        CaseStep::Claim(Box::new(facts)),
        CaseStep::Release,
        CaseStep::Snooze(NOON, why()),
        CaseStep::Escalate(why()),
        CaseStep::Note(why()),
        CaseStep::Close(Closing { outcome: CaseOutcome::Unclear, reason: why(), voided: 3 }),
        CaseStep::Reopen(why()),
        CaseStep::Undo,
    ];
    steps.map(|step| Event::CaseStepped(Box::new(CaseStepped { case: 500, by: "cfk_live_an".to_owned(), step })))
}

fn of_the_platform() -> Vec<Event> {
    let profile =
        || MerchantProfile { name: "茶 House".to_owned(), zone: Zone(chrono_tz::Asia::Shanghai), livemode: true };
    let key = ApiKey {
        key_id: "cfk_live_1".to_owned(),
        merchant: Some(MERCHANT),
        role: "operator".to_owned(),
        name: "till".to_owned(),
        stores: Some(vec![11, 12]),
        livemode: true,
    };
    let quotas = Quotas { create_per_second: 50, redeem_per_second: 100_000, import_per_minute: 10 };
    let location = Location { latitude: 31.230_4, longitude: 121.473_7, gcj02: true };
    vec![
        Event::MerchantCreated(profile()),
        Event::QuotasSet(MERCHANT, quotas),
        Event::ApiKeyCreated(Box::new(key)),
        Event::ApiKeyEnds([13; 16], NOON),
        Event::MerchantOpened(profile()),
        Event::StoreCreated(StoreProfile { name: "Bund".to_owned(), location: Some(location) }),
    ]
}

fn of_stocks() -> Vec<Event> {
    vec![
        Event::StockCreated(Box::new(stock())),
        Event::StockChanged(20, Box::new(stock())),
        Event::StockMoved(20, StockState::Paused, true),
        Event::TotalSet(20, 5_000),
        Event::BudgetSet(20, Some(1_000_000)),
        Event::LimitsSet(20, limits()),
        Event::CodesMade(CodesMade { stock: 20, count: 1_000_000, label: "spring".to_owned() }),
        Event::BatchVoided(21, "misprint".to_owned()),
        Event::CouponsExpired(20, NOON),
    ]
}

fn of_coupons() -> Vec<Event> {
    let reversed = ReversedPart {
        coupon: 31,
        stock: 20,
        uses: 1,
        uses_left: 2,
        discount_returned: 250,
        state: CouponState::Expired,
        previous: 303,
    };
    let reversal = Reversal {
        redemption: 303,
        parts: vec![reversed],
        whole: true,
        refund_id: Some("refund-1".to_owned()),
        reason: "returned".to_owned(),
        note: note(),
    };
    vec![
        Event::CouponClaimed(Box::new(claim())),
        Event::CouponsLocked(Box::new(lock())),
        Event::LockExtended(302, NOON + 900_000),
        Event::LockReleased(302, ReleaseReason::PaymentFailed),
        Event::LockExpired(302),
        Event::CouponsRedeemed(Box::new(redemption())),
        Event::RedemptionReversed(Box::new(reversal)),
        Event::CouponVoided(Void { coupon: 31, reason: "lost".to_owned(), previous: 301, lock: Some(302) }),
    ]
}

fn of_operations() -> Vec<Event> {
    let operation = Operation {
        kind: OperationKind::ImportCodes,
        stock: 20,
        total: 3,
        label: "printer".to_owned(),
        rows: "upload-1".to_owned(),
    };
    let import = ImportChunk {
        operation: 400,
        rows: vec![
            ImportRow::Code("TEA-1".to_owned()),
            ImportRow::Duplicate("TEA-1".to_owned()),
            ImportRow::Malformed("?".to_owned()),
        ],
        last: true,
    };
    let send = SendChunk {
        operation: 401,
        rows: vec![SendRow { user: [14; 16], sealed: vec![1, 2, 3] }],
        validity: (NOON, NOON + 86_400_000),
        last: false,
    };
    vec![Event::OperationStarted(operation), Event::CodesImported(import), Event::CouponsSent(send)]
}

fn stock() -> StockProfile {
    StockProfile {
        name: "Spring".to_owned(),
        text: "Five off".to_owned(),
        terms: terms(),
        total: 10_000,
        limits: limits(),
        budget: Some(5_000_000),
        note: note(),
    }
}

fn terms() -> Terms {
    Terms {
        value: Value::Cash { amount_off: 500, minimum_spend: 1_000 },
        currency: CNY,
        code_mode: CodeMode::Pool,
        claim_from: Some(NOON),
        claim_until: Some(NOON + 1),
        validity: Validity::AfterClaim { delay_days: 1, days: 30 },
        store_ids: vec![StoreId::new(MERCHANT, 11)],
        applies_to: AppliesTo {
            skus: vec!["tea".to_owned()],
            categories: vec!["drinks".to_owned()],
            except_skus: vec!["gift-card".to_owned()],
        },
        stacking: Stacking { exclusive: true, group: Some("spring".to_owned()), max_per_order: 2 },
        reversal_window_days: 90,
        available_times: vec![AvailableTime { weekdays: vec![1, 7], from_minute: 660, until_minute: 840 }],
    }
}

fn limits() -> Limits {
    Limits {
        per_user: Some(1),
        per_user_day: Some(2),
        per_day: Some(3),
        user_day_redemptions: Some(4),
        store_day_redemptions: Some(5),
    }
}

fn note() -> Note {
    let metadata = BTreeMap::from([("campaign".to_owned(), "spring".to_owned())]);
    Note { reference: Some("ref-1".to_owned()), metadata }
}

fn decision() -> Decision {
    Decision {
        action: Action::Review,
        watermark: NOON - 5,
        slots: vec![(3, -1), (900, 12)],
        missing: vec!["ip".to_owned()],
        reasons: vec![Reason { code: "velocity".to_owned(), value: 6, threshold: 5, window_seconds: 60 }],
        degraded: true,
        evaluator: 2,
        device: Some([15; 16]),
        ip: Some([16; 16]),
        basis: None,
    }
}

fn decision_with_basis() -> Decision {
    let basis = Basis {
        number: coupon::decision::REFUSED + 77,
        merchant: MERCHANT,
        asked: Asked::Redemption,
        at: NOON,
        cut: Cut { ledger: 300, signals: 12 },
        who: Who {
            user: Some([14; 16]),
            ip24: Some([19; 16]),
            store: Some(11),
            cashier: Some([20; 16]),
            stock: Some(20),
            coupon: Some(31),
            channel: Some([22; 16]),
        },
        amount: Some(10_000),
        margin: Some(3),
        place: Some(Place { latitude: 31_230_000, longitude: 121_470_000 }),
        sets: vec![SetUsed { number: 5, version: 2, live: true }, SetUsed { number: 6, version: 1, live: false }],
        model: Some(ModelUsed { number: 7, version: 3, score: 812 }),
        features: vec![(0, Feature::Whole(4)), (1, Feature::Bits(0.25_f64.to_bits())), (2, Feature::Unknown)],
        outcomes: vec![
            RuleSaid { set: 0, rule: 1, outcome: RuleOutcome::Hit },
            RuleSaid { set: 0, rule: 2, outcome: RuleOutcome::Error },
            RuleSaid { set: 1, rule: 0, outcome: RuleOutcome::Snoozed },
        ],
        lists: vec![ListHit { owner: MerchantId(0), number: 8, version: 290 }],
        cluster: Some(Cluster { size: 40, devices: 3, density: Feature::Whole(1), age_spread_seconds: 600 }),
        score: 812,
        verdicts: 1,
        enforced_by: EnforcedBy::Rules,
        staleness_ms: Some(15),
    };
    Decision { action: Action::Block, basis: Some(Box::new(basis)), ..decision() }
}

fn claim() -> Claim {
    Claim {
        stock: 20,
        printed: Some(31),
        imported: true,
        user: [14; 16],
        valid_from: NOON,
        valid_until: NOON + 86_400_000,
        uses: 3,
        channel: Some("app".to_owned()),
        previous: 300,
        decision: decision(),
        sealed: vec![4, 5, 6],
        note: note(),
    }
}

fn part() -> Part {
    Part {
        coupon: 31,
        stock: 20,
        uses: 1,
        uses_left: 2,
        discount: 500,
        shares: vec![Share { line: "1".to_owned(), discount: 500 }],
        previous: 301,
        valid_from: NOON,
        valid_until: NOON + 86_400_000,
    }
}

fn order() -> OrderSummary {
    OrderSummary {
        id: "order-1".to_owned(),
        amount: 10_000,
        discount: 500,
        payable: 9_500,
        currency: CNY,
        lines_hash: [17; 16],
    }
}

fn actor() -> Actor {
    Actor { user: Some([14; 16]), store: Some(11), cashier: Some("Li".to_owned()), terminal: Some("till-3".to_owned()) }
}

fn lock() -> Lock {
    Lock {
        token: [18; 16],
        expires_at: NOON + 60_000,
        order: order(),
        parts: vec![part()],
        actor: actor(),
        decision: decision(),
        sealed: vec![7],
        note: note(),
    }
}

fn redemption() -> Redemption {
    Redemption {
        order: order(),
        parts: vec![part()],
        lock: Some(302),
        actor: actor(),
        decision: decision(),
        sealed: vec![8],
        note: note(),
    }
}
