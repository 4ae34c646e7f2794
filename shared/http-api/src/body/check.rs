//! Bounds that types cannot express, checked field by field; the first that fails is the answer.

use crate::problem::{Code, Problem, Result};

/// Collects the first failed bound of a request.
#[derive(Debug, Default)]
#[must_use = "a check does nothing until `done`"]
pub struct Check(Option<Problem>);

impl Check {
    /// Nothing failed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The field must fulfil the condition: `.field("/total", total <= 100, "must be at most 100")`.
    pub fn field(self, pointer: &str, holds: bool, what: &str) -> Self {
        self.refuse(holds, || Problem::new(Code::InvalidField, format!("{pointer} {what}.")).pointer(pointer))
    }

    /// The same for a field whose pointer is costly to make.
    pub fn field_at(self, pointer: impl FnOnce() -> String, holds: bool, what: &str) -> Self {
        self.refuse(holds, || {
            let pointer = pointer();
            Problem::new(Code::InvalidField, format!("{pointer} {what}.")).pointer(pointer)
        })
    }

    /// The field must be there.
    pub fn present(self, pointer: &str, holds: bool) -> Self {
        self.refuse(holds, || Problem::new(Code::MissingField, format!("{pointer} is required.")).pointer(pointer))
    }

    /// The text must have between so many and so many characters.
    pub fn length(self, pointer: &str, text: &str, bounds: std::ops::RangeInclusive<usize>) -> Self {
        // Characters are never more than bytes and at least a quarter of them, so that long texts are not counted out.
        let holds = text.len() <= bounds.end().saturating_mul(4) && bounds.contains(&text.chars().count());
        self.refuse(holds, || {
            let detail = format!("{pointer} must have {} to {} characters.", bounds.start(), bounds.end());
            Problem::new(Code::InvalidField, detail).pointer(pointer)
        })
    }

    /// The first failure, if any.
    pub fn done(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }

    fn refuse(mut self, holds: bool, problem: impl FnOnce() -> Problem) -> Self {
        if !holds && self.0.is_none() {
            self.0 = Some(problem());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_the_answer() {
        let problem = Check::new()
            .field("/a", true, "must be")
            .field("/total", false, "must be 1 to 100")
            .present("/later", false)
            .done()
            .expect_err("fails");
        assert_eq!((problem.code, problem.pointer.as_deref()), (Code::InvalidField, Some("/total")));
        assert_eq!(problem.detail, "/total must be 1 to 100.");
        assert_eq!(Check::new().length("/name", "满100减20", 1..=7).done(), Ok(()));
        assert!(Check::new().length("/name", "", 1..=7).done().is_err());
        assert!(Check::new().length("/name", &"x".repeat(100), 1..=7).done().is_err());
    }
}
