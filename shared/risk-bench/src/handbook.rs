//! The simulated card transactions of the Fraud Detection Handbook (Le Borgne, Siblini, Lebichot and Bontempi, *Reproducible
//! Machine Learning for Credit Card Fraud Detection - Practical Handbook*, 2022), by its own protocol (ch. 5.2).

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use risk::feature::{Field, Happening};
use risk_training::{Metrics, Row, Settings};

use crate::failure::{Failure, Result};
use crate::replay::{Event, Replay, subject};
use crate::table;

/// What the model looks at: the handbook's features (ch. 3.4), a customer being a user and a terminal a store, in windows that
/// rules have too; and what a customer spends of late by what is usual for them.
pub const INPUTS: [&str; 28] = [
    "amount",
    "weekday",
    "hour",
    "count(redemption by user, 24h)",
    "count(redemption by user, 7d)",
    "count(redemption by user, 28d)",
    "sum(redemption by user, 24h) / count(redemption by user, 24h)",
    "sum(redemption by user, 7d) / count(redemption by user, 7d)",
    "sum(redemption by user, 28d) / count(redemption by user, 28d)",
    "amount * count(redemption by user, 28d) / sum(redemption by user, 28d)",
    "sum(redemption by user, 7d) / count(redemption by user, 7d) \
     * count(redemption by user, 28d) / sum(redemption by user, 28d)",
    "sum(redemption by user, 24h) / count(redemption by user, 24h) \
     * count(redemption by user, 28d) / sum(redemption by user, 28d)",
    "frauds(store, 1d)",
    "frauds(store, 2d)",
    "frauds(store, 7d)",
    "frauds(store, 14d)",
    "frauds(store, 21d)",
    "frauds(store, 28d)",
    "settled(store, 2d)",
    "settled(store, 7d)",
    "settled(store, 14d)",
    "settled(store, 21d)",
    "settled(store, 28d)",
    "frauds(store, 2d) / settled(store, 2d)",
    "frauds(store, 7d) / settled(store, 7d)",
    "frauds(store, 14d) / settled(store, 14d)",
    "frauds(store, 21d) / settled(store, 21d)",
    "frauds(store, 28d) / settled(store, 28d)",
];

struct Transaction {
    day: i64,
    customer: u64,
    fraud: bool,
    event: Event,
}

/// Which days are trained on, and which judged; days since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first day that is trained on.
    pub train_from: i64,
    /// How many are.
    pub train_days: i64,
    /// Days between those and the ones that are judged: labels are waited for.
    pub delay_days: i64,
    /// How many days are judged.
    pub test_days: i64,
}

impl Period {
    /// The first day that is judged.
    pub fn test_from(self) -> i64 {
        self.train_from + self.train_days + self.delay_days
    }

    /// The day behind the last that is judged.
    pub fn end(self) -> i64 {
        self.test_from() + self.test_days
    }

    /// The same, so many days before.
    #[must_use]
    pub fn earlier(self, days: i64) -> Self {
        Self { train_from: self.train_from - days, ..self }
    }
}

/// What the model sees of the transactions.
pub struct Handbook {
    /// The first day and the last.
    pub days: Option<(i64, i64)>,
    /// What asking about one transaction took, the mean: all counts that the model looks at, and its inputs from them.
    pub ask: Duration,
    rows: Vec<Row>,
}

/// How well a model does in a period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Which.
    pub period: Period,
    /// How well.
    pub metrics: Metrics,
    /// What scoring one transaction took, the mean, its inputs being known.
    pub score: Duration,
}

impl Handbook {
    /// Reads the transactions and passes them through the counts, in their order. The model is asked about those of the days
    /// that are named; nothing behind these is read.
    pub fn open(path: &Path, asked: Range<i64>) -> Result<Self> {
        let transactions = read(path, asked.end)?;
        let mut replay = Replay::new(&inputs())?;
        let mut rows = Vec::new();
        let mut asking = Duration::ZERO;
        for Transaction { day, customer, fraud, event } in &transactions {
            if asked.contains(day) {
                let begun = Instant::now();
                let values = replay.ask(event);
                asking += begun.elapsed();
                rows.push(Row { values: values.into_vec(), fraud: *fraud, day: *day, who: *customer });
            }
            replay.happened(event, *fraud);
        }
        let days = transactions.first().zip(transactions.last()).map(|(first, last)| (first.day, last.day));
        Ok(Self { days, ask: each(asking, rows.len()), rows })
    }

    /// The rows to train on and those to judge. Of the latter those are left out whose customer is known to be compromised on
    /// that day: by a fraud in training, or one that happened since, the delay before.
    pub fn split(&self, period: Period) -> (Vec<Row>, Vec<Row>) {
        let of = |days: Range<i64>| self.rows.iter().filter(move |row| days.contains(&row.day));
        let trained = || of(period.train_from..period.train_from + period.train_days);
        let mut compromised: BTreeSet<u64> = trained().filter(|row| row.fraud).map(|row| row.who).collect();
        let mut test = Vec::new();
        for day in period.test_from()..period.end() {
            let known = day - period.delay_days - 1;
            compromised.extend(of(known..known + 1).filter(|row| row.fraud).map(|row| row.who));
            test.extend(of(day..day + 1).filter(|row| !compromised.contains(&row.who)).cloned());
        }
        (trained().cloned().collect(), test)
    }

    /// How well a model does.
    pub fn judge(&self, period: Period, settings: &Settings) -> Result<Verdict> {
        let (train, test) = self.split(period);
        let artifact = risk_training::fit(&train, &inputs(), settings)?;
        let begun = Instant::now();
        let judged = risk_training::judge(&artifact, &test)?;
        let score = each(begun.elapsed(), judged.len());
        let metrics = Metrics::of(&judged).ok_or_else(|| Failure::OneKind(table::day_text(period.test_from())))?;
        Ok(Verdict { period, metrics, score })
    }
}

fn each(all: Duration, count: usize) -> Duration {
    all / u32::try_from(count.max(1)).unwrap_or(u32::MAX)
}

/// [`INPUTS`], as training takes them.
pub fn inputs() -> Vec<String> {
    INPUTS.map(str::to_owned).to_vec()
}

/// Until such a day.
fn read(path: &Path, end: i64) -> Result<Vec<Transaction>> {
    let columns = ["TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT", "TX_FRAUD"];
    let mut transactions = Vec::new();
    table::rows(path, columns, |row| {
        let (day, time_ms) = row.read(0, "time such as 2018-04-01 00:00:31", |text| {
            let (day, time) = text.split_once(' ')?;
            Some((table::day(day)?, table::time_ms(time)?))
        })?;
        if day >= end {
            return Ok(false);
        }
        let customer = row.read(1, "number", |text| text.parse().ok())?;
        let amount = row.read(3, "amount", table::minor_units)?;
        let fraud = row.read(4, "0 or 1", |text| ["0", "1"].iter().position(|known| *known == text))? == 1;
        let subject = subject([(Field::User, row.text(1)), (Field::Store, row.text(2))]);
        let at_ms = day * 86_400_000 + time_ms;
        let event = Event { happening: Happening::Redemption, at_ms, subject, amount };
        transactions.push(Transaction { day, customer, fraud, event });
        Ok(true)
    })?;
    Ok(transactions)
}

#[cfg(test)]
mod tests;
