//! What keeps a run from its end. A broken invariant is no failure: it stands in the report.

use std::path::{Path, PathBuf};

use http_api::client::ClientError;

/// The result of what may fail.
pub type Result<T> = std::result::Result<T, Failure>;

/// Why a run could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What was asked for cannot be done as it was asked.
    #[error("{0}")]
    Usage(String),
    /// A file or folder.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A connection or a process.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file of claims breaks off or is no CSV.
    #[error("the claims cannot be read: {0}")]
    Claims(#[from] csv::Error),
    /// A request could not be made.
    #[error("{what}: {source}")]
    Client {
        /// Which.
        what: String,
        /// Why.
        source: ClientError,
    },
    /// The server refused what the run rests on.
    #[error("{what} was refused: {status} {code}: {detail}")]
    Refused {
        /// Which request.
        what: String,
        /// HTTP status.
        status: u16,
        /// The problem's code; empty if the answer is no problem.
        code: String,
        /// The problem's detail.
        detail: String,
    },
    /// No definite answer in all the time that the run waits for one.
    #[error("{what} has no definite answer after {seconds} s")]
    Unsettled {
        /// Which request.
        what: String,
        /// How long it was repeated.
        seconds: u64,
    },
    /// The server under test did not do what servers do.
    #[error("the server: {0}")]
    Server(String),
    /// An answer is not what the contract says.
    #[error("{what} was answered with something unexpected: {detail}")]
    Unexpected {
        /// Which request.
        what: String,
        /// What is missing or wrong.
        detail: String,
    },
}

impl Failure {
    /// A file that could not be read or written.
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    /// Something else that the system refused.
    pub(crate) fn io(what: &str) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.to_owned();
        move |source| Self::Io { what, source }
    }
}

/// An answer that is not what the contract says; of the detail as much as helps.
pub(crate) fn unexpected(what: &str, detail: &str) -> Failure {
    Failure::Unexpected { what: what.to_owned(), detail: detail.chars().take(200).collect() }
}
