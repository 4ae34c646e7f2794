//! What a model looks at.

use smallvec::SmallVec;

use super::problem::ModelProblem;
use crate::feature::Plan;
use crate::rules::{self, Expression, Facts};

/// The values of a model's inputs of one request; not a number where one is not known.
pub type InputValues = SmallVec<[f64; 32]>;

/// Expressions in the language of rules, ready to be evaluated: by the same code when a model is trained and when it
/// decides.
pub struct Inputs {
    expressions: Vec<Expression>,
}

impl Inputs {
    /// Of their texts; the features that they look at are added to the plan.
    pub fn compile<T: AsRef<str>>(texts: &[T], plan: &mut Plan) -> Result<Self, ModelProblem> {
        let compiled = texts.iter().enumerate().map(|(number, text)| compile(number, text.as_ref(), plan));
        Ok(Self { expressions: compiled.collect::<Result<_, _>>()? })
    }

    /// The features that they look at, by their numbers in the plan, each once.
    pub fn slots(&self) -> Vec<usize> {
        let mut slots: Vec<usize> = self.expressions.iter().flat_map(|input| input.slots.iter().copied()).collect();
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    /// As they were written.
    pub fn text(&self, number: usize) -> &str {
        &self.expressions[number].text
    }

    /// Their values. What is infinite is as little known as what is divided by zero.
    pub fn values(&self, facts: &Facts<'_>) -> InputValues {
        let known = |value: f64| if value.is_finite() { value } else { f64::NAN };
        self.expressions.iter().map(|input| known(input.value(facts))).collect()
    }
}

fn compile(number: usize, text: &str, plan: &mut Plan) -> Result<Expression, ModelProblem> {
    let wrong = |message: String| ModelProblem::Input { number, text: text.to_owned(), message };
    if text.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == "score") {
        return Err(wrong("a model gives the score, and cannot look at it".to_owned()));
    }
    rules::expression(text, plan).map_err(|problems| {
        let said: Vec<_> =
            problems.into_iter().map(|problem| format!("{} ({})", problem.message, problem.hint)).collect();
        wrong(said.join("; "))
    })
}
