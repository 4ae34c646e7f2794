//! No text makes the check panic or take long, and what it lets through can be evaluated.

use super::*;

/// Words and signs of the language, and some that are not.
const SOUP: [&str; 50] = [
    "rule",
    "when",
    "then",
    "and",
    "or",
    "not",
    "block",
    "review",
    "score",
    "reason",
    "count",
    "sum",
    "distinct",
    "burst",
    "gap_variation",
    "fraud_rate",
    "frauds",
    "settled",
    "travel_speed",
    "age",
    "idle",
    "has",
    "listed",
    "by",
    "claim",
    "refused",
    "device",
    "ip24",
    "coupon",
    "channel",
    "amount",
    "hour",
    "cluster_size",
    "event",
    "\"claim\"",
    "\"\"",
    "(",
    ")",
    "{",
    "}",
    ",",
    "+",
    "-",
    "*",
    "/",
    ">",
    "==",
    "1h",
    "28d",
    "999999999999999999999999",
];

fn soup() -> impl Strategy<Value = String> {
    let word = (0..SOUP.len(), prop_oneof![Just(" "), Just(""), Just("\n")]);
    let joined = |words: Vec<(usize, &str)>| words.iter().flat_map(|(n, gap)| [SOUP[*n], gap]).collect();
    prop::collection::vec(word, 0..60).prop_map(joined)
}

/// A rule of the starter set with some characters taken out, doubled or put in.
fn mutated() -> impl Strategy<Value = String> {
    let rules: Vec<&str> = STARTER.lines().filter(|line| line.starts_with("rule")).collect();
    let change = (any::<prop::sample::Index>(), 0..3_u8, any::<char>());
    (0..rules.len(), prop::collection::vec(change, 0..4)).prop_map(move |(n, changes)| {
        let mut text: Vec<char> = rules[n].chars().collect();
        for (place, how, character) in changes {
            let at = place.index(text.len());
            match how {
                0 => drop(text.remove(at)),
                1 => text.insert(at, text[at]),
                _ => text[at] = character,
            }
        }
        text.into_iter().collect()
    })
}

fn nested() -> impl Strategy<Value = String> {
    let opening = prop_oneof![Just("("), Just("not "), Just("-"), Just("not ("), Just("1 + ("), Just("age(")];
    (opening, 0..3_000_usize, 0..3_000_usize).prop_map(|(opening, open, close)| {
        format!("rule a {{ when {}1{} > 0 then block }}", opening.repeat(open), ")".repeat(close))
    })
}

fn texts() -> impl Strategy<Value = String> {
    let bytes =
        prop::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    prop_oneof![2 => bytes, 3 => soup(), 4 => mutated(), 1 => nested()]
}

/// What a feature may give, and more.
fn known() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(f64::NAN), Just(f64::INFINITY), Just(-1.0), 0.0..1e9]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn any_text_is_refused_with_a_place_or_evaluated(text in texts(), values in prop::collection::vec(known(), 16)) {
        let subject = Subject::default();
        let facts = facts(&values, &subject);
        let lines = text.split('\n').count() as u32;
        let mut plan = Plan::default();
        match compile(&text, &mut plan) {
            Ok(set) => {
                prop_assert!(check(&text).is_empty());
                for rule in &set.rules {
                    let outcome = rule.evaluate(&facts);
                    prop_assert_eq!(outcome, rule.evaluate(&facts));
                    prop_assert!(rule.text(7).len() < 1_000);
                }
            }
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                for problem in problems {
                    prop_assert!((1..=lines).contains(&problem.place.line), "{}", problem);
                    prop_assert!(!problem.message.is_empty() && !problem.hint.is_empty(), "{}", problem);
                }
            }
        }
        if let Ok(expression) = expression(&text, &mut plan) {
            let (first, again) = (expression.value(&facts), expression.value(&facts));
            prop_assert_eq!(first.to_bits(), again.to_bits());
        }
    }
}

#[test]
fn large_texts_are_told_their_first_problems_only() {
    let problems = check(&"rule ".repeat(200_000));
    assert_eq!((problems.len(), problems[0].code), (100, code::SYNTAX));
    let problems = check(&"rule a { when hour > 1 then block }\n".repeat(20_000));
    assert!(problems.iter().any(|problem| problem.code == code::TOO_MUCH), "{}", problems.len());
    assert!(problems.len() <= 501, "{}", problems.len());
}

#[test]
fn a_set_looks_at_a_bounded_number_of_features() {
    let rule = |n: usize| {
        // Each rule has features of its own.
        let name = Happening::ALL[n % Happening::ALL.len()].name();
        let (key, other) = if n < Happening::ALL.len() { ("user", "ip") } else { ("device", "store") };
        let counts = (1..=50).map(|minutes| format!("count({name} by {key}, {minutes}m) > 3"));
        let sums = (1..=50).map(|minutes| format!("sum({name} by {other}, {minutes}m) > 3"));
        format!("rule r{n} {{ when {} then block }}", counts.chain(sums).collect::<Vec<_>>().join(" or "))
    };
    let set = |rules: usize| (0..rules).map(rule).collect::<Vec<_>>().join("\n");
    assert_eq!(check(&set(5)), [], "500");
    let problems = check(&set(6));
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!((problem.place, problem.code), (Place { line: 6, column: 1 }, code::TOO_MUCH), "600");
}
