//! A score that was learned from labels: an ensemble of decision trees over expressions of the rule language.
//!
//! A model is trained elsewhere and comes as an [`Artifact`]. What it looks at is written as rules write it, and counted by
//! the same plan, so that training, decision and derivation see the same numbers. The sum is taken in the order of the
//! trees and the sigmoid is that of `libm`: the same score to the bit on every machine.

mod artifact;
mod inputs;
mod problem;
mod reasons;

use std::sync::Arc;

pub use artifact::{Artifact, ArtifactNode, FORMAT, Link};
pub use inputs::{InputValues, Inputs};
pub use problem::{ModelProblem, NodeFault};
pub use reasons::Reason;

use crate::feature::Plan;
use crate::rules::Facts;

/// A model that was found right.
#[derive(Clone, Debug)]
pub struct Model {
    inputs: Vec<String>,
    trees: Arc<Trees>,
}

/// All trees, in flat arrays: a decision walks them without a pointer.
#[derive(Debug)]
struct Trees {
    link: Link,
    base: f64,
    /// Where each tree begins among the nodes.
    roots: Vec<u32>,
    nodes: Vec<Node>,
}

/// A node; 24 bytes.
#[derive(Clone, Copy, Debug)]
struct Node {
    threshold: f64,
    value: f64,
    /// The left child; the right one stands behind it. 0, which is a root and nobody's child, for a leaf.
    left: u32,
    input: u16,
    missing_left: bool,
}

/// What a model says of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// The probability in thousandths, 0 to 1000.
    pub score: u16,
    /// That it is fraud, 0 to 1.
    pub probability: f64,
}

impl Model {
    /// Reads an artifact and checks all of it: what this lets through can be evaluated, in bounded time.
    pub fn parse(bytes: &[u8]) -> Result<Self, ModelProblem> {
        let artifact = Artifact::read(bytes)?;
        Inputs::compile(&artifact.inputs, &mut Plan::default())?;
        Ok(Self { trees: Arc::new(Trees::of(&artifact)), inputs: artifact.inputs })
    }

    /// What it looks at, as rules spell it.
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// Ready to score; the features that it looks at are added to the plan.
    pub fn compile(&self, plan: &mut Plan) -> Result<Scorer, ModelProblem> {
        Ok(Scorer { inputs: Inputs::compile(&self.inputs, plan)?, trees: Arc::clone(&self.trees) })
    }

    /// What it says of these values of its inputs, of which there must be as many as it has.
    pub fn score_values(&self, values: &[f64]) -> Scored {
        assert_eq!(values.len(), self.inputs.len(), "a value for each input");
        self.trees.scored(values)
    }
}

/// A model that reads its inputs from the values of a plan.
pub struct Scorer {
    inputs: Inputs,
    trees: Arc<Trees>,
}

impl Scorer {
    /// The features that it looks at, by their numbers in the plan, each once.
    pub fn slots(&self) -> Vec<usize> {
        self.inputs.slots()
    }

    /// What the model says of a request.
    pub fn score(&self, facts: &Facts<'_>) -> Scored {
        self.trees.scored(&self.inputs.values(facts))
    }

    /// Which inputs moved the score most, at most so many, the strongest first.
    pub fn reasons(&self, facts: &Facts<'_>, most: usize) -> Vec<Reason> {
        reasons::reasons(&self.inputs, &self.trees, &self.inputs.values(facts), most)
    }
}

impl Trees {
    fn of(artifact: &Artifact) -> Self {
        let mut nodes = Vec::with_capacity(artifact.trees.iter().map(Vec::len).sum());
        let mut roots = Vec::with_capacity(artifact.trees.len());
        for tree in &artifact.trees {
            let root = nodes.len() as u32;
            roots.push(root);
            nodes.extend(tree.iter().map(|node| Node::of(node, root)));
        }
        Self { link: artifact.link, base: artifact.base, roots, nodes }
    }

    fn scored(&self, values: &[f64]) -> Scored {
        let sum = self.roots.iter().fold(self.base, |sum, root| sum + self.leaf(*root, values));
        let probability = self.probability(sum);
        Scored { score: libm::round(probability * 1_000.0) as u16, probability }
    }

    /// The value of the leaf to which a tree leads.
    fn leaf(&self, root: u32, values: &[f64]) -> f64 {
        let mut node = &self.nodes[root as usize];
        while let Some(child) = node.child(values) {
            node = &self.nodes[child as usize];
        }
        node.value
    }

    fn probability(&self, sum: f64) -> f64 {
        match self.link {
            Link::Logit => 1.0 / (1.0 + libm::exp(-sum)),
            Link::Identity => sum.clamp(0.0, 1.0),
        }
    }
}

impl Node {
    fn of(node: &ArtifactNode, root: u32) -> Self {
        match *node {
            ArtifactNode::Split(input, threshold, left, missing_left, value) => {
                Self { threshold, value, left: root + left, input, missing_left }
            }
            ArtifactNode::Leaf((value,)) => Self { threshold: 0.0, value, left: 0, input: 0, missing_left: false },
        }
    }

    /// Where it goes on; nowhere from a leaf.
    #[inline]
    fn child(&self, values: &[f64]) -> Option<u32> {
        if self.left == 0 {
            return None;
        }
        let value = values[usize::from(self.input)];
        let left = value < self.threshold || (value.is_nan() && self.missing_left);
        Some(self.left + u32::from(!left))
    }
}

#[cfg(test)]
mod tests;
