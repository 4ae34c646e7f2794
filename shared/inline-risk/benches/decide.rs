//! How long a decision on the path takes, in the thread's own CPU time: of 250,000 devices, addresses and users that
//! are counted, of whom some are blocked; without rules, with a hundred that are live, and with a model beside them, of
//! as many trees as `counterfoil risk train` grows.

use std::sync::Arc;

use coupon::decision::{Asked, Decision, Who};
use coupon::event::Pseudonym;
use coupon::id::{MerchantId, PLATFORM};
use coupon::ruleset::{RuleSetRow, RuleState, RuleVersion};
use coupon::state::{Key, Row};
use hdrhistogram::Histogram;
use inline_risk::{Decided, InlineConfig, InlineRisk, Occasion, Past, Question, What};
use risk::lists::Request;
use risk::model::{Artifact, ArtifactNode, Link, Model};
use risk::{Counted, Subject, SubjectKind, Verdict};
use rustix::time::{ClockId, clock_gettime};

/// So many that their counts, some thirty of each with these rules, lie far beyond any cache and all find room.
const SUBJECTS: u64 = 250_000;
const DECISIONS: u64 = 300_000;
const NOW_MS: i64 = 1_773_115_200_000;

fn main() {
    let risk = InlineRisk::new(&InlineConfig { max_keys: 4_000_000, ..InlineConfig::default() });
    for n in 0..SUBJECTS {
        for kind in [SubjectKind::Device, SubjectKind::Ip, SubjectKind::User] {
            let subject = Subject { kind, merchant: 7, pseudonym: pseudonym(n) };
            for counted in [Counted::Claims, Counted::Redemptions] {
                risk.counts().write().velocity.add(subject, counted, NOW_MS - (n % 60_000) as i64);
            }
        }
    }
    for n in (0..SUBJECTS).step_by(1_000) {
        risk.apply(blocked(n), NOW_MS);
    }
    risk.counts().write().watermark_ms = NOW_MS;
    risk.heard(NOW_MS);
    measure(&risk, "risk decision in line");
    risk.changed(&Key::RuleSet(PLATFORM, 1), &Row::RuleSet(Arc::new(hundred_rules())));
    for n in 0..SUBJECTS {
        risk.counts().write().add(&redemption(n));
    }
    measure(&risk, "with 100 live rules");
    risk.changed(&Key::Model(PLATFORM, 1), &Row::Model(Arc::new(model())));
    assert!(risk.counts().read().book().model().is_some(), "the model is evaluated");
    for n in 0..SUBJECTS {
        risk.counts().write().add(&redemption(n));
    }
    assert_eq!(risk.counts().read().evicted(), 0, "all of them find room");
    measure(&risk, "with 100 live rules and a model of 150 trees");
}

fn occasion(n: u64) -> Occasion {
    let (store, amount) = (Some(n % 500), Some(10_000));
    Occasion { store, amount, ..Occasion::of(Asked::Redemption) }
}

fn redemption(n: u64) -> Past {
    let told = Some(pseudonym(n));
    let decided = Decided {
        sequence: n,
        number: n,
        asked: Asked::Redemption,
        done: true,
        who: Who { user: told, store: Some(n % 500), ..Who::default() },
        amount: 10_000,
        discount: 0,
        decision: Decision { device: told, ip: told, ..Decision::default() },
    };
    let time_ms = NOW_MS - (n % 60_000) as i64;
    Past { merchant: MerchantId(7), time_ms, what: What::Decided(Box::new(decided)) }
}

/// Of every kind: thresholds that few reach.
fn hundred_rules() -> RuleSetRow {
    let windows = ["1m", "10m", "1h", "6h", "24h", "7d", "28d", "15m"];
    let keys = ["device", "ip", "user", "store", "device + store"];
    let rule = |n: usize| {
        let (window, key) = (windows[n % windows.len()], keys[n % keys.len()]);
        let condition = match n % 4 {
            0 => format!("count(redemption by {key}, {window}) > {}", 1_000 + n),
            1 => format!("distinct(user by {key}, {window}) > {} and amount > 100", 1_000 + n),
            2 => format!("sum(redemption by {key}, {window}) / (1 + count(redemption by {key}, {window})) > 50000"),
            _ => format!("hour < 6 and age({key}) < 1h and count(claim by {key}, {window}) > {n}"),
        };
        format!("rule r{n} {{ when {condition} then review score 10 }}\n")
    };
    live("hundred", (0..100).map(rule).collect())
}

