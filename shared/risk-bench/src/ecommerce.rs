//! Signups and purchases with their device and address; most of the fraud is of devices that sign up many users.
//!
//! A signup is a claim, which has a channel, and the purchase that follows is a redemption. Models are judged on devices that they were not trained
//! on: which those are, a hash of the device says.

use std::path::Path;

use risk::feature::{Field, Happening};
use risk_training::{Judged, Metrics, Row, Settings};
use xxhash_rust::xxh3::xxh3_64;

use crate::failure::{Failure, Result};
use crate::hindsight;
use crate::replay::{Event, Replay, subject};
use crate::table;

/// What the model looks at. The channel's share of the claims stands for the channel: on the devices of training alone, split
/// again, it helped in each fold, and `fraud_rate(channel, 28d)` did not.
pub const INPUTS: [&str; 7] = [
    "age(user)",
    "age(device)",
    "idle(device)",
    "distinct(user by device, 24h)",
    "distinct(user by device, 28d)",
    "count(redemption by device, 28d)",
    "count(claim by channel, 28d) / count(claim by merchant, 28d)",
];

/// A purchase.
pub struct Purchase {
    /// Its device's hash.
    pub device: u64,
    /// Whether it was made in the minute of the signup.
    pub at_once: bool,
    /// What stands in each of [`hindsight::COLUMNS`].
    pub told: [u64; hindsight::COLUMNS.len()],
    /// What was known at the moment, and what became of it.
    pub row: Row,
}

/// What happened on devices, in the order of time.
pub struct Ecommerce {
    purchases: Vec<Purchase>,
}

/// How well models do on devices that they were not trained on.
pub struct Folds {
    /// Of each fold.
    pub folds: Vec<Metrics>,
    /// Purchases in the minute of the signup, and how many of them are fraud.
    pub at_once: (usize, usize),
    /// The area under the curve among all others, each scored by the model of its fold.
    pub others_auc: Option<f64>,
    /// Of each fold, by models that also look at [`hindsight::INPUTS`].
    pub hindsight: Vec<Metrics>,
    /// How much fraud differs among those that were not made at once, by each of [`hindsight::COLUMNS`].
    pub differences: [Option<f64>; hindsight::COLUMNS.len()],
}

/// The mean area under the curve.
pub fn mean_auc(folds: &[Metrics]) -> f64 {
    folds.iter().map(|fold| fold.auc).sum::<f64>() / folds.len() as f64
}

impl Folds {
    /// What the area under the curve among the others had to be for so much over all: a fraud that was made at once is
    /// scored higher than every honest purchase already, and each other one counts alike.
    pub fn others_needed(&self, auc: f64) -> f64 {
        let frauds: usize = self.folds.iter().map(|fold| fold.frauds).sum();
        let found = self.at_once.1 as f64 / frauds as f64;
        (auc - found) / (1.0 - found)
    }
}

impl Ecommerce {
    /// Reads the purchases and passes signups and purchases through the counts, in the order of time.
    pub fn open(path: &Path) -> Result<Self> {
        let mut happened = read(path)?;
        // A signup comes before a purchase of the same minute, and of equals the one that stands first in the file.
        happened.sort_by_key(|one| (one.event.at_ms, one.event.happening));
        let mut replay = Replay::new(&inputs())?;
        let mut purchases = Vec::new();
        for Happened { event, device, fraud, at_once, told } in happened {
            let is_purchase = event.happening == Happening::Redemption;
            if is_purchase {
                let (values, day) = (replay.ask(&event).into_vec(), event.at_ms.div_euclid(86_400_000));
                purchases.push(Purchase { device, at_once, told, row: Row { values, fraud, day, who: device } });
            }
            replay.happened(&event, fraud && is_purchase);
        }
        Ok(Self { purchases })
    }

