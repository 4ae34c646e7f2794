//! Random wishes under all faults: nothing that must not be.

use std::collections::BTreeMap;

use coupon::fold::Rules;
use simulator::run::{STEPS, general, seeds};

#[test]
fn nothing_goes_wrong_whatever_clients_ask_for() {
    let mut tally: BTreeMap<&'static str, u64> = BTreeMap::new();
    let seeds = seeds(300);
    let (mut records, mut void) = (0, 0);
    for &seed in &seeds {
        let report = general(seed, Rules::default(), STEPS);
        report.assert_clean(seed);
        records += report.records.0;
        void += report.records.1;
        for (what, count) in report.tally {
            *tally.entry(what).or_default() += count;
        }
    }
    if seeds.len() >= 300 {
        eprintln!("{records} records, {void} void: {tally:?}");
        assert!(tally.len() > 25, "something never happened: {tally:?}");
        assert!(tally.values().all(|count| *count >= 20), "something hardly ever happened: {tally:?}");
    }
}
