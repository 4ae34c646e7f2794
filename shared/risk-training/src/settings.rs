//! How trees are grown.

use std::fmt::Display;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::TrainingProblem;

/// How trees are grown. The defaults were chosen on earlier weeks of the data of the Fraud Detection Handbook, not on those
/// that figures are given for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Trees, 1 to 1000.
    pub trees: usize,
    /// By how much each tree counts, above 0 to 1.
    pub learning_rate: f32,
    /// Splits between a root and a leaf, 1 to 16.
    pub depth: usize,
    /// What a leaf must weigh at least, in the loss's second derivatives: of `n` rows of probability `p`, `n p (1 - p)`.
    pub least_leaf_weight: f32,
    /// How much leaves are drawn to 0, 0 or more.
    pub l2: f32,
    /// The share of rows that each tree sees, above 0 to 1.
    pub row_share: f32,
    /// The share of inputs that each tree sees, above 0 to 1.
    pub input_share: f64,
    /// What the draws of rows and inputs start from.
    pub seed: u64,
    /// The share of rows, the latest, that the metrics are taken of, above 0 and below 1.
    pub held_out: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trees: 150,
            learning_rate: 0.05,
            depth: 4,
            least_leaf_weight: 5.0,
            l2: 1.0,
            row_share: 1.0,
            input_share: 1.0,
            seed: 0,
            held_out: 0.2,
        }
    }
}

impl Settings {
    pub(crate) fn check(&self) -> Result<(), TrainingProblem> {
        within("trees", &self.trees, 1..=1_000, "1 to 1000")?;
        within("depth", &self.depth, 1..=16, "1 to 16")?;
        within("learning_rate", &self.learning_rate, f32::MIN_POSITIVE..=1.0, "above 0, and 1 at most")?;
        within("least_leaf_weight", &self.least_leaf_weight, 0.0..=f32::MAX, "0 or more")?;
        within("l2", &self.l2, 0.0..=f32::MAX, "0 or more")?;
        within("row_share", &self.row_share, f32::MIN_POSITIVE..=1.0, "above 0, and 1 at most")?;
        within("input_share", &self.input_share, f64::MIN_POSITIVE..=1.0, "above 0, and 1 at most")?;
        within("held_out", &self.held_out, f64::MIN_POSITIVE..=1.0 - f64::EPSILON, "above 0 and below 1")
    }

    /// The place of the first row that the metrics are taken of.
    pub(crate) fn first_held_out(&self, rows: usize) -> usize {
        ((rows as f64 * (1.0 - self.held_out)) as usize).min(rows)
    }
}

fn within<T: PartialOrd + Display>(
    name: &'static str,
    found: &T,
    range: RangeInclusive<T>,
    wanted: &'static str,
) -> Result<(), TrainingProblem> {
    if range.contains(found) {
        return Ok(());
    }
    Err(TrainingProblem::Setting { name, found: found.to_string(), wanted })
}