    /// Judges each of so many parts of the devices by a model that was trained on the others.
    pub fn judge(&self, folds: u64, settings: &Settings) -> Result<Folds> {
        let rows: Vec<Row> = self.purchases.iter().map(|purchase| purchase.row.clone()).collect();
        let judged = by_the_others(&rows, &inputs(), folds, settings)?;
        let inputs = [inputs(), hindsight::INPUTS.map(str::to_owned).to_vec()].concat();
        let hindsight = by_the_others(&hindsight::rows(&self.purchases), &inputs, folds, settings)?;

        let (soon, others): (Vec<_>, Vec<_>) = self.purchases.iter().partition(|purchase| purchase.at_once);
        let judged_others = judged.iter().zip(&self.purchases).filter(|(_, purchase)| !purchase.at_once);
        let judged_others: Vec<Judged> = judged_others.map(|(one, _)| *one).collect();
        Ok(Folds {
            folds: metrics(&judged, folds)?,
            at_once: (soon.len(), soon.iter().filter(|purchase| purchase.row.fraud).count()),
            others_auc: Metrics::of(&judged_others).map(|others| others.auc),
            hindsight: metrics(&hindsight, folds)?,
            differences: hindsight::differences(&others),
        })
    }
}

/// What the model that was trained without a row's part says of each row, in their order.
fn by_the_others(rows: &[Row], inputs: &[String], folds: u64, settings: &Settings) -> Result<Vec<Judged>> {
    let mut judged: Vec<Option<Judged>> = vec![None; rows.len()];
    for fold in 0..folds {
        let (test, train): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|row| rows[*row].who % folds == fold);
        let of = |places: &[usize]| places.iter().map(|row| rows[*row].clone()).collect::<Vec<_>>();
        let artifact = risk_training::fit(&of(&train), inputs, settings)?;
        for (row, one) in test.iter().zip(risk_training::judge(&artifact, &of(&test))?) {
            judged[*row] = Some(one);
        }
    }
    Ok(judged.into_iter().flatten().collect())
}

/// The figures of each part.
fn metrics(judged: &[Judged], folds: u64) -> Result<Vec<Metrics>> {
    let of = |fold: u64| {
        let part: Vec<Judged> = judged.iter().filter(|one| one.who % folds == fold).copied().collect();
        Metrics::of(&part).ok_or_else(|| Failure::OneKind(format!("fold {fold}")))
    };
    (0..folds).map(of).collect()
}

/// [`INPUTS`], as training takes them.
pub fn inputs() -> Vec<String> {
    INPUTS.map(str::to_owned).to_vec()
}

struct Happened {
    event: Event,
    device: u64,
    fraud: bool,
    at_once: bool,
    told: [u64; hindsight::COLUMNS.len()],
}

fn read(path: &Path) -> Result<Vec<Happened>> {
    let columns = [
        "user_id",
        "signup_time",
        "purchase_time",
        "purchase_value",
        "device_id",
        "ip_address",
        "class",
        "source",
        "browser",
        "sex",
        "age",
    ];
    let mut happened = Vec::new();
    table::rows(path, columns, |row| {
        let signup_ms = row.read(1, "time such as 6/7/2015 20:39", at_ms)?;
        let purchase_ms = row.read(2, "time such as 6/7/2015 20:39", at_ms)?;
        let amount = row.read(3, "amount", table::minor_units)?;
        let address = row.read(5, "address as a number", |text| text.parse::<f64>().ok())? as u32;
        let fraud = row.read(6, "0 or 1", |text| ["0", "1"].iter().position(|known| *known == text))? == 1;
        let (ip, network) = (address.to_string(), (address >> 8).to_string());
        let subject = subject([
            (Field::User, row.text(0)),
            (Field::Device, row.text(4)),
            (Field::Ip, &ip),
            (Field::Ip24, &network),
            (Field::Channel, row.text(7)),
        ]);
        let (device, at_once) = (xxh3_64(row.text(4).as_bytes()), signup_ms == purchase_ms);
        let [source, browser, sex, age, value] = [7, 8, 9, 10, 3].map(|column| xxh3_64(row.text(column).as_bytes()));
        let hours = purchase_ms.div_euclid(3_600_000).unsigned_abs();
        let told = [source, browser, sex, age, value, u64::from(address >> 27), hours % 24, hours / 24 % 7];
        let event = |happening, at_ms, amount| Event { happening, at_ms, subject, amount };
        let of = |event| Happened { event, device, fraud, at_once, told };
        happened.push(of(event(Happening::Claim, signup_ms, 0)));
        happened.push(of(event(Happening::Redemption, purchase_ms, amount)));
        Ok(true)
    })?;
    Ok(happened)
}

