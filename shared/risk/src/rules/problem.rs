//! What is wrong with a rule set's text: where, what, and what to write.

use serde::Serialize;

/// A place in a text, counted from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("line {}, column {}: {message}; {hint}", place.line, place.column)]
pub struct Problem {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// Of which kind: stable.
    pub code: &'static str,
    /// What.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

impl Problem {
    pub(super) fn new(place: Place, code: &'static str, message: String, hint: impl Into<String>) -> Self {
        Self { place, code, message, hint: hint.into() }
    }
}

/// Kinds of problems.
pub mod code {
    /// The text does not have the form of rules.
    pub const SYNTAX: &str = "syntax";
    /// A name that is not known.
    pub const UNKNOWN_NAME: &str = "unknown_name";
    /// A number stands where yes or no is needed, or the like.
    pub const WRONG_TYPE: &str = "wrong_type";
    /// A window that cannot be counted.
    pub const WINDOW: &str = "window";
    /// Two rules have one name.
    pub const NAME_TAKEN: &str = "name_taken";
    /// More than there may be.
    pub const TOO_MUCH: &str = "too_much";
}
