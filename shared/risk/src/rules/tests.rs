mod language;
mod robust;
mod starter;

use proptest::prelude::*;

use super::*;
use crate::feature::{Asked, Field, Happening, Key, Measure, Observation, Subject, Table};

/// Of a subject at a time, from nowhere that is known.
fn asked(subject: &Subject, at_ms: i64) -> Asked<'_> {
    Asked { subject, at_ms, now_ms: at_ms, place: None }
}

const BULK: &str = r#"
# 羊毛党: one device, many accounts
rule bulk_claim {
  when distinct(user by device, 24h) > 3 or count(claim by ip, 10m) > 50
  then review score 300
  reason "{n} users on one device"
}
rule large_and_new { when amount >= 100_000 and age(user) < 1h then challenge score 150 }
"#;

fn facts<'a>(values: &'a [f64], subject: &'a Subject) -> Facts<'a> {
    Facts { hour: 20.0, weekday: 6.0, ..Facts::new(values, subject, "claim") }
}

/// The one rule of a text, evaluated with these values of its features.
fn outcome(when: &str, values: &[f64]) -> Outcome {
    let text = format!("rule x {{ when {when} then block }}");
    let set = compile(&text, &mut Plan::default()).unwrap_or_else(|problems| panic!("{problems:?}"));
    set.rules[0].evaluate(&facts(values, &Subject::default()))
}

#[test]
fn all_rules_are_read_with_what_they_look_at() {
    let mut plan = Plan::default();
    let set = compile(BULK, &mut plan).expect("right");
    let names: Vec<_> = set.rules.iter().map(|rule| (rule.name.as_str(), rule.action, rule.score)).collect();
    assert_eq!(names, [("bulk_claim", Action::Review, 300), ("large_and_new", Action::Challenge, 150)]);
    let features: Vec<_> = plan.features().iter().map(ToString::to_string).collect();
    assert_eq!(features, ["distinct(user by device, 24h)", "count(claim by ip, 10m)", "age(user)"]);
    assert_eq!((set.rules[0].slots.as_slice(), set.rules[1].slots.as_slice()), (&[0, 1][..], &[2][..]));
}

#[test]
fn a_hit_is_explained_by_the_condition_that_is_so() {
    let set = compile(BULK, &mut Plan::default()).expect("right");
    let subject = Subject::default();
    let (few, crowd) = ([2.0, 51.0, 9e9], [4.0, 0.0, 9e9]);
    let (few, crowd) = (facts(&few, &subject), facts(&crowd, &subject));
    assert_eq!(set.rules[0].evaluate(&few), Outcome::Hit);
    let because = set.rules[0].because(&few).expect("a condition");
    assert_eq!((because.what.as_str(), because.comparison, because.threshold), ("count(claim by ip, 10m)", ">", 50.0));
    assert_eq!(because.window_seconds, 600);
    let counted = set.rules[0].because(&crowd).map(|condition| condition.value(&crowd) as i64);
    assert_eq!(set.rules[0].text(counted.unwrap_or_default()), "4 users on one device");
    let nobody = facts(&[3.0, 50.0, 9e9], &subject);
    assert_eq!(set.rules[0].evaluate(&nobody), Outcome::NoHit, "a threshold is not over itself");
}

#[test]
fn what_is_not_known_is_not_so() {
    let unknown = [f64::NAN];
    let count = "count(claim by device, 1h)";
    for comparison in ["> 3", "< 3", "== 3", "!= 3", ">= 3", "<= 3"] {
        assert_eq!(outcome(&format!("{count} {comparison}"), &unknown), Outcome::NoHit, "{comparison}");
    }
    assert_eq!(outcome(&format!("not {count} > 3"), &unknown), Outcome::Hit);
    assert_eq!(outcome(&format!("has(device) and {count} < 3"), &[1.0]), Outcome::NoHit);
}

#[test]
fn a_rule_that_cannot_be_worked_out_says_so() {
    let ratio = "count(refused by ip, 1h) / count(claim by ip, 1h) > 2";
    assert_eq!(outcome(ratio, &[9.0, 3.0]), Outcome::Hit);
    assert_eq!(outcome(ratio, &[9.0, 0.0]), Outcome::Error);
    assert_eq!(outcome(&format!("hour == 20 or {ratio}"), &[9.0, 0.0]), Outcome::Error, "whatever the other side says");
}

#[test]
fn operators_bind_as_everywhere() {
    assert_eq!(outcome("1 + 2 * 3 == 7 and not 2 > 3", &[]), Outcome::Hit);
    assert_eq!(outcome("hour < 6 or hour > 19 and weekday == 6", &[]), Outcome::Hit);
    assert_eq!(outcome("(hour < 6 or hour > 19) and weekday == 7", &[]), Outcome::NoHit);
    assert_eq!(outcome("-hour + 30 > 10 - 1", &[]), Outcome::Hit);
    assert_eq!(outcome("event == \"claim\"", &[]), Outcome::Hit);
    assert_eq!(outcome("\"lock\" == event", &[]), Outcome::NoHit);
    assert_eq!(outcome("event != \"lock\"", &[]), Outcome::Hit);
}

/// The place and the kind of the only problem, and a part of its hint.
fn wrong(text: &str, line: u32, column: u32, code: &str, hint: &str) {
    let problems = check(text);
    let [problem] = problems.as_slice() else { panic!("{text:?}: {problems:?}") };
    assert_eq!((problem.place, problem.code), (Place { line, column }, code), "{problem}");
    assert!(problem.hint.contains(hint), "{problem}");
}

