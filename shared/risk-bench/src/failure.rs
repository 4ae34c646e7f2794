//! What keeps the measurement from its end.

use std::path::{Path, PathBuf};

use risk::model::ModelProblem;
use risk_training::TrainingProblem;

/// The result of what may fail.
pub type Result<T> = std::result::Result<T, Failure>;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A file.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is no CSV.
    #[error("a row cannot be read: {0}")]
    Csv(#[from] csv::Error),
    /// A row does not say what it should.
    #[error("row {row}: `{found}` is no {wanted}")]
    Row {
        /// Which, the header being 1.
        row: u64,
        /// What stands there.
        found: String,
        /// What should.
        wanted: &'static str,
    },
    /// A file lacks a column.
    #[error("there is no column {0}")]
    Column(&'static str),
    /// A day is not written as it should be.
    #[error("`{0}` is no day: write 2018-07-25")]
    Day(String),
    /// Nothing to measure in a period.
    #[error("{0} has not both frauds and honest rows")]
    OneKind(String),
    /// An input is wrong.
    #[error(transparent)]
    Inputs(#[from] ModelProblem),
    /// Training failed.
    #[error(transparent)]
    Training(#[from] TrainingProblem),
}

impl Failure {
    /// Of a file.
    pub fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { path, source }
    }
}
