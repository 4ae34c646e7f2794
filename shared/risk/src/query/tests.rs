use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Query {
    parse(text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"))
}

fn problems(text: &str) -> Vec<(u32, String)> {
    let problems = parse(text).expect_err(text);
    problems.into_iter().map(|problem| (problem.column, format!("{}; {}", problem.message, problem.hint))).collect()
}

#[test]
fn all_forms_are_read_and_print_the_same_again() {
    for (text, printed) in [
        ("", ""),
        ("  ", ""),
        ("kind:claim", "kind:claim"),
        ("kind:claim  and action:block", "kind:claim action:block"),
        ("kind:claim or kind:lock action:block", "kind:claim or (kind:lock action:block)"),
        ("(kind:claim or kind:lock) action:block", "(kind:claim or kind:lock) action:block"),
        ("-action:( block , review )", "not action:(block,review)"),
        ("not not rule:a", "not not rule:a"),
        ("not (rule:a rule:b)", "not (rule:a rule:b)"),
        ("score>500 amount>=1000 amount < 2000".replace(" < ", "<").as_str(), "score>500 amount>=1000 amount<2000"),
        ("score:500", "score=500"),
        ("ip:2001:db8::/64", "ip:2001:db8::/64"),
        ("device:\"a b\\\"c\\\\\"", "device:\"a b\\\"c\\\\\""),
        ("device:\"plain\"", "device:plain"),
        ("rule:羊毛党", "rule:羊毛党"),
        ("degraded:yes", "degraded:yes"),
        ("user:-5", "user:-5"),
        ("user:\"\"", "user:\"\""),
    ] {
        let query = read(text);
        assert_eq!(query.to_string(), printed, "{text}");
        assert_eq!(read(printed), query, "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_column() {
    for (text, column, told) in [
        ("devise:x", 1, "\"devise\" is no field; did you mean device?"),
        ("kind:claim nonsense:1", 12, "\"nonsense\" is no field; the fields are kind, action"),
        ("action:blok", 8, "action is never \"blok\"; write one of allow, review, challenge, block"),
        ("action:(block,revue)", 15, "action is never \"revue\""),
        ("score>many", 7, "score is one whole number; compare it"),
        ("score:(1,2)", 8, "score is one whole number"),
        ("device>x", 8, "device is no number; write device:x"),
        ("kind:claim )", 12, "this bracket was never opened"),
        ("kind:claim (rule:a", 12, "this bracket is never closed"),
        ("action:(block", 8, "this list is never closed"),
        ("device:\"abc", 8, "this quote is never closed"),
        ("device: abc", 8, "a value is missing"),
        ("farm-1", 1, "\"farm\" stands alone; write a field before it, such as device:farm"),
        ("or rule:a", 1, "something is missing before or"),
        ("rule:a or", 10, "something is missing at the end"),
        ("not", 4, "something is missing at the end"),
        ("()", 2, "this is no field"),
        ("羊毛党 rule:a", 1, "\"羊毛党\" stands alone"),
        ("degraded:maybe", 10, "degraded is never \"maybe\"; write one of yes, no"),
    ] {
        let found = problems(text);
        assert!(found[0].0 == column && found[0].1.starts_with(told), "{text}: {found:?}");
    }
    assert_eq!(problems("devise:x (ruel:y").iter().map(|it| it.0).collect::<Vec<_>>(), [1, 10, 11], "all at once");
    assert_eq!(problems(&"(".repeat(100))[0].1, "brackets and negations are more than 32 deep; write it flatter");
    assert!(problems(&"a".repeat(MOST_BYTES + 1))[0].1.starts_with("the query is longer"));
}

#[test]
fn a_query_fits_what_it_says() {
    let of =
        |text: &str, holding: &[&str]| read(text).fits(&|term: &Term| holding.contains(&term.to_string().as_str()));
    assert!(of("", &[]));
    assert!(of("rule:a rule:b", &["rule:a", "rule:b"]) && !of("rule:a rule:b", &["rule:a"]));
    assert!(of("rule:a or rule:b", &["rule:b"]) && !of("rule:a or rule:b", &[]));
    assert!(of("-rule:a", &[]) && !of("not rule:a", &["rule:a"]));
    assert!(of("rule:c or rule:a rule:b", &["rule:c"]), "and binds more strongly");
    for comparison in Comparison::ALL {
        let wanted = [(4, 5), (5, 5), (6, 5)].map(|(value, bound): (i64, i64)| match comparison {
            Comparison::Below => value < bound,
            Comparison::AtMost => value <= bound,
            Comparison::Equal => value == bound,
            Comparison::AtLeast => value >= bound,
            Comparison::Above => value > bound,
        });
        assert_eq!([4, 5, 6].map(|value| comparison.holds(value, 5)), wanted);
    }
}

fn term() -> impl Strategy<Value = Term> {
    let text = prop::sample::select(vec![Field::Rule, Field::Device, Field::User, Field::Ip, Field::Store]);
    let texts =
        (text, prop::collection::vec(any::<String>(), 1..4)).prop_map(|(field, values)| (field, Test::OneOf(values)));
    let number = prop::sample::select(vec![Field::Score, Field::Amount]);
    let numbers = (number, prop::sample::select(Comparison::ALL.to_vec()), any::<i64>())
        .prop_map(|(field, comparison, bound)| (field, Test::Compare(comparison, bound)));
    prop_oneof![texts, numbers].prop_map(|(field, test)| Term { field, test, column: 1 })
}

fn query() -> impl Strategy<Value = Query> {
    term().prop_map(Query::Is).prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|query| Query::Not(Box::new(query))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Query::And),
            prop::collection::vec(inner, 2..4).prop_map(Query::Or),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_breaks_it(text in "\\PC{0,60}") {
        if let Ok(query) = parse(&text) {
            prop_assert_eq!(parse(&query.to_string()), Ok(query));
        }
    }

    #[test]
    fn no_text_of_its_own_words_breaks_it(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "kind", "rule", "score", ":", ">", "<=", "claim", "(", ")", ",", "\"", "\\", " ", " or ", " and ", " not ", "-", "7",
            ]),
            0..30,
        )
    ) {
        let text = words.concat();
        match parse(&text) {
            Ok(query) => prop_assert_eq!(parse(&query.to_string()), Ok(query)),
            Err(problems) => {
                let end = text.chars().count() as u32 + 1;
                prop_assert!(!problems.is_empty() && problems.iter().all(|it| (1..=end).contains(&it.column)), "{problems:?}");
            }
        }
    }

    #[test]
    fn whatever_is_printed_is_read_the_same(query in query()) {
        prop_assert_eq!(parse(&query.to_string()), Ok(query));
    }
}