#[test]
fn problems_say_where_and_what_to_write() {
    wrong("rule a {\n  when count(claim by devise, 1h) > 3\n  then block }", 2, 23, code::UNKNOWN_NAME, "device");
    wrong("rule 甲 { when count(claims by device, 1h) > 3 then block }", 1, 21, code::UNKNOWN_NAME, "claim, lock");
    wrong("rule a { when count(claim by device, 61m) > 3 then block }", 1, 38, code::WINDOW, "whole minutes up to 1h");
    wrong("rule a { when count(claim by device, 1h) then block }", 1, 15, code::WRONG_TYPE, "compare it");
    wrong("rule a { when hour > 3 > 2 then block }", 1, 24, code::SYNTAX, "a < b and b < c");
    wrong("rule a { when hour > \"3\" then block }", 1, 22, code::WRONG_TYPE, "event");
    wrong("rule a { when hours > 3 then block }", 1, 15, code::UNKNOWN_NAME, "hour, weekday");
    wrong("rule a { when hour > 3 then delete }", 1, 29, code::UNKNOWN_NAME, "block");
    wrong("rule a { when hour > 3 then block score 1001 }", 1, 41, code::SYNTAX, "0 to 1000");
    wrong("rule a { when hour > 3 then block reason \"oh }", 1, 42, code::SYNTAX, "close it");
    wrong("rule a { when event == \"claims\" then block }", 1, 24, code::UNKNOWN_NAME, "\"claim\"");
    wrong("rule a { when hour ; 3 then block }", 1, 20, code::SYNTAX, "words, numbers");
    wrong("when hour > 3", 1, 1, code::SYNTAX, "a rule is:");
    wrong("rule a { when sum(claim by user + user, 1d) > 3 then block }", 1, 28, code::SYNTAX, "two different ones");
}

#[test]
fn all_problems_are_told_at_once() {
    let text = "rule a { when x > 1 then block }\nrule b { when hour then block }\nrule c { then block }\nrule a { when hour > 1 then block }";
    let places: Vec<_> = check(text).iter().map(|problem| (problem.place.line, problem.code)).collect();
    let wanted = [(1, code::UNKNOWN_NAME), (2, code::WRONG_TYPE), (3, code::SYNTAX), (4, code::NAME_TAKEN)];
    assert_eq!(places, wanted);
}

#[test]
fn deep_brackets_end_in_a_problem() {
    let text = format!("rule a {{ when {}1{} > 0 then block }}", "(".repeat(5_000), ")".repeat(5_000));
    assert_eq!(check(&text)[0].code, code::TOO_MUCH);
    let text = format!("rule a {{ when {}hour > 0 then block }}", "not ".repeat(5_000));
    assert_eq!(check(&text)[0].code, code::TOO_MUCH);
    let text = format!("rule a {{ when hour > 0{} then block }}", " or hour > 0".repeat(20_000));
    assert_eq!(check(&text)[0].code, code::TOO_MUCH, "a long chain is a deep one");
}

#[test]
fn a_device_with_many_users_hits_and_its_twin_with_few_does_not() {
    let mut plan = Plan::default();
    let set = compile(BULK, &mut plan).expect("right");
    let mut table = Table::new(1_000);
    let of = |device: u8, user: u8| {
        let shopper = Subject::default().with(Field::Merchant, Some([1; 16])).with(Field::Device, Some([device; 16]));
        shopper.with(Field::User, Some([user; 16]))
    };
    for minute in 0..20_u8 {
        let at_ms = 1_764_000_000_000 + i64::from(minute) * 60_000;
        for subject in [of(7, minute % 5), of(8, 1)] {
            let claim = Observation { happening: Happening::Claim, at_ms, subject, amount: 0, place: None };
            table.observe(&plan, &claim);
        }
    }
    let outcome = |subject: &Subject, at_ms: i64| {
        let values = table.values(&plan, &asked(subject, at_ms));
        set.rules[0].evaluate(&facts(&values, subject))
    };
    let now = 1_764_000_000_000 + 20 * 60_000;
    assert_eq!(outcome(&of(7, 1), now), Outcome::Hit);
    assert_eq!(outcome(&of(8, 1), now), Outcome::NoHit);
    assert_eq!(outcome(&of(7, 1), now + 25 * 3_600_000), Outcome::NoHit, "a day later");
}

proptest! {
    #[test]
    fn counts_are_those_of_a_plain_list(
        events in prop::collection::vec((0_u8..3, 0_i64..200_000), 1..150), minutes in 1_u32..=60,
    ) {
        let key = Key::new(&[Field::Device]).expect("a key");
        let window_seconds = minutes * 60;
        let feature = crate::feature::Feature { measure: Measure::Count(Happening::Claim), key, window_seconds };
        let mut plan = Plan::default();
        let number = plan.add(feature).expect("a window");
        let mut table = Table::new(1_000);
        let of = |device: u8| {
            Subject::default().with(Field::Merchant, Some([1; 16])).with(Field::Device, Some([device; 16]))
        };
        let mut events = events;
        events.sort_by_key(|(_, seconds)| *seconds);
        for (device, seconds) in &events {
            let at_ms = seconds * 1_000;
            table.observe(&plan, &Observation { happening: Happening::Claim, at_ms, subject: of(*device), amount: 0, place: None });
        }
        let now = events.last().map_or(0, |(_, seconds)| *seconds);
        let after = now / 60 - i64::from(minutes);
        let plain = events.iter().filter(|(device, seconds)| *device == 1 && seconds / 60 > after).count();
        prop_assert_eq!(table.values(&plan, &asked(&of(1), now * 1_000))[number] as usize, plain);
    }
}
