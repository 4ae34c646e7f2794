use forust_ml::gradientbooster::ContributionsMethod;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use risk::feature::{Plan, Subject};
use risk::rules::Facts;

use super::*;

fn inputs() -> Vec<String> {
    ["amount", "hour", "weekday"].map(str::to_owned).to_vec()
}

/// Large amounts at night are fraud, most of the time; each value is unknown now and then, and the third says nothing.
fn rows(seed: u64, count: usize) -> Vec<Row> {
    let mut random = StdRng::seed_from_u64(seed);
    let row = |n: usize| {
        let (amount, hour) = (random.random_range(0..50_000), random.random_range(0..24));
        let fraud = (amount > 30_000 && hour < 6) != random.random_bool(0.05);
        let mut values = [f64::from(amount), f64::from(hour), f64::from(random.random_range(1..8))];
        for value in &mut values {
            if random.random_bool(0.1) {
                *value = f64::NAN;
            }
        }
        Row { values: values.to_vec(), fraud, day: n as i64 / 100, who: random.random_range(0..50) }
    };
    (0..count).map(row).collect()
}

fn few_trees() -> Settings {
    Settings { trees: 20, learning_rate: 0.3, ..Settings::default() }
}

fn matrix(rows: &[Row]) -> Vec<f64> {
    (0..3).flat_map(|input| rows.iter().map(move |row| row.values[input])).collect()
}

#[test]
fn the_artifact_says_what_the_library_says() {
    let (train, other) = (rows(1, 2_000), rows(2, 500));
    let (columns, others) = (matrix(&train), matrix(&other));
    let labels: Vec<f64> = train.iter().map(|row| f64::from(u8::from(row.fraud))).collect();
    let mut library = booster(&few_trees()).expect("settings");
    library.fit(&Matrix::new(&columns, train.len(), 3), &labels, &vec![1.0; train.len()], None).expect("trees");
    let sums = library.predict(&Matrix::new(&others, other.len(), 3), false);
    let artifact = fit(&train, &inputs(), &few_trees()).expect("a model");
    let judged = judge(&artifact, &other).expect("a model");
    for (sum, judged) in sums.iter().zip(judged) {
        let wanted = 1.0 / (1.0 + (-sum).exp());
        assert!((judged.probability - wanted).abs() < 1e-12, "{} instead of {wanted}", judged.probability);
    }
}

#[test]
fn reasons_are_the_librarys_contributions() {
    let train = rows(3, 2_000);
    let artifact = fit(&train, &inputs(), &few_trees()).expect("a model");
    let columns = matrix(&train);
    let labels: Vec<f64> = train.iter().map(|row| f64::from(u8::from(row.fraud))).collect();
    let mut library = booster(&few_trees()).expect("settings");
    library.fit(&Matrix::new(&columns, train.len(), 3), &labels, &vec![1.0; train.len()], None).expect("trees");
    let asked = [40_000.0, 3.0, f64::NAN];
    let wanted = library.predict_contributions(&Matrix::new(&asked, 1, 3), ContributionsMethod::Weight, false);

    let scorer =
        Model::parse(&artifact.to_bytes()).and_then(|model| model.compile(&mut Plan::default())).expect("a model");
    let subject = Subject::default();
    let facts = Facts { amount: asked[0], hour: asked[1], ..Facts::new(&[], &subject, "redemption") };
    let reasons = scorer.reasons(&facts, 3);
    assert!(reasons.len() >= 2 && reasons[..2].iter().all(|reason| reason.points > 0), "{reasons:?}");
    for reason in &reasons {
        let place = inputs().iter().position(|input| *input == reason.input).expect("an input");
        assert!((reason.contribution - wanted[place]).abs() < 1e-9, "{reason:?} instead of {}", wanted[place]);
    }
}

