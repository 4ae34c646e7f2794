//! Why nothing was trained.

use risk::model::ModelProblem;

/// Why nothing was trained.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TrainingProblem {
    /// A row has another number of values than there are inputs.
    #[error("row {row} has {found} values, and there are {wanted} inputs")]
    Values {
        /// Which, from 0 on.
        row: usize,
        /// How many it has.
        found: usize,
        /// How many there are.
        wanted: usize,
    },
    /// A row's value is infinite.
    #[error("row {0} has an infinite value")]
    Infinite(usize),
    /// All rows are fraud, or none is: there is nothing to tell apart.
    #[error("all rows are of one kind: both fraud and honest ones are needed")]
    OneKind,
    /// A setting lies outside its range.
    #[error("{name} is {found}, and must be {wanted}")]
    Setting {
        /// Which.
        name: &'static str,
        /// What it is.
        found: String,
        /// What it may be.
        wanted: &'static str,
    },
    /// The trees could not be grown.
    #[error("the trees could not be grown: {0}")]
    Library(String),
    /// What was trained is no model: an input is wrong, or there is too much of something.
    #[error(transparent)]
    Model(#[from] ModelProblem),
}

#[expect(clippy::needless_pass_by_value, reason = "errors are handed over as such")]
pub(super) fn library(error: forust_ml::errors::ForustError) -> TrainingProblem {
    TrainingProblem::Library(error.to_string())
}
