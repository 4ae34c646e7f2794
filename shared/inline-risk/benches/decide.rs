//! How long a decision on the path takes, in the thread's own CPU time: of a million devices, addresses and users that
//! are counted, of whom some are blocked.

use coupon::event::Pseudonym;
use coupon::id::MerchantId;
use hdrhistogram::Histogram;
use inline_risk::{Happening, InlineConfig, InlineRisk, Occasion, Question};
use risk::{Counted, Subject, SubjectKind, Verdict};
use rustix::time::{ClockId, clock_gettime};

const SUBJECTS: u64 = 1_000_000;
const DECISIONS: u64 = 1_000_000;
const NOW_MS: i64 = 1_773_115_200_000;

fn main() {
    let risk = InlineRisk::new(&InlineConfig { max_keys: 4_000_000, ..InlineConfig::default() });
    for n in 0..SUBJECTS {
        for kind in [SubjectKind::Device, SubjectKind::Ip, SubjectKind::User] {
            let subject = Subject { kind, merchant: 7, pseudonym: pseudonym(n) };
            for counted in [Counted::Claims, Counted::Redemptions] {
                risk.features().write().add(subject, counted, NOW_MS - (n % 60_000) as i64);
            }
        }
    }
    for n in (0..SUBJECTS).step_by(1_000) {
        risk.apply(blocked(n), NOW_MS);
    }
    risk.counted_up_to(NOW_MS);
    risk.heard(NOW_MS);
    let mut times = Histogram::<u64>::new_with_bounds(1, 1_000_000_000, 3).expect("bounds");
    for n in 0..DECISIONS {
        // Far apart in memory, as shoppers are.
        let who = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % SUBJECTS;
        let question = Question {
            merchant: MerchantId(7),
            device: Some(pseudonym(who)),
            ip: Some(pseudonym(who)),
            user: Some(pseudonym(who)),
            missing: Vec::new(),
            forced: None,
            occasion: Occasion::of(Happening::Redemption),
            now_ms: NOW_MS,
        };
        let begun = thread_nanoseconds();
        std::hint::black_box(risk.decide(&question));
        times.saturating_record(thread_nanoseconds() - begun);
    }
    let microseconds = |quantile: f64| times.value_at_quantile(quantile) as f64 / 1_000.0;
    #[expect(clippy::print_stdout, reason = "it is what this is for")]
    {
        println!(
            "risk decision in line: p50 {:.2} µs, p99 {:.2} µs, p99.9 {:.2} µs, longest {:.1} µs (thread CPU time)",
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
