//! A model as it is kept: JSON, and what makes it valid.

use serde::{Deserialize, Serialize};

use super::problem::{ModelProblem, NodeFault};

/// The format that is written and read.
pub const FORMAT: u32 = 1;
/// Bytes of an artifact.
const MOST_BYTES: usize = 8 << 20;
const MOST_INPUTS: usize = 128;
/// Bytes of an input's text.
const LONGEST_INPUT: usize = 400;
/// Trees; with their depth this bounds the time that a decision takes.
const MOST_TREES: usize = 1_000;
/// Nodes of all trees.
const MOST_NODES: usize = 100_000;
/// Of a base score or a value: the sum of so many stays finite.
const LARGEST: f64 = 1e9;
/// Splits between a root and a leaf.
const DEEPEST: u8 = 16;

/// How the sum of the trees becomes a probability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// The sum is the logarithm of the odds: `1 / (1 + exp(-sum))`.
    Logit,
    /// The sum is the probability, as with a forest whose leaves hold shares of it.
    Identity,
}

/// A node of a tree. Its value is what the tree would say if it ended here: of a leaf what it does say, of a split what
/// explanations start from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ArtifactNode {
    /// `[input, threshold, left, missing_left, value]`: below the threshold it goes on at the node `left` of this tree, else
    /// at the one behind that; where the input is not known, left or right as `missing_left` says.
    Split(u16, f64, u32, bool, f64),
    /// `[value]`
    Leaf((f64,)),
}

/// A model as it is kept.
///
/// ```json
/// {"format": 1, "inputs": ["amount", "fraud_rate(store, 7d)"], "link": "logit", "base": -4.6,
///  "trees": [[[1, 0.06, 1, true, 0.02], [-0.3], [1.9]]]}
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// [`FORMAT`].
    pub format: u32,
    /// Expressions of the rule language that give a number; splits name them by their place.
    pub inputs: Vec<String>,
    /// How the sum becomes a probability.
    pub link: Link,
    /// What the sum starts with.
    pub base: f64,
    /// The nodes of each tree; the first is the root, and children stand behind their parents.
    pub trees: Vec<Vec<ArtifactNode>>,
}

impl Artifact {
    /// As it is kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and texts become JSON")
    }

    /// Reads and checks all but the inputs' texts.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, ModelProblem> {
        bounded("bytes", bytes.len(), MOST_BYTES)?;
        let form: Form = serde_json::from_slice(bytes).map_err(unreadable)?;
        if form.format != FORMAT {
            return Err(ModelProblem::Format(form.format));
        }
        let artifact: Self = serde_json::from_slice(bytes).map_err(unreadable)?;
        artifact.check()?;
        Ok(artifact)
    }

    fn check(&self) -> Result<(), ModelProblem> {
        bounded("inputs", self.inputs.len(), MOST_INPUTS)?;
        bounded("trees", self.trees.len(), MOST_TREES)?;
        bounded("nodes", self.trees.iter().map(Vec::len).sum(), MOST_NODES)?;
        for (number, text) in self.inputs.iter().enumerate() {
            bounded("bytes of an input", text.len(), LONGEST_INPUT)?;
            if self.inputs[..number].contains(text) {
                return Err(ModelProblem::RepeatedInput(number));
            }
        }
        if !is_summand(self.base) {
            return Err(ModelProblem::Base);
        }
        for (tree, nodes) in self.trees.iter().enumerate() {
            check_tree(nodes, self.inputs.len()).map_err(|(node, fault)| ModelProblem::Node { tree, node, fault })?;
        }
        Ok(())
    }
}

/// What every format has.
#[derive(Deserialize)]
struct Form {
    format: u32,
}

#[expect(clippy::needless_pass_by_value, reason = "errors are handed over as such")]
fn unreadable(error: serde_json::Error) -> ModelProblem {
    ModelProblem::Unreadable(error.to_string())
}

fn bounded(what: &'static str, found: usize, most: usize) -> Result<(), ModelProblem> {
    if found > most { Err(ModelProblem::TooMuch { what, found, most }) } else { Ok(()) }
}

/// Since children stand behind their parents, one pass sees each node after the node that leads to it.
fn check_tree(nodes: &[ArtifactNode], inputs: usize) -> Result<(), (usize, NodeFault)> {
    if nodes.is_empty() {
        return Err((0, NodeFault::Parents));
    }
    let mut depths: Vec<Option<u8>> = vec![None; nodes.len()];
    depths[0] = Some(0);
    for (at, node) in nodes.iter().enumerate() {
        let depth = depths[at].ok_or((at, NodeFault::Parents))?;
        let (ArtifactNode::Split(.., value) | ArtifactNode::Leaf((value,))) = *node;
        if !is_summand(value) {
            return Err((at, NodeFault::Number));
        }
        let &ArtifactNode::Split(input, threshold, left, ..) = node else { continue };
        if !threshold.is_finite() {
            return Err((at, NodeFault::Number));
        }
        if usize::from(input) >= inputs {
            return Err((at, NodeFault::NoSuchInput));
        }
        let left = left as usize;
        if left <= at || left + 1 >= nodes.len() {
            return Err((at, NodeFault::Children));
        }
        if depth == DEEPEST {
            return Err((at, NodeFault::TooDeep));
        }
        for child in [left, left + 1] {
            if depths[child].replace(depth + 1).is_some() {
                return Err((child, NodeFault::Parents));
            }
        }
    }
    Ok(())
}

fn is_summand(number: f64) -> bool {
    number.abs() <= LARGEST
}
