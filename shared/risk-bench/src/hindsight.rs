//! What nobody could know at the moment, to see how far any model could come: of each purchase the later users of its
//! device too, and which of the others were fraud. And how much fraud differs between the values of the file's columns.
//!
//! Nothing of this is in the figures of the models.

use std::collections::BTreeMap;

use risk_training::Row;

use crate::ecommerce::Purchase;

/// The inputs that hindsight fills in: all users of the device in the file, and the frauds of the others, without window and
/// delay.
pub const INPUTS: [&str; 2] = ["cluster_size", "frauds(device, 28d)"];

/// The columns that are looked at, addresses by their first five bits, moments by the purchase's.
pub const COLUMNS: [&str; 8] = ["source", "browser", "sex", "age", "purchase_value", "ip_address", "hour", "weekday"];

/// Below so many frauds by chance a value is put together with others (Cochran, *Some Methods for Strengthening the Common
/// chi² Tests*, Biometrics 10, 1954).
const LEAST_FRAUDS: f64 = 5.0;

/// The rows with [`INPUTS`] behind their own.
pub fn rows(purchases: &[Purchase]) -> Vec<Row> {
    let mut devices: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    for purchase in purchases {
        let (users, frauds) = devices.entry(purchase.device).or_default();
        *users += 1.0;
        *frauds += f64::from(u8::from(purchase.row.fraud));
    }
    let told = |purchase: &Purchase| {
        let (users, frauds) = devices[&purchase.device];
        let others = frauds - f64::from(u8::from(purchase.row.fraud));
        let values = purchase.row.values.iter().copied().chain([users, others]).collect();
        Row { values, ..purchase.row.clone() }
    };
    purchases.iter().map(told).collect()
}

/// By how many standard deviations fraud differs more than by chance between the values of each of [`COLUMNS`]: Pearson's
/// chi², made normal (Wilson and Hilferty, *The Distribution of Chi-Square*, PNAS 17, 1931). Nothing of a column that has
/// one value only.
pub fn differences(purchases: &[&Purchase]) -> [Option<f64>; COLUMNS.len()] {
    std::array::from_fn(|column| {
        let mut values: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
        for purchase in purchases {
            let (all, frauds) = values.entry(purchase.told[column]).or_default();
            *all += 1.0;
            *frauds += f64::from(u8::from(purchase.row.fraud));
        }
        deviations(&values.into_values().collect::<Vec<_>>())
    })
}

/// Of so many rows and frauds among them for each value.
fn deviations(values: &[(f64, f64)]) -> Option<f64> {
    let sum = |values: &[(f64, f64)]| values.iter().fold((0.0, 0.0), |(n, f), (all, frauds)| (n + all, f + frauds));
    let (all, frauds) = sum(values);
    let share = frauds / all;
    let (common, rare): (Vec<_>, Vec<_>) = values.iter().copied().partition(|(all, _)| all * share >= LEAST_FRAUDS);
    let kinds = [common, vec![sum(&rare)]].concat();
    let kinds = kinds.iter().filter(|(all, _)| *all > 0.0);
    let freedom = kinds.clone().count() as f64 - 1.0;
    let of = |(all, frauds): &(f64, f64)| (frauds - all * share).powi(2) / (all * share * (1.0 - share));
    let chi2: f64 = kinds.map(of).sum();
    let spread = 2.0 / (9.0 * freedom);
    (freedom > 0.0 && share > 0.0 && share < 1.0).then(|| ((chi2 / freedom).cbrt() - (1.0 - spread)) / spread.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purchase(device: u64, fraud: bool, source: u64) -> Purchase {
        let row = Row { values: vec![7.0], fraud, day: 0, who: device };
        Purchase { device, at_once: false, told: [source, 0, 0, 0, 0, 0, 0, 0], row }
    }

    #[test]
    fn hindsight_tells_of_all_users_and_of_the_frauds_of_the_others() {
        let purchases = [purchase(1, true, 0), purchase(2, true, 0), purchase(1, false, 0), purchase(1, true, 0)];
        let told: Vec<_> = rows(&purchases).into_iter().map(|row| row.values).collect();
        assert_eq!(told, [[7.0, 3.0, 1.0], [7.0, 1.0, 0.0], [7.0, 3.0, 2.0], [7.0, 3.0, 1.0]]);
    }

    #[test]
    fn chance_is_no_difference_and_half_as_much_is() {
        // 75 are expected of each, 25 off, with a variance of 200 · 3/8 · 5/8: chi² is 80/3, with one degree of freedom.
        let clear = deviations(&[(200.0, 100.0), (200.0, 50.0)]).expect("two values");
        let wanted = ((80.0_f64 / 3.0).cbrt() - 7.0 / 9.0) / (2.0_f64 / 9.0).sqrt();
        assert!((clear - wanted).abs() < 1e-9, "{clear}");
        let none = deviations(&[(200.0, 60.0), (200.0, 60.0), (400.0, 120.0)]).expect("three values");
        assert!(none < -2.0, "less than chance makes: {none}");
        assert_eq!(deviations(&[(200.0, 60.0)]), None);
        assert_eq!(deviations(&[(200.0, 0.0), (100.0, 0.0)]), None);
        let rare = deviations(&[(200.0, 60.0), (3.0, 3.0), (3.0, 0.0)]).expect("two values");
        let together = deviations(&[(200.0, 60.0), (6.0, 3.0)]).expect("two values");
        assert_eq!(rare.to_bits(), together.to_bits());
    }

    #[test]
    fn each_column_is_looked_at_alone() {
        let purchases: Vec<_> = (0..400).map(|n| purchase(n, n % 4 == 0 || n % 8 == 1, n % 2)).collect();
        let [source, others @ ..] = differences(&purchases.iter().collect::<Vec<_>>());
        assert!(source.is_some_and(|deviations| deviations > 2.0), "{source:?}");
        assert!(others.iter().all(Option::is_none), "one value each: {others:?}");
    }
}
