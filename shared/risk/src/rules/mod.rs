//! Rules as text: checked when they are written, compiled to closures over slots, all of them evaluated.
//!
//! ```text
//! rule bulk_claim {
//!   when distinct(user by device, 24h) > 3 or count(claim by ip24, 10m) > 50
//!   then review score 300
//!   reason "{n} users on one device"
//! }
//! ```
//!
//! What was not told is not known: a comparison with it is neither so nor not so, and counts as not. A rule that cannot be
//! worked out, such as one that divides by zero, says so in its outcome; it never passes in silence.

mod ast;
mod check;
mod compile;
mod facts;
mod parse;
mod problem;
mod token;

use crate::feature::Plan;

pub use ast::Action;
pub use compile::{Condition, Expression, Outcome, Rule};
pub use facts::Facts;
pub use problem::{Place, Problem, code};

/// The rules to begin with.
pub const STARTER: &str = include_str!("../../rules/starter.rules");

/// Rules that were found right.
pub struct RuleSet {
    /// In the order in which they are written.
    pub rules: Vec<Rule>,
}

/// Everything that is wrong with a text, in the order in which it stands there.
pub fn check(text: &str) -> Vec<Problem> {
    compile(text, &mut Plan::default()).err().unwrap_or_default()
}

/// What a request itself says: names, types and meanings, for editors.
pub fn attributes() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    facts::attributes().map(|(name, of, about)| (name, of.name(), about))
}

/// The rules of a text; the features that they look at are added to the plan.
pub fn compile(text: &str, plan: &mut Plan) -> Result<RuleSet, Vec<Problem>> {
    let (rules, mut problems) = parse::parse(text);
    check::check(&rules, &mut problems);
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.place);
        return Err(problems);
    }
    Ok(compile::compile(rules, plan))
}

/// One expression in the words of rules, such as `count(claim by ip, 1h) / distinct(device by ip, 1h)`: what a learned model
/// looks at. Its features are added to the plan. A condition gives 1 or 0.
pub fn expression(text: &str, plan: &mut Plan) -> Result<Expression, Vec<Problem>> {
    let expr = parse::parse_expression(text).map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    match check::check_expression(&expr, &mut problems) {
        Some(gives) if problems.is_empty() => Ok(compile::expression(text, &expr, gives, plan)),
        _ => Err(problems),
    }
}

#[cfg(test)]
mod tests;
