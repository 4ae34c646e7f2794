//! Random wishes under all faults: nothing that must not be.

use std::collections::BTreeMap;

use coupon::fold::Rules;
use simulator::run::general;

const STEPS: u32 = 1_200;

/// The seed to replay (`SIMULATOR_SEED`), or as many as are asked for (`SIMULATOR_SEEDS`).
fn seeds(all: u64) -> Vec<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("SIMULATOR_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("SIMULATOR_SEEDS").unwrap_or(all)).collect(),
    }
}

#[test]
fn nothing_goes_wrong_whatever_clients_ask_for() {
    let mut tally: BTreeMap<&'static str, u64> = BTreeMap::new();
    let seeds = seeds(300);
    let (mut records, mut void) = (0, 0);
    for &seed in &seeds {
        let report = general(seed, Rules::default(), STEPS);
        assert!(
            report.violations.is_empty(),
            "seed {seed}, replay with SIMULATOR_SEED={seed}: {:#?}",
            &report.violations[..report.violations.len().min(5)]
        );
        records += report.records.0;
        void += report.records.1;
        for (what, count) in report.tally {
            *tally.entry(what).or_default() += count;
        }
    }
    if seeds.len() > 1 {
        eprintln!("{records} records, {void} void: {tally:?}");
    }
}
