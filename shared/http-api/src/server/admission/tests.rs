use super::*;

fn limited(per_second: u32) -> Admission {
    Admission::new(AdmissionLimits { per_second: Some(per_second), ..AdmissionLimits::default() })
}

/// How many of each class come in, of an offer per second of each, over so many seconds.
fn offer(admission: &Admission, offered: [u64; 3], from: u64, seconds: u64) -> [u64; 3] {
    let mut admitted = [0; 3];
    let steps = offered.iter().max().expect("three classes") * seconds;
    for step in 0..steps {
        let now = Duration::from_secs(from) + Duration::from_secs(seconds).mul_f64(step as f64 / steps as f64);
        for class in Class::ALL {
            let (offered, steps_per_second) = (offered[class as usize], steps / seconds);
            // Spread evenly over the steps.
            let due = (step + 1) * offered / steps_per_second > step * offered / steps_per_second;
            admitted[class as usize] += u64::from(due && admission.shared.admit(class, now));
        }
    }
    admitted
}

#[test]
fn what_fits_is_let_in() {
    assert_eq!(offer(&Admission::new(AdmissionLimits::default()), [50_000, 50_000, 50], 0, 2), [100_000, 100_000, 100]);
    assert_eq!(offer(&limited(2_000), [1_500, 300, 10], 0, 5), [7_500, 1_500, 50]);
}

#[test]
fn ten_times_too_much_is_cut_to_the_limit_and_changes_go_first() {
    let [changes, queries, bulk] = offer(&limited(2_000), [18_000, 2_000, 10], 0, 10);
    assert!((20_000..=20_300).contains(&changes), "{changes} changes");
    assert!(queries < 150 && bulk < 5, "{queries} queries and {bulk} of bulk work");
}

#[test]
fn queries_go_before_bulk_work() {
    let [changes, queries, bulk] = offer(&limited(2_000), [500, 5_000, 5_000], 0, 10);
    assert_eq!(changes, 5_000);
    assert!((14_800..=15_200).contains(&queries), "{queries} queries");
    assert!(bulk < 50, "{bulk} of bulk work");
}

#[test]
fn after_an_overload_all_is_as_before() {
    let admission = limited(2_000);
    offer(&admission, [20_000, 2_000, 10], 0, 5);
    assert_eq!(offer(&admission, [1_500, 300, 10], 6, 5), [7_500, 1_500, 50]);
}

fn detector(per_second: Option<u32>) -> Detector {
    let limits = AdmissionLimits { per_second, ..AdmissionLimits::default() };
    Detector { limits, rates: VecDeque::new(), long: 0 }
}

const LONG_WAIT: Duration = Duration::from_millis(101);
const SHORT_WAIT: Duration = Duration::from_millis(100);

#[test]
fn a_pause_that_is_over_limits_nothing() {
    let mut detector = detector(None);
    for _ in 0..10 {
        assert_eq!(detector.next(None, 15_000.0, LONG_WAIT), None);
        assert_eq!(detector.next(None, 0.0, LONG_WAIT), None);
        assert_eq!(detector.next(None, 30_000.0, SHORT_WAIT), None);
    }
}

#[test]
fn long_waits_lower_the_rate_and_short_ones_lift_it() {
    let mut detector = detector(None);
    let mut rate = None;
    for _ in 0..LONG {
        assert_eq!(rate, None);
        rate = detector.next(rate, 15_000.0, LONG_WAIT);
    }
    assert!((13_490.0..=13_510.0).contains(&rate.expect("limited")), "{rate:?}");
    rate = detector.next(rate, 13_500.0, LONG_WAIT);
    assert!(rate.expect("limited") < 12_200.0, "{rate:?}");
    for _ in 0..10 {
        rate = detector.next(rate, 13_500.0, SHORT_WAIT);
    }
    assert!(rate.expect("limited") > 18_000.0, "{rate:?}");
    for _ in 0..20 {
        rate = detector.next(rate, 1_000.0, SHORT_WAIT);
    }
    assert_eq!(rate, None, "what limits nothing is taken away");
}

#[test]
fn the_rate_keeps_within_its_bounds() {
    let mut detector = detector(Some(2_000));
    let mut rate = Some(2_000.0);
    for _ in 0..200 {
        rate = detector.next(rate, 10.0, Duration::from_secs(1));
    }
    assert_eq!(rate, Some(FLOOR));
    for _ in 0..200 {
        rate = detector.next(rate, 1_900.0, Duration::ZERO);
    }
    assert_eq!(rate, Some(2_000.0), "never above what is configured");
}

#[test]
fn classes_follow_from_method_and_path() {
    let table = [
        (Method::POST, "/v1/redemptions", Class::Change),
        (Method::POST, "/v1/redemptions/rdm_1/reversals", Class::Change),
        (Method::POST, "/v1/claims", Class::Change),
        (Method::POST, "/v1/locks/lck_1/release", Class::Change),
        (Method::GET, "/v1/requests/key-1", Class::Change),
        (Method::POST, "/v1/requests/key-1/cancel", Class::Change),
        (Method::PUT, "/v1/stocks/stk_1/total", Class::Change),
        (Method::GET, "/v1/redemptions", Class::Query),
        (Method::GET, "/v1/coupons/cpn_1", Class::Query),
        (Method::POST, "/v1/validations", Class::Query),
        (Method::POST, "/v1/coupons/lookup", Class::Query),
        (Method::POST, "/v1/signature-checks", Class::Query),
        (Method::POST, "/v1/stocks/stk_1/codes", Class::Bulk),
        (Method::POST, "/v1/stocks/stk_1/code-imports", Class::Bulk),
        (Method::POST, "/v1/sends", Class::Bulk),
        (Method::GET, "/v1/code-batches/bat_1/codes", Class::Bulk),
        (Method::GET, "/v1/operations/op_1/result", Class::Bulk),
        (Method::GET, "/v1/operations/op_1", Class::Query),
    ];
    for (method, path, class) in table {
        assert_eq!(Class::of(&method, path), class, "{method} {path}");
    }
}
