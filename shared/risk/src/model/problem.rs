//! What can be wrong with a model.

use super::artifact::FORMAT;

/// Why an artifact is no model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ModelProblem {
    /// It is no JSON of the form of an artifact.
    #[error("it is not read: {0}")]
    Unreadable(String),
    /// It is of a format that this version does not know.
    #[error("it is of format {0}, and format {FORMAT} is known")]
    Format(u32),
    /// There is more of something than a model may have.
    #[error("{what}: {found}, and at most {most} are taken")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much there may be.
        most: usize,
    },
    /// An input is no expression that gives a number.
    #[error("input {number}, `{text}`: {message}")]
    Input {
        /// Which, from 0 on.
        number: usize,
        /// Its text.
        text: String,
        /// What is wrong with it.
        message: String,
    },
    /// The same input stands there twice.
    #[error("input {0} was there before")]
    RepeatedInput(usize),
    /// The base score is not finite, or beyond a billion.
    #[error("the base score is not finite, or beyond a billion")]
    Base,
    /// Something is wrong with a node.
    #[error("tree {tree}, node {node}: {fault}")]
    Node {
        /// Of which tree, from 0 on.
        tree: usize,
        /// Which, from 0 on; the number of nodes where the tree ends too early.
        node: usize,
        /// What.
        fault: NodeFault,
    },
}

/// What can be wrong with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeFault {
    /// A threshold or a value is not finite, or a value is beyond a billion.
    #[error("a number is not finite, or too large")]
    Number,
    /// It splits by an input that the model does not have.
    #[error("there is no such input")]
    NoSuchInput,
    /// Its children stand before it or beyond the last node: following them would go round or leave the tree.
    #[error("its children are not behind it, within the tree")]
    Children,
    /// It is the child of no node, or of several.
    #[error("it is not the child of exactly one node")]
    Parents,
    /// It lies deeper than a decision has time to go.
    #[error("it lies too deep")]
    TooDeep,
}
