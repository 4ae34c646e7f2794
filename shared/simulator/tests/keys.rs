//! Nothing that was refused or cancelled happens later: many small histories of one key.

use std::collections::BTreeMap;

use coupon::fold::Rules;
use simulator::run::{keys, seeds};

#[test]
fn what_was_refused_or_cancelled_never_happens() {
    let mut tally: BTreeMap<&'static str, u64> = BTreeMap::new();
    let seeds = seeds(10_000);
    for &seed in &seeds {
        let report = keys(seed, Rules::default());
        report.assert_clean(seed);
        for (what, count) in report.tally {
            *tally.entry(what).or_default() += count;
        }
    }
    if seeds.len() > 1_000 {
        // Without these, each in more than one history of a hundred, it would prove nothing.
        for what in ["fenced", "cancelled", "replayed", "noted", "counter", "version", "time", "lock released"] {
            let enough = tally.get(what).is_some_and(|count| *count * 100 > seeds.len() as u64);
            assert!(enough, "{what} is missing: {tally:?}");
        }
    }
}
