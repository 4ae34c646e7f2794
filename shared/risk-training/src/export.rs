//! What the library grew, as an artifact.

use forust_ml::GradientBooster;
use forust_ml::tree::Tree;
use risk::model::{Artifact, ArtifactNode, FORMAT, Link};

pub(crate) fn artifact(booster: &GradientBooster, inputs: &[String]) -> Artifact {
    Artifact {
        format: FORMAT,
        inputs: inputs.to_vec(),
        link: Link::Logit,
        base: booster.base_score,
        trees: booster.trees.iter().map(nodes).collect(),
    }
}

/// A tree's nodes by their depth, both children of one side by side.
fn nodes(tree: &Tree) -> Vec<ArtifactNode> {
    let mut order = vec![0_usize];
    let mut nodes = Vec::with_capacity(tree.nodes.len());
    while let Some(node) = order.get(nodes.len()).map(|number| &tree.nodes[*number]) {
        let value = f64::from(node.weight_value);
        if node.is_leaf {
            nodes.push(ArtifactNode::Leaf((value,)));
            continue;
        }
        let (left, missing_left) = (order.len() as u32, node.missing_node == node.left_child);
        nodes.push(ArtifactNode::Split(node.split_feature as u16, node.split_value, left, missing_left, value));
        order.extend([node.left_child, node.right_child]);
    }
    nodes
}