/// A live version of its own.
fn live(name: &str, text: String) -> RuleSetRow {
    let version = RuleVersion {
        text,
        comment: String::new(),
        by: String::new(),
        created_at: 0,
        state: RuleState::Live,
        since: 0,
        was_live: true,
        proposed: None,
    };
    RuleSetRow { version: 1, name: name.to_owned(), created_at: 0, versions: vec![version] }
}

/// 150 trees, four splits deep, over what models usually look at; where they split is drawn.
fn model() -> RuleSetRow {
    let windows = ["1h", "24h", "7d", "28d"];
    let of_key = |key: &str| {
        let over = windows.map(|window| {
            [format!("count(redemption by {key}, {window})"), format!("sum(redemption by {key}, {window})")]
        });
        let risk = [format!("fraud_rate({key}, 7d)"), format!("fraud_rate({key}, 28d)"), format!("age({key})")];
        over.into_iter().flatten().chain(risk)
    };
    let mut inputs = vec!["amount".to_owned(), "hour".to_owned()];
    inputs.extend(["device", "ip", "user", "store"].iter().flat_map(|key| of_key(key)));
    let mut drawn = 0_u64;
    let mut draw = |below: u64| {
        drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (drawn >> 33) % below
    };
    let tree = |_| -> Vec<ArtifactNode> {
        let mut split = |node| {
            let (input, threshold) = (draw(inputs.len() as u64) as u16, draw(200) as f64 / 10.0);
            ArtifactNode::Split(input, threshold, 2 * node + 1, true, 0.0)
        };
        let mut nodes: Vec<ArtifactNode> = (0..15_u32).map(&mut split).collect();
        nodes.extend((0..16_u8).map(|leaf| ArtifactNode::Leaf((f64::from(leaf) / 160.0 - 0.05,))));
        nodes
    };
    let trees = (0..150).map(tree).collect();
    let artifact =
        Artifact { format: risk::model::FORMAT, inputs: inputs.clone(), link: Link::Logit, base: -4.0, trees };
    let bytes = artifact.to_bytes();
    Model::parse(&bytes).expect("a model");
    live("model", String::from_utf8(bytes).expect("JSON is text"))
}

fn measure(risk: &InlineRisk, what: &str) {
    let mut times = Histogram::<u64>::new_with_bounds(1, 1_000_000_000, 3).expect("bounds");
    for n in 0..DECISIONS {
        // Far apart in memory, as shoppers are.
        let who = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % SUBJECTS;
        let question = Question {
            merchant: MerchantId(7),
            device: Some(pseudonym(who)),
            ip: Some(pseudonym(who)),
            ip24: Some(pseudonym(who)),
            user: Some(pseudonym(who)),
            place: None,
            missing: Vec::new(),
            forced: None,
            occasion: occasion(who),
            zone: Some(chrono_tz::Asia::Shanghai),
            number: who,
            request: None,
            now_ms: NOW_MS,
        };
        let begun = thread_nanoseconds();
        std::hint::black_box(risk.decide(&question, &Request::default()));
        times.saturating_record(thread_nanoseconds() - begun);
    }
    let microseconds = |quantile: f64| times.value_at_quantile(quantile) as f64 / 1_000.0;
    #[expect(clippy::print_stdout, reason = "it is what this is for")]
    {
        println!(
            "{what}: p50 {:.2} µs, p99 {:.2} µs, p99.9 {:.2} µs, longest {:.1} µs (thread CPU time)",
            microseconds(0.5),
            microseconds(0.99),
            microseconds(0.999),
            times.max() as f64 / 1_000.0
        );
    }
}

fn pseudonym(n: u64) -> Pseudonym {
    // As a keyed hash would spread them.
    let spread = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&spread.to_le_bytes());
    bytes[8..].copy_from_slice(&n.to_le_bytes());
    bytes
}

fn blocked(n: u64) -> Verdict {
    Verdict {
        subject: Subject { kind: SubjectKind::Device, merchant: 7, pseudonym: pseudonym(n) },
        rule: "device_claims_1h".to_owned(),
        count: 99,
        threshold: 10,
        window_seconds: 3_600,
        watermark_ms: NOW_MS,
        until_ms: NOW_MS + 3_600_000,
    }
}

fn thread_nanoseconds() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
