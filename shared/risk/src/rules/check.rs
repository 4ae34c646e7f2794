//! Whether every part of a rule is of the type that is needed where it stands.

use std::collections::BTreeSet;

use super::ast::{Binary, Expr, ExprKind, RuleText};
use super::facts::attributes;
use super::problem::{Problem, code};
use crate::feature::{Feature, Happening};

/// What an expression gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Number,
    YesNo,
    Text,
}

impl Type {
    /// As editors name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::YesNo => "yes_no",
            Self::Text => "text",
        }
    }

    fn said(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::YesNo => "yes or no",
            Self::Text => "a text",
        }
    }
}

/// Different features of one text: each is counted for every key from then on, and looked up for every request.
const MOST_FEATURES: usize = 500;

pub(super) fn check(rules: &[RuleText], problems: &mut Vec<Problem>) {
    let (mut names, mut features) = (BTreeSet::new(), BTreeSet::new());
    for rule in rules {
        let few = features.len() <= MOST_FEATURES;
        collect(&rule.when, &mut features);
        if few && features.len() > MOST_FEATURES {
            let message = format!("a rule set looks at {MOST_FEATURES} features at most");
            problems.push(Problem::new(rule.place, code::TOO_MUCH, message, "use the windows of other rules"));
        }
        if !names.insert(rule.name.as_str()) {
            let message = format!("there is a rule `{}` already", rule.name);
            problems.push(Problem::new(rule.place, code::NAME_TAKEN, message, "give this one another name"));
        }
        match type_of(&rule.when, problems) {
            Some(Type::YesNo) | None => {}
            Some(other) => problems.push(wrong(&rule.when, "a condition", Type::YesNo, other)),
        }
    }
}

/// What an expression gives that stands alone: a number or a condition.
pub(super) fn check_expression(expr: &Expr, problems: &mut Vec<Problem>) -> Option<Type> {
    let found = type_of(expr, problems)?;
    if found == Type::Text {
        problems.push(wrong(expr, "an expression", Type::Number, found));
        return None;
    }
    Some(found)
}

fn collect(expr: &Expr, features: &mut BTreeSet<Feature>) {
    match &expr.kind {
        ExprKind::Feature(feature) => _ = features.insert(*feature),
        ExprKind::Not(inner) | ExprKind::Negative(inner) => collect(inner, features),
        ExprKind::Binary(_, left, right) => {
            collect(left, features);
            collect(right, features);
        }
        _ => {}
    }
}

fn wrong(expr: &Expr, what: &str, wanted: Type, found: Type) -> Problem {
    let message = format!("{what} is {}, and this is {}", wanted.said(), found.said());
    let hint = match (wanted, found) {
        (Type::YesNo, Type::Number) => "compare it: count(claim by device, 1h) > 3",
        (Type::Number, Type::YesNo) => "only numbers can be counted with; join conditions with and, or, not",
        _ => "only event is a text: event == \"claim\"",
    };
    Problem::new(expr.place, code::WRONG_TYPE, message, hint)
}

/// The type of an expression; nothing where something in it is wrong and was said.
fn type_of(expr: &Expr, problems: &mut Vec<Problem>) -> Option<Type> {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::Feature(_) => Some(Type::Number),
        ExprKind::Text(_) => Some(Type::Text),
        ExprKind::Has(_) | ExprKind::Listed(_) => Some(Type::YesNo),
        ExprKind::Attribute(name) => {
            let found = attributes().find(|(known, ..)| known == name).map(|(_, of, _)| of);
            if found.is_none() {
                let known: Vec<_> = attributes().map(|(name, ..)| name).collect();
                let hint =
                    format!("a request has {}; what is counted is written count(... by ..., 1h)", known.join(", "));
                problems.push(Problem::new(expr.place, code::UNKNOWN_NAME, format!("`{name}` is not known"), hint));
            }
            found
        }
        ExprKind::Not(inner) => is(inner, "what not turns round", Type::YesNo, problems).then_some(Type::YesNo),
        ExprKind::Negative(inner) => is(inner, "what has a sign", Type::Number, problems).then_some(Type::Number),
        ExprKind::Binary(operator, left, right) => binary(*operator, left, right, problems),
    }
}

fn is(expr: &Expr, what: &str, wanted: Type, problems: &mut Vec<Problem>) -> bool {
    match type_of(expr, problems) {
        Some(found) if found == wanted => true,
        Some(found) => {
            problems.push(wrong(expr, what, wanted, found));
            false
        }
        None => false,
    }
}

fn binary(operator: Binary, left: &Expr, right: &Expr, problems: &mut Vec<Problem>) -> Option<Type> {
    let what = format!("each side of {}", operator.sign());
    let both = |wanted, problems: &mut Vec<Problem>| {
        let left = is(left, &what, wanted, problems);
        is(right, &what, wanted, problems) && left
    };
    match operator {
        Binary::Or | Binary::And => both(Type::YesNo, problems).then_some(Type::YesNo),
        Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide => {
            both(Type::Number, problems).then_some(Type::Number)
        }
        Binary::Equal | Binary::NotEqual if is_text(left) || is_text(right) => {
            texts(left, right, problems).then_some(Type::YesNo)
        }
        _ => both(Type::Number, problems).then_some(Type::YesNo),
    }
}

fn is_text(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Text(_)) || matches!(&expr.kind, ExprKind::Attribute(name) if name == "event")
}

/// `event == "claim"`, either way round.
fn texts(left: &Expr, right: &Expr, problems: &mut Vec<Problem>) -> bool {
    let known = [Happening::Claim, Happening::Lock, Happening::Redemption].map(Happening::name);
    let (text, other) = if matches!(left.kind, ExprKind::Text(_)) { (left, right) } else { (right, left) };
    match (&text.kind, &other.kind) {
        (ExprKind::Text(value), ExprKind::Attribute(name)) if name == "event" => {
            if known.contains(&value.as_str()) {
                return true;
            }
            let message = format!("no event is called \"{value}\"");
            let hint = format!("there are {}", known.map(|name| format!("\"{name}\"")).join(", "));
            problems.push(Problem::new(text.place, code::UNKNOWN_NAME, message, hint));
        }
        _ => {
            let message = "a text is compared with event only".to_owned();
            problems.push(Problem::new(other.place, code::WRONG_TYPE, message, "write event == \"claim\""));
        }
    }
    false
}
