//! Queries over what happened: one line that says which events are wanted, such as
//! `kind:claim action:(block,review) not store:sto_1 score>500`.
//!
//! A query is read, printed and evaluated here; what a term means for an event is told by whoever has the event.

mod field;
mod parse;

use std::fmt::{self, Display, Write as _};

use serde::Serialize;

pub use field::{Field, FieldType};
pub use parse::{MOST_BYTES, parse};

/// Which events are wanted, over terms of some kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query<T = Term> {
    /// Those of which one thing holds.
    Is(T),
    /// All others.
    Not(Box<Self>),
    /// Those of which all of it holds; all events where it is empty.
    And(Vec<Self>),
    /// Those of which some of it holds.
    Or(Vec<Self>),
}

/// One thing that may hold of an event.
#[derive(Clone, Debug)]
pub struct Term {
    /// What is looked at.
    pub field: Field,
    /// What it shall be.
    pub test: Test,
    /// Where it stands, characters counted from 1.
    pub column: u32,
}

/// Where it stands does not make it another one.
impl PartialEq for Term {
    fn eq(&self, other: &Self) -> bool {
        (self.field, &self.test) == (other.field, &other.test)
    }
}

impl Eq for Term {}

/// What something shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// One of these.
    OneOf(Vec<String>),
    /// So much.
    Compare(Comparison, i64),
}

/// How numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `=`, or `:`
    Equal,
    /// `>=`
    AtLeast,
    /// `>`
    Above,
}

/// Something that is wrong with a query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where, characters counted from 1.
    pub column: u32,
    /// What.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

impl Problem {
    /// At a column.
    pub fn new(column: u32, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { column, message: message.into(), hint: hint.into() }
    }
}

impl Comparison {
    const ALL: [Self; 5] = [Self::Below, Self::AtMost, Self::Equal, Self::AtLeast, Self::Above];

    /// As it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Equal => "=",
            Self::AtLeast => ">=",
            Self::Above => ">",
        }
    }

    /// Whether it holds of a value and a bound.
    pub fn holds(self, value: i64, bound: i64) -> bool {
        match self {
            Self::Below => value < bound,
            Self::AtMost => value <= bound,
            Self::Equal => value == bound,
            Self::AtLeast => value >= bound,
            Self::Above => value > bound,
        }
    }
}

impl<T> Query<T> {
    /// Whether an event is wanted, by what holds of it.
    pub fn fits(&self, holds: &impl Fn(&T) -> bool) -> bool {
        match self {
            Self::Is(term) => holds(term),
            Self::Not(query) => !query.fits(holds),
            Self::And(all) => all.iter().all(|query| query.fits(holds)),
            Self::Or(some) => some.iter().any(|query| query.fits(holds)),
        }
    }

    /// The same over other terms.
    pub fn map<U, E>(self, make: &mut impl FnMut(T) -> Result<U, E>) -> Result<Query<U>, E> {
        Ok(match self {
            Self::Is(term) => Query::Is(make(term)?),
            Self::Not(query) => Query::Not(Box::new(query.map(make)?)),
            Self::And(all) => Query::And(all.into_iter().map(|query| query.map(make)).collect::<Result<_, E>>()?),
            Self::Or(some) => Query::Or(some.into_iter().map(|query| query.map(make)).collect::<Result<_, E>>()?),
        })
    }
}

/// As it can be read again.
impl Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let within = |query: &Self, f: &mut fmt::Formatter<'_>| match query {
            Self::Is(_) | Self::Not(_) => write!(f, "{query}"),
            Self::And(_) | Self::Or(_) => write!(f, "({query})"),
        };
        match self {
            Self::Is(term) => write!(f, "{term}"),
            Self::Not(query) => {
                f.write_str("not ")?;
                within(query, f)
            }
            Self::And(list) | Self::Or(list) => {
                for (i, query) in list.iter().enumerate() {
                    if i > 0 {
                        f.write_str(if matches!(self, Self::And(_)) { " " } else { " or " })?;
                    }
                    within(query, f)?;
                }
                Ok(())
            }
        }
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field.name())?;
        match &self.test {
            Test::Compare(comparison, bound) => write!(f, "{}{bound}", comparison.sign()),
            Test::OneOf(values) if values.len() == 1 => {
                f.write_char(':')?;
                quote(&values[0], f)
            }
            Test::OneOf(values) => {
                f.write_str(":(")?;
                for (i, value) in values.iter().enumerate() {
                    f.write_str(if i > 0 { "," } else { "" })?;
                    quote(value, f)?;
                }
                f.write_char(')')
            }
        }
    }
}

/// A value as it is written, in quotes where it would end too early.
fn quote(value: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if !value.is_empty() && !value.chars().any(parse::ends_value) {
        return f.write_str(value);
    }
    f.write_char('"')?;
    for char in value.chars() {
        if matches!(char, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(char)?;
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests;
