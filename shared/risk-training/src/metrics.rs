//! How well scores tell fraud from the rest.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// How many cards investigators can look into in a day.
const CARDS_A_DAY: usize = 100;

/// What a model said of a request, beside what became of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// What the model said; only the order matters.
    pub probability: f64,
    /// Whether it was fraud.
    pub fraud: bool,
    /// The day on which it happened.
    pub day: i64,
    /// What stands for whom it concerns.
    pub who: u64,
}

/// How well scores tell fraud from the rest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Requests that were judged.
    pub rows: usize,
    /// How many of them were fraud.
    pub frauds: usize,
    /// The probability that a fraud is scored higher than an honest request; equal scores count half. The area under the
    /// receiver operating characteristic (Hanley and `McNeil`, 1982).
    pub auc: f64,
    /// The mean of the precision at each fraud's score, as `average_precision_score` of scikit-learn has it: no
    /// interpolation, equal scores are one step.
    pub average_precision: f64,
    /// The share of frauds' cards among the hundred cards that are scored highest, the mean over days; a card that was
    /// found is not looked at again (Le Borgne et al., *Reproducible Machine Learning for Credit Card Fraud Detection -
    /// Practical Handbook*, 2022, ch. 4: card precision top-k).
    pub card_precision_100: f64,
}

impl Metrics {
    /// Of these; nothing where all of them are fraud, or none is.
    pub fn of(judged: &[Judged]) -> Option<Self> {
        let frauds = judged.iter().filter(|one| one.fraud).count();
        if frauds == 0 || frauds == judged.len() {
            return None;
        }
        let (auc, average_precision) = ranked(judged, frauds);
        let card_precision_100 = card_precision(judged, CARDS_A_DAY);
        Some(Self { rows: judged.len(), frauds, auc, average_precision, card_precision_100 })
    }
}

/// Area under the curve and average precision, in one pass from the highest score down.
fn ranked(judged: &[Judged], frauds: usize) -> (f64, f64) {
    let mut ranked: Vec<(f64, bool)> = judged.iter().map(|one| (one.probability, one.fraud)).collect();
    ranked.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let (all_frauds, all_honest) = (frauds as f64, (judged.len() - frauds) as f64);
    let (mut frauds, mut honest, mut area, mut precision) = (0.0, 0.0, 0.0, 0.0);
    for equal in ranked.chunk_by(|(one, _), (other, _)| one.total_cmp(other).is_eq()) {
        let found = equal.iter().filter(|(_, fraud)| *fraud).count() as f64;
        let wrong = equal.len() as f64 - found;
        area += wrong * (frauds + found / 2.0);
        frauds += found;
        honest += wrong;
        precision += found * frauds / (frauds + honest);
    }
    (area / all_frauds / all_honest, precision / all_frauds)
}

fn card_precision(judged: &[Judged], cards_a_day: usize) -> f64 {
    let mut days: BTreeMap<i64, Vec<&Judged>> = BTreeMap::new();
    for one in judged {
        days.entry(one.day).or_default().push(one);
    }
    let mut found_before = BTreeSet::new();
    let mut precision = 0.0;
    for day in days.values() {
        let mut cards: BTreeMap<u64, (f64, bool)> = BTreeMap::new();
        for one in day.iter().filter(|one| !found_before.contains(&one.who)) {
            let card = cards.entry(one.who).or_insert((f64::NEG_INFINITY, false));
            *card = (card.0.max(one.probability), card.1 | one.fraud);
        }
        let mut cards: Vec<_> = cards.into_iter().collect();
        // Of equals the card with the lower number first, so that the figure is the same each time.
        cards.sort_by(|(_, (one, _)), (_, (other, _))| other.total_cmp(one));
        let found = cards.iter().take(cards_a_day).filter(|(_, (_, fraud))| *fraud).map(|(who, _)| *who);
        let before = found_before.len();
        found_before.extend(found);
        precision += (found_before.len() - before) as f64 / cards_a_day as f64;
    }
    precision / days.len() as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judged(probability: f64, fraud: bool, day: i64, who: u64) -> Judged {
        Judged { probability, fraud, day, who }
    }

    fn close(found: f64, wanted: f64) {
        assert!((found - wanted).abs() < 1e-12, "{found} instead of {wanted}");
    }

    #[test]
    fn the_example_of_scikit_learn() {
        // roc_auc_score and average_precision_score of y = [0, 0, 1, 1], scores = [0.1, 0.4, 0.35, 0.8].
        let scores = [(0.1, false), (0.4, false), (0.35, true), (0.8, true)];
        let metrics = Metrics::of(&scores.map(|(score, fraud)| judged(score, fraud, 0, 0))).expect("both kinds");
        close(metrics.auc, 0.75);
        close(metrics.average_precision, 0.833_333_333_333_333_3);
    }

    #[test]
    fn equal_scores_say_nothing() {
        let same: Vec<_> = (0..10).map(|n| judged(0.5, n % 5 == 0, 0, n)).collect();
        let metrics = Metrics::of(&same).expect("both kinds");
        close(metrics.auc, 0.5);
        close(metrics.average_precision, 0.2);
        assert_eq!(Metrics::of(&same[1..5]), None, "no fraud among them");
    }

    #[test]
    fn a_card_counts_by_its_highest_score_and_once() {
        let days = [
            judged(0.9, true, 1, 7),
            judged(0.1, false, 1, 7),
            judged(0.8, false, 1, 8),
            // Found the day before.
            judged(0.9, true, 2, 7),
            judged(0.2, true, 2, 9),
            judged(0.1, false, 2, 8),
        ];
        close(card_precision(&days, 1), 1.0);
        close(card_precision(&days, 2), 0.5);
        close(card_precision(&days[..3], 100), 0.01);
    }

    proptest! {
        #[test]
        fn the_area_is_the_share_of_pairs_in_order(
            scores in prop::collection::vec((0_u8..20, any::<bool>()), 2..60),
        ) {
            let all: Vec<_> = scores.iter().map(|(score, fraud)| judged(f64::from(*score), *fraud, 0, 0)).collect();
            let Some(metrics) = Metrics::of(&all) else { return Ok(()) };
            let frauds: Vec<_> = scores.iter().filter(|(_, fraud)| *fraud).map(|(score, _)| score).collect();
            let honest: Vec<_> = scores.iter().filter(|(_, fraud)| !fraud).map(|(score, _)| score).collect();
            let pairs = frauds.iter().flat_map(|fraud| honest.iter().map(move |other| (fraud, other)));
            let points: f64 = pairs.map(|(fraud, other)| match fraud.cmp(other) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            }).sum();
            let wanted = points / (frauds.len() * honest.len()) as f64;
            prop_assert!((metrics.auc - wanted).abs() < 1e-9, "{} instead of {}", metrics.auc, wanted);
        }
    }
}
