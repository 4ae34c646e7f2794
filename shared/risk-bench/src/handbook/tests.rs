use std::fmt::Write;
use std::path::PathBuf;

use super::*;

/// Transactions of so many days since 2018-04-01, each a customer, a terminal and whether it is fraud.
fn file(name: &str, transactions: &[(i64, u64, u64, bool)]) -> PathBuf {
    let mut text = String::from("TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_FRAUD\n");
    for (n, (day, customer, terminal, fraud)) in transactions.iter().enumerate() {
        let day = table::day_text(first_day() + day);
        let fraud = u8::from(*fraud);
        writeln!(text, "{n},{day} 10:00:00,{customer},{terminal},10.5,{fraud}").expect("a text");
    }
    let path = std::env::temp_dir().join(format!("counterfoil-risk-bench-{}-{name}.csv", std::process::id()));
    std::fs::write(&path, text).expect("a file");
    path
}

fn first_day() -> i64 {
    table::day("2018-04-01").expect("a day")
}

fn week(train_from: i64) -> Period {
    Period { train_from: first_day() + train_from, train_days: 7, delay_days: 7, test_days: 7 }
}

#[test]
fn customers_that_are_known_to_be_compromised_are_not_judged() {
    let trained = [(0, 1, 9, true), (6, 2, 9, false)];
    // The fraud of the 8th day is known a week later: on the 16th, as that of the 7th on the 15th.
    let waited = [(7, 3, 9, true), (8, 4, 9, true)];
    let judged: Vec<_> = (14..21).flat_map(|day| (1..=5).map(move |customer| (day, customer, 9, false))).collect();
    let path = file("split", &[&trained[..], &waited[..], &judged[..], &[(21, 5, 9, false)]].concat());
    let handbook = Handbook::open(&path, first_day()..first_day() + 99).expect("transactions");
    std::fs::remove_file(&path).expect("the file");

    let (train, test) = handbook.split(week(0));
    assert_eq!(train.iter().map(|row| row.who).collect::<Vec<_>>(), [1, 2]);
    let on = |day: i64| test.iter().filter(|row| row.day == first_day() + day).map(|row| row.who).collect::<Vec<_>>();
    assert_eq!(on(14), [2, 3, 4, 5]);
    assert_eq!(on(15), [2, 4, 5]);
    assert_eq!(on(16), [2, 5]);
    assert!(on(21).is_empty(), "it lies behind the week");
}

#[test]
fn what_lies_behind_a_day_changes_nothing_of_it() {
    let all: Vec<_> = (0..30).flat_map(|day| (0..4).map(move |n| (day, n, n % 2, (day + n as i64) % 5 == 0))).collect();
    let path = file("future", &all);
    let end = first_day() + 20;
    let whole = Handbook::open(&path, first_day()..first_day() + 30).expect("transactions");
    let part = Handbook::open(&path, first_day()..end).expect("transactions");
    std::fs::remove_file(&path).expect("the file");
    assert_eq!((whole.rows.len(), part.rows.len()), (120, 80));
    let bits = |row: &Row| row.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert!(whole.rows.iter().zip(&part.rows).all(|(whole, part)| bits(whole) == bits(part)));
    let seen = INPUTS.iter().position(|input| *input == "frauds(store, 28d)").expect("an input");
    assert!(part.rows.iter().take(28).all(|row| row.values[seen] < 0.5), "no label was known in the first week");
    assert!(part.rows.iter().any(|row| row.values[seen] > 1.5));
}

/// On the real transactions, if they are there: the first five weeks, of which little is known yet.
#[test]
fn the_first_weeks_are_told_apart() {
    let Some(path) = crate::data("fraud_handbook/transactions.csv.gz") else { return };
    let period = Period { train_days: 5, test_days: 2, ..week(21) };
    let handbook = Handbook::open(&path, period.train_from..period.end()).expect("transactions");
    let settings = Settings { trees: 40, learning_rate: 0.1, ..Settings::default() };
    let Verdict { metrics, .. } = handbook.judge(period, &settings).expect("both kinds");
    assert!(metrics.rows > 15_000 && metrics.auc > 0.8 && metrics.average_precision > 0.3, "{metrics:?}");
}