#[test]
fn the_same_rows_give_the_same_artifact() {
    let rows = rows(4, 1_500);
    let drawn = Settings { row_share: 0.7, input_share: 0.7, seed: 9, ..few_trees() };
    let once = train(&rows, &inputs(), &drawn).expect("a model");
    assert_eq!(once, train(&rows, &inputs(), &drawn).expect("a model"));
    let other = train(&rows, &inputs(), &Settings { seed: 10, ..drawn }).expect("a model");
    assert_ne!(once.artifact, other.artifact, "another seed draws others");
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let rows = rows(8, 40_000);
    let columns = matrix(&rows);
    let labels: Vec<f64> = rows.iter().map(|row| f64::from(u8::from(row.fraud))).collect();
    let grown = |threads| {
        let mut library = booster(&few_trees()).expect("settings");
        library.num_threads = Some(threads);
        library.fit(&Matrix::new(&columns, rows.len(), 3), &labels, &vec![1.0; rows.len()], None).expect("trees");
        export::artifact(&library, &inputs())
    };
    assert_eq!(grown(1), grown(3));
}

#[test]
fn metrics_are_of_later_rows_that_were_not_seen() {
    let trained = train(&rows(5, 3_000), &inputs(), &few_trees()).expect("a model");
    let metrics = trained.metrics.expect("both kinds");
    assert_eq!(metrics.rows, 600);
    assert!(metrics.auc > 0.75 && metrics.auc < 0.99, "{metrics:?}");
    // With labels that say nothing, what was learnt by heart would show.
    let mut random = StdRng::seed_from_u64(6);
    let mut senseless = rows(6, 3_000);
    for row in &mut senseless {
        row.fraud = random.random_bool(0.2);
    }
    let metrics = train(&senseless, &inputs(), &few_trees()).expect("a model").metrics.expect("both kinds");
    assert!((metrics.auc - 0.5).abs() < 0.1, "{metrics:?}");
}

#[test]
fn what_cannot_be_trained_on_is_said() {
    let rows = rows(7, 300);
    let refused = |rows: &[Row], settings: Settings| train(rows, &inputs(), &settings).expect_err("not trained");
    let honest: Vec<Row> = rows.iter().filter(|row| !row.fraud).cloned().collect();
    assert_eq!(refused(&honest, few_trees()), TrainingProblem::OneKind);
    assert_eq!(refused(&[], few_trees()), TrainingProblem::OneKind);
    let changed = |change: fn(&mut Row)| {
        let mut rows = rows.clone();
        change(&mut rows[2]);
        rows
    };
    let short = changed(|row| row.values.truncate(2));
    assert_eq!(refused(&short, few_trees()), TrainingProblem::Values { row: 2, found: 2, wanted: 3 });
    let infinite = changed(|row| row.values[0] = f64::INFINITY);
    assert_eq!(refused(&infinite, few_trees()), TrainingProblem::Infinite(2));
    for settings in [
        Settings { trees: 0, ..few_trees() },
        Settings { depth: 17, ..few_trees() },
        Settings { learning_rate: f32::NAN, ..few_trees() },
        Settings { held_out: 1.0, ..few_trees() },
    ] {
        assert!(matches!(refused(&rows, settings), TrainingProblem::Setting { .. }), "{settings:?}");
    }
    let unknown = ["amount", "hour", "minute"].map(str::to_owned);
    assert!(matches!(train(&rows, &unknown, &few_trees()), Err(TrainingProblem::Model(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn whatever_is_trained_can_be_read(
        values in prop::collection::vec((prop::array::uniform3(prop::num::f64::ANY), any::<bool>()), 2..40),
    ) {
        let finite = |value: f64| if value.is_finite() { value } else { f64::NAN };
        let rows: Vec<Row> = values
            .iter()
            .map(|(values, fraud)| Row { values: values.map(finite).to_vec(), fraud: *fraud, day: 0, who: 0 })
            .collect();
        match fit(&rows, &inputs(), &Settings { least_leaf_weight: 0.0, ..few_trees() }) {
            Ok(artifact) => prop_assert_eq!(judge(&artifact, &rows).map(|judged| judged.len()), Ok(rows.len())),
            Err(problem) => prop_assert_eq!(problem, TrainingProblem::OneKind),
        }
    }
}