/// Milliseconds since 1970 of `6/7/2015 20:39`.
fn at_ms(text: &str) -> Option<i64> {
    let (day, time) = text.split_once(' ')?;
    let mut parts = day.split('/').map(|part| part.parse().ok());
    let (month, day, year) = (parts.next()??, parts.next()??, parts.next()??);
    Some(table::days_since_1970(year, month, day)? * 86_400_000 + table::time_ms(time)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        assert_eq!(at_ms("1/2/1970 1:38"), Some(86_400_000 + 5_880_000));
        assert_eq!(at_ms("13/1/2015 1:38"), None);
    }

    #[test]
    fn a_purchase_sees_its_signup_and_whoever_came_before() {
        let columns = "\u{FEFF}user_id,signup_time,purchase_time,purchase_value,device_id,ip_address,class,source";
        let text = format!(
            "{columns},browser,sex,age\n\
            1,1/1/2015 0:10,1/1/2015 0:20,30,D,100.5,0,Ads,Opera,F,30\n\
            2,1/1/2015 0:15,1/1/2015 0:15,31,D,100.5,1,Ads,Opera,F,30\n\
            3,1/1/2015 0:15,1/3/2015 0:15,32,E,7,0,SEO,Opera,M,31\n"
        );
        let path = std::env::temp_dir().join(format!("counterfoil-risk-bench-{}-purchases.csv", std::process::id()));
        std::fs::write(&path, text).expect("a file");
        let Ecommerce { purchases } = Ecommerce::open(&path).expect("purchases");
        std::fs::remove_file(&path).expect("the file");
        let place = |input: &str| INPUTS.iter().position(|known| *known == input).expect("an input");
        let known = [
            place("age(user)"),
            place("distinct(user by device, 24h)"),
            place("count(claim by channel, 28d) / count(claim by merchant, 28d)"),
        ];
        let seen: Vec<_> = purchases.iter().map(|purchase| known.map(|input| purchase.row.values[input])).collect();
        assert_eq!(seen, [[0.0, 2.0, 2.0 / 3.0], [600.0, 2.0, 2.0 / 3.0], [172_800.0, 0.0, 1.0 / 3.0]]);
        assert_eq!(purchases.iter().map(|purchase| purchase.at_once).collect::<Vec<_>>(), [true, false, false]);
        let [first, second, third] = [0, 1, 2].map(|n: usize| purchases[n].told);
        assert_eq!(first[..4], second[..4], "one source, browser, sex and age");
        assert!(first[0] != third[0] && first[1] == third[1] && first[2] != third[2], "{third:?}");
        assert_eq!((third[6], third[7]), (0, (first[7] + 2) % 7), "two days later, at midnight");
    }

    #[test]
    fn what_the_rest_must_reach_follows_from_what_is_found() {
        let fold = Metrics { rows: 100, frauds: 20, auc: 0.7, average_precision: 0.5, card_precision_100: 0.1 };
        let folds = Folds {
            folds: vec![fold, Metrics { auc: 0.8, ..fold }],
            at_once: (10, 10),
            others_auc: None,
            hindsight: vec![fold],
            differences: Default::default(),
        };
        assert!((mean_auc(&folds.folds) - 0.75).abs() < 1e-12);
        // A quarter is found: 0.25 + 0.75 * 0.6 = 0.7.
        assert!((folds.others_needed(0.7) - 0.6).abs() < 1e-12);
    }

    /// On the real purchases, if they are there.
    #[test]
    fn devices_that_were_not_trained_on_are_told_apart() {
        let Some(path) = crate::data("fraud_ecommerce/purchases.csv") else { return };
        let settings = Settings { trees: 40, learning_rate: 0.1, ..Settings::default() };
        let folds = Ecommerce::open(&path).and_then(|purchases| purchases.judge(2, &settings)).expect("purchases");
        assert!(mean_auc(&folds.folds) > 0.72, "{:?}", folds.folds);
    }
}
