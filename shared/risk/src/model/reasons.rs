//! Which inputs moved a score.
//!
//! Saabas' method (A. Saabas, *Interpreting random forests*, 2014; the approximate contributions of `XGBoost`): on the way
//! from a root to its leaf, each step from a node to its child changes what the tree would say by the difference of
//! their values, and that change is the doing of the input which the node splits by. With the values of all roots they add up
//! to the sum.

use super::{InputValues, Inputs, Link, Trees};

/// An input that moved a score.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// As it is written.
    pub input: String,
    /// Its value; not a number where it was not known.
    pub value: f64,
    /// By how many points of the score, 1000 being certainty; below 0 where it lowered it. Those of all inputs add up to what
    /// lies between the score of a request of which nothing is known yet and this one's, but for rounding.
    pub points: i32,
    /// By how much it moved the sum of the trees.
    pub contribution: f64,
}

pub(super) fn reasons(inputs: &Inputs, trees: &Trees, values: &InputValues, most: usize) -> Vec<Reason> {
    let (start, contributions) = trees.contributions(values);
    let slope = trees.slope(start, start + contributions.iter().sum::<f64>());
    let mut moved: Vec<(usize, f64)> = contributions.into_iter().enumerate().filter(|(_, by)| *by != 0.0).collect();
    // Equal ones stay in the order of the inputs.
    moved.sort_by(|(_, one), (_, other)| other.abs().total_cmp(&one.abs()));
    moved.truncate(most);
    let reason = |(number, contribution): (usize, f64)| Reason {
        input: inputs.text(number).to_owned(),
        value: values[number],
        points: libm::round(contribution * slope * 1_000.0) as i32,
        contribution,
    };
    moved.into_iter().map(reason).collect()
}

impl Trees {
    /// What all trees say at their roots, and by how much each input moves that.
    fn contributions(&self, values: &[f64]) -> (f64, Vec<f64>) {
        let mut contributions = vec![0.0; values.len()];
        let mut start = self.base;
        for root in &self.roots {
            let mut node = &self.nodes[*root as usize];
            start += node.value;
            while let Some(child) = node.child(values) {
                let child = &self.nodes[child as usize];
                contributions[usize::from(node.input)] += child.value - node.value;
                node = child;
            }
        }
        (start, contributions)
    }

    /// Probability per unit of the sum between two sums: of the secant, and where they meet of the tangent.
    fn slope(&self, start: f64, end: f64) -> f64 {
        if (end - start).abs() > 1e-6 {
            return (self.probability(end) - self.probability(start)) / (end - start);
        }
        match self.link {
            Link::Logit => self.probability(end) * (1.0 - self.probability(end)),
            Link::Identity => 1.0,
        }
    }
}
