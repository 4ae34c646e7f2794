use proptest::prelude::*;

use super::*;
use crate::feature::Subject;

/// Two trees: of the amount, unknown ones to the right; and of the hour within it, unknown ones to the left.
const EXAMPLE: &str = r#"{"format": 1, "inputs": ["amount", "hour", "count(redemption by user, 7d)"], "link": "logit",
    "base": -2.0, "trees": [
        [[0, 100.5, 1, false, 0.1], [-0.5], [1, 6.0, 3, true, 0.7], [1.5], [0.25]],
        [[2, 3.0, 1, true, 0.0], [-0.125], [1.0]]
    ]}"#;

fn example() -> Model {
    Model::parse(EXAMPLE.as_bytes()).expect("a model")
}

fn sum_of(model: &Model, values: [f64; 3]) -> f64 {
    let probability = model.score_values(&values).probability;
    libm::log(probability / (1.0 - probability))
}

fn close(found: f64, wanted: f64) {
    assert!((found - wanted).abs() < 1e-9, "{found} instead of {wanted}");
}

#[test]
fn each_tree_says_what_stands_in_its_leaf() {
    let model = example();
    close(sum_of(&model, [100.0, 3.0, 2.0]), -2.0 - 0.5 - 0.125);
    close(sum_of(&model, [100.5, 6.0, 3.0]), -2.0 + 0.25 + 1.0);
    close(sum_of(&model, [f64::INFINITY, 5.9, 4.0]), -2.0 + 1.5 + 1.0);
}

#[test]
fn what_is_not_known_goes_where_the_node_says() {
    close(sum_of(&example(), [f64::NAN, f64::NAN, f64::NAN]), -2.0 + 1.5 - 0.125);
}

#[test]
fn the_score_is_the_probability_in_thousandths() {
    let scored = example().score_values(&[200.0, 12.0, 9.0]);
    close(scored.probability, 1.0 / (1.0 + libm::exp(0.75)));
    assert_eq!(scored.score, 321);
    // To the bit, on every machine.
    assert_eq!(scored.probability.to_bits(), 0x3fd4_8856_10b9_b828);
}

#[test]
fn shares_of_a_forest_are_taken_as_they_are() {
    let forest = r#"{"format": 1, "inputs": ["hour"], "link": "identity", "base": 0.0,
        "trees": [[[0, 6.0, 1, true, 0.3], [0.5], [0.1]], [[0.25]]]}"#;
    let model = Model::parse(forest.as_bytes()).expect("a model");
    assert_eq!(model.score_values(&[3.0]), Scored { score: 750, probability: 0.75 });
}

#[test]
fn inputs_are_read_by_the_plan_that_rules_share() {
    let mut plan = Plan::default();
    let model = example();
    let scorer = model.compile(&mut plan).expect("inputs");
    assert_eq!((plan.features().len(), scorer.slots()), (1, vec![0]));
    let subject = Subject::default();
    let facts = Facts { amount: 200.0, hour: 12.0, ..Facts::new(&[9.0], &subject, "redemption") };
    assert_eq!(scorer.score(&facts), model.score_values(&[200.0, 12.0, 9.0]));
}

#[test]
fn reasons_name_what_moved_the_score_and_add_up() {
    let scorer = example().compile(&mut Plan::default()).expect("inputs");
    let subject = Subject::default();
    let facts = Facts { amount: 200.0, hour: 3.0, ..Facts::new(&[1.0], &subject, "redemption") };
    let reasons = scorer.reasons(&facts, 3);
    let said: Vec<_> =
        reasons.iter().map(|reason| (reason.input.as_str(), reason.value, reason.contribution)).collect();
    // 0.1 -> 0.7 by the amount, 0.7 -> 1.5 by the hour, 0 -> -0.125 by the count.
    let wanted =
        [("hour", 3.0, 1.5 - 0.7), ("amount", 200.0, 0.7 - 0.1), ("count(redemption by user, 7d)", 1.0, -0.125)];
    assert_eq!(said, wanted);
    let start = 1_000.0 / (1.0 + libm::exp(1.9));
    let points: i32 = reasons.iter().map(|reason| reason.points).sum();
    assert!((start + f64::from(points) - f64::from(scorer.score(&facts).score)).abs() <= 2.0);
    assert!(reasons[0].points > reasons[1].points && reasons[2].points < 0);
    assert_eq!(scorer.reasons(&facts, 1), reasons[..1]);
}

