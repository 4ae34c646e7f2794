//! Rules as they are written.

use super::problem::Place;
use crate::feature::Feature;

/// What a rule does with a request that it hits, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Lets it through.
    Allow,
    /// Lets it through and opens a case.
    Review,
    /// Asks for proof.
    Challenge,
    /// Refuses it.
    Block,
}

impl Action {
    /// All of them, weakest first.
    pub const ALL: [Self; 4] = [Self::Allow, Self::Review, Self::Challenge, Self::Block];

    /// As rules spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Review => "review",
            Self::Challenge => "challenge",
            Self::Block => "block",
        }
    }
}

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RuleText {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) when: Expr,
    pub(super) action: Action,
    /// Points, 0 to 1000.
    pub(super) score: u16,
    pub(super) reason: String,
}

/// An expression where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expr {
    pub(super) kind: ExprKind,
    pub(super) place: Place,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum ExprKind {
    Number(f64),
    Text(String),
    /// Something that is counted of the past.
    Feature(Feature),
    /// Something that the request itself says, by its name.
    Attribute(String),
    /// `has(field)`
    Has(crate::feature::Field),
    /// `listed("name")`
    Listed(String),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
}

/// Operators of two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Or,
    And,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
    Equal,
    NotEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Binary {
    /// The operator of a sign or a word, with how strongly it binds.
    pub(super) fn of(text: &str) -> Option<(Self, u8)> {
        Some(match text {
            "or" => (Self::Or, 1),
            "and" => (Self::And, 2),
            "<" => (Self::Less, 3),
            "<=" => (Self::LessOrEqual, 3),
            ">" => (Self::More, 3),
            ">=" => (Self::MoreOrEqual, 3),
            "==" => (Self::Equal, 3),
            "!=" => (Self::NotEqual, 3),
            "+" => (Self::Add, 4),
            "-" => (Self::Subtract, 4),
            "*" => (Self::Multiply, 5),
            "/" => (Self::Divide, 5),
            _ => return None,
        })
    }

    pub(super) fn is_comparison(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual | Self::More | Self::MoreOrEqual | Self::Equal | Self::NotEqual)
    }

    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::More => ">",
            Self::MoreOrEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
        }
    }
}
