//! The words beyond counts: lists, clusters, labels, places; and expressions.

use super::*;

fn value(text: &str, values: &[f64], subject: &Subject) -> f64 {
    let expression = expression(text, &mut Plan::default()).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(expression.text, text);
    expression.value(&facts(values, subject))
}

#[test]
fn the_rule_of_the_design_compiles_as_it_stands() {
    let text = "rule bulk_claim { when distinct(user by device, 24h) > 3 or count(claim by ip24, 10m) > 50 then review score 300 reason \"…{n} users on one device\" }";
    let mut plan = Plan::default();
    let set = compile(text, &mut plan).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(set.rules[0].text(5), "…5 users on one device");
    assert_eq!(plan.features()[1].to_string(), "count(claim by ip24, 10m)");
}

#[test]
fn all_features_are_read_as_they_are_written() {
    let written = [
        "count(on_threshold by coupon + store, 7d)",
        "sum(on_threshold by cashier, 24h)",
        "burst(claim by ip24, 1h)",
        "gap_variation(claim by device, 10m)",
        "fraud_rate(merchant, 28d)",
        "frauds(store, 7d)",
        "settled(store, 7d)",
        "travel_speed(user)",
        "idle(coupon)",
        "distinct(channel by user, 24h)",
        "fraud_rate(channel, 28d)",
    ];
    for text in written {
        let mut plan = Plan::default();
        expression(text, &mut plan).unwrap_or_else(|problems| panic!("{problems:?}"));
        // A key's fields have an order of their own.
        let said = plan.features()[0].to_string().replace("store + coupon", "coupon + store");
        assert_eq!(said, text);
    }
}

#[test]
fn lists_match_by_name_and_unknown_ones_do_not() {
    let set = compile("rule a { when listed(\"vpn\") and not listed(\"staff\") then block }", &mut Plan::default());
    let (set, subject) = (set.expect("right"), Subject::default());
    let outcome = |lists: &[&str]| set.rules[0].evaluate(&Facts { lists, ..Facts::new(&[], &subject, "claim") });
    assert_eq!(outcome(&["vpn"]), Outcome::Hit);
    assert_eq!(outcome(&["vpn", "staff"]), Outcome::NoHit);
    assert_eq!(outcome(&["vpns"]), Outcome::NoHit);
    assert_eq!(outcome(&[]), Outcome::NoHit);
}

#[test]
fn the_model_and_the_cluster_are_compared_where_they_are_known() {
    let text = "rule a { when score > 900 or cluster_size > 30 and cluster_devices < 5 and cluster_density > 0.1 and cluster_age_spread < 1h then block score 9 }";
    let (set, subject) = (compile(text, &mut Plan::default()).expect("right"), Subject::default());
    let unknown = || Facts::new(&[], &subject, "claim");
    assert_eq!(set.rules[0].evaluate(&unknown()), Outcome::NoHit);
    let scored = Facts { score: 901.0, ..unknown() };
    assert_eq!(set.rules[0].evaluate(&scored), Outcome::Hit);
    let cluster = |cluster_devices| Facts {
        cluster_size: 40.0,
        cluster_devices,
        cluster_density: 0.2,
        cluster_age_spread: 3_599.0,
        ..unknown()
    };
    assert_eq!(set.rules[0].evaluate(&cluster(4.0)), Outcome::Hit);
    assert_eq!(set.rules[0].evaluate(&cluster(5.0)), Outcome::NoHit);
    assert_eq!(set.rules[0].evaluate(&cluster(f64::NAN)), Outcome::NoHit);
}

#[test]
fn an_expression_is_a_number_or_a_condition() {
    let subject = Subject::default().with(Field::Device, Some([1; 16]));
    let same = |found: f64, wanted: f64| assert_eq!(found.to_bits(), wanted.to_bits(), "{found}");
    let ratio = "count(claim by ip, 1h) / distinct(device by ip, 1h)";
    same(value(ratio, &[6.0, 4.0], &subject), 1.5);
    assert!(value(ratio, &[6.0, 0.0], &subject).is_nan());
    assert!(value(ratio, &[f64::NAN, 1.0], &subject).is_nan());
    same(value("hour * 7 + weekday - -1", &[], &subject), 147.0);
    same(value("has(device) and hour >= 20", &[], &subject), 1.0);
    same(value("amount > 1", &[], &subject), 0.0);
    let problem = |text: &str| {
        let problems = expression(text, &mut Plan::default()).err().unwrap_or_default();
        let [problem] = problems.as_slice() else { panic!("{text:?}: {problems:?}") };
        (problem.place.column, problem.code)
    };
    assert_eq!(problem("event"), (1, code::WRONG_TYPE));
    assert_eq!(problem("hour hour"), (6, code::SYNTAX));
    assert_eq!(problem("hours"), (1, code::UNKNOWN_NAME));
    assert_eq!(problem(""), (1, code::SYNTAX));
}

#[test]
fn what_cannot_be_counted_is_refused_where_it_stands() {
    wrong("rule a { when count(claim by device, 40d) > 3 then block }", 1, 38, code::WINDOW, "28d");
    wrong("rule a { when fraud_rate(device, 12h) > 0.1 then block }", 1, 34, code::WINDOW, "whole days");
    wrong("rule a { when burst(claim by store, 24h) > 3 then block }", 1, 37, code::WINDOW, "1h");
    wrong("rule a { when travel_speed(user, 1h) > 3 then block }", 1, 32, code::SYNTAX, "bracket");
    wrong("rule a { when matches(user, \"(a+)+\") then block }", 1, 15, code::UNKNOWN_NAME, "listed");
    wrong("rule a { when listed(vpn) then block }", 1, 22, code::SYNTAX, "listed(\"vpn\")");
    wrong("rule a { when listed(\"vpn\") > 1 then block }", 1, 15, code::WRONG_TYPE, "only numbers");
    let huge = format!("rule a {{ when amount > {} then block }}", "9".repeat(400));
    wrong(&huge, 1, 24, code::SYNTAX, "a number is");
    wrong("rule a { when count(claim by device, 99999999999h) > 3 then block }", 1, 38, code::SYNTAX, "a duration is");
}
