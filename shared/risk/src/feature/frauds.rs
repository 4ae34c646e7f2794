//! How much of what a key did turned out to be fraud.

use serde::{Deserialize, Serialize};

use super::measure::{DAY, LABEL_DELAY_SECONDS};
use super::tiles::{Tiles, tile};

/// The prior: a Beta distribution of mean 0.1 / 20 = 0.5 %, the usual share of fraud, that weighs as much as twenty
/// happenings: one fraud of one happening makes 5 %, not 100 %.
const PRIOR_FRAUDS: f64 = 0.1;
const PRIOR_USES: f64 = 20.0;
/// Days that windows end before now.
const DELAY_DAYS: u32 = LABEL_DELAY_SECONDS / DAY;

/// Claims and redemptions by the day on which they happened, and how many of them were labelled as fraud.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Frauds {
    uses: Tiles,
    frauds: Tiles,
}

/// How many days are kept for the longest window of so many: the delay lies before each.
pub(super) fn days_kept(window_days: u32) -> u32 {
    window_days + DELAY_DAYS
}

impl Frauds {
    /// A claim or a redemption happened.
    pub(super) fn used(&mut self, at_ms: i64, keep: u32) {
        self.uses.add(tile(at_ms, DAY), 1, keep);
    }

    /// One that happened then was labelled (1), or a label was taken back (-1).
    pub(super) fn label(&mut self, event_at_ms: i64, fraud: i64, keep: u32) {
        self.frauds.add(tile(event_at_ms, DAY), fraud, keep);
    }

    /// The newest day.
    pub(super) fn newest(&self) -> Option<u32> {
        self.uses.newest().max(self.frauds.newest())
    }

    /// How many were labelled, of the days of a window that ends before the delay.
    pub(super) fn count(&self, at_ms: i64, days: u32) -> f64 {
        // Below 0 only where a label is taken back whose happening was let go for want of room.
        self.frauds.sum(last_day(at_ms), days).max(0) as f64
    }

    /// How many there were, labelled or not, of the same days.
    pub(super) fn settled(&self, at_ms: i64, days: u32) -> f64 {
        self.uses.sum(last_day(at_ms), days) as f64
    }

    /// Their share, with the prior: the mean of the Beta distribution that follows from it (Gelman et al., *Bayesian Data
    /// Analysis*, section 2.1).
    pub(super) fn rate(&self, at_ms: i64, days: u32) -> f64 {
        let frauds = self.count(at_ms, days);
        let uses = self.settled(at_ms, days).max(frauds);
        (frauds + PRIOR_FRAUDS) / (uses + PRIOR_USES)
    }
}

fn last_day(at_ms: i64) -> u32 {
    tile(at_ms, DAY).saturating_sub(DELAY_DAYS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY_MS: i64 = 86_400_000;
    const START_MS: i64 = 20_000 * DAY_MS;

    #[test]
    fn nothing_counts_before_labels_had_a_week_to_come() {
        let mut device = Frauds::default();
        for _ in 0..80 {
            device.used(START_MS, 35);
        }
        for _ in 0..20 {
            device.label(START_MS, 1, 35);
        }
        let close = |value: f64, wanted: f64| assert!((value - wanted).abs() < 1e-12, "{value}");
        close(device.rate(START_MS + 6 * DAY_MS, 28), 0.005);
        close(device.rate(START_MS + 7 * DAY_MS, 28), 20.1 / 100.0);
        close(device.rate(START_MS + 34 * DAY_MS, 28), 20.1 / 100.0);
        close(device.rate(START_MS + 35 * DAY_MS, 28), 0.005);
        close(device.rate(START_MS + 8 * DAY_MS, 1), 0.005);
        close(device.count(START_MS + 7 * DAY_MS, 1), 20.0);
        device.label(START_MS, -1, 35);
        close(device.count(START_MS + 7 * DAY_MS, 1), 19.0);
    }

    #[test]
    fn one_fraud_of_one_is_a_hint_and_no_proof() {
        let mut device = Frauds::default();
        device.used(START_MS, 35);
        device.label(START_MS, 1, 35);
        let rate = device.rate(START_MS + 7 * DAY_MS, 28);
        assert!((0.05..0.06).contains(&rate), "{rate}");
    }

    proptest! {
        #[test]
        fn labels_and_happenings_come_in_any_order(
            events in prop::collection::vec((0_i64..60, any::<bool>(), any::<u16>()), 0..100), day in 0_i64..70,
        ) {
            let read = |events: &[(i64, bool, u16)]| {
                let mut frauds = Frauds::default();
                for (day, label, _) in events {
                    let at_ms = START_MS + day * DAY_MS;
                    if *label { frauds.label(at_ms, 1, 35) } else { frauds.used(at_ms, 35) }
                }
                frauds
            };
            let mut shuffled = events.clone();
            shuffled.sort_by_key(|(.., late)| *late);
            let (there, shuffled) = (read(&events), read(&shuffled));
            let at_ms = START_MS + day * DAY_MS;
            prop_assert_eq!(there.rate(at_ms, 28).to_bits(), shuffled.rate(at_ms, 28).to_bits());
            prop_assert_eq!(there, shuffled);
        }
    }
}