#[test]
fn whatever_is_wrong_with_an_artifact_is_said() {
    let node = |tree, node, fault| ModelProblem::Node { tree, node, fault };
    let cases: [(&str, &str, ModelProblem); 13] = [
        (r#""format": 1"#, r#""format": 2"#, ModelProblem::Format(2)),
        (r#""hour", "#, r#""amount", "#, ModelProblem::RepeatedInput(1)),
        ("-2.0", "1e300", ModelProblem::Base),
        ("[-0.5]", "[1e10]", node(0, 1, NodeFault::Number)),
        ("[0, 100.5, 1,", "[3, 100.5, 1,", node(0, 0, NodeFault::NoSuchInput)),
        ("[0, 100.5, 1,", "[0, 100.5, 0,", node(0, 0, NodeFault::Children)),
        ("[1, 6.0, 3,", "[1, 6.0, 2,", node(0, 2, NodeFault::Children)),
        ("[1, 6.0, 3,", "[1, 6.0, 4,", node(0, 2, NodeFault::Children)),
        ("[0, 100.5, 1,", "[0, 100.5, 2,", node(0, 1, NodeFault::Parents)),
        ("[1.5], [0.25]", "[1.5], [0.25], [0.5]", node(0, 5, NodeFault::Parents)),
        ("[[2, 3.0, 1, true, 0.0], [-0.125], [1.0]]", "[]", node(1, 0, NodeFault::Parents)),
        ("[[2, 3.0, 1, true, 0.0], [-0.125], [1.0]]", "[[0.0], [1.0]]", node(1, 1, NodeFault::Parents)),
        ("[1, 6.0, 3,", "[1, 6.0, 4294967295,", node(0, 2, NodeFault::Children)),
    ];
    for (from, to, wanted) in cases {
        assert!(EXAMPLE.contains(from), "{from}");
        assert_eq!(Model::parse(EXAMPLE.replacen(from, to, 1).as_bytes()).err(), Some(wanted), "{to}");
    }
    for (from, to) in [("[1.0]", "[1.0, 2.0]"), (r#""base""#, r#""bases""#), ("100.5", "1e999"), ("logit", "probit")] {
        let problem = Model::parse(EXAMPLE.replacen(from, to, 1).as_bytes()).err();
        assert!(matches!(problem, Some(ModelProblem::Unreadable(_))), "{to}: {problem:?}");
    }
}

#[test]
fn inputs_are_expressions_that_give_a_number() {
    for wrong in ["amounts", "count(redemption by user, 8m) >", "event", "score / 2", "sum(redemption by user, 61m)"] {
        let text = EXAMPLE.replacen(r#""hour""#, &format!("{wrong:?}"), 1);
        let problem = Model::parse(text.as_bytes()).err();
        assert!(matches!(&problem, Some(ModelProblem::Input { number: 1, text, .. }) if text == wrong), "{problem:?}");
    }
}

#[test]
fn sizes_are_bounded() {
    let of = |inputs, trees| Artifact { format: FORMAT, inputs, link: Link::Logit, base: 0.0, trees };
    let refused = |artifact: &Artifact| match Model::parse(&artifact.to_bytes()) {
        Err(ModelProblem::TooMuch { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    let leaf = || vec![ArtifactNode::Leaf((0.0,))];
    assert_eq!(refused(&of((0..129).map(|n| format!("hour + {n}")).collect(), vec![])), "inputs");
    assert_eq!(refused(&of(vec!["hour +".repeat(100)], vec![])), "bytes of an input");
    assert_eq!(refused(&of(vec![], vec![leaf(); 1_001])), "trees");
    assert_eq!(refused(&of(vec![], vec![leaf().repeat(100_001)])), "nodes");
    let chain = |depth: u32| {
        let split = |n| [ArtifactNode::Split(0, 0.0, 2 * n + 1, true, 0.0), ArtifactNode::Leaf((0.0,))];
        let mut nodes: Vec<_> = (0..depth).flat_map(split).collect();
        // The root has no leaf beside it.
        nodes.remove(1);
        nodes.extend(leaf());
        nodes.extend(leaf());
        nodes
    };
    // Each split's children: the next split, or at the end a leaf, and a leaf.
    let reordered = |depth: u32| {
        let mut nodes = chain(depth);
        for (at, node) in nodes.iter_mut().enumerate() {
            if let ArtifactNode::Split(_, _, left, ..) = node {
                *left = at as u32 + if at == 0 { 1 } else { 2 };
            }
        }
        of(vec!["hour".to_owned()], vec![nodes])
    };
    assert!(Model::parse(&reordered(16).to_bytes()).is_ok());
    let deep = ModelProblem::Node { tree: 0, node: 31, fault: NodeFault::TooDeep };
    assert_eq!(Model::parse(&reordered(17).to_bytes()).err(), Some(deep));
}

#[test]
fn an_artifact_is_read_as_it_was_written() {
    let artifact = Artifact::read(EXAMPLE.as_bytes()).expect("an artifact");
    assert_eq!(Artifact::read(&artifact.to_bytes()), Ok(artifact));
}

/// Any nodes, valid or not.
fn any_node() -> impl Strategy<Value = ArtifactNode> {
    let number = prop_oneof![any::<f64>(), -3.0..3.0];
    prop_oneof![
        number.clone().prop_map(|value| ArtifactNode::Leaf((value,))),
        (0_u16..4, number.clone(), 0_u32..12, any::<bool>(), number).prop_map(
            |(input, threshold, left, missing, value)| { ArtifactNode::Split(input, threshold, left, missing, value) }
        ),
    ]
}

proptest! {
    #[test]
    fn what_is_let_through_can_be_evaluated(
        trees in prop::collection::vec(prop::collection::vec(any_node(), 1..8), 0..3),
        values in prop::array::uniform3(any::<f64>()),
    ) {
        let inputs = ["amount", "hour", "weekday"].map(str::to_owned).to_vec();
        let artifact = Artifact { format: FORMAT, inputs, link: Link::Logit, base: 0.0, trees };
        if let Ok(model) = Model::parse(&artifact.to_bytes()) {
            let scored = model.score_values(&values);
            prop_assert!((0.0..=1.0).contains(&scored.probability) && scored.score <= 1_000, "{:?}", scored);
        }
    }

    #[test]
    fn any_bytes_are_a_model_or_a_problem(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..EXAMPLE.len()) {
        _ = Model::parse(&bytes);
        let mut damaged = EXAMPLE.as_bytes().to_vec();
        damaged.splice(at.., bytes);
        _ = Model::parse(&damaged);
    }
}
